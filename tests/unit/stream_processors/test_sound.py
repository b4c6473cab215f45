"""What a batch may hold: each item that no device can have made becomes a reject, alone."""

from __future__ import annotations

import msgspec
import pytest

from contracts.codec import MESSAGE_BYTES_MAX, encode
from contracts.reads import (
    RAW_BYTES_MAX,
    DeviceChange,
    GateSignal,
    Loss,
    Read,
    ReadBatch,
    Reject,
)
from stream_processors.core.bridge import PAYLOAD_BYTES_MAX
from stream_processors.core.keys import SpoolKey
from stream_processors.core.regroup import Place, shares_of
from stream_processors.core.sound import AHEAD_US_MAX, UNUSABLE_MAX, sound_batch

KEY: SpoolKey = ("dock", "a" * 32)
GOOD = Read(
    identity="raw:01", device="door", antenna=1, first_us=1, last_us=2, received_us=3, count=1
)
WILD: dict[str, dict[str, object]] = {
    "far future": {"first_us": 2**64 - 1, "last_us": 2**64 - 1},
    "far past": {"first_us": -(2**63)},
    "received in the future": {"received_us": 2**63},
    "no count": {"count": 0},
    "mad count": {"count": 2**64 - 1},
    "mad signal": {"rssi_cdbm": 2**63},
    "no antenna": {"antenna": -1},
    "nameless": {"identity": ""},
    "endless name": {"identity": "raw:" + "a" * 600},
    "name with a separator": {"identity": "raw:\x1f"},
    "name with a zero": {"identity": "raw:\0"},
    "endless device": {"device": "d" * 65},
    "endless evidence": {"evidence": b"e" * 20_000},
}


def taken(batch: msgspec.Struct, gateway_us: int = 7) -> ReadBatch:
    return sound_batch(encode(batch), source="dock", gateway_us=gateway_us)


def test_a_usual_batch_stays_as_it_is() -> None:
    batch = ReadBatch(
        gateway_us=5,
        reads=(GOOD, msgspec.structs.replace(GOOD, rssi_cdbm=-5_000, evidence=b"\x30")),
        rejects=(Reject(source="dock/x", reason="no", raw=b"r", raw_length=1, at_us=1),),
        signals=(GateSignal(device="door", port=1, state=True, at_us=1, received_us=2),),
        losses=(
            Loss(
                gateway="dock",
                spool="",
                reason="spool_full",
                first_sequence=0,
                last_sequence=0,
                reads=None,
                at_us=1,
            ),
        ),
        changes=(DeviceChange(device="door", state="reading", detail="", at_us=1),),
    )
    assert encode(taken(batch)) == encode(batch)


@pytest.mark.parametrize("changed", WILD.values(), ids=WILD)
def test_a_wild_read_becomes_a_reject_and_its_neighbours_stay(changed: dict[str, object]) -> None:
    wild = msgspec.structs.replace(GOOD, **changed)
    other = msgspec.structs.replace(GOOD, identity="raw:02")
    batch = taken(ReadBatch(gateway_us=5, reads=(GOOD, wild, other)))
    assert [read.identity for read in batch.reads] == ["raw:01", "raw:02"]
    assert batch.gateway_us == 5
    (reject,) = batch.rejects
    assert reject.source == "dock"
    assert reject.reason.startswith("a read that cannot be used: ")
    assert (reject.raw, reject.raw_length) == (encode(wild)[:RAW_BYTES_MAX], len(encode(wild)))


def test_a_read_that_was_received_long_after_its_batch_was_made_is_none() -> None:
    """It would wait for its time to come; but a clock that is only just being set is no reason."""
    made_us = 1_700_000_000_000_000
    soon = msgspec.structs.replace(GOOD, received_us=made_us + AHEAD_US_MAX)
    never = msgspec.structs.replace(GOOD, received_us=made_us + AHEAD_US_MAX + 1)
    batch = taken(ReadBatch(gateway_us=made_us, reads=(soon, never)))
    assert batch.reads == taken(ReadBatch(gateway_us=made_us, reads=(soon,))).reads
    assert [reject.raw for reject in batch.rejects] == [encode(never)]
    assert "after its batch was made" in batch.rejects[0].reason
    assert taken(ReadBatch(gateway_us=1, reads=(never,))).rejects == ()


def test_other_wild_items_become_rejects_as_well() -> None:
    long = "x" * 3_000
    batch = taken(
        ReadBatch(
            gateway_us=2**63,
            reads=(GOOD,),
            rejects=(Reject(source="dock", reason=long, raw=b"", raw_length=0, at_us=0),),
            signals=(GateSignal(device="door", port=1, state=True, at_us=2**63, received_us=2),),
            losses=(
                Loss(
                    gateway="dock",
                    spool="",
                    reason="",
                    first_sequence=0,
                    last_sequence=2**63,
                    reads=None,
                    at_us=1,
                ),
            ),
            changes=(DeviceChange(device="door", state="reading", detail=long, at_us=1),),
        ),
        gateway_us=7,
    )
    assert batch.gateway_us == 7
    assert [read.identity for read in batch.reads] == ["raw:01"]
    assert (batch.signals, batch.losses, batch.changes) == ((), (), ())
    assert [reject.reason.partition(":")[0] for reject in batch.rejects] == [
        f"a {what} that cannot be used"
        for what in ("gateway's time", "signal", "loss", "device change", "reject")
    ]


def test_what_is_no_batch_is_one_reject() -> None:
    raw = b"\xc1 no batch"
    batch = sound_batch(raw, source="dock", gateway_us=7)
    assert (batch.gateway_us, batch.reads) == (7, ())
    assert [reject.raw for reject in batch.rejects] == [raw]


def test_a_newer_schema_is_never_sorted_out() -> None:
    """Its items may mean something else."""
    wild = msgspec.structs.replace(GOOD, count=0)
    batch = taken(ReadBatch(schema=2, gateway_us=5, reads=(GOOD, wild)))
    assert batch.reads == ()
    assert "schema 2 is newer" in batch.rejects[0].reason


def test_the_worst_batch_still_fits_into_one_record() -> None:
    """Otherwise no log would take it and the bridge would never get past it."""
    few = msgspec.structs.replace(GOOD, count=0)
    batch = ReadBatch(gateway_us=5, reads=(few,) * (UNUSABLE_MAX + 1))
    assert len(taken(batch).rejects) == 1
    room = (PAYLOAD_BYTES_MAX - 1_000) // UNUSABLE_MAX - 30
    wild = msgspec.structs.replace(GOOD, count=0, evidence=b"e" * room)
    batch = ReadBatch(gateway_us=5, reads=(wild,) * UNUSABLE_MAX)
    assert len(encode(batch)) <= PAYLOAD_BYTES_MAX
    content = taken(batch)
    assert len(content.rejects) == UNUSABLE_MAX
    place = Place(key=KEY, sequence=1, run=1)
    (share,) = shares_of(content, place, 1).values()
    assert len(share.part(place, previous=0, gateway_us=5)) < MESSAGE_BYTES_MAX
