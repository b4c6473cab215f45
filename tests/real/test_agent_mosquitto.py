"""The agent on a real Mosquitto: last will, reconnection and order are the broker's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tallygate.servers.mqtt_mosquitto import Mosquitto
from tests.support.agent_bench import AgentProcess, Listener, TcpScanner, wait_until
from tests.support.servers import SessionServers

GTIN = "https://id.gs1.org/01/09506000134352/21/"


@pytest.fixture(name="broker")
def fixture_broker(real_servers: SessionServers, tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker of the test's own, because it is killed; `real_servers` says that there is one."""
    del real_servers
    with Mosquitto(tmp_path / "broker") as broker:
        yield broker


def test_reads_reach_mosquitto_in_order_and_survive_its_end(
    broker: Mosquitto, tmp_path: Path
) -> None:
    scanner = TcpScanner()
    listener = Listener(broker.port)
    with AgentProcess(tmp_path, scanner_port=scanner.port, mqtt_port=broker.port) as agent:
        agent.start()
        scanner.wait_for_client()
        for serial in range(3_000):
            scanner.send(f"]C1010950600013435221{serial}\r\n".encode())
        wait_until(lambda: len(listener.identities()) == 3_000, "all reads")
        assert listener.identities() == [f"{GTIN}{serial}" for serial in range(3_000)]
        sequences = [batch.sequence for batch in listener.batches]
        assert sequences == sorted(sequences)
        broker.kill()
        scanner.send(b"]C10109506000134352213000\r\n")
        broker.start()
        wait_until(lambda: f"{GTIN}3000" in listener.identities(), "the read of meanwhile")
        agent.kill()
        wait_until(lambda: b"offline" in (listener.latest("status") or b""), "the last will")
    listener.close()
    scanner.close()
