"""Adverts to reads: what one radio hears of one beacon in a while is one read.

A beacon says the same one to ten times a second. Its adverts are gathered per address for
`report_every_s` and told as one read with the number of adverts, the first, the last, and a signal
that fading does not pull down. A beacon that sends frames of several formats in turn is known by
the best of them; frames that name nobody (telemetry) count for the identity that the address had.

Everything is bounded, and what does not count is counted. Times are domain time, passed in.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from contracts.reads import Read
from contracts.site_ble import BleTable, kind_of_tag
from edge_agent.core.ble.adverts import Advert
from edge_agent.core.ble.identities import Identified, identified
from edge_agent.core.ble.telemetry import Telemetry, telemetry_of

BEACONS_MAX = 4_096
"""Beacons that one radio hears at once: more than the air can carry at one advert a second."""
KNOWN_MAX = 8_192
"""Addresses whose identity is remembered; the longest unheard are forgotten first."""
KNOWN_US = 600_000_000
"""So long an address keeps its identity: beacons that change theirs do it about so often."""
LATELY_US = 60_000_000
"""What was heard in this time is shown as heard."""
COMPLAINTS_MAX = 100
"""The device's complaints are told one in ten seconds anyway."""
LOWER_MV = 100
"""A low battery is told again when it fell by so much."""
RSSI_DBM_MIN = -127
"""The stack's word for 'not known', as is 127."""
RSSI_DBM_MAX = 20
MICROSECONDS = 1_000_000
CENTIBELS = 100


class Heard(NamedTuple):
    """One advert as a radio heard it."""

    advert: Advert
    address: str
    rssi_dbm: int | None
    at_us: int


class _Known:
    """Who an address is."""

    __slots__ = ("found", "heard_us", "low_mv")

    def __init__(self, found: Identified, heard_us: int) -> None:
        self.found = found
        self.heard_us = heard_us
        self.low_mv: int | None = None


class _Pending:
    """One beacon's adverts since its last read."""

    __slots__ = ("count", "first_us", "found", "last_us", "signals")

    def __init__(self, found: Identified, at_us: int) -> None:
        self.found = found
        self.first_us = self.last_us = at_us
        self.count = 0
        self.signals: Counter[int] = Counter()
        """Seen counts by dBm: bounded, and the order of adverts does not matter."""

    def take(self, rssi_dbm: int | None, at_us: int) -> None:
        self.first_us = min(self.first_us, at_us)
        self.last_us = max(self.last_us, at_us)
        self.count += 1
        if rssi_dbm is not None and RSSI_DBM_MIN < rssi_dbm <= RSSI_DBM_MAX:
            self.signals[rssi_dbm] += 1

    def merge(self, other: _Pending) -> None:
        self.first_us = min(self.first_us, other.first_us)
        self.last_us = max(self.last_us, other.last_us)
        self.count += other.count
        self.signals.update(other.signals)


