"""The agent on Mosquitto as a site runs it: certificates, passwords, access lists."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from contracts.codec import decode, encode
from contracts.commands import Acknowledgement, BridgeRun
from contracts.fleet import ConfigurationState
from contracts.reads import SpooledBatch
from contracts.topics import mqtt_bridge_topic
from ledger_sink.mqtt_outbox import MqttOutbox
from ledger_sink.settings import settings_from as sink_settings
from stream_processors.io.mqtt_inbox import Arrived, MqttInbox, Subscribed
from stream_processors.settings import settings_from as stream_settings
from tests.support.agent_bench import (
    ROOT,
    WAIT_S_MAX,
    AgentProcess,
    TcpScanner,
    wait_until,
)
from tests.support.secure_broker import SITE, SecureBroker
from tests.support.servers import SessionServers

CODE = b"]C10109506000134352211\r\n"


@pytest.fixture(name="broker")
def fixture_broker(real_servers: SessionServers, tmp_path: Path) -> Iterator[SecureBroker]:
    """A broker of the test's own; `real_servers` says that there is one."""
    del real_servers
    with SecureBroker(tmp_path / "broker") as broker:
        yield broker
        print("\n".join(broker.log().splitlines()[-40:]))  # noqa: T201


@pytest.fixture(name="scanner")
def fixture_scanner() -> Iterator[TcpScanner]:
    scanner = TcpScanner()
    yield scanner
    scanner.close()


@pytest.fixture(name="agent")
def fixture_agent(tmp_path: Path, scanner: TcpScanner) -> Iterator[AgentProcess]:
    with AgentProcess(tmp_path, scanner_port=scanner.port, mqtt_port=1) as agent:
        yield agent
        print(agent.log())  # noqa: T201 - shown where the test fails.


class Heard:
    """What one of the site's programs hears."""

    def __init__(self, broker: SecureBroker, role: str, *topics: str) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.client = broker.connect_program(role)
        subscribed = threading.Event()
        self.client.on_message = self._on_message
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.subscribe([(topic, 1) for topic in topics])
        assert subscribed.wait(WAIT_S_MAX)

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        self.messages.append((message.topic, bytes(message.payload)))

    def of(self, kind: str) -> list[bytes]:
        """Payloads on topics that end so."""
        return [payload for topic, payload in list(self.messages) if topic.endswith(f"/{kind}")]

    def close(self) -> None:
        """Disconnect."""
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture(name="bridge")
def fixture_bridge(broker: SecureBroker) -> Iterator[Heard]:
    heard = Heard(broker, "bridge", f"tallygate/v1/{SITE}/+/reads")
    yield heard
    heard.close()


@pytest.fixture(name="watch")
def fixture_watch(broker: SecureBroker) -> Iterator[Heard]:
    heard = Heard(broker, "watch", f"tallygate/v1/{SITE}/#", "devices/#")
    yield heard
    heard.close()


def reads_in(raw: list[bytes]) -> bool:
    batches = [decode(SpooledBatch, payload, source="test", at_us=0) for payload in raw]
    return any(isinstance(one, SpooledBatch) and b"/21/1" in one.payload for one in batches)


def test_reads_reach_the_bridge_over_tls_and_a_pushed_file_reaches_the_agent(
    broker: SecureBroker,
    agent: AgentProcess,
    scanner: TcpScanner,
    bridge: Heard,
    watch: Heard,
    tmp_path: Path,
) -> None:
    agent.start(**broker.agent_environment("dock"))
    scanner.wait_for_client()
    scanner.send(CODE)
    wait_until(lambda: reads_in(bridge.of("reads")), "the read at the bridge")
    assert bridge.of("status") == [], "it may read nothing but reads"
    pushed = tmp_path / "pushed.toml"
    pushed.write_text((tmp_path / "site.toml").read_text() + "timeout_s = 9.0\n")
    said = subprocess.run(
        [sys.executable, "-m", "edge_agent", "push", str(pushed), "--gateway", "dock"],
        cwd=ROOT,
        env={**os.environ, **broker.program_environment("push")},
        capture_output=True,
        text=True,
        timeout=WAIT_S_MAX,
        check=False,
    )
    assert said.returncode == 0, said.stdout + said.stderr
    wait_until(lambda: watch.of("config_state"), "the state")
    state = decode(ConfigurationState, watch.of("config_state")[-1], source="test", at_us=0)
    assert isinstance(state, ConfigurationState)
    assert state.outcome == "applied"
    # The broker keeps what is retained over its own end.
    os.kill(broker.pid, signal.SIGUSR1)
    broker.stop()
    broker.start()
    late = Heard(broker, "watch", f"tallygate/v1/{SITE}/dock/config")
    wait_until(lambda: late.of("config"), "the pushed file")
    late.close()
    assert broker.refusals() == []


