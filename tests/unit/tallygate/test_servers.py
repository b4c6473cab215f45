"""The embedded servers start, serve, survive what they must, and leave nothing behind."""

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from tallygate.servers.child import LOOPBACK, ChildServer, ServerError, free_port
from tallygate.servers.find import Kind, Source, embedded_servers, find_servers
from tallygate.servers.group import ServerGroup
from tallygate.servers.kafka_embedded import EmbeddedKafka
from tallygate.servers.mqtt_embedded import EmbeddedMqtt
from tallygate.servers.postgres_embedded import EmbeddedPostgres
from tests.support.round_trips import (
    MqttClient,
    kafka_round_trip,
    mqtt_round_trip,
    postgres_rows,
    topics,
)
from tests.support.servers import Fresh

EMBEDDED: list[type[ChildServer]] = [EmbeddedMqtt, EmbeddedKafka, EmbeddedPostgres]
SECONDS_MAX = 60.0


def make(server_class: type[ChildServer], folder: Path) -> ChildServer:
    """Without waiting for the disk, where there is a choice."""
    if server_class is EmbeddedPostgres:
        return EmbeddedPostgres(folder, durable=False)
    return server_class(folder)


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.01)


def nobody_listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) != 0


@pytest.mark.parametrize("server_class", EMBEDDED)
def test_a_stopped_server_leaves_no_process_and_no_listener(
    server_class: type[ChildServer], tmp_path: Path
) -> None:
    server = make(server_class, tmp_path).start()
    family = [server.pid, *(child.pid for child in psutil.Process(server.pid).children(True))]
    assert not nobody_listens(server.port)
    server.stop()
    for pid in family:
        wait_until_gone(pid)
    assert not server.running
    assert nobody_listens(server.port)


@pytest.mark.parametrize("server_class", EMBEDDED)
def test_a_killed_server_starts_again_at_the_same_address(
    server_class: type[ChildServer], tmp_path: Path
) -> None:
    with make(server_class, tmp_path) as server:
        url, pid = server.url, server.pid
        server.kill()
        wait_until_gone(pid)
        assert server.start().url == url
        assert server.answers()


@pytest.mark.parametrize("server_class", EMBEDDED)
def test_a_paused_server_is_silent_until_it_is_resumed(
    server_class: type[ChildServer], tmp_path: Path
) -> None:
    with make(server_class, tmp_path) as server:
        server.pause()
        assert not server.answers()
        server.resume()
        assert server.answers()


@pytest.mark.parametrize("server_class", EMBEDDED)
def test_a_paused_server_can_be_stopped(server_class: type[ChildServer], tmp_path: Path) -> None:
    server = make(server_class, tmp_path).start()
    pid = server.pid
    server.pause()
    server.stop()
    wait_until_gone(pid)


@pytest.mark.parametrize("server_class", EMBEDDED)
def test_a_server_outlives_the_thread_that_started_it(
    server_class: type[ChildServer], tmp_path: Path
) -> None:
    """Linux would end it with that thread, were it not started by another."""
    server = make(server_class, tmp_path)
    starter = threading.Thread(target=server.start)
    starter.start()
    starter.join(SECONDS_MAX)
    with server:
        assert server.running
        assert server.answers()


STARTER = """
import sys, time
from pathlib import Path
from tallygate.servers.{module} import {name}
server = {name}(Path(sys.argv[1])).start()
print(server.pid, server.port, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("server_class", EMBEDDED)
def test_the_folder_of_a_killed_starter_can_be_used_again(
    server_class: type[ChildServer], tmp_path: Path
) -> None:
    module = server_class.__module__.rpartition(".")[2]
    code = STARTER.format(module=module, name=server_class.__name__)
    starter = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert starter.stdout is not None
    pid, port = (int(word) for word in starter.stdout.readline().split())
    starter.kill()
    starter.wait(SECONDS_MAX)
    starter.stdout.close()
    with make(server_class, tmp_path) as server:
        wait_until_gone(pid)
        assert server.port == port
        assert server.answers()


def test_a_leftover_that_lives_on_is_ended_by_the_next_start(tmp_path: Path) -> None:
    """As on systems where a server does not notice that its starter died."""
    first = EmbeddedMqtt(tmp_path).start()
    with EmbeddedMqtt(tmp_path) as second:
        first._process.wait(SECONDS_MAX)  # type: ignore[union-attr]
        assert second.port == first.port
        assert second.answers()


def test_a_server_that_cannot_start_says_why_and_where_its_log_is(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        server = EmbeddedMqtt(tmp_path, port=other.getsockname()[1])
        with pytest.raises(ServerError, match=r"server\.log"):
            server.start()
    assert not server.running


def test_free_ports_are_free() -> None:
    assert nobody_listens(free_port())


def test_memory_is_told(tmp_path: Path) -> None:
    with EmbeddedKafka(tmp_path) as server:
        assert server.memory_bytes > 1_000_000
    assert server.memory_bytes == 0


def test_postgres_keeps_what_was_committed_through_a_kill(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as server:
        postgres_rows(server.url, "create table kept as select 42 as answer")
        server.kill()
        server.start()
        assert postgres_rows(server.url, "select answer from kept") == [(42,)]


def test_postgres_starts_in_a_folder_that_is_closed_to_others(tmp_path: Path) -> None:
    """Root's server runs as another account, which must not need the folder opened."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with EmbeddedPostgres(closed / "postgres") as server:
        assert postgres_rows(server.url, "select 1") == [(1,)]
        assert psutil.Process(server.pid).uids().effective != 0
    assert closed.stat().st_mode & 0o777 == 0o700


