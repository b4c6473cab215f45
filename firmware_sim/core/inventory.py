"""What a reader hears: antenna cycle by antenna cycle, exactly as its client has set it up.

Time is cut into dwells on a fixed grid of domain time; dwell `n` belongs to the enabled antenna
`n modulo their number`. In a dwell, a tag answers if the power wakes it, its session flag lets it
and its dice fall under its chance; of those that answer, as many are read as the reader can take.
The dice belong to the tag and the dwell, so other settings change who is heard, not the luck.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from firmware_sim.core.dice import key_of, throw
from firmware_sim.core.epc import identity_of_ghost
from firmware_sim.core.layout import Reader
from firmware_sim.core.radio import (
    CURVE,
    DIP_STEP,
    SLOW_STEP,
    PathGains,
    dip_curve,
    slow_curve,
)
from firmware_sim.core.tracks import CELL, CELLS_ACROSS, SECOND, Carried, Track
from firmware_sim.parameters import SignalParameters

CHANCE_ONE = 1 << 20
"""A chance of 1 on the dice's scale."""
RAMP_DB = 3.0
"""From so far below a tag's sensitivity to so far above it, its chance grows from none to full."""
MASK = CURVE - 1
CURVE_POINTS_PER_SECOND = 0.25
"""How fast fading changes for a tag at rest, because people and trucks move about."""
REACH_DB = -57.0
"""A carrier whose middle has less gain than this has no tag that any power wakes."""
OVERHEAD_SHADOW = 0.5
"""From above, a stack is seen through its gaps too: so much of the full shadow at its bottom."""
CROWD_EFFICIENCY = 0.7
"""What is left of a reader's rate when its tag population is set far off."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a client wants the reader to read."""

    antennas: tuple[int, ...]
    """Antennas in the order of their turns."""
    power_dbm: tuple[float, ...]
    """Transmit power of each."""
    session: int
    """Gen2 session, 0 to 3."""
    population: int
    """Expected tags in the field."""
    wants: tuple[Callable[[bytes], bool], ...] = ()
    """Of each antenna: whether a tag with this EPC passes the reader's filters; none: all do."""
    dual_target: bool = False
    """True: tags are read from A to B and back, so their flags quiet nobody."""
    flag: int = 0
    """1: only tags whose flag is B are asked, and go back to A."""
    rate: float = 1.0
    """What the mode leaves of the reader's rate."""


class Heard(NamedTuple):
    """One singulation."""

    at_us: int
    antenna: int
    rssi_dbm: int
    carried: Carried
    epc: bytes
    """What was received: the tag's EPC, but for a ghost."""

    def identity(self) -> str:
        """The identity that these bytes say."""
        tag = self.carried.tag
        return tag.identity if self.epc is tag.epc else identity_of_ghost(self.epc)


class _Near(NamedTuple):
    """One tag of a track at one antenna: what does not change during the track."""

    key: int
    cell: int
    chance: int
    margin_db: float
    slow: int
    dip: int
    needs_db: float
    carried: Carried


_Answer = tuple[int, float, _Near]
"""A tag's dice, how much more power it has than it needs, and the tag."""


