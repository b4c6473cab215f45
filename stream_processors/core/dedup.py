"""Dedup: reads of one identity at one location become one sighting, with detail by antenna.

Every read ends in exactly one sighting, and every sighting becomes exactly one row of evidence:
`Evidence.reads` sums to the reads taken, to the read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from contracts.codec import canonical
from contracts.events import AntennaDetail, Evidence, Sighting
from contracts.ids import content_id
from contracts.reads import Read
from stream_processors.core.reference import Place
from stream_processors.core.windows import Sample, Stay, Tally

TAGS_MAX = 4
"""So many different byte strings of one identity are kept as evidence: EPC, barcode, a variant."""


class Told(NamedTuple):
    """A sighting that is written down, before it is known which entry it decided."""

    id: str
    """The sighting's id, made from its payload."""
    identity: str
    location: str
    first_us: int
    last_us: int
    reads: int
    payload: bytes
    digest: str
    """SHA-256 over the payload, as `LocationEvent.evidence_digest` has it for one sighting."""
    device: str
    """The device of its strongest, or else its last, antenna."""

    def evidence(self, entry: str | None) -> Evidence:
        """The row for the evidence table."""
        return Evidence(
            id=self.id,
            entry=entry,
            identity=self.identity,
            location=self.location,
            first_us=self.first_us,
            last_us=self.last_us,
            reads=self.reads,
            payload=self.payload,
        )


def tell(
    identity: str,
    location: str,
    tallies: Sequence[Tally],
    tags: Iterable[bytes],
    *,
    incomplete: bool = False,
    part: int = 0,
) -> Told:
    """Write one sighting down. There is at least one tally.

    `part` counts the sightings of one window: two that look the same (a code that a scanner told
    twice at one time) are two.
    """
    ordered = sorted(tallies, key=_first_sight)
    antennas = tuple([_detail(tally) for tally in ordered])
    first_us = antennas[0].first_us
    last_us = max([tally.last_us for tally in ordered])
    sighting = Sighting(
        identity=identity,
        location=location,
        first_us=first_us,
        last_us=last_us,
        count=sum([tally.count for tally in ordered]),
        antennas=antennas,
        incomplete=incomplete,
        evidence=tuple([tag.hex() for tag in tags]),
    )
    payload = canonical(sighting)
    return Told(
        id=content_id("sighting", payload, part),
        identity=identity,
        location=location,
        first_us=first_us,
        last_us=last_us,
        reads=sum([tally.reads for tally in ordered]),
        payload=payload,
        digest=hashlib.sha256(payload).hexdigest(),
        device=max(ordered, key=_strength).place.device,
    )


def tell_stay(stay: Stay, *, incomplete: bool = False) -> Told:
    """Write down what a stay has gathered and let it go on empty; its signal of late remains."""
    told = tell(
        stay.record.identity,
        stay.location.id,
        stay.tallies,
        stay.tags,
        incomplete=incomplete,
        part=stay.part,
    )
    stay.tallies = []
    stay.part += 1
    return told


def tally_samples(samples: Sequence[Sample], before: Sequence[Tally] = ()) -> list[Tally]:
    """A visit's reads, or a share of them, by antenna; merged into those from before."""
    tallies = {(one.place.device, one.place.antenna): one for one in before}
    for last_us, first_us, place, rssi_cdbm, count in samples:
        key = (place.device, place.antenna)
        tally = tallies.get(key)
        if tally is None:
            tally = tallies[key] = Tally(place, first_us, last_us)
        tally.take(first_us, last_us, rssi_cdbm, count)
    return list(tallies.values())


def tell_cycle(read: Read, place: Place, first_us: int, last_us: int) -> Told:
    """A class-level code: each trigger cycle is one sighting, its seen count the quantity.

    The device's own time tells cycles apart that a clock out of order brings to the same time.
    """
    tally = Tally(place, first_us, last_us)
    tally.take(first_us, last_us, read.rssi_cdbm, read.count)
    tags = with_tag((), read.evidence)
    return tell(read.identity, place.location.id, [tally], tags, part=read.last_us)


def with_tag(tags: tuple[bytes, ...], tag: bytes) -> tuple[bytes, ...]:
    """The tag's bytes, each once."""
    if not tag or tag in tags or len(tags) >= TAGS_MAX:
        return tags
    return (*tags, tag)


def _first_sight(tally: Tally) -> tuple[int, str, int]:
    return tally.first_us, tally.place.device, tally.place.antenna


def _strength(tally: Tally) -> tuple[int, int]:
    strongest = tally.strongest_cdbm
    return (-(1 << 20) if strongest is None else strongest), tally.last_us


def _detail(tally: Tally) -> AntennaDetail:
    return AntennaDetail(
        device=tally.place.device,
        antenna=tally.place.antenna,
        first_us=tally.first_us,
        last_us=tally.last_us,
        reads=tally.reads,
        count=tally.count,
        strongest_cdbm=tally.strongest_cdbm,
        strongest_us=tally.strongest_us,
        mean_us=tally.first_us + tally.weighted_us // tally.count if tally.count else None,
    )
