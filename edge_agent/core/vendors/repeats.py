"""Messages that come a second time because the word that they had arrived was lost.

A broker with QoS 1 sends again, after the connection was made anew, whatever it had no
acknowledgement for. What was kept is remembered by its digest; the first message of the next
connection that is equal to one of those is that one, and is only acknowledged.
"""

from __future__ import annotations

import hashlib

REMEMBERED_MAX = 2_000
"""More than a broker has under way (Mosquitto: 20, ours 1,000)."""


class Repeats:
    """What one connection after another has kept."""

    def __init__(self) -> None:
        self._kept: dict[bytes, None] = {}
        self._before: dict[bytes, None] = {}

    def connected(self) -> None:
        """A new connection: from now on repetitions may come."""
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

    def is_repeat(self, topic: str, payload: bytes) -> bool:
        """Whether a message is one that was kept before this connection; true once for each."""
        if not self._before:
            return False
        digest = _digest(topic, payload)
        if digest not in self._before:
            return False
        del self._before[digest]
        return True


def _digest(topic: str, payload: bytes) -> bytes:
    return hashlib.blake2b(topic.encode() + b"\0" + payload, digest_size=16).digest()
