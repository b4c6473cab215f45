"""Faust's aiokafka transport, with start positions from the ledger instead of from Kafka.

Faust asks `seek_to_committed` for the positions whenever partitions were assigned, and at other
times too. Ours hands the question to the worker, which takes a new epoch of every assigned
partition and answers with the ledger's next offsets. Faust gives up on the answer silently after
`broker_request_timeout` and then hangs for ever: the worker ends itself well before that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

FETCH_WAIT_MS = 50
"""How long a fetch waits in the broker for data. The embedded broker looks for new data only a few
times within this, so Faust's own 1500 ms would cost half a second of latency."""

Load = Callable[[set[int]], Awaitable[dict[int, int]]]
"""From the assigned partitions to the offset at which each goes on."""


class _ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The thread that owns the aiokafka consumer."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Faust has no setting for it; the fetcher reads it when the consumer starts.
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001
        return consumer


class LedgerConsumer(driver.Consumer):  # type: ignore[misc]
    """A Faust consumer that goes on where the ledger says."""

    load: ClassVar[Load]
    topic: ClassVar[str]

    def _new_consumer_thread(self) -> _ConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def seek_to_committed(self) -> dict[TP, int]:
        """Load every assigned partition and seek to where it goes on."""
        assigned = {each.partition for each in self.assignment() if each.topic == self.topic}
        offsets = {
            TP(self.topic, partition): offset
            for partition, offset in (await type(self).load(assigned)).items()
        }
        if offsets:
            await self._thread.seek_wait(offsets)
        return offsets


def use_ledger_positions(app: faust.App, *, topic: str, load: Load) -> None:
    """Give the app a transport whose consumer asks `load` where to go on in `topic`."""
    consumer = type("Consumer", (LedgerConsumer,), {"load": staticmethod(load), "topic": topic})
    transport = type("Transport", (driver.Transport,), {"Consumer": consumer})
    app.transport = transport(app.conf.broker_consumer, app)
