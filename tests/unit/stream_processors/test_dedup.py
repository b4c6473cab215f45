"""Sightings and the books of reads: each read in exactly one row of evidence, or in a reject."""

from __future__ import annotations

import hashlib
from collections import Counter

from dock_desk import SECOND, TAG, Desk, at, load, read, walk
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.codec import decode, decode_json
from contracts.events import EntryKind, LocationKind
from contracts.reads import Read, Reject
from ledger_sink.core.whereabouts import whereabout_changes

CLASS = "https://id.gs1.org/01/09506000134352/10/LOT7"
IDENTITIES = (TAG, f"{TAG}2", "raw:e280", CLASS, "noread:scanner")


def test_reads_of_one_place_are_one_sighting_with_detail_by_antenna() -> None:
    desk = Desk()
    desk.give(
        [
            read("zones", 1, 10, -60, count=2),
            read("zones", 5, 10.5, -52),
            read("zones", 1, 11, -57),
        ]
    )
    desk.wait(30)
    last = desk.sightings()[-1]
    rows = [one for sighting in desk.sightings() for one in sighting.antennas]
    assert sum(row.reads for row in rows) == 3
    assert sum(row.count for row in rows) == 4
    assert {(row.device, row.antenna) for row in rows} == {("zones", 1), ("zones", 5)}
    assert last.location == "a"
    assert last.evidence == ("3001",)


def test_the_antennas_times_and_strengths_are_exact() -> None:
    desk = Desk()
    desk.give(
        [
            read("door-1", 1, 10, -60),
            read("door-1", 1, 11, -50, count=3),
            read("door-1", 3, 12, -58),
        ]
    )
    desk.wait(20)
    (sighting,) = desk.sightings()
    first, second = sighting.antennas
    assert (first.antenna, first.first_us, first.last_us) == (1, at(10), at(11))
    assert (first.reads, first.count, first.strongest_cdbm) == (2, 4, -5_000)
    assert (first.strongest_us, first.mean_us) == (at(11), at(10.75))
    assert (second.antenna, second.mean_us) == (3, at(12))
    assert (sighting.first_us, sighting.last_us, sighting.count) == (at(10), at(12), 5)


def test_a_resting_tag_is_told_as_a_new_sighting_once_a_minute() -> None:
    desk = Desk()
    desk.give([read("zones", 1, 10 + step) for step in range(180)])
    desk.wait(30)
    assert 3 <= len(desk.evidence) <= 5
    assert desk.reads_told() == {TAG: 180}
    assert desk.told() == ["arrived a"]


def test_an_events_digest_covers_its_sighting() -> None:
    desk = Desk()
    desk.give(walk(10))
    desk.wait(10)
    (event,) = desk.events()
    assert event.evidence_digest == hashlib.sha256(desk.evidence[0].payload).hexdigest()


def test_a_class_level_code_is_one_sighting_a_cycle_and_has_no_place() -> None:
    desk = Desk()
    desk.give([read("scanner", 0, 10, None, identity=CLASS, count=6) for _ in range(1)])
    desk.give([read("scanner", 0, 10.3, None, identity=CLASS, count=1)])
    desk.wait(10)
    assert [one.count for one in desk.sightings()] == [6, 1]
    assert desk.entries == []


UNREAD = "noread:scanner"


