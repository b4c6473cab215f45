"""Location in zones: when reads at a zone move an identity there.

One stray read never does. Signals count only while they are fresh, all antennas of a zone pool
theirs, and a home that is still heard is left only for a zone that is heard louder. A home that
was left through a gate, or has fallen silent, yields to reads that are many or strong enough.
"""

from __future__ import annotations

from typing import NamedTuple

from contracts.events import LocationKind
from stream_processors.core.windows import Record, Stay

FADE_CDB = 4_000
"""A home's claim fades by 40 dB over the zone's `memory_us` of silence ..."""
HOLD_SHARE = 8
"""... from this part of it on: a few missed turns of an antenna are no silence ..."""
FADE_CDB_MAX = 2_000
"""... but never by more than 20 dB: silence alone is no reason to believe faint reads."""
STRENGTH_CDB = 1_000
"""A read this far above the zone's signal floor counts for one, a fainter one for less."""
STRENGTH_MAX = 2.0
"""No read counts for more than two."""
PERSISTENT = 5
"""So many times `reads_min` are sure however they compare with a silent home."""
SILENT_SHARE = 4
"""Without signals to compare, a home must be silent for this part of `memory_us`; and a third
place that is silent for as long is not heard just now."""


class Verdict(NamedTuple):
    """The identity is here now."""

    kind: LocationKind
    confidence: float
    basis: str


def decide(record: Record, stay: Stay, at_us: int) -> Verdict | None:
    """Whether a read at a zone just now, already merged, makes this zone the identity's place."""
    parameters = stay.location.parameters
    good, _ = stay.heard()
    if good < parameters.reads_min or at_us <= record.since_us or stay.late:
        return None
    kind = LocationKind.MOVED
    if _is_outdone(record, stay, at_us):
        return None
    if record.zone is None:
        kind, basis = LocationKind.ARRIVED, "reads"
    else:
        home = _home(record)
        if home is None or at_us - home.last_us >= parameters.memory_us or not home.heard()[0]:
            basis = _over_silent_home(record, stay, at_us)
        else:
            basis = _over_heard_home(home, stay, at_us)
    return Verdict(kind, _confidence(good), basis) if basis else None


def _is_outdone(record: Record, stay: Stay, at_us: int) -> bool:
    """Whether a third place is heard louder just now: then that one may have the identity."""
    parameters = stay.location.parameters
    good, mean = stay.heard()
    if mean is None or good >= PERSISTENT * parameters.reads_min:
        return False
    for other in record.windows:
        if other is stay or not isinstance(other, Stay) or other.late or other.location.line:
            continue
        if other.location.id == record.zone:
            continue
        if (at_us - other.last_us) * SILENT_SHARE >= parameters.memory_us:
            continue
        other_good, other_mean = other.heard()
        if other_good and other_mean is not None and other_mean > mean:
            return True
    return False


def _over_silent_home(record: Record, stay: Stay, at_us: int) -> str:
    """The home is not heard: enough reads of enough strength decide. The basis, or nothing.

    Just after a passage the zone behind may still echo: then only many reads count.
    """
    parameters = stay.location.parameters
    good, mean = stay.heard()
    strength = float(good)
    if mean is not None:
        strength *= min(STRENGTH_MAX, (mean - parameters.rssi_min_cdbm) / STRENGTH_CDB)
    fresh = at_us - record.since_us < parameters.memory_us
    enough = good >= PERSISTENT * parameters.reads_min
    return "reads" if enough or (not fresh and strength >= parameters.reads_min) else ""


def _over_heard_home(home: Stay, stay: Stay, at_us: int) -> str:
    """The home was heard of late: the new zone must be heard louder. The basis, or nothing."""
    parameters = stay.location.parameters
    good, mean = stay.heard()
    silent_us = max(0, at_us - home.last_us)
    home_good, home_mean = home.heard()
    if mean is None or home_mean is None:
        silent = silent_us * SILENT_SHARE >= parameters.memory_us
        return "reads" if silent and good > 2 * home_good else ""
    missed_us = max(0, silent_us - parameters.memory_us // HOLD_SHARE)
    faded = min(FADE_CDB_MAX, FADE_CDB * missed_us // max(1, parameters.memory_us))
    if mean >= home_mean - faded + parameters.stronger_cdbm:
        return "signal"
    many = good >= PERSISTENT * parameters.reads_min
    return "reads" if many and silent_us * 2 >= parameters.memory_us else ""


def _home(record: Record) -> Stay | None:
    """The open sighting at the place where the identity is known to be."""
    for window in record.windows:
        if isinstance(window, Stay) and window.location.id == record.zone and not window.late:
            return window
    return None


def _confidence(good: int) -> float:
    """One read in three strays, at the worst: several in a row hardly do."""
    return round(1 - float(3.0 ** -min(good, 8)), 3)
