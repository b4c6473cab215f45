"""Messages that come a second time because the word that they had arrived was lost.

A broker with QoS 1 sends again, after the connection was made anew, whatever it had no
acknowledgement for, and says so (DUP). What was kept is remembered by its digest; a message that is
sent again soon after connecting, and is equal to one of those, is that one and only acknowledged.

An equal message without that mark is news: a reader's last will says the same each time. So is a
retained one: it answers the subscription and tells how things stand now.
"""

from __future__ import annotations

import hashlib

REMEMBERED_MAX = 2_000
"""More than a broker has under way (Mosquitto: 20, ours 1,000)."""
REPEATS_S_MAX = 60.0
"""Brokers send again at once, before anything new; the rest is for a link that is slow."""


class Repeats:
    """What one connection after another has kept."""

    def __init__(self) -> None:
        self._kept: dict[bytes, None] = {}
        self._before: dict[bytes, None] = {}
        self._connected_s = 0.0

    def connected(self, now_s: float) -> None:
        """A new connection: for a while from now on repetitions may come."""
        self._forget_old(now_s)
        self._connected_s = now_s
        self._before |= self._kept
        while len(self._before) > REMEMBERED_MAX:
            del self._before[next(iter(self._before))]
        self._kept = {}

    def kept(self, topic: str, payload: bytes) -> None:
        """A message is on the disk and was acknowledged."""
        digest = _digest(topic, payload)
        self._kept.pop(digest, None)
        self._kept[digest] = None
        if len(self._kept) > REMEMBERED_MAX:
            del self._kept[next(iter(self._kept))]

    def is_repeat(
        self, topic: str, payload: bytes, *, again: bool, retained: bool, now_s: float
    ) -> bool:
        """Whether a message is one that was kept before this connection; true once for each.

        `again`: the broker says that it sends it again; `now_s`: by the clock of `connected`.
        """
        self._forget_old(now_s)
        if not again or retained or not self._before:
            return False
        digest = _digest(topic, payload)
        if digest not in self._before:
            return False
        del self._before[digest]
        return True

    def _forget_old(self, now_s: float) -> None:
        """What was not sent again by now will not be."""
        if self._before and now_s - self._connected_s > REPEATS_S_MAX:
            self._before = {}


def _digest(topic: str, payload: bytes) -> bytes:
    return hashlib.blake2b(topic.encode() + b"\0" + payload, digest_size=16).digest()
