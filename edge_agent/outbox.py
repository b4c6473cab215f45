"""The spool and its sender, worked on by one thread of their own.

A flush to the disk takes milliseconds, in which the event loop goes on reading devices. One thread
does all that touches either, in the order in which it was asked.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import msgspec

from contracts.commands import Acknowledgement, BridgeRun, SendAgain
from contracts.ids import ID_CHARACTERS
from contracts.reads import ReadBatch, SpooledBatch
from edge_agent import journal
from edge_agent.core.sender import Sender
from edge_agent.spool import Spool

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

EMPTY_OUTSTANDING_MAX = 100
"""While so many batches wait for the ledger, empty ones add nothing but weight: it is not there."""


class _GatewayTime(msgspec.Struct, tag="read_batch"):
    """Of a batch only its time."""

    gateway_us: int


_gateway_time = msgspec.msgpack.Decoder(_GatewayTime)


def new_spool_id() -> str:
    """32 random hexadecimal characters."""
    return secrets.token_hex(ID_CHARACTERS // 2)


class Outbox:
    """What waits for the ledger, and what of it is due to be published."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        """Read its figures anywhere; everything else goes through this object."""
        self.changed = asyncio.Event()
        """Set when `due` may have something new."""
        self._sender = Sender(spool, now_s=time.monotonic())
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")

    async def put(self, batch: ReadBatch, at_us: int) -> int | None:
        """Keep a batch; when this returns it is safe from power cuts. None: it did not fit."""
        sequence = await self._do(self._put, batch, at_us)
        self.changed.set()
        return sequence

    def _put(self, batch: ReadBatch, at_us: int) -> int | None:
        return self.spool.put(batch, at_us=at_us)

    def wants_empty(self) -> bool:
        """Whether an empty batch serves somebody now."""
        return self.spool.batches < EMPTY_OUTSTANDING_MAX

    async def due(self, limit: int) -> list[SpooledBatch]:
        """The next batches to publish, in order."""
        return await self._do(self._sender.due, time.monotonic(), limit)

    async def oldest_us(self) -> int | None:
        """Gateway time of the oldest batch that waits; None where none does."""
        oldest = await self._do(self.spool.take, self.spool.lowest, 1)
        return _gateway_time.decode(oldest[0].payload).gateway_us if oldest else None

    async def wait_s(self) -> float | None:
        """How long until `due` is to be asked again if nothing changes; None: for ever."""
        now_s = time.monotonic()
        due_s = await self._do(self._sender.next_due_s, now_s)
        return None if due_s is None else max(0.0, due_s - now_s)

    async def connected(self) -> None:
        """A connection to the broker was made."""
        await self._do(self._sender.connected, time.monotonic())
        self.changed.set()

    async def acknowledged(self, message: Acknowledgement) -> None:
        """The ledger has the batches up to one."""
        await self._do(self._acknowledged, message)
        self.changed.set()

    def _acknowledged(self, message: Acknowledgement) -> None:
        now_s = time.monotonic()
        self._sender.acknowledged(message, now_s)
        if self._sender.is_set_back:
            old = self.spool.id
            self.spool.start_over(new_spool_id())
            self._sender.started_over(now_s)
            journal.write(
                "the spool was set back (a restored copy?) and goes on under a new id",
                old=old,
                new=self.spool.id,
                acknowledged=message.sequence,
            )

    async def bridge_run(self, message: BridgeRun) -> None:
        """A bridge told its run."""
        await self._do(self._sender.bridge_run, message, time.monotonic())
        self.changed.set()

    async def send_again(self, message: SendAgain) -> None:
        """The bridge lacks batches."""
        await self._do(self._sender.send_again, message)
        self.changed.set()

    async def close(self) -> None:
        """Finish what was asked and close the spool."""
        await self._do(self.spool.close)
        self._thread.shutdown()

    async def _do(
        self,
        work: Callable[Arguments, Result],
        *arguments: Arguments.args,
        **_: Arguments.kwargs,
    ) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
