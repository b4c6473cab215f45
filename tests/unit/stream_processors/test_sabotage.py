"""The rehearsal's hook spoils one location entry, once, and only where it is armed."""

from __future__ import annotations

import pytest

from contracts.codec import canonical, decode_json
from contracts.events import Entry, EntryKind, Evidence, LocationEvent, LocationKind
from contracts.log import Output
from stream_processors.io.sabotage import Sabotage
from stream_processors.settings import StreamError

IDENTITY = "https://id.gs1.org/01/09506000134352/21/17"


def output(offset: int = 7, partition: int = 1) -> Output:
    event = LocationEvent(
        kind=LocationKind.PASSED,
        identity=IDENTITY,
        location="door-1",
        at_us=1,
        first_us=1,
        last_us=1,
        confidence=1.0,
        basis="line",
    )
    entry = Entry(
        id="e" * 32,
        kind=EntryKind.LOCATION,
        happened_us=1,
        identity=IDENTITY,
        location="door-1",
        payload=canonical(event),
    )
    evidence = Evidence(
        id="s" * 32,
        entry=entry.id,
        identity=IDENTITY,
        location="door-1",
        first_us=1,
        last_us=1,
        reads=4,
        payload=b"{}",
    )
    return Output(
        log="l",
        partition=partition,
        offset=offset,
        epoch=1,
        entries=(entry,),
        evidence=(evidence,),
    )


def test_nothing_is_armed_without_a_kind() -> None:
    assert not Sabotage("").armed


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(StreamError, match="lose, double, flip"):
        Sabotage("explode")


def test_lose_takes_the_entry_and_its_evidence() -> None:
    (spoiled,) = Sabotage("lose").spoil([output()])
    assert spoiled.entries == ()
    assert spoiled.evidence == ()


def test_double_enters_the_event_under_another_id() -> None:
    (spoiled,) = Sabotage("double").spoil([output()])
    first, second = spoiled.entries
    assert first.id != second.id
    assert first.payload == second.payload


def test_flip_changes_one_byte_and_leaves_a_payload_that_can_be_read() -> None:
    (spoiled,) = Sabotage("flip").spoil([output()])
    before, after = output().entries[0].payload, spoiled.entries[0].payload
    assert sum(left != right for left, right in zip(before, after, strict=True)) == 1
    assert decode_json(LocationEvent, after).identity != IDENTITY


def test_it_happens_once_and_again_only_if_it_never_counted() -> None:
    sabotage = Sabotage("lose")
    assert sabotage.armed
    sabotage.spoil([output(offset=7)])
    assert not sabotage.armed
    sabotage.reloaded(1, 8)
    assert not sabotage.armed
    sabotage.reloaded(2, 0)
    assert not sabotage.armed
    sabotage.reloaded(1, 7)
    assert sabotage.armed