def test_what_passes_a_line_unread_is_a_passage_each_time_and_is_never_anywhere() -> None:
    """Neither merged with the one before nor a stranger at the gate, after a restart too."""
    desk = Desk(load("IN-1", "belt", "in", TAG))
    desk.give([read("scanner", 0, 10, None, identity=UNREAD)])
    desk.give([read("scanner", 0, second, None, identity=UNREAD) for second in (10.1, 10.2)])
    desk.wait(30)
    desk.restart()
    desk.give([read("scanner", 0, second, None, identity=UNREAD) for second in (45, 45.5)])
    desk.wait(60)
    events = desk.events(UNREAD)
    assert desk.told(UNREAD) == ["in belt"] * 5
    assert [event.at_us for event in events] == [at(t) for t in (10, 10.1, 10.2, 45, 45.5)]
    assert {(event.kind, event.basis) for event in events} == {(LocationKind.PASSED, "no_read")}
    assert [one.kind for one in desk.entries] == [EntryKind.LOCATION] * 5
    assert len({one.id for one in desk.entries}) == 5
    for entry, event, row in zip(desk.entries, events, desk.evidence, strict=True):
        assert row.entry == entry.id
        assert event.evidence_digest == hashlib.sha256(row.payload).hexdigest()
        assert event.previous is None
    assert whereabout_changes(desk.entries) == []
    assert desk.reads_told() == {UNREAD: 5}
    assert not desk.stages._state.records


def test_what_is_not_read_in_a_zone_is_evidence_only() -> None:
    desk = Desk()
    desk.give([read("plain", 1, second, None, identity="noread:plain") for second in (10, 11)])
    desk.wait(30)
    assert desk.entries == []
    assert [one.count for one in desk.sightings()] == [1, 1]


def test_a_read_at_an_unknown_antenna_is_a_reject_with_its_bytes() -> None:
    desk = Desk()
    stray = read("door-9", 2, 10)
    desk.give_late([stray, stray, read("zones", 9, 10)])
    assert [one.kind for one in desk.entries] == [EntryKind.REJECT] * 3
    assert len({one.id for one in desk.entries}) == 3
    reject = decode_json(Reject, desk.entries[0].payload)
    assert reject.reason == "device door-9 antenna 2 has no place in the site map"
    assert decode(Read, reject.raw, source="", at_us=0) == stray


def test_a_read_without_antenna_has_a_place_where_its_device_has_but_one() -> None:
    desk = Desk()
    desk.give([read("door-1", 0, 10), read("zones", 0, 11)])
    desk.wait(20)
    assert [row.location for row in desk.evidence] == ["door-1"]
    assert [one.kind for one in desk.entries] == [EntryKind.REJECT]


any_read = st.builds(
    lambda who, where, when, late, dbm, count, off: Read(
        identity=IDENTITIES[who],
        device=where[0],
        antenna=where[1],
        first_us=at(when) + off,
        last_us=at(when) + off,
        received_us=at(when) + late,
        count=count,
        rssi_cdbm=dbm,
        evidence=b"\x30",
    ),
    st.integers(0, 4),
    st.sampled_from(
        [("door-1", n) for n in range(6)]
        + [("door-2", 1), ("scanner", 0), ("zones", 1), ("zones", 2), ("plain", 1), ("none", 1)]
    ),
    st.floats(1, 120, allow_nan=False),
    st.integers(0, 2 * SECOND),
    st.one_of(st.none(), st.integers(-9_000, -3_000)),
    st.integers(0, 4),
    st.sampled_from([0, 0, 0, 7 * SECOND, -600 * SECOND, 10**15, -(10**15)]),
)


def distinct(reads: list[Read]) -> list[Read]:
    """Real devices never report the very same read twice, and evidence ids rely on that."""
    return list({(one.identity, one.device, one.first_us): one for one in reads}.values())


@settings(max_examples=60, deadline=None)
@given(st.lists(any_read, max_size=60).map(distinct), st.booleans())
def test_the_books_of_reads_balance_whatever_comes(reads: list[Read], shuffled: bool) -> None:
    desk = Desk()
    if shuffled:
        for one in reads:
            desk.give_late([one])
            desk.wait(1)
    else:
        desk.give(reads)
    desk.wait(200)
    desk.silent = {"dock", "hall"}
    desk.wait(120)
    assert desk.reads_told() == Counter(one.identity for one in reads)
    assert len({row.id for row in desk.evidence}) == len(desk.evidence)
    assert len({one.id for one in desk.entries}) == len(desk.entries)
