"""A recording as a device: it says what was said, when it was said, at any speed.

Where the client spoke in the recording, the replay waits until its client has said as many bytes,
so that an answer never comes before its question. What the client says is not compared: numbers
of messages and times differ from one day to the next.
"""

from __future__ import annotations

from firmware_sim.bench.kinds import Frame
from firmware_sim.bench.recording import Piece, Recording


class ReplayedMessages:
    """Messages of an MQTT recording, which nobody answers."""

    def __init__(self, recording: Recording, start_us: int) -> None:
        self._pieces = [piece for piece in recording.pieces if piece.what == "device"]
        self._next = 0
        self._start_us = start_us
        self._first_us = self._pieces[0].at_us if self._pieces else 0

    @property
    def is_done(self) -> bool:
        """Whether all was said."""
        return self._next >= len(self._pieces)

    def waiting_for(self) -> str:
        """Nothing: nobody answers."""
        return ""

    def frames(self, upto_us: int) -> list[Frame]:
        """What was said up to then."""
        found = []
        while not self.is_done:
            piece = self._pieces[self._next]
            at_us = self._start_us + piece.at_us - self._first_us
            if at_us > upto_us:
                break
            self._next += 1
            found.append(Frame(at_us, piece.data, piece.topic, piece.retain))
        return found

    def fault(self, name: str, value: float) -> bool:
        """What was said stands."""
        del name, value
        return False


class ReplayedConversations:
    """Connections of a recording: the first client gets the first, and so on; then none is left.

    `is_waiting`: wait for the client's bytes where the recording has some.
    """

    def __init__(self, recording: Recording, *, is_waiting: bool = True) -> None:
        self.played = 0
        """Connections that were played to their end, or were left."""
        numbers = dict.fromkeys(piece.connection for piece in recording.pieces)
        self._connections = [
            [piece for piece in recording.pieces if piece.connection == number]
            for number in numbers
        ]
        self._is_waiting = is_waiting
        self._left: list[Piece] = []
        self._is_here = False
        self._parts = False
        self._received = 0
        self._now_us = 0
        self._base_us: int | None = None
        self._base_piece_us = 0

    @property
    def is_done(self) -> bool:
        """Whether all connections were played."""
        return self.played >= len(self._connections)

    def waiting_for(self) -> str:
        """What it waits for, in words."""
        if not self._is_here:
            return "" if self.is_done else "a client"
        if self._left and self._left[0].what == "client":
            more = len(self._left[0].data) - self._received
            return f"{more} more bytes of the client" if more > 0 else ""
        return ""

    def frames(self, upto_us: int) -> list[Frame]:
        """What was said up to then, as far as the client has said its part."""
        self._now_us = max(self._now_us, upto_us)
        if not self._is_here:
            return []
        if self._base_us is None:
            self._base_us = upto_us
        found = []
        while self._left:
            piece = self._left[0]
            at_us = self._base_us + piece.at_us - self._base_piece_us
            if piece.what == "client" and self._is_waiting:
                if self._received < len(piece.data):
                    break
                # What follows comes as long after this as it did then.
                self._received -= len(piece.data)
                self._base_us, self._base_piece_us = upto_us, piece.at_us
            elif at_us > upto_us:
                break
            elif piece.what == "device":
                found.append(Frame(at_us, piece.data))
            elif piece.what == "closed":
                self._parts = True
            self._left.pop(0)
        return found

    def came(self) -> None:
        """A client: it gets the next connection."""
        self._is_here = True
        self._parts = False
        self._received = 0
        self._base_us = None
        self._left = [] if self.is_done else list(self._connections[self.played])
        self._base_piece_us = self._left[0].at_us if self._left else 0

    def heard(self, data: bytes) -> bool:
        """The client says its part."""
        self._received += len(data)
        return True

    def gone(self) -> None:
        """It is gone."""
        if self._is_here and not self.is_done:
            self.played += 1
        self._is_here = False

    def refusal(self) -> bytes:
        """A second client is told nothing."""
        return b""

    def wants_to_part(self) -> bool:
        """Whether the connection ended here then."""
        return self._parts

    def fault(self, name: str, value: float) -> bool:
        """What was said stands."""
        del name, value
        return False
