"""A site file pushed to a running agent: applied, refused, rolled back; a kill in the middle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from contracts.codec import decode
from contracts.commands import AgentHealth, SetLogLevel
from contracts.fleet import ConfigurationPushed, ConfigurationState, digest_of
from edge_agent.__main__ import app
from edge_agent.spool import kept_batches
from tallygate.servers.child import free_port
from tallygate.servers.mqtt_embedded import EmbeddedMqtt
from tests.support.agent_bench import (
    GATEWAY,
    AgentProcess,
    Listener,
    TcpScanner,
    wait_until,
)

SILENT = "silent_s_max = 0\n"
"""The default, written out: a device with it is another device, and behaves the same."""


def site(*scanners: tuple[str, int], extra: str = "", trial_s: float = 2.0) -> str:
    """A site with scanners by name and port; `extra` goes into the first one's table."""
    text = f"""
site = "demo"
[[zones]]
id = "stage"
[[gateways]]
id = "dock"
spool_mb = 8
trial_s = {trial_s}
"""
    for number, (name, port) in enumerate(scanners):
        text += f"""
[[devices]]
id = "{name}"
gateway = "dock"
kind = "scanner"
host = "127.0.0.1"
port = {port}
location = "stage"
[devices.scanner]
retry_s_max = 0.3
{extra if number == 0 else ""}
"""
    return text


def code(serial: int) -> bytes:
    return f"]C1010950600013435221{serial}\r\n".encode()


@pytest.fixture(name="scanners")
def fixture_scanners() -> Iterator[tuple[TcpScanner, TcpScanner]]:
    pair = TcpScanner(), TcpScanner()
    yield pair
    for scanner in pair:
        scanner.close()


