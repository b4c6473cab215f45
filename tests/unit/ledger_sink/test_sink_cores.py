"""The sink's small pure parts."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.clock import LINK_US, REAL_TIME, ClockSetting
from contracts.codec import canonical, decode_json, encode, reject
from contracts.events import (
    Direction,
    DiscrepancyClosed,
    DiscrepancyOpened,
    Entry,
    EntryKind,
    LocationEvent,
    LocationKind,
    Problem,
)
from contracts.ids import partition_of
from contracts.log import MemoryChange, Output, TickOutput
from contracts.reads import DeviceChange, Reject, no_read_identity
from ledger_sink.core.admission import CommitPlan, Step
from ledger_sink.core.cleaning import clean_entries, clean_evidence, reject_entry
from ledger_sink.core.gateway_times import GatewayTimes
from ledger_sink.core.latency import GROWTH, bucket_us, histogram, percentile_us
from ledger_sink.core.points import Figures, latency_us
from ledger_sink.core.whereabouts import whereabout_changes
from ledger_sink.kafka_events import EventRecord
from ledger_sink.settings import SinkError, settings_from
from ledger_sink.sink import decode_output
from tests.unit.ledger_sink.ledger_builders import (
    SECOND,
    UNIT,
    passage,
    progress,
    sighting_of,
    step,
)

# -- cleaning ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "a\0"},
        {"kind": "loss\0"},
        {"identity": "\0"},
        {"location": "a\0b"},
        {"identity": "i" * 1_201},
        {"id": "\N{PACKAGE}" * 301},
        {"happened_us": 2**63},
        {"read_received_us": 2**64 - 1},
        {"window_us": 2**63},
        {"payload": b"{"},
        {"payload": b'{"type":"sighting"}'},
        {"payload": b"\xff"},
    ],
    ids=str,
)
def test_what_cannot_be_entered_becomes_one_reject(fields: dict[str, object]) -> None:
    bad = passage(1, **fields)
    (given_back,) = clean_entries([bad])
    assert given_back.kind == EntryKind.REJECT
    told = decode_json(Reject, given_back.payload)
    assert told.raw == encode(bad)
    assert clean_entries([bad]) == [given_back], "the same again has the same id"
    assert clean_entries([given_back]) == [given_back]


def test_what_can_be_entered_stays_as_it_is() -> None:
    entries = [passage(1), passage(2, kind="posting", payload=b"\xff any bytes")]
    assert clean_entries(entries) == entries
    assert clean_evidence([sighting_of(1)]) == ([sighting_of(1)], [])


@pytest.mark.parametrize(
    "fields", [{"id": "\0"}, {"reads": 2**63}, {"entry": "\0"}, {"identity": "i" * 3_000}], ids=str
)
def test_a_sighting_that_cannot_be_kept_becomes_a_reject(fields: dict[str, object]) -> None:
    kept, rejects = clean_evidence([sighting_of(1, **fields), sighting_of(2)])
    assert kept == [sighting_of(2)]
    assert [entry.kind for entry in rejects] == [EntryKind.REJECT]


def test_a_rejects_id_says_where_it_lay() -> None:
    assert reject_entry("r", b"x", 1, 0, 5).id == reject_entry("r", b"x", 1, 0, 5).id
    assert reject_entry("r", b"x", 1, 0, 5).id != reject_entry("r", b"x", 1, 0, 6).id


# -- outputs -------------------------------------------------------------------------------


def record(value: bytes, partition: int = 0) -> EventRecord:
    return EventRecord(partition, 7, value, 0)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_output_or_a_reject(value: bytes) -> None:
    assert isinstance(decode_output(record(value), 5), Output | Reject)


def test_an_output_in_the_wrong_partition_or_with_broken_memory_is_rejected() -> None:
    good = Output(log="l", partition=0, offset=1, epoch=1)
    assert decode_output(record(encode(good)), 5) == good
    wrong = decode_output(record(encode(good), partition=1), 5)
    assert isinstance(wrong, Reject)
    assert "partition" in wrong.reason
    tick = TickOutput(run=1, number=1, bridge_us=1, memory=b"\xc1")
    broken = decode_output(
        record(encode(Output(log="l", partition=0, offset=1, epoch=1, tick=tick))), 5
    )
    assert isinstance(broken, Reject)
    assert "memory" in broken.reason
    tick = TickOutput(run=1, number=1, bridge_us=1, memory=encode(MemoryChange(snapshot=True)))
    whole = Output(log="l", partition=0, offset=1, epoch=1, tick=tick)
    assert decode_output(record(encode(whole)), 5) == whole


# -- whereabouts ---------------------------------------------------------------------------


def test_a_passage_tells_its_direction_and_its_partition() -> None:
    (change,) = whereabout_changes([passage(1)])
    assert (change.identity, change.location) == (UNIT.format(1), "door-1")
    assert (change.kind, change.at_us) == (f"{LocationKind.PASSED}:out", 11 * SECOND)
    assert change.hash % 4 == partition_of(UNIT.format(1), 4)


def unread(number: int) -> Entry:
    """Something that could not be read passed a conveyor."""
    event = LocationEvent(
        kind=LocationKind.PASSED,
        identity=no_read_identity("belt"),
        location="belt",
        direction=Direction.IN,
        at_us=number,
        first_us=number,
        last_us=number,
        confidence=1.0,
        basis="no_read",
    )
    return msgspec.structs.replace(
        passage(number), identity=event.identity, payload=canonical(event)
    )


def test_what_passed_unread_is_nowhere_afterwards_and_is_counted() -> None:
    assert whereabout_changes([unread(1), unread(2)]) == []
    figures = Figures("demo")
    figures.take([unread(1), unread(2), passage(3)], sightings=3, reads=3, committed_us=0)
    lines = figures.drain(at_us=5, waiting=0, gateways={})
    assert "no_reads,site=demo,gate=belt count=2i 5" in lines
    assert "passages,site=demo,gate=belt,direction=in count=2i 5" in lines
    assert sum(line.startswith("no_reads") for line in lines) == 1
    assert not [line for line in figures.drain(at_us=6, waiting=0, gateways={}) if "no_r" in line]


def test_what_is_no_location_event_moves_nobody() -> None:
    others = [
        passage(1, kind="reject"),
        passage(1, payload=b"{"),
        passage(1, identity=None),
    ]
    assert whereabout_changes(others) == []


# -- gateways' times -----------------------------------------------------------------------


def plan_of(*steps: tuple[int, int]) -> CommitPlan:
    """Steps as (partition, sequence): the gateway's time is the sequence in seconds."""
    return CommitPlan(
        tuple(
            Step(step(partition, spools=(progress(sequence),)), (), ())
            for partition, sequence in steps
        ),
        len(steps),
    )


