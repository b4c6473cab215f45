"""What passed without being read, and what a code looked like, as people see it."""

from __future__ import annotations

import io
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from contracts.codec import canonical
from contracts.events import AntennaDetail, Direction, LocationEvent, LocationKind, Sighting
from contracts.reads import no_read_identity
from ledger_sink.queries import Life, Moment, SightingSeen
from tallygate.identity import readings
from tallygate.loads_view import subject_name
from tallygate.names import Names
from tallygate.trace import print_life

AT = 1_772_416_800_000_000
UNREAD = no_read_identity("belt")


def sighting(identity: str, code: bytes) -> SightingSeen:
    detail = AntennaDetail(device="belt", antenna=0, first_us=AT, last_us=AT, reads=1, count=1)
    seen = Sighting(
        identity=identity,
        location="conveyor",
        first_us=AT,
        last_us=AT,
        count=1,
        antennas=(detail,),
        evidence=(code.hex(),),
    )
    return SightingSeen(seen, 1)


def told(identity: str, code: bytes, basis: str, spoken: str = "en") -> str:
    event = LocationEvent(
        kind=LocationKind.PASSED,
        identity=identity,
        location="conveyor",
        direction=Direction.IN,
        at_us=AT,
        first_us=AT,
        last_us=AT,
        confidence=1.0,
        basis=basis,
    )
    moment = Moment(
        seq=7,
        id="e",
        kind="location",
        happened_us=AT,
        recorded_us=AT,
        location="conveyor",
        payload=canonical(event),
        sightings=(sighting(identity, code),),
    )
    console = Console(file=io.StringIO(), width=200, color_system=None, highlight=False)
    print_life(console, Life(identity, (moment,), ()), Names(), spoken, ZoneInfo("UTC"))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_life_of_what_was_not_read_says_why_each_time() -> None:
    text = told(UNREAD, b"NOREAD", "no_read")
    assert "noread:belt" in text
    assert "passed in" in text
    assert "triggered, no code found" in text
    assert "'NOREAD'" in text
    assert "未读到条码" in told(UNREAD, b"NOREAD", "no_read", "zh")


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        (b"]C10109506000134352\x1d21A7", "GS1 128 ']C10109506000134352<FNC1>21A7'"),
        (b"]E09506000134352", "EAN UPC ']E09506000134352'"),
        (b"9506000134352", "['9506000134352']"),
        (b"\x18", "[18]"),
    ],
)
def test_a_code_is_shown_with_its_symbol_as_it_was_scanned(code: bytes, shown: str) -> None:
    assert shown in told("https://id.gs1.org/01/09506000134352/21/A7", code, "line")


def test_it_can_be_named_and_asked_for() -> None:
    assert subject_name(UNREAD, Names(), "en", brief=True) == "unread belt"
    assert readings(UNREAD)[0] == UNREAD
