"""Bridge, Faust workers and sink as processes: what was sent is in the ledger exactly once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.reads import ReadBatch
from tests.support.programs import wait_until
from tests.support.servers import Fresh
from tests.support.stream import START_US, Stream, pass_through, passage


@pytest.fixture(name="stream")
def fixture_stream(embedded: Fresh, tmp_path: Path) -> Iterator[Stream]:
    """A site with a conveyor; no program runs yet."""
    stream = Stream(embedded, tmp_path)
    stream.put_site()
    yield stream
    stream.close()


def identities(prefix: str, count: int) -> list[str]:
    return [f"raw:{prefix}{number:04}" for number in range(count)]


def test_each_passage_becomes_one_entry_with_all_its_reads(stream: Stream) -> None:
    """From MQTT to the ledger, and the acknowledgement back."""
    stream.bridge()
    stream.sink()
    stream.worker().wait_for("partitions were taken")
    gateway = stream.gateway()
    gateway.wait_for_run()
    names = identities("a", 200)
    pass_through(gateway, names, START_US)
    gateway.wait_acknowledged()
    assert wait_until(lambda: stream.passages() == names, 60)
    assert stream.books() == dict.fromkeys(names, 4)


def test_a_killed_workers_partitions_go_on_at_another(stream: Stream) -> None:
    """Two workers share the partitions; one is killed with reads in flight."""
    stream.bridge()
    stream.sink()
    first = stream.worker("worker-1")
    first.wait_for("partitions were taken")
    gateway = stream.gateway()
    gateway.wait_for_run()
    second = stream.worker("worker-2")
    second.wait_for("partitions were taken")
    names = identities("b", 400)
    pass_through(gateway, names[:200], START_US)
    first.send(signal.SIGKILL)
    pass_through(gateway, names[200:], START_US + 300_000_000)
    gateway.wait_acknowledged()
    assert wait_until(lambda: stream.passages() == names, 60)
    assert stream.books() == dict.fromkeys(names, 4)
    taken = second.said()[-1]
    assert first.wait() == -signal.SIGKILL, taken


def test_a_worker_that_begins_again_knows_where_things_are(stream: Stream) -> None:
    """What rests where it was last told is no news after a restart."""
    stream.bridge()
    stream.sink()
    first = stream.worker("first")
    first.wait_for("partitions were taken")
    gateway = stream.gateway()
    gateway.wait_for_run()
    names = identities("f", 8)
    pass_through(gateway, names, START_US)
    gateway.wait_acknowledged()
    first.send(signal.SIGKILL)
    stream.worker("second").wait_for("partitions were taken", 60)
    at_us = START_US + 600_000_000
    strangers = identities("0", 8)
    reads = [read for each in (*names, *strangers) for read in passage(each, at_us, antenna=2)]
    gateway.send(ReadBatch(gateway_us=at_us, reads=tuple(reads)))
    for minute in range(1, 4):
        gateway.send(ReadBatch(gateway_us=at_us + minute * 60_000_000))
    gateway.wait_acknowledged()
    arrived = stream.ask(
        "select identity from ledger.entries where kind = 'location'"
        """ and convert_from(payload, 'UTF8') like '%%"kind":"arrived"%%' order by identity"""
    )
    assert [identity for (identity,) in arrived] == strangers
    assert stream.passages() == names


def test_a_worker_that_was_stopped_and_continued_writes_nothing_that_counts(
    stream: Stream,
) -> None:
    """The zombie still holds its partitions in its own eyes; the epoch says otherwise."""
    stream.bridge()
    stream.sink()
    zombie = stream.worker("zombie")
    zombie.wait_for("partitions were taken")
    gateway = stream.gateway()
    gateway.wait_for_run()
    names = identities("c", 300)
    pass_through(gateway, names[:100], START_US)
    zombie.send(signal.SIGSTOP)
    heir = stream.worker("heir")
    heir.wait_for("partitions were taken", 60)
    pass_through(gateway, names[100:200], START_US + 300_000_000)
    gateway.wait_acknowledged()
    zombie.send(signal.SIGCONT)
    pass_through(gateway, names[200:], START_US + 600_000_000)
    gateway.wait_acknowledged()
    assert wait_until(lambda: stream.passages() == names, 60)
    assert stream.books() == dict.fromkeys(names, 4)


def test_an_exception_in_a_stage_ends_the_worker_and_loses_nothing(stream: Stream) -> None:
    """Faust would log it and skip the record; the process ends instead and begins again."""
    stream.bridge()
    stream.sink()
    broken = stream.worker("broken", TALLYGATE_AT="after_step:60:raise")
    broken.wait_for("partitions were taken")
    gateway = stream.gateway()
    gateway.wait_for_run()
    names = identities("d", 100)
    pass_through(gateway, names, START_US)
    assert broken.wait() == 1
    assert "Broken" in str(broken.wait_for("a record could not be processed", 1)["reason"])
    stream.worker("mended")
    gateway.wait_acknowledged()
    assert wait_until(lambda: stream.passages() == names, 60)
    assert stream.books() == dict.fromkeys(names, 4)


@pytest.mark.parametrize("kind", ["lose", "double", "flip"])
def test_sabotage_spoils_one_event_and_says_which(stream: Stream, kind: str) -> None:
    """The hook that the demo uses to show that its proof notices."""
    stream.bridge()
    stream.sink()
    worker = stream.worker(TALLYGATE_SABOTAGE=kind)
    worker.wait_for("partitions were taken")
    gateway = stream.gateway()
    gateway.wait_for_run()
    names = identities("e", 20)
    pass_through(gateway, names, START_US)
    gateway.wait_acknowledged()
    spoiled = str(worker.wait_for("sabotage")["identity"])
    passages = {
        "lose": [name for name in names if name != spoiled],
        "double": sorted([*names, spoiled]),
        "flip": names,
    }[kind]
    assert wait_until(lambda: stream.passages() == passages, 20), stream.passages()
    if kind == "lose":
        assert stream.books()[spoiled] < 4
    if kind == "flip":
        payload = stream.ask(
            "select convert_from(payload, 'UTF8') from ledger.entries where identity = %s", spoiled
        )
        assert all(f'"{spoiled}"' not in text for (text,) in payload)