def test_a_gateways_time_is_that_of_the_partition_furthest_behind() -> None:
    times = GatewayTimes(2)
    assert times.after(plan_of((0, 7))) == {}
    times.committed(plan_of((0, 7)))
    assert times.after(plan_of((1, 5))) == {"dock": 5 * SECOND}
    assert times.known() == {}, "a plan that is not committed moves no time"
    times.committed(plan_of((1, 5)))
    assert times.known() == {"dock": 5 * SECOND}
    times.committed(plan_of((1, 9), (0, 3)))
    assert times.known() == {"dock": 7 * SECOND}, "time never goes back"


# -- latency -------------------------------------------------------------------------------


@given(st.integers(0, 10**12))
def test_a_latency_lies_in_its_bucket(latency: int) -> None:
    bound = bucket_us(latency)
    assert latency <= bound
    assert bound <= max(1_000, latency * GROWTH + 2)
    assert bucket_us(bound) == bound, "a bound is in its own bucket"


def test_percentiles_come_from_the_histogram() -> None:
    counts = histogram([500] * 98 + [10_000, 50_000])
    assert percentile_us(counts, 0.5) == 1_000
    assert percentile_us(counts, 0.99) == bucket_us(10_000)
    assert percentile_us(counts, 1.0) == bucket_us(50_000)
    assert percentile_us({}, 0.5) is None


def test_latency_leaves_out_what_was_waited_on_purpose() -> None:
    entry = passage(1, read_received_us=10 * SECOND, window_us=4 * SECOND)
    assert latency_us(entry, 15 * SECOND, REAL_TIME) == 1 * SECOND - LINK_US
    assert latency_us(entry, 12 * SECOND, REAL_TIME) == 0
    at_once = passage(1, read_received_us=10 * SECOND, window_us=0)
    assert latency_us(at_once, 15 * SECOND, REAL_TIME) == 5 * SECOND
    fast = ClockSetting(speed=2.0)
    assert latency_us(at_once, 18 * SECOND, fast) == 8 * SECOND - fast.link_allowance_us()
    assert latency_us(passage(1, read_received_us=None), 15 * SECOND, REAL_TIME) is None


