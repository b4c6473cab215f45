"""An LLRP reader as a source that talks: its faults of the link are then those of every kind."""

from __future__ import annotations

from firmware_sim.bench.kinds import Frame, Scene
from firmware_sim.bench.llrp_kinds import ANTENNAS, llrp_server
from firmware_sim.core.llrp_wire import NotLlrp

ROOM_BYTES = 131_072
"""Reports that are sent at once; more wait in the reader's own memory."""
HEADER_BYTES = 10
"""Of an LLRP message; its length stands in the bytes 2 to 5."""


class LlrpSource:
    """The reader of a kind over a scene; what it says is whole LLRP messages."""

    def __init__(self, kind: str, scene: Scene) -> None:
        self._start_us = scene.start_us
        self._reader = llrp_server(kind, scene, now_us=lambda: scene.start_us).reader
        self._keepalive_us = 0

    def frames(self, upto_us: int) -> list[Frame]:
        """What the reader says to its client up to a domain time."""
        now_us = upto_us - self._start_us
        if now_us > self._reader.radio.at_us:
            self._reader.advance(now_us)
        self._keep_alive(now_us)
        return [Frame(upto_us, part) for part in messages(self._reader.output(ROOM_BYTES))]

    def fault(self, name: str, value: float) -> bool:
        """Its clock and its antennas."""
        if name in {"antenna_lost", "antenna_back"} and value not in ANTENNAS:
            return False
        return self._reader.fault(name, value)

    def came(self) -> None:
        """A client is there."""
        self._keepalive_us = 0
        self._reader.connect()

    def heard(self, data: bytes) -> bool:
        """The client asks."""
        try:
            self._reader.receive(data)
        except NotLlrp:
            return False
        return True

    def gone(self) -> None:
        """The client is gone; the reader goes on as it was told."""
        self._reader.disconnect()

    def refusal(self) -> bytes:
        """What a second client is told; the first hears of it."""
        return self._reader.another_tried()

    def wants_to_part(self) -> bool:
        """Whether the client was told goodbye."""
        return self._reader.wants_close

    def _keep_alive(self, now_us: int) -> None:
        period_us = self._reader.keepalive_ms * 1_000
        if not period_us:
            self._keepalive_us = 0
        elif self._keepalive_us == 0:
            self._keepalive_us = now_us + period_us
        elif now_us >= self._keepalive_us:
            self._keepalive_us = now_us + period_us
            self._reader.keepalive()


def messages(data: bytes) -> list[bytes]:
    """The messages in what a reader says, so that a fault can take each by itself."""
    found = []
    while data:
        length = max(int.from_bytes(data[2:6], "big"), HEADER_BYTES)
        found.append(data[:length])
        data = data[length:]
    return found
