"""The agent as a process, a real scanner's TCP line before it and a real broker behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from contracts.codec import decode
from contracts.commands import AgentHealth, AgentStatus, SendAgain, SetLight
from edge_agent.spool import kept_batches
from tallygate.servers.mqtt_embedded import EmbeddedMqtt
from tests.support.agent_bench import AgentProcess, Listener, TcpScanner, wait_until

GTIN = "https://id.gs1.org/01/09506000134352/21/"


@pytest.fixture(name="scanner")
def fixture_scanner() -> Iterator[TcpScanner]:
    scanner = TcpScanner()
    yield scanner
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
    tmp_path: Path, scanner: TcpScanner, broker: EmbeddedMqtt
) -> Iterator[AgentProcess]:
    with AgentProcess(tmp_path, scanner_port=scanner.port, mqtt_port=broker.port) as agent:
        yield agent
        print(agent.log())  # noqa: T201 - shown where the test fails.


def code(serial: int) -> bytes:
    return b"\x02]C10109506000134352" + f"21{serial}".encode() + b"\x03\r\n"


def test_what_is_scanned_is_published_and_forgotten_when_the_ledger_has_it(
    agent: AgentProcess, scanner: TcpScanner, listener: Listener
) -> None:
    agent.start()
    scanner.wait_for_client()
    for serial in range(5):
        scanner.send(code(serial))
    scanner.send(b"NOREAD\r\n\x02\xff\x00\x03\r\n")
    wait_until(listener.reasons, "a reject")
    wait_until(lambda: len(listener.identities()) == 6, "six reads")
    read = [f"{GTIN}{serial}" for serial in range(5)]
    assert listener.identities() == [*read, "noread:conveyor"]
    assert listener.reasons() == ["bytes that are no text"]
    wait_until(lambda: len(listener.batches) > 10, "empty batches move the gateway's time")
    times = [content.gateway_us for content in listener.contents()]
    assert times == sorted(times)
    assert times[-1] > times[0]
    listener.acknowledge(listener.batches[-1])
    acknowledged = listener.batches[-1].sequence
    wait_until(lambda: listener.batches[-1].lowest > acknowledged, "it forgets")
    assert agent.stop() == 0
    kept = list(kept_batches(agent.data))
    assert [sequence for _, sequence, _ in kept] == list(range(1, len(kept) + 1))
    status = decode(AgentStatus, listener.latest("status") or b"", source="test", at_us=0)
    assert isinstance(status, AgentStatus)
    assert status.state == "stopped"


def test_reads_survive_kill_9_and_come_again(
    agent: AgentProcess, scanner: TcpScanner, listener: Listener
) -> None:
    agent.start()
    scanner.wait_for_client()
    scanner.send(code(1))
    wait_until(listener.identities, "the read")
    first = [batch for batch in listener.batches if b"/21/1" in batch.payload]
    agent.kill()
    wait_until(lambda: b"offline" in (listener.latest("status") or b""), "the last will")
    heard = len(listener.batches)
    agent.start()
    scanner.wait_for_client()
    wait_until(
        lambda: [one for one in listener.batches[heard:] if one.sequence == first[0].sequence],
        "the batch again",
    )
    again = next(one for one in listener.batches[heard:] if one.sequence == first[0].sequence)
    assert msgspec.structs.replace(again, lowest=1) == msgspec.structs.replace(first[0], lowest=1)
    scanner.send(code(2))
    wait_until(lambda: len(listener.identities()) == 2, "the read after the kill")
    assert listener.identities() == [f"{GTIN}1", f"{GTIN}2"]


@pytest.mark.parametrize("point", ["before_spool", "after_spool", "after_publish"])
def test_a_kill_at_a_named_point_loses_no_spooled_read(
    point: str, agent: AgentProcess, scanner: TcpScanner, listener: Listener
) -> None:
    agent.start(TALLYGATE_AT=f"{point}:6:kill")
    scanner.wait_for_client()
    scanner.send(code(1))
    assert agent.ended() == -9
    spooled = [raw for _, _, raw in kept_batches(agent.data) if b"/21/1" in raw]
    agent.start()
    scanner.wait_for_client()
    scanner.send(code(2))
    wait_until(lambda: f"{GTIN}2" in listener.identities(), "the read after the kill")
    assert listener.identities().count(f"{GTIN}1") == len(spooled)
    if point != "before_spool":
        assert spooled


def test_the_broker_may_lose_its_memory_and_be_away(
    agent: AgentProcess, scanner: TcpScanner, broker: EmbeddedMqtt, listener: Listener
) -> None:
    agent.start()
    scanner.wait_for_client()
    scanner.send(code(1))
    wait_until(listener.identities, "the read")
    broker.kill()
    scanner.send(code(2))
    wait_until(
        lambda: [raw for _, _, raw in kept_batches(agent.data) if b"/21/2" in raw],
        "the read in the spool",
    )
    listener.batches.clear()
    broker.start()
    wait_until(lambda: len(listener.identities()) == 2, "both reads from the empty broker")
    assert listener.identities() == [f"{GTIN}1", f"{GTIN}2"]


def test_a_new_run_of_the_bridge_makes_it_send_all_again(
    agent: AgentProcess, scanner: TcpScanner, listener: Listener
) -> None:
    listener.new_run(1)
    agent.start()
    scanner.wait_for_client()
    scanner.send(code(1))
    wait_until(listener.identities, "the read")
    heard = len(listener.batches)
    listener.new_run(2)
    wait_until(lambda: [one for one in listener.batches[heard:] if one.sequence == 1], "again")
    scanner.send(code(2))
    # Batches go out in order: with a new one all that was sent again before it is heard.
    wait_until(lambda: len(set(listener.identities())) > 1, "the second read")
    heard = len(listener.batches)
    listener.tell("cmd", SendAgain(spool=listener.batches[0].spool, sequence=2))
    wait_until(lambda: [one for one in listener.batches[heard:] if one.sequence == 2], "once more")
    assert not [one for one in listener.batches[heard:] if one.sequence == 1]


def test_unknown_messages_become_rejects_and_work_goes_on(
    agent: AgentProcess, scanner: TcpScanner, listener: Listener
) -> None:
    listener.tell("ack", b"none of ours", retain=True)
    agent.start()
    scanner.wait_for_client()
    wait_until(lambda: len(listener.reasons()) == 1, "a reject for the acknowledgement")
    listener.tell("cmd", b"\x81\xa4type\xa7unknown")
    listener.tell("bridge", b"\xff" * 100)
    wait_until(lambda: len(listener.reasons()) == 3, "rejects for all three")
    assert all("not a message of ours" in reason for reason in listener.reasons())
    scanner.send(code(1))
    wait_until(listener.identities, "the read")


def test_a_light_that_cannot_be_switched_is_told(
    agent: AgentProcess, scanner: TcpScanner, listener: Listener
) -> None:
    agent.start()
    scanner.wait_for_client()
    wait_until(lambda: listener.batches, "a batch")
    listener.tell("cmd", SetLight(device="conveyor", port=1, red=True, reason="short load"))

    def told() -> list[str]:
        changes = [change for batch in listener.contents() for change in batch.changes]
        return [change.detail for change in changes if "no outputs" in change.detail]

    assert len(wait_until(told, "the complaint")) == 1


def test_a_scanner_that_was_cut_is_read_again(
    agent: AgentProcess, scanner: TcpScanner, listener: Listener
) -> None:
    agent.start()
    scanner.wait_for_client()
    scanner.send(code(1) + b"\x02half a li")
    wait_until(listener.identities, "the read")
    scanner.cut()
    scanner.wait_for_client()
    scanner.send(code(2))
    wait_until(lambda: len(listener.identities()) == 2, "the read after the cut")
    assert listener.reasons() == ["the connection ended within a message"]
    assert listener.states() == ["reading", "retrying", "reading"]
    health = wait_until(lambda: listener.latest("health"), "health")
    known = decode(AgentHealth, health, source="test", at_us=0)
    assert isinstance(known, AgentHealth)
    assert [device.device for device in known.devices] == ["conveyor"]


def test_a_full_spool_refuses_counts_and_tells(
    tmp_path: Path, scanner: TcpScanner, broker: EmbeddedMqtt, listener: Listener
) -> None:
    flood = 20_000
    with AgentProcess(
        tmp_path, scanner_port=scanner.port, mqtt_port=broker.port, spool_mb=1
    ) as agent:
        agent.start()
        scanner.wait_for_client()
        for serial in range(flood):
            scanner.send(code(serial))
        wait_until(lambda: "the spool is full" in agent.log(), "it is full")
        scanner.send(code(flood))

        def lost() -> int:
            losses = [loss for batch in listener.contents() for loss in batch.losses]
            return sum(loss.reads or 0 for loss in losses)

        def balanced() -> bool:
            if listener.batches:
                listener.acknowledge(listener.batches[-1])
            return len(listener.identities()) + lost() == flood + 1

        wait_until(balanced, "every read is there or told as lost")
        assert lost() > 0
        assert agent.stop() == 0