# -- metrics -------------------------------------------------------------------------------


def entry_of(kind: EntryKind, payload: bytes) -> Entry:
    return Entry(
        id=hashlib.sha256(payload).hexdigest(),
        kind=kind,
        happened_us=1,
        identity=None,
        location="door 1",
        payload=payload,
    )


def test_figures_become_lines_once() -> None:
    figures = Figures("demo")
    opened = DiscrepancyOpened(
        discrepancy="d",
        problem=Problem.OVER,
        load=None,
        location="door 1",
        identities=(),
        at_us=1,
        found_us=1,
    )
    closed = DiscrepancyClosed(discrepancy="d", reason="came_back", at_us=1)
    change = DeviceChange(device="d,1", state='si"lent', detail="", at_us=1)
    figures.take(
        [
            passage(1),
            passage(2),
            entry_of(EntryKind.DISCREPANCY_OPENED, canonical(opened)),
            entry_of(EntryKind.DISCREPANCY_CLOSED, canonical(closed)),
            entry_of(EntryKind.DEVICE, canonical(change)),
            entry_of(EntryKind.REJECT, canonical(reject("dock/a b", "r", b"", 1))),
            entry_of(EntryKind.REJECT, b"no json"),
        ],
        sightings=3,
        reads=9,
        committed_us=15_100_000 + LINK_US,
    )
    bound = bucket_us(100_000)
    lines = figures.drain(at_us=20, waiting=4, gateways={"dock": 5, "yard": 12})
    assert lines == [
        "lag,site=demo waiting=4i,gateways_us=15i 20",
        "sightings,site=demo count=3i,reads=9i 20",
        "passages,site=demo,gate=door-1,direction=out count=2i 20",
        "entries,site=demo,kind=location count=2i 20",
        "entries,site=demo,kind=discrepancy_opened count=1i 20",
        "entries,site=demo,kind=discrepancy_closed count=1i 20",
        "entries,site=demo,kind=device count=1i 20",
        "entries,site=demo,kind=reject count=2i 20",
        r"rejects,site=demo,source=dock/a\ b count=1i 20",
        "rejects,site=demo,source=undecodable count=1i 20",
        r"discrepancies,site=demo,gate=door\ 1,problem=over opened=1i 20",
        r"discrepancies,site=demo,gate=door\ 1 closed=1i 20",
        r'devices,site=demo,device=d\,1 state="si\"lent",reading=0i 20',
        f"latency,site=demo entries=2i,p50_us={bound}i,p99_us={bound}i,window_us=4000000i 20",
    ]
    assert figures.drain(at_us=21, waiting=0, gateways={}) == ["lag,site=demo waiting=0i 21"]


# -- settings ------------------------------------------------------------------------------


def test_all_mistakes_in_the_environment_are_told_at_once() -> None:
    with pytest.raises(SinkError) as told:
        settings_from(
            {
                "TALLYGATE_SITE": "a b",
                "TALLYGATE_MQTT_URL": "http://x",
                "TALLYGATE_CLOCK": "1:2",
                "TALLYGATE_HEADS_EVERY_S": "never",
            }
        )
    for name in ("SITE", "MQTT_URL", "CLOCK", "HEADS_EVERY_S"):
        assert f"TALLYGATE_{name}" in str(told.value)


def test_an_empty_environment_is_a_demo_without_metrics() -> None:
    settings = settings_from({})
    assert (settings.site, settings.influx) == ("demo", None)
    influx = settings_from({"TALLYGATE_INFLUX_URL": "http://h:1"}).influx
    assert influx is not None
    assert influx.bucket == "tallygate"


@pytest.mark.parametrize("kind", ["movement", "book", "epcis", "commissioned", "log", "reference"])
def test_no_stream_enters_what_the_ledger_s_own_functions_enter(kind: str) -> None:
    forged = passage(kind=kind)
    (reject,) = clean_entries([forged])
    assert reject.kind == EntryKind.REJECT
    assert f"entry of kind {kind}, which no stream has" in reject.payload.decode()
