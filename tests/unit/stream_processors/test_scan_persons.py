"""Persons of scans: pseudonyms take their place before anything gets into the log."""

from __future__ import annotations

import msgspec

from contracts.codec import decode_with
from contracts.log import LOG_RECORD, Part
from contracts.reads import Read, ReadBatch, Scan
from stream_processors.core.bridge import Effects
from stream_processors.core.persons import KEPT_S, PERSONS_MAX, Pseudonyms
from tests.unit.stream_processors.test_bridge import SPOOL, Desk, message, read_of


def scan_by(person: str | None, identity: str = "tag") -> Read:
    scan = Scan(id="s", client="handheld-1", person=person, told_us=1)
    return msgspec.structs.replace(read_of(identity), scan=scan)


def batch_of(*persons: str | None) -> ReadBatch:
    return ReadBatch(gateway_us=5, reads=tuple(map(scan_by, persons)))


def persons_in(effects: Effects) -> list[str | None]:
    parts = [
        decode_with(LOG_RECORD, record.value, source="test", at_us=0) for record in effects.produce
    ]
    return [
        read.scan and read.scan.person
        for part in parts
        if isinstance(part, Part)
        for read in part.reads
    ]


def test_a_batch_waits_for_pseudonyms_and_is_sent_again() -> None:
    desk = Desk()
    named = message(1, batch=batch_of("anna", "bert", None))
    first = desk.send(named)
    assert (first.produce, first.done) == ((), [1])
    assert first.ask_persons == {"anna", "bert"}
    # What comes behind it waits too.
    assert not desk.send(message(2)).produce
    desk.now_s += 0.1
    assert not desk.bridge.take_persons({"anna": "p-1"}, now_s=desk.now_s).commands
    (command,) = desk.bridge.take_persons({"bert": "p-2"}, now_s=desk.now_s).commands
    assert (command.gateway, command.command.spool) == ("dock", SPOOL)
    assert command.command.sequence == 1
    again = desk.send(named)
    assert persons_in(again) == ["p-1", "p-2", None]
    assert not again.ask_persons
    assert desk.send(message(2)).produce
    # The spool is not asked again for what it has sent.
    assert not desk.bridge.take_persons({"carl": "p-3"}, now_s=desk.now_s).commands


def test_nobody_is_asked_for_twice_within_the_time() -> None:
    desk = Desk()
    desk.bridge.take_persons({"anna": "p-1"}, now_s=0.0)
    desk.now_s = KEPT_S - 1
    assert persons_in(desk.send(message(1, batch=batch_of("anna")))) == ["p-1"]
    desk.now_s = KEPT_S
    assert desk.send(message(2, batch=batch_of("anna"))).ask_persons == {"anna"}
    desk.bridge.take_persons({"anna": "p-9"}, now_s=desk.now_s)
    assert persons_in(desk.send(message(2, batch=batch_of("anna")))) == ["p-9"]


def test_who_cannot_be_asked_stays_asked_for_until_somebody_answers() -> None:
    desk = Desk()
    for _ in range(3):
        desk.now_s += 5
        assert desk.send(message(1, batch=batch_of("anna"))).ask_persons == {"anna"}
    (_,) = desk.bridge.take_persons({"anna": "p-1"}, now_s=desk.now_s).commands
    assert persons_in(desk.send(message(1, batch=batch_of("anna")))) == ["p-1"]


def test_a_batch_whose_time_ran_out_while_another_was_asked_for_asks_for_all() -> None:
    desk = Desk()
    desk.bridge.take_persons({"anna": "p-1"}, now_s=0.0)
    desk.now_s = KEPT_S - 1
    assert desk.send(message(1, batch=batch_of("anna", "bert"))).ask_persons == {"anna", "bert"}


def test_a_batch_that_the_ledger_has_meanwhile_waits_for_nobody() -> None:
    desk = Desk()
    desk.send(message(1, batch=batch_of("anna")))
    desk.ask(acknowledged=1)
    assert desk.send(message(1, batch=batch_of("anna"))).done == [2]
    assert desk.send(message(2)).produce


def test_what_is_no_sign_in_id_stands_for_nobody() -> None:
    desk = Desk()
    effects = desk.send(message(1, batch=batch_of("\U0001f600" * 51, "")))
    assert not effects.ask_persons
    assert persons_in(effects) == [None, ""]


def test_kept_pseudonyms_are_bounded_and_the_oldest_go() -> None:
    kept = Pseudonyms()
    kept.take({f"person-{number}": "p" for number in range(PERSONS_MAX)}, 0.0)
    kept.take({"person-0": "p"}, 0.0)
    kept.take({"one more": "p"}, 0.0)
    assert kept.missing(["person-0", "person-1", "person-2", "one more"], 1.0) == {"person-1"}