def test_an_agent_that_publishes_as_another_is_refused_and_says_so(
    broker: SecureBroker, agent: AgentProcess, scanner: TcpScanner, watch: Heard
) -> None:
    agent.start(**broker.agent_environment("gate-2"))  # The site file calls it `dock`.
    scanner.wait_for_client()
    scanner.send(CODE)
    reason = "the broker does not let certificate 'gate-2' publish on tallygate/v1/demo/dock/#"
    wait_until(lambda: reason in agent.log(), "the agent says why")
    wait_until(
        lambda: [line for line in broker.refusals() if "'tallygate/v1/demo/dock/" in line],
        "the broker's log says who and where",
    )
    came = [line for line in broker.log().splitlines() if "as tallygate-demo-dock (" in line]
    assert came
    assert all(line.endswith("u'gate-2').") for line in came), "and who it is that calls itself so"
    assert watch.messages == []
    assert agent.log().count(reason) == 1, "the same again is no news"


def test_a_device_publishes_below_its_own_name_only(broker: SecureBroker, watch: Heard) -> None:
    first = broker.connect_device("impinj-1", mqtt_5=True)
    second = broker.connect_device("zebra-1")
    codes: list[str] = []
    first.on_publish = lambda _client, _data, _mid, code, _properties: codes.append(str(code))
    for topic in (
        "devices/impinj-1/events",
        "devices/zebra-1/events",
        f"tallygate/v1/{SITE}/impinj-1/reads",
        f"tallygate/v1/{SITE}/dock/reads",
    ):
        first.publish(topic, b"x", qos=1).wait_for_publish(WAIT_S_MAX)
    second.publish("devices/impinj-1/events", b"y", qos=1).wait_for_publish(WAIT_S_MAX)
    second.publish("devices/zebra-1/will", b"z", qos=1).wait_for_publish(WAIT_S_MAX)
    wait_until(lambda: len(codes) == 4, "four answers")
    assert codes == ["Success"] + ["Not authorized"] * 3
    wait_until(lambda: len(broker.refusals()) == 4, "four lines in the log")
    assert "Denied PUBLISH from zebra-1" in broker.refusals()[-1]
    assert "'devices/impinj-1/events'" in broker.refusals()[-1]
    wait_until(lambda: len(watch.messages) == 2, "what was allowed")
    assert watch.messages == [("devices/impinj-1/events", b"x"), ("devices/zebra-1/will", b"z")]
    for client in (first, second):
        client.disconnect()
        client.loop_stop()


@pytest.mark.parametrize("port", ["port", "programs_port", "devices_port"])
def test_nobody_without_a_certificate_or_a_password_comes_in(
    broker: SecureBroker, port: str
) -> None:
    came = threading.Event()
    client = broker._client(mqtt_5=False)
    client.tls_set_context(broker.trust())
    client.on_connect = lambda _c, _d, _f, code, _p: None if code.is_failure else came.set()
    client.connect("localhost", getattr(broker, port))
    ended = threading.Event()
    client.on_disconnect = lambda *_: ended.set()
    client.loop_start()
    assert ended.wait(WAIT_S_MAX)
    client.loop_stop()
    assert not came.is_set()


def test_an_agent_with_a_password_from_a_file_follows_the_file(
    broker: SecureBroker, agent: AgentProcess, scanner: TcpScanner, bridge: Heard
) -> None:
    broker.make("password", "dock")
    broker.reload()
    written = broker.keys / "agents" / "dock.password"
    mine = agent.data.parent / "password"
    mine.write_text("wrong\n")
    agent.start(
        TALLYGATE_MQTT_URL=f"mqtts://dock@localhost:{broker.devices_port}",
        TALLYGATE_MQTT_CA=str(broker.keys / "authority.crt"),
        TALLYGATE_MQTT_PASSWORD_FILE=str(mine),
    )
    scanner.wait_for_client()
    scanner.send(CODE)
    wait_until(lambda: "does not let in user 'dock'" in agent.log(), "it says that it is wrong")
    mine.write_text(written.read_text())
    wait_until(lambda: reads_in(bridge.of("reads")), "the read at the bridge")
    assert broker.refusals() == []


