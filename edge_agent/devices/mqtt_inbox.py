"""What came for one device over MQTT and waits for its turn: bounded, and what is too much counted.

Messages with QoS 1 are held back by their broker, which has a bounded number under way. Those with
QoS 0 nobody holds back: what does not fit is dropped and told. While the spool is nearly full
nothing is dropped: the connection is left, and the broker keeps what it can.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

MESSAGES_MAX = 2_000
"""Messages that wait for one device: twice what our broker has under way."""
BYTES_MAX = 4_000_000
"""Of their payloads: Zebra's batches have up to 256,000 bytes."""


class Receipt:
    """A message that the broker wants to hear of, once everybody has kept it."""

    def __init__(self, left: int, acknowledge: Callable[[bool], None]) -> None:
        """`left`: how many devices take it."""
        self._left = left
        self._is_kept = True
        self._acknowledge = acknowledge

    def done(self, *, kept: bool) -> None:
        """One device is through with it; `kept`: it is on the disk, or needs not be."""
        self._left -= 1
        self._is_kept = self._is_kept and kept
        if self._left == 0:
            self._acknowledge(self._is_kept)


class Arrived(NamedTuple):
    """A message."""

    topic: str
    payload: bytes
    retained: bool
    received_us: int
    """Domain time."""
    receipt: Receipt


class Link(NamedTuple):
    """How the connection is: `connecting`, `reading` (subscribed), `retrying`, `refused`."""

    state: str
    detail: str


class Dropped(NamedTuple):
    """Messages that did not fit."""

    number: int
    first: bytes
    """The payload of the first of them."""


class MqttInbox:
    """One device's messages. Belongs to one event loop."""

    def __init__(
        self,
        filters: tuple[str, ...],
        *,
        qos: int,
        now_us: Callable[[], int],
        is_held: Callable[[], bool],
    ) -> None:
        self.filters = filters
        self.qos = qos
        self.now_us = now_us
        self.is_held = is_held
        self.link: Link | None = None
        """The connection's newest state, until it is taken."""
        self._waiting: deque[Arrived] = deque()
        self._bytes = 0
        self._dropped = 0
        self._first_dropped = b""
        self._failure: BaseException | None = None
        self._news = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Whether no more fits."""
        return len(self._waiting) >= MESSAGES_MAX or self._bytes >= BYTES_MAX

    def put(self, arrived: Arrived) -> None:
        """Take a message; what does not fit is counted and given up."""
        if self.is_full:
            self._first_dropped = self._first_dropped if self._dropped else arrived.payload
            self._dropped += 1
            arrived.receipt.done(kept=True)
        else:
            self._waiting.append(arrived)
            self._bytes += len(arrived.payload)
        self._news.set()

    def tell(self, link: Link) -> None:
        """The connection is in a state now."""
        self.link = link
        self._news.set()

    def fail(self, failure: BaseException) -> None:
        """The connection's task ended by a fault of ours."""
        self._failure = failure
        self._news.set()

    async def wait(self) -> None:
        """Until there is something. Raises what `fail` was told."""
        await self._news.wait()
        self._news.clear()
        if self._failure is not None:
            raise self._failure

    def take(self, most: int) -> list[Arrived]:
        """The oldest messages."""
        taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        self._bytes -= sum(len(one.payload) for one in taken)
        if self._waiting:
            self._news.set()
        return taken

    def take_dropped(self) -> Dropped | None:
        """What had no room since the last call."""
        if not self._dropped:
            return None
        dropped = Dropped(self._dropped, self._first_dropped)
        self._dropped, self._first_dropped = 0, b""
        return dropped