class BeaconPool:
    """What one radio hears."""

    def __init__(self, device: str, table: BleTable) -> None:
        """`device`: the radio's id in the site file."""
        self._device = device
        self._table = table
        self._every_us = round(table.report_every_s * MICROSECONDS)
        self._offset_cdbm = round(table.signal_offset_db * CENTIBELS)
        self._known: dict[str, _Known] = {}
        self._pending: dict[tuple[str, str], _Pending] = {}
        self._complaints: list[str] = []
        self.others = 0
        """Adverts of phones and beacons that do not count."""
        self.crowded = 0
        """Adverts that were not counted because too many beacons were heard at once."""

    def take(self, heard: Heard) -> None:
        """Count one advert. Never raises."""
        address = heard.address.lower()
        found = self._who(heard.advert, address, heard.at_us)
        if found is None:
            self.others += 1
            return
        pending = self._pending.get((address, found.identity))
        if pending is None:
            if len(self._pending) >= BEACONS_MAX:
                self.crowded += 1
                return
            pending = _Pending(found, heard.at_us)
            self._pending[(address, found.identity)] = pending
        pending.take(heard.rssi_dbm, heard.at_us)
        if telemetry := telemetry_of(heard.advert):
            self._check(self._known[address], telemetry)

    def due(self, at_us: int) -> tuple[Read, ...]:
        """The reads of beacons whose time is over."""
        over = [
            key
            for key, pending in self._pending.items()
            # A clock that was set back must not keep anything for ever.
            if not pending.first_us <= at_us < pending.first_us + self._every_us
        ]
        return tuple(self._read(self._pending.pop(key), at_us) for key in over)

    def all(self, at_us: int) -> tuple[Read, ...]:
        """The reads of all that was heard: the radio stops."""
        pending, self._pending = self._pending, {}
        return tuple(self._read(one, at_us) for one in pending.values())

    def complaints(self) -> list[str]:
        """What has become worth saying since the last call."""
        said, self._complaints = self._complaints, []
        return said

    def summary(self, at_us: int) -> str:
        """What the radio hears, in words."""
        lately = [
            known.found.identity
            for known in self._known.values()
            if at_us - known.heard_us <= LATELY_US
        ]
        kinds = Counter(kind_of_tag(identity, self._table) for identity in set(lately))
        named = sorted(f"{count} {kind.replace('_', ' ')}" for kind, count in kinds.items() if kind)
        text = f"hears {kinds.total()} beacons" + (f" ({', '.join(named)})" if named else "")
        if self.others:
            text += f"; {self.others} adverts of others"
        if self.crowded:
            text += f"; {self.crowded} adverts not counted: more than {BEACONS_MAX} beacons"
        return text

    def _who(self, advert: Advert, address: str, at_us: int) -> Identified | None:
        """Whose advert it is, by what it says or by what its address said before."""
        found = identified(advert, address, self._table)
        known = self._known.pop(address, None)
        if known is not None and abs(at_us - known.heard_us) > KNOWN_US:
            known = None
        if found is None and known is None:
            return None
        if known is None:
            assert found is not None
            known = _Known(found, at_us)
        elif found is not None and found.rank <= known.found.rank:
            if found.rank < known.found.rank:
                self._rename(address, known.found, found)
            known.found = found
        known.heard_us = max(known.heard_us, at_us)
        self._known[address] = known
        if len(self._known) > KNOWN_MAX:
            del self._known[next(iter(self._known))]
        return known.found

    def _rename(self, address: str, before: Identified, found: Identified) -> None:
        """What counted for a lesser identity of the same beacon counts for the better one."""
        pending = self._pending.pop((address, before.identity), None)
        if pending is None:
            return
        pending.found = found
        if other := self._pending.get((address, found.identity)):
            pending.merge(other)
        self._pending[(address, found.identity)] = pending

    def _check(self, known: _Known, telemetry: Telemetry) -> None:
        """A low battery is said once, not with every frame."""
        battery_mv = telemetry.battery_mv
        if battery_mv is None or battery_mv >= self._table.battery_low_mv:
            known.low_mv = None
            return
        if known.low_mv is not None and battery_mv > known.low_mv - LOWER_MV:
            return
        known.low_mv = battery_mv
        warm = telemetry.temperature_c
        degrees = "" if warm is None else f" at {warm:.1f} degrees Celsius"
        said = f"the battery of {known.found.identity} is low: {battery_mv / 1000:.2f} V{degrees}"
        if len(self._complaints) < COMPLAINTS_MAX:
            self._complaints.append(said)

    def _read(self, pending: _Pending, at_us: int) -> Read:
        return Read(
            identity=pending.found.identity,
            device=self._device,
            antenna=0,
            first_us=pending.first_us,
            last_us=pending.last_us,
            received_us=at_us,
            count=pending.count,
            rssi_cdbm=self._signal(pending.signals),
            evidence=pending.found.evidence,
        )

    def _signal(self, signals: Counter[int]) -> int | None:
        total = signals.total()
        if not total:
            return None
        wanted = {"strongest": 1, "mean": total, "upper": (total + 1) // 2}[self._table.signal]
        level = smoothed_cdbm(sorted(signals.items(), reverse=True), wanted)
        return level + self._offset_cdbm


def smoothed_cdbm(strongest_first: list[tuple[int, int]], wanted: int) -> int:
    """The mean of the `wanted` strongest, in 1/100 dBm, from pairs of dBm and seen count."""
    left, weighed = wanted, 0
    for dbm, count in strongest_first:
        taken = min(count, left)
        weighed += taken * dbm * CENTIBELS
        left -= taken
    return (2 * weighed + wanted) // (2 * wanted)
