"""What people ask the ledger is answered from what stands in it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from contracts.codec import canonical, decode_json, reject
from contracts.events import (
    Direction,
    DiscrepancyClosed,
    DiscrepancyOpened,
    Entry,
    EntryKind,
    LoadEvent,
    LoadState,
    LocationEvent,
    Problem,
)
from contracts.places import Load, LoadLine, ReferenceChange
from contracts.reads import DeviceChange, Loss, Reject
from ledger_sink import queries
from ledger_sink.core.loads import Loads
from ledger_sink.floor import Floor, passed_now
from ledger_sink.postgres_ledger import PostgresLedger, connect
from tests.support.servers import Fresh
from tests.unit.ledger_sink.ledger_builders import SECOND, UNIT, passage, sighting_of

Payload = DiscrepancyOpened | DiscrepancyClosed | LoadEvent | Loss | DeviceChange | Reject


@pytest.fixture
def ledger(embedded: Fresh) -> Iterator[PostgresLedger]:
    """A ledger as its reader sees it, filled by another connection."""
    with connect(embedded.postgres_url) as connection:
        writer = PostgresLedger(connection, "demo")
        fill(writer)
    with connect(embedded.postgres_url, "ledger_reader") as connection:
        yield PostgresLedger(connection, "demo")


def entry(id_: str, kind: EntryKind, payload: Payload, at_us: int) -> Entry:
    return Entry(
        id=id_,
        kind=kind,
        happened_us=at_us,
        identity=None,
        location="door-1",
        payload=canonical(payload),
    )


def fill(ledger: PostgresLedger) -> None:
    decided = sighting_of(1, entry=passage(1).id)
    ledger.add_evidence([decided, sighting_of(1, first_us=99 * SECOND), sighting_of(2)], 20)
    opened = DiscrepancyOpened(
        discrepancy="d1",
        problem=Problem.MISSING,
        load="S-118",
        location="door-1",
        identities=(UNIT.format(1), UNIT.format(9)),
        item="00614141123452",
        quantity=2,
        at_us=12 * SECOND,
        found_us=13 * SECOND,
    )
    closed = DiscrepancyClosed(discrepancy="d1", reason="passed_later", at_us=15 * SECOND)
    began = LoadEvent(
        load="S-118",
        state=LoadState.STARTED,
        location="door-1",
        expected=4,
        passed=1,
        at_us=11 * SECOND,
    )
    left = LoadEvent(
        load="S-118",
        state=LoadState.LEFT,
        location="door-1",
        expected=4,
        passed=3,
        at_us=14 * SECOND,
    )
    lost = Loss(
        gateway="dock",
        spool="s1",
        reason="spool_full",
        first_sequence=1,
        last_sequence=2,
        reads=17,
        at_us=5,
    )
    went = DeviceChange(device="door-1", state="silent", detail="no keepalive", at_us=6)
    came = DeviceChange(device="door-1", state="reading", detail="", at_us=7)
    pulled = DeviceChange(device="door-1", state="antenna_lost", detail="antenna 3", at_us=8)
    garbage = reject("dock/door-1", "no LLRP header", b"\x00\xffgarbage", 8)
    ledger.append(
        [
            entry("l1", EntryKind.LOAD, began, 11 * SECOND),
            passage(1),
            passage(2),
            entry("d1", EntryKind.DISCREPANCY_OPENED, opened, 12 * SECOND),
            entry("d1c", EntryKind.DISCREPANCY_CLOSED, closed, 15 * SECOND),
            entry("l2", EntryKind.LOAD, left, 14 * SECOND),
            entry("x1", EntryKind.LOSS, lost, 5),
            entry("v1", EntryKind.DEVICE, went, 6),
            entry("v2", EntryKind.DEVICE, came, 7),
            entry("v3", EntryKind.DEVICE, pulled, 8),
            entry("r1", EntryKind.REJECT, garbage, 8),
            entry("n1", EntryKind.REJECT, garbage, 9),
        ],
        20,
    )
    ledger.append([passage(1)], 20)
    ledger.count_latencies({1000: 98, 2000: 2})


def test_an_items_life_holds_its_entries_and_what_decided_them(ledger: PostgresLedger) -> None:
    life = queries.trace(ledger, UNIT.format(1))
    assert [moment.kind for moment in life.moments] == [
        "location",
        "discrepancy_opened",
        "discrepancy_closed",
    ]
    (seen,) = life.moments[0].sightings
    assert (seen.reads, seen.sighting.location) == (3, "door-1")
    assert [quiet.sighting.first_us for quiet in life.quiet] == [99 * SECOND]


def test_a_unit_of_a_missing_case_is_told_that_the_case_was_found(ledger: PostgresLedger) -> None:
    """The discrepancy lists it; what closed the discrepancy names another unit, or none."""
    life = queries.trace(ledger, UNIT.format(9))
    assert [moment.kind for moment in life.moments] == ["discrepancy_opened", "discrepancy_closed"]


def test_an_identity_is_known_or_found_by_its_end(ledger: PostgresLedger) -> None:
    both = [UNIT.format(2), "raw:00", UNIT.format(1)]
    assert queries.known_identities(ledger, both) == [UNIT.format(2), UNIT.format(1)]
    assert queries.identities_ending(ledger, "/21/2", 10) == [UNIT.format(2)]
    assert queries.identities_ending(ledger, "%", 10) == []


def test_the_ledger_says_which_sites_it_has(ledger: PostgresLedger) -> None:
    assert queries.sites(ledger) == {"demo": 12}


def test_figures_count_what_stands(ledger: PostgresLedger) -> None:
    found = queries.stats(ledger)
    assert found.entries == {
        "device": 3,
        "discrepancy_closed": 1,
        "discrepancy_opened": 1,
        "load": 2,
        "location": 2,
        "loss": 1,
        "reject": 2,
    }
    assert found.tallies == {"duplicates": 1}
    assert (found.sightings, found.reads, found.lost_reads) == (3, 9, 17)
    assert found.rejects == (("dock/door-1", "no LLRP header", 2),)
    assert found.devices == (("door-1", "reading", "", 7, ("antenna 3",), ()),)
    assert (found.latency, found.window) == ((1000, 2000), (4 * SECOND, 4 * SECOND))


def test_loads_and_discrepancies_are_told_as_they_are_now(ledger: PostgresLedger) -> None:
    floor = Floor(ledger)
    assert floor.refresh()
    assert floor.loads == {"S-118": ("S-118", "left", "door-1", 4, 3, 14 * SECOND)}
    (found,) = floor.discrepancies
    assert (found.problem, found.load, found.item) == ("missing", "S-118", "00614141123452")
    assert found.identities == (UNIT.format(1), UNIT.format(9))
    assert (found.closed_reason, found.closed_us) == ("passed_later", 15 * SECOND)
    assert not floor.refresh()


def test_the_floor_takes_what_is_new_and_a_discrepancy_may_open_again(embedded: Fresh) -> None:
    with connect(embedded.postgres_url) as connection:
        writer = PostgresLedger(connection, "demo")
        fill(writer)
        floor = Floor(writer)
        floor.refresh()
        again = DiscrepancyOpened(
            discrepancy="d1",
            problem=Problem.MISSING,
            load="S-118",
            location="door-1",
            identities=(UNIT.format(1),),
            at_us=17 * SECOND,
            found_us=18 * SECOND,
        )
        writer.append([entry("d2", EntryKind.DISCREPANCY_OPENED, again, 17 * SECOND)], 20)
        strange = passage(3, id="odd", kind="device", payload=b"\xff{")
        writer.append([strange], 20)
        assert floor.refresh()
    assert [found.closed_us for found in floor.discrepancies] == [15 * SECOND, None]


def test_what_has_passed_of_a_load_is_what_the_loads_stage_knows(embedded: Fresh) -> None:
    """The ledger's entries tell a load's beginning and end; in between its stage knows more."""
    loads = Loads()
    units = [UNIT.format(number) for number in range(1, 5)]
    lines = tuple(LoadLine(identity=unit, item="4711", case=f"C{unit[-1]}") for unit in units)
    plan = Load(load="S-1", gate="door-1", direction="out", opens_us=0, closes_us=99, lines=lines)
    loads.apply(ReferenceChange(key="load/S-1", version=1, value=plan))
    events = [decode_json(LocationEvent, passage(number).payload) for number in (1, 2, 3)]
    back = msgspec.structs.replace(events[0], direction=Direction.IN, at_us=12 * SECOND)
    found = [msgspec.structs.replace(event, load="S-1") for event in events] + [back]
    loads.take([passage(1, id=str(n), payload=canonical(e)) for n, e in enumerate(found)], {})
    with connect(embedded.postgres_url) as connection:
        ledger = PostgresLedger(connection, "demo")
        assert passed_now(ledger) == {}
        ledger.keep_stage_memory("loads", loads.memory() or b"")
        assert passed_now(ledger) == {"S-1": frozenset(units[1:3])}


def test_passages_and_last_places_are_told(ledger: PostgresLedger) -> None:
    newest, older = queries.recent_passages(ledger, 5)
    assert (newest.identity, newest.direction) == (UNIT.format(2), "out")
    assert [row.identity for row in queries.location_events(ledger)] == [
        older.identity,
        newest.identity,
    ]
    both = [UNIT.format(1), UNIT.format(9)]
    assert queries.last_seen(ledger, both, 12 * SECOND) == (both[0], "door-1", 11 * SECOND)
    assert queries.last_seen(ledger, both, 11 * SECOND) is None
    assert queries.reads_per_identity(ledger) == {UNIT.format(1): 6, UNIT.format(2): 3}


def test_views_survive_payloads_that_are_no_json(embedded: Fresh) -> None:
    with connect(embedded.postgres_url) as connection:
        ledger = PostgresLedger(connection, "demo")
        strange = entry("r1", EntryKind.REJECT, reject("a", "b", b"", 1), 8)
        ledger.append([passage(1, id="a", kind="reject", payload=b"\xff{"), strange], 20)
        assert sorted(row.reason or "" for row in queries.stats(ledger).rejects) == ["", "b"]
