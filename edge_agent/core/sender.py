"""What of the spool is published when, and when it may be forgotten.

The spool keeps every batch until the *ledger* acknowledges it; nothing that MQTT says counts.
Batches go out in order of sequence, at the most `window` of them beyond the last acknowledgement,
and go out again from the lowest when the bridge's run changes, when the connection was lost, when
the bridge asks, and when an acknowledgement stays away. Sending twice is harmless.

    sender = Sender(spool, now_s=now)                     # now_s: monotonic wall seconds
    sender.bridge_run(run, now); sender.acknowledged(acknowledgement, now); ...   # what came in
    for message in sender.due(now, limit=10): publish(message)  # whenever anything changed
    wake up at sender.next_due_s(now), too
"""

from __future__ import annotations

from typing import Protocol

from contracts.commands import Acknowledgement, BridgeRun, SendAgain
from contracts.reads import SpooledBatch

WINDOW_BATCHES = 500
"""Beyond the last acknowledgement: half of what a broker queues for a subscriber by default, and
ten seconds of batches under load, where a commit takes half a second."""
RESEND_AFTER_S = 5.0
"""A commit takes well under a second; after this the batches, the acknowledgement or the bridge's
memory of them are taken for lost."""
RESEND_AFTER_S_MAX = 120.0
"""The wait doubles while it does not help: the ledger may be down for an hour."""


class Spool(Protocol):
    """What the sender needs of a spool. Sequences are 1, 2, 3, ... without gaps."""

    @property
    def id(self) -> str:
        """The spool's id: 32 random hexadecimal characters, made with it."""
        ...

    @property
    def lowest(self) -> int:
        """The lowest sequence that it holds; the next one where it is empty."""
        ...

    @property
    def sequence(self) -> int:
        """The newest sequence it ever held, 0 before the first."""
        ...

    def take(self, first: int, count: int) -> list[SpooledBatch]:
        """At the most so many batches in order, from a sequence on."""
        ...

    def acknowledge(self, sequence: int) -> bool:
        """Forget the batches up to a sequence; False where that cannot be done now."""
        ...


class Sender:
    """Decides for one spool."""

    def __init__(
        self,
        spool: Spool,
        *,
        now_s: float,
        window: int = WINDOW_BATCHES,
        resend_after_s: float = RESEND_AFTER_S,
        resend_after_s_max: float = RESEND_AFTER_S_MAX,
    ) -> None:
        self.is_set_back = False
        """True: the ledger has more of this spool than can have been sent, so its file was put
        back from a copy, and what is appended would be taken for known. Nothing is forgotten
        until the spool was begun anew under another id and `started_over` was called."""
        self.resends = 0
        """How often all was sent again."""
        self._spool = spool
        self._window = window
        self._resend_after_s = resend_after_s
        self._resend_after_s_max = resend_after_s_max
        self._wait_s = resend_after_s
        self._next = spool.lowest
        self._sent = spool.sequence
        """No higher one can have been sent: by a process before, what it left; by this one, what
        `due` gave."""
        self._run: int | None = None
        self._moved_s = now_s

    def due(self, now_s: float, limit: int) -> list[SpooledBatch]:
        """The next batches to publish, at the most `limit`; they count as sent once given."""
        self._resend_if_late(now_s)
        last = self._spool.lowest + self._window - 1
        room = min(limit, last - self._next + 1)
        if room <= 0 or self._next > self._spool.sequence:
            return []
        if self._next == self._spool.lowest:
            self._moved_s = now_s
        batches = self._spool.take(self._next, room)
        if batches:
            self._next = batches[-1].sequence + 1
            self._sent = max(self._sent, self._next - 1)
        return batches

    def next_due_s(self, now_s: float) -> float | None:
        """When `due` is to be asked again at the latest; None: when something comes in."""
        if self._spool.lowest > self._spool.sequence:
            return None
        if self._next <= min(self._spool.sequence, self._spool.lowest + self._window - 1):
            return now_s
        return self._moved_s + self._wait_s

    def connected(self, now_s: float) -> None:
        """A connection to the MQTT broker was made: what was under way may be lost."""
        self._again(now_s)

    def bridge_run(self, message: BridgeRun, now_s: float) -> None:
        """A bridge told its run: a new one knows only what the ledger has."""
        if message.run != self._run:
            self._run = message.run
            self._again(now_s)

    def send_again(self, message: SendAgain) -> None:
        """The bridge lacks batches."""
        if message.spool == self._spool.id:
            # The time is left alone: an answer that does not help must not put off the resend.
            self._next = max(self._spool.lowest, min(self._next, message.sequence))

    def acknowledged(self, message: Acknowledgement, now_s: float) -> None:
        """The ledger has all up to a sequence: only now may it be forgotten."""
        if message.spool != self._spool.id:
            return
        if message.sequence > self._sent:
            self.is_set_back = True
        if self.is_set_back or message.sequence < self._spool.lowest:
            return
        if not self._spool.acknowledge(message.sequence):
            return
        self._next = max(self._next, self._spool.lowest)
        self._moved_s = now_s
        self._wait_s = self._resend_after_s

    def started_over(self, now_s: float) -> None:
        """The spool has another id now, and other sequences."""
        self.is_set_back = False
        self._next = self._spool.lowest
        self._sent = 0
        self._moved_s = now_s

    def _again(self, now_s: float) -> None:
        self._next = self._spool.lowest
        self._moved_s = now_s

    def _resend_if_late(self, now_s: float) -> None:
        if self._next <= self._spool.lowest or now_s - self._moved_s < self._wait_s:
            return
        self.resends += 1
        self._wait_s = min(2 * self._wait_s, self._resend_after_s_max)
        self._again(now_s)