def test_postgres_lets_nobody_in_without_its_password(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as server:
        with pytest.raises(Exception, match="password"):
            postgres_rows(server.url.replace(server.password, "guessed"), "select 1")
        assert (tmp_path / "password").stat().st_mode & 0o077 == 0


def test_postgres_makes_its_data_anew_where_a_start_was_killed_half_way(tmp_path: Path) -> None:
    (tmp_path / "data.making").mkdir()
    (tmp_path / "data.making" / "PG_VERSION").write_text("18")
    with EmbeddedPostgres(tmp_path) as server:
        assert postgres_rows(server.url, "select 1") == [(1,)]


def test_kafka_comes_back_empty(tmp_path: Path) -> None:
    with EmbeddedKafka(tmp_path) as server:
        assert kafka_round_trip(server.url, "before", b"record") == (2, b"record")
        assert topics(server.url) == {"before": 3}
        server.kill()
        server.start()
        assert topics(server.url) == {}


def test_mqtt_carries_the_largest_batch(tmp_path: Path) -> None:
    with EmbeddedMqtt(tmp_path) as server:
        batch = os.urandom(512 * 1024)
        assert mqtt_round_trip(server.url, batch) == batch


def test_mqtt_comes_back_without_its_retained_messages(tmp_path: Path) -> None:
    with EmbeddedMqtt(tmp_path) as server:
        client = MqttClient(server.url, "first")
        client.publish("kept", b"retained", retain=True)
        client.close()
        late = MqttClient(server.url, "late")
        late.subscribe("kept")
        assert late.next_payload() == b"retained"
        late.close()
        server.kill()
        server.start()
        later = MqttClient(server.url, "later")
        later.subscribe("kept")
        later.publish("kept", b"live")
        assert later.next_payload() == b"live"
        later.close()


def test_a_stack_starts_and_stops_as_one(tmp_path: Path) -> None:
    with ServerGroup(tmp_path, embedded_servers()) as group:
        addresses = group.addresses({})
        assert all(server.running for server in group.started.values())
        assert mqtt_round_trip(addresses.mqtt_url, b"x") == b"x"
        assert addresses.influx_url == ""
    assert not any(server.running for server in group.started.values())


def test_a_stack_starts_nothing_where_a_named_server_does_not_answer(tmp_path: Path) -> None:
    named = {"TALLYGATE_KAFKA": f"{LOOPBACK}:{free_port()}"}
    group = ServerGroup(tmp_path, find_servers(named))
    with pytest.raises(ServerError, match="TALLYGATE_KAFKA"):
        group.start()
    assert not any(server.running for server in group.started.values())


def test_where_nothing_is_named_the_embedded_servers_are_found() -> None:
    found = {one.kind: one for one in find_servers({})}
    assert found[Kind.KAFKA].source is Source.EMBEDDED
    assert found[Kind.POSTGRES].source is Source.EMBEDDED
    assert found[Kind.POSTGRES].version.startswith("18.")
    assert found[Kind.MQTT].source in (Source.EMBEDDED, Source.PATH)
    assert all(found[kind].usable for kind in (Kind.MQTT, Kind.KAFKA, Kind.POSTGRES))


def test_named_servers_are_found_and_their_passwords_are_not_shown(embedded: Fresh) -> None:
    found = {one.kind: one for one in find_servers(embedded.environment())}
    for kind in (Kind.MQTT, Kind.KAFKA, Kind.POSTGRES):
        assert found[kind].source is Source.ENVIRONMENT
        assert found[kind].usable
        assert found[kind].advice == ""
    assert found[Kind.POSTGRES].version.startswith("18.")
    assert ":***@" in found[Kind.POSTGRES].shown_address


def test_a_named_server_that_is_down_is_told_by_its_variable() -> None:
    down = f"{LOOPBACK}:{free_port()}"
    environment = {
        "TALLYGATE_MQTT_URL": f"mqtt://{down}",
        "TALLYGATE_KAFKA": down,
        "TALLYGATE_POSTGRES_URL": f"postgresql://user:secret@{down}/tallygate",
        "TALLYGATE_INFLUX_URL": f"http://{down}",
    }
    for found, variable in zip(find_servers(environment), environment, strict=True):
        assert not found.usable
        assert variable in found.advice


def test_each_test_has_a_database_of_its_own(embedded: Fresh) -> None:
    rows = postgres_rows(
        embedded.postgres_url,
        "select current_database(), count(*) from pg_namespace where nspname = 'ledger'",
    )
    assert rows == [(embedded.name, 1)]


def test_ctrl_c_in_a_terminal_does_not_reach_the_servers(tmp_path: Path) -> None:
    """It goes to the whole foreground group; the stack then stops its servers in order."""
    with EmbeddedMqtt(tmp_path) as server:
        assert os.getpgid(server.pid) != os.getpgid(0)