class Inventory:
    """One reader's ear. Call `hear` with times that only go forward."""

    def __init__(
        self, *, reader: Reader, tracks: list[Track], signal: SignalParameters, seed: int
    ) -> None:
        self.reader = reader
        self.ghosts = 0
        self.powered = 0
        """Chances that well powered tags had to answer, each per antenna cycle."""
        self.answered = 0
        """How many of them were taken: over `powered`, the measured read rate."""
        self._signal = signal
        self._seed = seed
        self._waiting = sorted(
            (track for track in tracks if track.floor == reader.floor and track.carried),
            key=lambda track: track.from_us,
            reverse=True,
        )
        self._present: list[tuple[Track, dict[int, list[_Near]]]] = []
        self._gains = {
            antenna.number: PathGains(antenna, reader.lane_y, signal) for antenna in reader.antennas
        }
        self._slow = slow_curve(seed, signal.slow_fading_db)
        self._dips = dip_curve(seed, signal)
        self._flagged: dict[int, int] = {}

    def hear(
        self, from_us: int, until_us: int, settings: Settings, dead: frozenset[int] = frozenset()
    ) -> list[Heard]:
        """All singulations of dwells that begin in this span, in order of time."""
        dwell_us = self._signal.dwell_us
        first = -(-from_us // dwell_us)
        heard: list[Heard] = []
        for dwell in range(first, -(-until_us // dwell_us)):
            at_us = dwell * dwell_us
            self._refresh(at_us)
            if not self._present:
                if not self._waiting or self._waiting[-1].from_us >= until_us:
                    break
                continue
            turn = dwell % len(settings.antennas)
            antenna = settings.antennas[turn]
            if antenna not in dead and antenna in self._gains:
                self._dwell(dwell, antenna, settings, settings.power_dbm[turn], heard)
        return heard

    def quiet_until(self, at_us: int) -> int | None:
        """When the next tag comes near; None while one is near, or none comes any more."""
        self._refresh(at_us)
        if self._present or not self._waiting:
            return None
        return self._waiting[-1].from_us

    def forget_flags(self) -> None:
        """A reader without power powers no tags: their flags fall."""
        self._flagged.clear()

    def _refresh(self, at_us: int) -> None:
        while self._waiting and self._waiting[-1].from_us <= at_us:
            track = self._waiting.pop()
            if track.until_us >= at_us:
                near = {antenna: self._near(track, antenna) for antenna in self._gains}
                self._present.append((track, near))
        if any(track.until_us < at_us for track, _ in self._present):
            self._present = [pair for pair in self._present if pair[0].until_us >= at_us]

    def _near(self, track: Track, antenna: int) -> list[_Near]:
        signal = self._signal
        place = next(spot for spot in self.reader.antennas if spot.number == antenna)
        beside = place.position[1] - self.reader.lane_y
        found = []
        for carried in track.carried:
            dice = key_of(self._seed, self.reader.device, antenna, carried.key)
            shadow = 0.0
            if track.dense:
                away = carried.depth * OVERHEAD_SHADOW
                if beside:
                    away = 0.5 - carried.across if beside > 0 else 0.5 + carried.across
                shadow = signal.stack_loss_db * max(0.0, min(1.0, away))
            needs = signal.sensitivity_dbm + carried.tag.sensitivity_db
            found.append(
                _Near(
                    key=carried.key ^ (antenna << 52),
                    cell=carried.cell,
                    chance=int(carried.chance * CHANCE_ONE),
                    margin_db=-carried.loss_db - shadow - needs,
                    slow=dice & MASK,
                    dip=dice >> 20 & MASK,
                    needs_db=needs,
                    carried=carried,
                )
            )
        return found

    def _dwell(
        self,
        dwell: int,
        antenna: int,
        settings: Settings,
        power_dbm: float,
        heard: list[Heard],
    ) -> None:
        """One antenna's turn: all tags in its field are asked, some answer, some are read."""
        answers: list[_Answer] = []
        powered = 0
        wants = settings.wants[settings.antennas.index(antenna)] if settings.wants else None
        for track, nears in self._present:
            asked = nears[antenna]
            if wants is not None:
                asked = [near for near in asked if wants(near.carried.tag.epc)]
            powered += self._ask(track, asked, dwell, antenna, settings, power_dbm, answers)
        floor = signal_floor(self._signal, power_dbm)
        answers = [answer for answer in answers if answer[1] + answer[2].needs_db > floor]
        if answers:
            room = self._room(powered, settings.population, settings.rate)
            self._read(answers, room, dwell, antenna, power_dbm, settings, heard)

    def _ask(
        self,
        track: Track,
        nears: list[_Near],
        dwell: int,
        antenna: int,
        settings: Settings,
        power_dbm: float,
        answers: list[_Answer],
    ) -> int:
        """Ask one carrier's tags; how many the power wakes. The hot loop of the simulator."""
        at_us = dwell * self._signal.dwell_us
        gains = self._gains[antenna]
        cells = gains.cells
        x, y, walked = track.way.place(at_us)
        middle = round(x / CELL) * CELLS_ACROSS + round(y / CELL)
        if (cells.get(middle) or gains.at(middle)) < REACH_DB:
            return 0
        slow_curve, dips = self._slow, self._dips
        second = at_us / SECOND * CURVE_POINTS_PER_SECOND
        slow_at = int(walked / SLOW_STEP + second)
        dip_at = int(walked / DIP_STEP + second)
        powered = 0
        wants_b = settings.flag == 1
        heeds_flags = settings.session and not settings.dual_target
        for near in nears:
            key, cell, chance, margin_db, slow, dip, _, _ = near
            margin = (
                power_dbm
                + (cells.get(middle + cell) or gains.at(middle + cell))
                + margin_db
                + slow_curve[slow_at + slow & MASK]
                + dips[dip_at + dip & MASK]
            )
            if margin < -RAMP_DB:
                continue
            powered += 1
            if heeds_flags and self._is_flagged(near, at_us, settings.session) is not wants_b:
                continue
            dice = throw(key, dwell)
            if margin < RAMP_DB:
                chance = int(chance * (margin + RAMP_DB) / (2 * RAMP_DB))
            else:
                self.powered += 1
                self.answered += dice >> 20 & 0xFFFFF < chance
            if dice >> 20 & 0xFFFFF < chance:
                answers.append((dice, margin, near))
        return powered

    def _room(self, powered: int, population: int, share: float) -> int:
        rate = self._signal.reads_per_second_max * share
        if powered > 4 * population or population > 40 * max(powered, 8):
            rate *= CROWD_EFFICIENCY
        return max(1, int(rate * self._signal.dwell_us / SECOND))

    def _read(
        self,
        answers: list[_Answer],
        room: int,
        dwell: int,
        antenna: int,
        power_dbm: float,
        settings: Settings,
        heard: list[Heard],
    ) -> None:
        signal = self._signal
        session = 0 if settings.dual_target or settings.flag else settings.session
        answers.sort(key=lambda answer: answer[0] >> 40)
        step_us = signal.dwell_us // (min(len(answers), room) + 1)
        time_us = dwell * signal.dwell_us
        for dice, margin, near in answers[:room]:
            time_us += step_us
            carried = near.carried
            noise = ((dice & 0xFFFF) / 0x8000 - 1.0) * signal.rssi_noise_db
            rssi = 2.0 * (margin + near.needs_db) - power_dbm - signal.backscatter_loss_db + noise
            epc = carried.tag.epc
            if dice % signal.ghost_one_in == 1:
                epc = _with_bit_error(epc, dice)
                self.ghosts += 1
            if settings.flag:
                self._flagged.pop(carried.tag.key, None)
            elif session:
                self._flag(carried.tag.key, time_us, session, dice)
            heard.append(Heard(time_us, antenna, round(rssi), carried, epc))

    def _is_flagged(self, near: _Near, at_us: int, session: int) -> bool:
        key = near.carried.tag.key
        until_us = self._flagged.get(key)
        if until_us is None or until_us < at_us:
            return False
        if session > 1:  # S2 and S3 hold while the tag is powered, and a while longer.
            self._flagged[key] = at_us + self._signal.session_two_us
        return True

    def _flag(self, key: int, at_us: int, session: int, dice: int) -> None:
        signal = self._signal
        lasts_us = signal.session_two_us
        if session == 1:
            span = signal.session_one_max_us - signal.session_one_min_us
            lasts_us = signal.session_one_min_us + (dice >> 40 & 0xFFFFF) * span // CHANCE_ONE
        self._flagged[key] = at_us + lasts_us


def signal_floor(signal: SignalParameters, power_dbm: float) -> float:
    """The power at a tag below which its answer is too weak for the reader, in dBm."""
    return (signal.reader_sensitivity_dbm + power_dbm + signal.backscatter_loss_db) / 2.0


def _with_bit_error(epc: bytes, dice: int) -> bytes:
    """The EPC with one or two of its bits turned over."""
    value = int.from_bytes(epc, "big")
    bits = len(epc) * 8
    first = (dice >> 8) % bits
    value ^= 1 << first
    if dice >> 32 & 1:
        value ^= 1 << (first + 1 + (dice >> 33) % (bits - 1)) % bits
    return value.to_bytes(len(epc), "big")