@pytest.fixture(name="broker")
def fixture_broker(tmp_path: Path) -> Iterator[EmbeddedMqtt]:
    with EmbeddedMqtt(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture(name="listener")
def fixture_listener(broker: EmbeddedMqtt) -> Iterator[Listener]:
    listener = Listener(broker.port)
    yield listener
    listener.close()


@pytest.fixture(name="agent")
def fixture_agent(
    tmp_path: Path, scanners: tuple[TcpScanner, TcpScanner], broker: EmbeddedMqtt
) -> Iterator[AgentProcess]:
    first, second = scanners
    with AgentProcess(tmp_path, scanner_port=first.port, mqtt_port=broker.port) as agent:
        agent._site.write_text(site(("belt", first.port), ("door", second.port)))
        agent.start()
        for scanner in scanners:
            scanner.wait_for_client()
        yield agent
        print(agent.log())  # noqa: T201 - shown where the test fails.


class Pusher:
    """`python -m edge_agent push` on one broker, in this process."""

    def __init__(self, folder: Path, mqtt_port: int) -> None:
        self._path = folder / "pushed.toml"
        self._environment = {"TALLYGATE_MQTT_URL": f"mqtt://127.0.0.1:{mqtt_port}"}

    def push(self, text: str, *options: str) -> Result:
        """Push a text; how the command ended."""
        self._path.write_text(text)
        arguments = ["push", str(self._path), "--gateway", GATEWAY, "--by", "tester", *options]
        return CliRunner().invoke(app, arguments, env=self._environment)


@pytest.fixture(name="pusher")
def fixture_pusher(tmp_path: Path, broker: EmbeddedMqtt) -> Pusher:
    return Pusher(tmp_path, broker.port)


def told(listener: Listener) -> ConfigurationState | None:
    raw = listener.latest("config_state")
    state = decode(ConfigurationState, raw, source="test", at_us=0) if raw else None
    return state if isinstance(state, ConfigurationState) else None


def hand_push(listener: Listener, text: str, number: int) -> None:
    """As `push` does, without checking the text first."""
    pushed = ConfigurationPushed(
        number=number, digest=digest_of(text), text=text, by="hand", at_us=1
    )
    listener.tell("config", pushed, retain=True)


def outcome(listener: Listener, number: int) -> ConfigurationState:
    """How a push ended."""

    def ended() -> ConfigurationState | None:
        state = told(listener)
        good = state is not None and state.number >= number and state.outcome != "trying"
        return state if good else None

    return wait_until(ended, f"the outcome of push {number}")


def running_in(folder: Path) -> str:
    """The version that the agent keeps as the good one."""
    kept = json.loads((folder / "configuration" / "state.json").read_bytes())
    return str(kept["state"]["running"])


def test_a_pushed_file_restarts_only_what_changed_and_survives_a_restart(
    agent: AgentProcess,
    scanners: tuple[TcpScanner, TcpScanner],
    listener: Listener,
    pusher: Pusher,
) -> None:
    belt, door = scanners
    belt.send(code(1))
    wait_until(listener.identities, "the read before")
    changed = site(("belt", belt.port), ("door", door.port), extra="timeout_s = 9.0")
    checked = pusher.push(changed, "--dry-run")
    assert "nothing was pushed" in checked.stdout
    pushed = pusher.push(changed)
    assert pushed.exit_code == 0, pushed.output
    version = f"1-{digest_of(changed)[:12]}"
    assert f"applied: dock runs on {version}" in pushed.stdout
    assert "changed belt" in pushed.stdout
    belt.wait_for_client()
    belt.send(code(2))
    door.send(code(3))  # On the connection that it had.
    wait_until(lambda: len(listener.identities()) == 3, "reads of both")
    states = [
        (change.device, change.state) for batch in listener.contents() for change in batch.changes
    ]
    assert ("belt", "stopped") in states
    assert [state for device, state in states if device == "door"] == ["reading"]
    state = told(listener)
    assert state is not None
    assert (state.by, state.outcome, state.running) == ("tester", "applied", version)
    spooled = [sequence for _, sequence, _ in kept_batches(agent.data)]
    assert spooled == list(range(1, len(spooled) + 1))
    # What is retained comes again after a restart, and is not tried again.
    assert agent.stop() == 0
    agent.start()
    for scanner in scanners:
        scanner.wait_for_client()
    wait_until(lambda: agent.log().count('"agent started"') == 2, "the second start")
    wait_until(lambda: version.encode() in (listener.latest("health") or b""), "the version")
    assert agent.log().count("configuration pushed") == 1
    # Somebody edits the file at the machine: that is newer, and wins.
    edited = site(("belt", belt.port))
    agent._site.write_text(edited)
    assert agent.stop() == 0
    agent.start()
    belt.wait_for_client()
    wait_until(lambda: running_in(agent.data) == f"file-{digest_of(edited)[:12]}", "the file")
    # A push after that counts on.
    again = pusher.push(changed)
    assert again.exit_code == 0, again.output
    assert f"applied: dock runs on 2-{digest_of(changed)[:12]}" in again.stdout


def test_a_file_with_which_a_device_does_not_come_up_is_rolled_back(
    agent: AgentProcess,
    scanners: tuple[TcpScanner, TcpScanner],
    listener: Listener,
    pusher: Pusher,
) -> None:
    belt, door = scanners
    wrong = site(("belt", free_port()), ("door", door.port), ("spare", free_port()))
    pushed = pusher.push(wrong)
    assert pushed.exit_code == 1
    assert "rolled_back: dock runs on file-" in pushed.stdout
    assert "belt read before, and with this file is retrying after 2 s" in pushed.stdout
    belt.wait_for_client()
    belt.send(code(1))
    door.send(code(2))
    wait_until(lambda: len(listener.identities()) == 2, "reads of both")
    assert running_in(agent.data).startswith("file-")
    wait_until(lambda: b"spare" not in (listener.latest("health") or b"spare"), "it is gone")


def test_every_mistake_of_a_refused_file_is_told_and_nothing_is_touched(
    agent: AgentProcess, scanners: tuple[TcpScanner, TcpScanner], listener: Listener
) -> None:
    belt, door = scanners
    bad = site(("belt", 70_000), ("door", door.port)).replace(
        'location = "stage"', 'location = "x"'
    )
    hand_push(listener, bad, 5)
    state = outcome(listener, 5)
    assert state.outcome == "refused"
    assert len(state.reasons) == 3
    assert all(reason.startswith("line ") for reason in state.reasons)
    for number, text, reason in (
        (6, site(("belt", belt.port)).replace('"dock"', '"gate"'), "has no gateway 'dock'"),
        (7, site(("belt", belt.port)).replace('"demo"', '"other"'), "describes site 'other'"),
    ):
        hand_push(listener, text, number)
        assert reason in outcome(listener, number).reasons[0]
    hand_push(listener, site(("belt", belt.port)), 7)
    wait_until(lambda: "is not above 7" in str(told(listener)), "an old number is refused")
    belt.send(code(1))  # On the connection that it had all the time.
    wait_until(listener.identities, "the read")
    assert listener.states() == ["reading", "reading"]
    assert agent.log().count("agent started") == 1


def test_a_kill_in_the_middle_of_a_trial_leaves_the_good_version(
    agent: AgentProcess, scanners: tuple[TcpScanner, TcpScanner], listener: Listener
) -> None:
    belt, door = scanners
    slow = site(("belt", free_port()), ("door", door.port), trial_s=60)
    good = site(("belt", belt.port), ("door", door.port), trial_s=60)
    hand_push(listener, good, 1)
    assert outcome(listener, 1).outcome == "applied"
    hand_push(listener, slow, 2)
    wait_until(lambda: (state := told(listener)) and state.outcome == "trying", "the trial")
    agent.kill()
    agent.start()
    for scanner in scanners:
        scanner.wait_for_client()
    state = outcome(listener, 2)
    assert state.outcome == "rolled_back"
    assert "the agent ended while it tried 2-" in state.reasons[0]
    assert state.running == f"1-{digest_of(good)[:12]}"


def test_an_agent_that_is_away_takes_what_was_pushed_when_it_is_back(
    agent: AgentProcess,
    scanners: tuple[TcpScanner, TcpScanner],
    listener: Listener,
    pusher: Pusher,
) -> None:
    belt = scanners[0]
    assert agent.stop() == 0
    pushed = pusher.push(site(("belt", belt.port)), "--wait-s", "0.2")
    assert pushed.exit_code == 3
    assert "it takes the file when it is back" in pushed.output
    agent.start()
    assert outcome(listener, 1).reasons == ("removed door",)
    wrong = pusher.push(site(("belt", 70_000)))
    assert wrong.exit_code == 1
    assert "devices[0].port" in wrong.output
    assert "pushed" not in wrong.output.replace("pushed.toml", "")


def test_how_much_is_told_is_set_from_afar(
    agent: AgentProcess, scanners: tuple[TcpScanner, TcpScanner], listener: Listener
) -> None:
    def level() -> str:
        health = decode(AgentHealth, listener.latest("health") or b"", source="test", at_us=0)
        return health.log_level if isinstance(health, AgentHealth) else ""

    wait_until(lambda: level() == "info", "the usual level")
    listener.tell("cmd", SetLogLevel(level="debug"))
    wait_until(lambda: level() == "debug", "the new level")
    scanners[0].cut()
    wait_until(lambda: '"level": "debug"' in agent.log(), "more is told")
    assert '"before": "info", "after": "debug"' in agent.log()
    listener.tell("cmd", SetLogLevel(level="error"))
    wait_until(lambda: level() == "error", "the new level")


def test_health_tells_of_antennas_machine_and_version(
    agent: AgentProcess, scanners: tuple[TcpScanner, TcpScanner], listener: Listener
) -> None:
    for serial in range(7):
        scanners[0].send(code(serial))

    def counted() -> AgentHealth | None:
        health = decode(AgentHealth, listener.latest("health") or b"", source="test", at_us=0)
        good = isinstance(health, AgentHealth) and health.devices[0].reads == 7 and health.oldest_us
        return health if good and isinstance(health, AgentHealth) else None

    health = wait_until(counted, "seven reads")
    belt, door = health.devices
    assert [(one.number, one.reads) for one in belt.antennas] == [(0, 7)]
    assert belt.last_read_us is not None
    assert abs((belt.antennas[0].last_read_us or 0) - belt.last_read_us) < 1_000
    assert door.antennas == ()
    assert health.configuration.startswith("file-")
    assert health.uptime_s is not None
    assert 0 <= health.uptime_s < 60
    assert health.memory_bytes is not None
    assert 20_000_000 < health.memory_bytes < 200_000_000
    assert (health.disk_free_bytes or 0) > 0
    assert (health.cpu_percent or 0) >= 0
    assert health.oldest_us is not None
    assert health.oldest_us <= health.at_us
    assert agent.stop() == 0
