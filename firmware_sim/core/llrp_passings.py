"""A reader's ear on the bench: it hears the passings of a scene, as far as its client lets it.

No radio model: a passing says at which antenna and how strongly it is heard at full power. What of
that is heard is decided in `llrp_hearing`.
"""

from __future__ import annotations

from firmware_sim.bench.kinds import Passing
from firmware_sim.core.goods import Tag
from firmware_sim.core.inventory import Heard, Settings
from firmware_sim.core.layout import Reader
from firmware_sim.core.llrp_hearing import Hearing
from firmware_sim.core.radio import Antenna
from firmware_sim.core.tracks import Carried, Track, Way
from firmware_sim.parameters import SignalParameters

CDBM = 100


class Passings:
    """What comes by; call `hear` with times of the scene that only go forward."""

    def __init__(
        self,
        passings: tuple[Passing, ...],
        *,
        device: str,
        antennas: tuple[int, ...],
        start_us: int,
        signal: SignalParameters,
    ) -> None:
        """`start_us`: the scene's beginning, which is 0 for the reader."""
        self._reader = Reader(
            device=device,
            gate="",
            floor="",
            lane_y=0.0,
            geometry="rows",
            antennas=tuple(
                Antenna(number, (1.0, 0.0, 1.0), (0.0, 0.0, 0.0), "both") for number in antennas
            ),
        )
        self._passings = [passing for passing in passings if passing.epc]
        self._next = 0
        self._start_us = start_us
        self._hearing = Hearing(signal)
        self._carried: dict[bytes, Carried] = {}

    @property
    def reader(self) -> Reader:
        """Antennas, all at one place."""
        return self._reader

    def hear(
        self, from_us: int, until_us: int, settings: Settings, dead: frozenset[int] = frozenset()
    ) -> list[Heard]:
        """All that is heard in this span, in order of time."""
        heard = []
        while self._next < len(self._passings):
            passing = self._passings[self._next]
            at_us = passing.at_us - self._start_us
            if at_us >= until_us:
                break
            self._next += 1
            antenna = passing.antenna or self._reader.antennas[0].number
            if at_us < from_us or antenna in dead:
                continue
            full_dbm = round(passing.rssi_cdbm / CDBM)
            rssi_dbm = self._hearing.rssi_dbm(passing.epc, antenna, full_dbm, settings, at_us)
            if rssi_dbm is not None:
                heard.append(Heard(at_us, antenna, rssi_dbm, self._tag(passing), passing.epc))
        return heard

    def forget_flags(self) -> None:
        """The reader lost its power."""
        self._hearing.forget_flags()

    def _tag(self, passing: Passing) -> Carried:
        """The thing, which no truth asks about."""
        if passing.epc not in self._carried:
            self._carried[passing.epc] = Carried(
                tag=Tag(0, passing.identity, passing.epc, "", "unit", 0.0, passing.code),
                track=Track(0, "", Way([0], [0.0], [0.0]), None, (0.0, 0.0), breaks_beams=False),
                key=0,
                chance=1.0,
                cell=0,
                across=0.0,
                depth=0.0,
                loss_db=0.0,
                counts=[],
                unheard=[],
            )
        return self._carried[passing.epc]
