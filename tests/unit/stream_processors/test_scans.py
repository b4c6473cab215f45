"""Scans by hand: one is sure, names its person, and is entered once whatever is repeated."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from contracts.events import Entry, EntryKind, LocationEvent, Sighting
from contracts.places import (
    AntennaPlace,
    Gate,
    ReferenceChange,
    SiteMap,
    Zone,
)
from contracts.reads import Read, Scan
from stream_processors.core.holding import Holding
from stream_processors.core.understanding import Outcome, Reference, Understanding

UNIT = "https://id.gs1.org/01/09506000134352/21/12"
KIND = "https://id.gs1.org/01/09506000134352"
START_US = 1_750_000_000_000_000
SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
SITE = SiteMap(
    site="demo",
    zones=(Zone(id="stage"), Zone(id="cold"), Zone(id="yard", outside=True)),
    gates=(Gate(id="door-1", inner="stage", outer="yard"),),
    antennas=(
        AntennaPlace(device="handhelds", antenna=0, location="stage"),
        AntennaPlace(device="ceiling", antenna=1, location="stage"),
    ),
    gateways={"handhelds": "dock", "ceiling": "dock"},
)


def stages() -> Understanding:
    reference = Reference()
    reference.apply(ReferenceChange(key="site", version=1, value=SITE))
    return Understanding(reference)


def scan(
    name: str = "s1", at_us: int = START_US, *, received_us: int | None = None, **changes: Any
) -> Read:
    fields = {"id": name, "client": "pda-1", "person": "li.wei", "told_us": at_us} | {
        key: changes.pop(key)
        for key in ("person", "location", "document", "place")
        if key in changes
    }
    read = Read(
        identity=UNIT,
        device="handhelds",
        antenna=0,
        first_us=at_us,
        last_us=at_us,
        received_us=at_us + SECOND_US if received_us is None else received_us,
        count=1,
        evidence=b"]d2code",
        scan=Scan(**fields),
    )
    return msgspec.structs.replace(read, **changes)


def take(stages: Understanding, *reads: Read) -> Outcome:
    return stages.take_reads(reads, "dock", START_US)


def event(entry: Entry) -> LocationEvent:
    return msgspec.json.decode(entry.payload, type=LocationEvent)


def test_one_scan_places_a_thing_and_names_the_person() -> None:
    out = take(stages(), scan(location="cold", place="A-01", document="GI-7"))
    [entry], [evidence] = out.entries, out.evidence
    told = event(entry)
    assert (told.kind, told.location, told.basis, told.person) == (
        "arrived",
        "cold",
        "scan",
        "li.wei",
    )
    assert (entry.id, evidence.reads) == (evidence.entry, 1)
    sighting = msgspec.json.decode(evidence.payload, type=Sighting)
    assert isinstance(sighting.scan, Scan)
    assert (sighting.scan.place, sighting.scan.document) == ("A-01", "GI-7")


def test_what_antennas_tell_names_nobody_and_looks_as_before() -> None:
    reads = [
        msgspec.structs.replace(
            scan(at_us=START_US + each), device="ceiling", antenna=1, scan=None, count=2
        )
        for each in range(3)
    ]
    [entry] = take(stages(), *reads).entries
    assert event(entry).location == "stage"
    assert "person" not in json.loads(entry.payload)


def test_nobody_certain_is_nobody() -> None:
    [entry] = take(stages(), scan(person=None)).entries
    assert "person" not in json.loads(entry.payload)


def test_a_second_scan_elsewhere_moves_it_and_one_in_place_is_evidence_only() -> None:
    understanding = stages()
    take(understanding, scan("s1"))
    [entry] = take(understanding, scan("s2", START_US + MINUTE_US, location="cold")).entries
    assert (event(entry).kind, event(entry).previous) == ("moved", "stage")
    out = take(understanding, scan("s3", START_US + 2 * MINUTE_US, location="cold"))
    assert out.entries == []
    assert [one.entry for one in out.evidence] == [None]


def test_a_scan_made_offline_is_late_and_leaves_the_present_place_alone() -> None:
    understanding = stages()
    take(understanding, scan("s2", START_US, location="cold"))
    early = scan("s1", START_US - 50 * MINUTE_US, received_us=START_US + MINUTE_US)
    [entry] = take(understanding, early).entries
    assert (event(entry).late, event(entry).at_us) == (True, START_US - 50 * MINUTE_US)
    out = take(understanding, scan("s3", START_US + 2 * MINUTE_US, location="cold"))
    assert out.entries == [], "it is in the cold store still"


def test_the_same_scan_again_has_the_same_ids() -> None:
    understanding = stages()
    first = take(understanding, scan("s1"))
    again = take(understanding, scan("s1"))
    assert again.entries == []
    assert again.evidence[0].id == first.evidence[0].id
    fresh = take(stages(), scan("s1"))
    assert [one.id for one in fresh.entries] == [one.id for one in first.entries]


def test_a_scan_at_a_gate_is_evidence_and_no_passage() -> None:
    out = take(stages(), scan(location="door-1"))
    assert out.entries == []
    assert [one.location for one in out.evidence] == ["door-1"]


def test_a_class_level_code_is_evidence_only() -> None:
    out = take(stages(), scan("s1", identity=KIND), scan("s2", identity=KIND))
    assert out.entries == []
    assert len({one.id for one in out.evidence}) == 2


def test_a_place_that_the_map_does_not_know_is_told() -> None:
    [entry] = take(stages(), scan(location="gone")).entries
    assert entry.kind == EntryKind.REJECT
    assert b"a scan at location gone, which has no place" in entry.payload


def test_old_scans_teach_the_antennas_clocks_nothing() -> None:
    """Forty minutes of way are no wrong clock."""
    understanding = stages()
    late = [scan(f"s{n}", START_US - 40 * MINUTE_US, received_us=START_US) for n in range(20)]
    out = take(understanding, *late)
    assert not [entry for entry in out.entries if entry.kind == EntryKind.DEVICE]
    [entry] = take(understanding, scan("now", START_US, location="cold")).entries
    assert event(entry).at_us == START_US


def test_scans_come_through_the_gate_of_time_at_their_own() -> None:
    held = Holding(stages())
    out = held.take_reads(
        [scan("s1", START_US - 40 * MINUTE_US, received_us=START_US)], "dock", START_US
    )
    assert [entry.happened_us for entry in out.entries] == [START_US - 40 * MINUTE_US]


def test_a_restored_memory_goes_on_the_same_way() -> None:
    first = stages()
    take(first, scan("s1", location="cold"))
    second = stages()
    second.restore(first.memory_snapshot(), [(UNIT, "cold", START_US, "arrived")])
    later = scan("s2", START_US + MINUTE_US)
    assert take(first, later) == take(second, later)
