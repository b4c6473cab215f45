"""The stream on real Mosquitto, Kafka and PostgreSQL: what was sent is in the ledger once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import wait_until
from tests.support.servers import Fresh
from tests.support.stream import START_US, Stream, pass_through


@pytest.fixture(name="stream")
def fixture_stream(real: Fresh, tmp_path: Path) -> Iterator[Stream]:
    """A site with a conveyor; no program runs yet."""
    stream = Stream(real, tmp_path)
    stream.put_site()
    yield stream
    stream.close()


def test_killed_programs_lose_nothing_and_enter_nothing_twice(stream: Stream) -> None:
    """Two workers share the partitions; bridge and one worker are killed with reads in flight."""
    bridge = stream.bridge()
    stream.sink()
    first = stream.worker("worker-1")
    first.wait_for("partitions were taken")
    second = stream.worker("worker-2")
    second.wait_for("partitions were taken")
    gateway = stream.gateway()
    gateway.wait_for_run()
    names = [f"raw:{number:04}" for number in range(400)]
    pass_through(gateway, names[:200], START_US)
    first.send(signal.SIGKILL)
    bridge.send(signal.SIGKILL)
    pass_through(gateway, names[200:], START_US + 300_000_000)
    stream.bridge("next-bridge")
    gateway.wait_for_run(count=2)
    gateway.wait_acknowledged()
    assert wait_until(lambda: stream.passages() == names, 60)
    assert stream.books() == dict.fromkeys(names, 4)


def test_a_new_log_is_opened_on_request(stream: Stream) -> None:
    """Real Kafka keeps the old topics until the bridge removes them; the flow moves on."""
    bridge = stream.bridge()
    stream.sink()
    worker = stream.worker()
    worker.wait_for("partitions were taken")
    gateway = stream.gateway()
    gateway.wait_for_run()
    names = [f"raw:{number:03}" for number in range(40)]
    pass_through(gateway, names, START_US)
    bridge.send(signal.SIGUSR1)
    assert bridge.wait_for("a new log was opened", count=2)["reason"] == "a new log was asked for"
    assert worker.wait(30) == 75
    stream.worker("next-worker")
    gateway.wait_acknowledged()
    assert wait_until(lambda: stream.passages() == names, 60)
    assert stream.books() == dict.fromkeys(names, 4)
