"""The real servers start from their own programs, serve, and survive what they must."""

from pathlib import Path

import psutil
import pytest

from tallygate.servers.child import ChildServer
from tallygate.servers.find import Kind, Source, find_servers
from tallygate.servers.influxdb_real import LocalInfluxdb
from tallygate.servers.kafka_real import LocalKafka
from tallygate.servers.mqtt_mosquitto import Mosquitto
from tallygate.servers.postgres_real import InstalledPostgres
from tests.support.round_trips import (
    create_topic,
    end_offset,
    influx_round_trip,
    kafka_round_trip,
    mqtt_round_trip,
    postgres_rows,
)
from tests.support.servers import Fresh, SessionServers


def test_each_of_the_four_is_the_real_one(real_servers: SessionServers) -> None:
    started = real_servers.group.started
    assert isinstance(started[Kind.MQTT], Mosquitto)
    assert isinstance(started[Kind.KAFKA], LocalKafka)
    assert isinstance(started[Kind.POSTGRES], InstalledPostgres)
    assert isinstance(started[Kind.INFLUX], LocalInfluxdb)
    versions = {kind: found.version for kind, found in real_servers.group.found.items()}
    assert versions[Kind.KAFKA].startswith("4.")
    assert all(versions.values()), versions


def test_mosquitto_carries_the_largest_batch(real: Fresh) -> None:
    batch = bytes(range(256)) * 2048
    assert mqtt_round_trip(real.mqtt_url, batch) == batch


def test_kafka_carries_a_record(real: Fresh) -> None:
    assert kafka_round_trip(real.kafka, real.name, b"record") == (2, b"record")


def test_kafka_makes_no_topic_that_nobody_asked_for(real: Fresh) -> None:
    assert end_offset(real.kafka, f"{real.name}-never-made", 0) is None


def test_postgres_has_the_schema_in_a_database_of_the_tests_own(real: Fresh) -> None:
    rows = postgres_rows(
        real.postgres_url,
        "select current_database(), count(*) from pg_namespace where nspname = 'ledger'",
    )
    assert rows == [(real.name, 1)]


def test_influxdb_takes_a_point_and_gives_it_back(real: Fresh) -> None:
    assert influx_round_trip(real.influx_url, real.influx_token, real.name, 1.5) == [1.5]


def test_named_servers_are_found_with_their_versions(real: Fresh) -> None:
    for found in find_servers(real.environment()):
        assert found.source is Source.ENVIRONMENT
        assert found.usable, found
        assert found.advice == ""


@pytest.mark.usefixtures("real_servers")
@pytest.mark.parametrize("server_class", [Mosquitto, LocalKafka, InstalledPostgres, LocalInfluxdb])
def test_a_server_survives_a_kill_and_leaves_nothing_when_stopped(
    server_class: type[ChildServer], tmp_path: Path
) -> None:
    server = server_class(tmp_path).start()
    url = server.url
    server.kill()
    assert server.start().url == url
    family = psutil.Process(server.pid).children(recursive=True)
    server.stop()
    assert not server.running
    assert not any(process.is_running() for process in family)


@pytest.mark.usefixtures("real_servers")
def test_kafka_keeps_its_log_through_a_kill(tmp_path: Path) -> None:
    with LocalKafka(tmp_path) as server:
        assert kafka_round_trip(server.url, "kept", b"record") == (2, b"record")
        server.kill()
        server.start()
        create_topic(server.url, "made-after", 1)
        assert end_offset(server.url, "kept", 2) == 1


@pytest.mark.usefixtures("real_servers")
def test_postgres_keeps_what_was_committed_through_a_kill(tmp_path: Path) -> None:
    with InstalledPostgres(tmp_path) as server:
        postgres_rows(server.url, "create table kept as select 42 as answer")
        server.kill()
        server.start()
        assert postgres_rows(server.url, "select answer from kept") == [(42,)]


@pytest.mark.usefixtures("real_servers")
def test_influxdb_keeps_its_user_and_points_through_a_kill(tmp_path: Path) -> None:
    with LocalInfluxdb(tmp_path) as server:
        assert influx_round_trip(server.url, server.token, "kept", 1.0) == [1.0]
        server.kill()
        server.start()
        assert influx_round_trip(server.url, server.token, "kept", 2.0) == [1.0, 2.0]