def expired(broker: SecureBroker, path: Path, name: str) -> None:
    """Put a certificate that ended an hour ago in the place of one that is good."""
    old = x509.load_pem_x509_certificate(path.read_bytes())
    authority = x509.load_pem_x509_certificate((broker.keys / "authority.crt").read_bytes())
    key = serialization.load_pem_private_key((broker.keys / "authority.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(authority.subject)
        .public_key(old.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now - timedelta(hours=1))
    )
    for extension in old.extensions:
        made = made.add_extension(extension.value, extension.critical)
    path.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


def says(agent: AgentProcess, environment: dict[str, str], words: str) -> None:
    """The agent, started so, says why it is not connected; once."""
    agent.start(**environment)
    wait_until(lambda: words in agent.log(), words)
    assert "Traceback" not in agent.log()


def test_no_certificate_and_a_wrong_authority_are_said_in_words(
    broker: SecureBroker, agent: AgentProcess, tmp_path: Path
) -> None:
    environment = broker.agent_environment("dock")
    bare = {name: value for name, value in environment.items() if not name.endswith("E")}
    bare.pop("TALLYGATE_MQTT_KEY")
    says(agent, bare, "the broker asks for a certificate of ours: set TALLYGATE_MQTT_CERTIFICATE")
    agent.kill()
    other = SecureBroker(tmp_path / "other").keys / "authority.crt"
    says(agent, environment | {"TALLYGATE_MQTT_CA": str(other)}, f"is not signed by {other}")
    agent.kill()
    stranger = SecureBroker(tmp_path / "other").agent_environment("dock")
    stranger |= {
        "TALLYGATE_MQTT_CA": environment["TALLYGATE_MQTT_CA"],
        "TALLYGATE_MQTT_URL": environment["TALLYGATE_MQTT_URL"],
    }
    says(agent, stranger, "the broker does not know who signed our certificate")


def test_a_wrong_name_and_expired_certificates_are_said_in_words(
    real_servers: SessionServers, agent: AgentProcess, tmp_path: Path
) -> None:
    del real_servers
    with SecureBroker(tmp_path / "named", hosts=("broker.example",)) as broker:
        environment = broker.agent_environment("dock")
        says(agent, environment, "is for another name than 'localhost'")
        agent.kill()
    with SecureBroker(tmp_path / "old") as broker:
        environment = broker.agent_environment("dock")
        expired(broker, broker.certificate("dock"), "dock")
        says(agent, environment, "dock.crt expired on ")
        agent.kill()
    old = SecureBroker(tmp_path / "older")
    expired(old, old.keys / "broker" / "server.crt", "localhost")
    with old as broker:
        words = f"the certificate of the broker localhost:{broker.port} has expired"
        says(agent, broker.agent_environment("dock"), words)


def test_a_port_that_speaks_no_tls_is_said_in_words(
    real_servers: SessionServers, agent: AgentProcess, tmp_path: Path
) -> None:
    del real_servers
    environment = SecureBroker(tmp_path / "keys").agent_environment("dock")
    listener = TcpScanner()
    environment["TALLYGATE_MQTT_URL"] = f"mqtts://localhost:{listener.port}"
    agent.start(**environment)
    for _ in range(2):  # The agent connects, and asks once more to learn why not.
        listener.wait_for_client()
        listener.send(b"220 mail.example\r\n")
    wait_until(lambda: "does not speak TLS" in agent.log(), "the agent says so")
    listener.close()


def test_a_renewed_certificate_is_taken_without_a_restart(
    broker: SecureBroker, agent: AgentProcess, scanner: TcpScanner, bridge: Heard
) -> None:
    agent.start(**broker.agent_environment("dock"))
    scanner.wait_for_client()
    wait_until(lambda: bridge.of("reads"), "a batch")
    broker.make("agent", "dock", options=("--renew", "--days", "3"))
    wait_until(lambda: "certificates or password were renewed" in agent.log(), "it notices")
    wait_until(lambda: agent.log().count("connected to the MQTT broker") == 2, "and connects anew")
    scanner.send(CODE)
    wait_until(lambda: reads_in(bridge.of("reads")), "the read at the bridge")


def test_a_blocked_agent_is_out(
    broker: SecureBroker, agent: AgentProcess, scanner: TcpScanner
) -> None:
    agent.start(**broker.agent_environment("dock"))
    scanner.wait_for_client()
    wait_until(lambda: "connected to the MQTT broker" in agent.log(), "it is in")
    broker.make("block", "dock")
    broker.reload()
    wait_until(lambda: "does not let certificate 'dock' publish" in agent.log(), "it is out")


def test_bridge_and_sink_do_their_work_under_the_access_lists(
    broker: SecureBroker, agent: AgentProcess, scanner: TcpScanner
) -> None:
    inbox: queue.Queue[Arrived | Subscribed] = queue.Queue()
    bridge = MqttInbox(stream_settings(broker.program_environment("bridge")), 1, inbox)
    sink = MqttOutbox(sink_settings(broker.program_environment("sink")), 1)
    arrived: list[Arrived] = []

    def newest() -> SpooledBatch | None:
        while not inbox.empty():
            if isinstance(one := inbox.get(), Arrived):
                arrived.append(one)
        raw = arrived[-1].payload if arrived else b""
        found = decode(SpooledBatch, raw, source="test", at_us=0)
        return found if isinstance(found, SpooledBatch) else None

    agent.start(**broker.agent_environment("dock"))
    scanner.wait_for_client()
    scanner.send(CODE)
    wait_until(lambda: newest() and reads_in([one.payload for one in arrived]), "the read")
    assert {one.gateway for one in arrived} == {"dock"}
    before = len(arrived)
    bridge.publish(mqtt_bridge_topic(SITE), encode(BridgeRun(run=1, log="1")), retain=True)
    wait_until(
        lambda: newest() and b"/21/1" in b"".join(one.payload for one in arrived[before:]),
        "all again for the new run",
    )
    wait_until(sink.came_back, "the sink's connection")

    def forgotten() -> bool:
        batch = newest()
        assert batch is not None
        word = Acknowledgement(spool=batch.spool, sequence=batch.sequence)
        sink.publish("dock", "ack", word, retain=True)
        return batch.lowest > 1

    wait_until(forgotten, "the agent forgets what the ledger has")
    assert broker.refusals() == []
    bridge.close()
    sink.close()
