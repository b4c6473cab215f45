"""An eventID names one content: what comes under it with other content is refused, and kept."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some
from psycopg import sql

from contracts.epcis.checking import check_document
from contracts.epcis.documents import document_of, events_of
from contracts.epcis.event_hash import event_hash
from contracts.epcis.mistakes import EpcisMistake
from contracts.events import EntryKind
from contracts.reads import Reject
from ledger_sink.core.epcis import CapturedEvent, captured
from ledger_sink.epcis import Capture, Slice, capture, export
from ledger_sink.migrate import migrate
from ledger_sink.postgres_ledger import PostgresLedger, connect
from ledger_sink.verify_books import verify_books
from tests.integration.test_command_line_looks import tallygate
from tests.support import dock_ledger as dock
from tests.support.servers import Fresh, SessionServers, with_database

Event = dict[str, Any]
CREATED = "2026-11-24T10:00:00.000Z"
ONE, OTHER = "urn:uuid:1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", "https://id.example.com/event/7"
CORRECTED = "2026-03-09T08:00:00Z"
SECONDS_MAX = 60


@pytest.fixture
def ledger(embedded: Fresh) -> Iterator[PostgresLedger]:
    with connect(embedded.postgres_url) as connection:
        yield PostgresLedger(connection, "demo")


def event(event_id: str | None = None, step: str = "shipping", declared: str = "") -> Event:
    """One that says of a piece what happened to it: its content is the step."""
    made: Event = {
        "type": "ObjectEvent",
        "action": "OBSERVE",
        "bizStep": step,
        "epcList": ["urn:epc:id:sgtin:0614141.107346.2017"],
        "eventTime": "2026-03-02T02:00:00.000Z",
        "eventTimeZoneOffset": "+00:00",
    }
    if event_id is not None:
        made["eventID"] = event_id
    if declared:
        made["errorDeclaration"] = {"declarationTime": declared, "reason": "incorrect_data"}
    return made


def hash_of(step: str) -> str:
    return event_hash(event(step=step))


def document(*events: Event) -> dict[str, Any]:
    made = document_of(events, created=CREATED)
    assert check_document(made) == []
    return made


def taken(ledger: PostgresLedger, *events: Event) -> tuple[int, list[int]]:
    """How many are new, and the places of those that were refused."""
    done = capture(ledger, document(*events), 5)
    return done.entered, [place_in(one.path) for one in done.refused]


def place_in(path: str) -> int:
    return int(path.removeprefix("epcisBody.eventList[").removesuffix("]"))


def kept(ledger: PostgresLedger) -> list[tuple[str | None, str, str]]:
    """Captured events: eventID, step, and when it was declared an error."""
    rows = ledger.connection.execute(
        "select payload from ledger.entries where site = %s and kind = 'epcis' order by seq",
        (ledger.site,),
    )
    payloads = [msgspec.json.decode(payload, type=CapturedEvent) for (payload,) in rows]
    found = [(msgspec.json.decode(one.event), one.declared) for one in payloads]
    return [(said.get("eventID"), said["bizStep"], declared) for said, declared in found]


def rejects(ledger: PostgresLedger) -> list[Reject]:
    rows = ledger.connection.execute(
        "select payload from ledger.entries where site = %s and kind = 'reject' order by seq",
        (ledger.site,),
    )
    return [msgspec.json.decode(payload, type=Reject) for (payload,) in rows]


def conflicts(ledger: PostgresLedger) -> int:
    row = ledger.connection.execute(
        "select count from ledger.tallies where site = %s and name = 'conflicts'", (ledger.site,)
    ).fetchone()
    return int(row[0]) if row else 0


def test_other_content_under_an_id_is_refused_and_the_rest_is_entered(
    ledger: PostgresLedger, embedded: Fresh
) -> None:
    assert taken(ledger, event(ONE)) == (1, [])
    again = document(event(OTHER, "packing"), event(ONE, "picking"), event(None, "loading"))
    done = capture(ledger, again, 6)
    problem = f"other content stands under its eventID {ONE} already"
    said = f"epcisBody.eventList[1]: {problem}"
    assert done == Capture(3, 2, (EpcisMistake("epcisBody.eventList[1]", problem),))
    assert kept(ledger) == [(ONE, "shipping", ""), (OTHER, "packing", ""), (None, "loading", "")]
    (reject,) = rejects(ledger)
    assert (reject.source, reject.reason) == ("epcis", said)
    assert reject.raw_length == len(reject.raw)
    refused = msgspec.json.decode(reject.raw, type=CapturedEvent)
    assert msgspec.json.decode(refused.event) == event(ONE, "picking")
    assert conflicts(ledger) == 1

    # The same again changes nothing but the count; elsewhere in a document it is the same, too.
    before = ledger.connection.execute("select seq, hash from ledger.chains").fetchall()
    assert capture(ledger, again, 7) == (3, 0, done.refused)
    assert taken(ledger, event(ONE, "picking")) == (0, [0])
    assert ledger.connection.execute("select seq, hash from ledger.chains").fetchall() == before
    assert conflicts(ledger) == 3
    assert verify_books(embedded.postgres_url, "demo").findings == ()


def test_a_long_event_is_kept_with_its_beginning_and_its_length(ledger: PostgresLedger) -> None:
    long_id = "urn:example:" + "x" * 980
    assert taken(ledger, event(long_id)) == (1, [])
    long = event(long_id, "picking")
    long["epcList"] = [f"urn:epc:id:sgtin:0614141.107346.{number}" for number in range(1_000)]
    assert taken(ledger, long) == (0, [0])
    (entry,) = captured(document(long))
    (reject,) = rejects(ledger)
    assert reject.raw == entry.entry.payload[:4_096]
    assert reject.raw_length == len(entry.entry.payload)


def test_within_one_document_the_first_counts(ledger: PostgresLedger) -> None:
    given_events = (event(ONE, "picking"), event(ONE), event(OTHER), event(ONE, "picking"))
    assert taken(ledger, *given_events) == (2, [1])
    assert kept(ledger) == [(ONE, "picking", ""), (OTHER, "shipping", "")]


def test_an_id_belongs_to_a_site(ledger: PostgresLedger) -> None:
    assert taken(ledger, event(ONE)) == (1, [])
    assert taken(PostgresLedger(ledger.connection, "other"), event(ONE, "picking")) == (1, [])


@pytest.mark.parametrize("form", ["query", "single"])
def test_an_event_is_named_by_its_place_in_any_form(ledger: PostgresLedger, form: str) -> None:
    assert taken(ledger, event(ONE)) == (1, [])
    whole = document(event(OTHER, "packing"), event(ONE, "picking"))
    path = "epcisBody.queryResults.resultsBody.eventList[1]"
    if form == "single":
        whole = {"@context": whole["@context"], **event(ONE, "picking")}
        path = ""
    else:
        results = {"queryName": "q", "resultsBody": whole.pop("epcisBody")}
        whole |= {"type": "EPCISQueryDocument", "epcisBody": {"queryResults": results}}
    assert check_document(whole) == []
    (mistake,) = capture(ledger, whole, 6).refused
    assert mistake.path == path
    assert rejects(ledger)[0].reason == mistake.text()


def test_a_declaration_repeats_the_event_that_it_declares(ledger: PostgresLedger) -> None:
    """All but recordTime and comments is the same, whichever of the two comes first."""
    declaration = {
        **event(ONE, declared=CORRECTED),
        "recordTime": "2026-03-09T08:00:01Z",
        "rdfs:comment": "scanned at the wrong door",
    }
    assert taken(ledger, event(ONE)) == (1, [])
    assert taken(ledger, event(ONE, "picking", CORRECTED), declaration) == (1, [0])
    assert taken(ledger, event(ONE, declared="2026-03-10T08:00:00Z")) == (1, [])
    assert taken(ledger, declaration, event(ONE)) == (0, [])

    # Only the declaration is here.
    assert taken(ledger, event(OTHER, declared=CORRECTED)) == (0, [])
    assert taken(ledger, event(OTHER, "packing", declared=CORRECTED)) == (1, [])
    assert taken(ledger, event(OTHER, "loading"), event(OTHER, "packing")) == (1, [0])


def test_a_hash_id_that_is_nobody_s_is_an_id_like_any_other(ledger: PostgresLedger) -> None:
    """GS1's own examples bear hashes of older versions of the algorithm: they are taken."""
    nobody = hash_of("killing")
    assert taken(ledger, event(nobody)) == (1, [])
    assert taken(ledger, event(nobody, "picking")) == (0, [0])


def test_an_event_is_known_by_its_hash_as_well(ledger: PostgresLedger) -> None:
    """What takes the hash of another event as its eventID is refused, whatever id that one has."""
    assert taken(ledger, event(ONE), event(None, "picking")) == (2, [])
    assert taken(ledger, event(hash_of("shipping"), "loading")) == (0, [0])
    assert taken(ledger, event(hash_of("picking"), "loading", CORRECTED)) == (0, [0])
    assert taken(ledger, event(hash_of("packing"), "loading"), event(None, "packing")) == (1, [0])


def test_an_event_that_bears_its_own_hash_always_passes(ledger: PostgresLedger) -> None:
    """Else whoever sent wrong content under it first would keep the right event out."""
    own = hash_of("shipping")
    assert taken(ledger, event(own, "loading")) == (1, [])
    assert taken(ledger, event(own), event(own, declared=CORRECTED)) == (2, [])
    # What was taken before stays known.
    assert taken(ledger, event(own, "loading"), event(own)) == (0, [])
    assert taken(ledger, event(own, "packing")) == (0, [0])


def test_a_known_event_under_the_id_of_another_is_told(ledger: PostgresLedger) -> None:
    assert taken(ledger, event(ONE), event(OTHER, "picking")) == (2, [])
    assert taken(ledger, event("urn:uuid:new", "picking")) == (0, [])
    assert taken(ledger, event(ONE, "picking")) == (0, [0])
    assert len(rejects(ledger)) == 1


def test_other_content_under_an_id_of_ours_is_refused(ledger: PostgresLedger) -> None:
    dock.fill(ledger)
    told = export(ledger, Slice(), created=CREATED).document
    ours = [one.event for one in events_of(told)]
    assert capture(ledger, told, 5) == (len(ours), 0, ())
    changed = [{**ours[0], "disposition": "damaged"}, ours[1]]
    declared = {**ours[2], "errorDeclaration": {"declarationTime": CORRECTED}}
    # Its entry need not be named, as long as the document names it somewhere.
    foreign = {**event(str(ours[1]["eventID"]), "loading")}
    assert taken(ledger, *changed, declared, foreign) == (1, [0, 3])
    assert taken(ledger, *changed, declared, foreign) == (0, [0, 3])


def test_of_two_writers_one_gets_in(embedded: Fresh, ledger: PostgresLedger) -> None:
    """The second waits for the chain, and sees then what the first entered."""
    found: list[tuple[int, list[int]]] = []

    def write() -> None:
        with connect(embedded.postgres_url) as own:
            found.append(taken(PostgresLedger(own, "demo"), event(ONE, "picking")))

    second = threading.Thread(target=write)
    with ledger.connection.transaction():
        assert taken(ledger, event(ONE)) == (1, [])
        second.start()
        await_a_waiting_writer(embedded)
        assert found == []
    second.join(SECONDS_MAX)
    assert found == [(0, [0])]
    assert kept(ledger) == [(ONE, "shipping", "")]
    assert len(rejects(ledger)) == 1


def await_a_waiting_writer(embedded: Fresh) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    with connect(embedded.postgres_url) as own:
        waiting = (
            "select from pg_stat_activity"
            " where datname = current_database() and wait_event_type = 'Lock'"
        )
        while own.execute(waiting).fetchone() is None:
            assert time.monotonic() < deadline


def test_of_many_writers_one_gets_in(embedded: Fresh, ledger: PostgresLedger) -> None:
    steps = ("packing", "picking", "loading", "shipping", "storing", "holding")
    at_once = threading.Barrier(len(steps))
    found: list[tuple[int, list[int]]] = []

    def write(step: str) -> None:
        with connect(embedded.postgres_url) as own:
            at_once.wait(SECONDS_MAX)
            found.append(taken(PostgresLedger(own, "demo"), event(ONE, step)))

    writers = [threading.Thread(target=write, args=(step,)) for step in steps]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(SECONDS_MAX)
    assert sorted(found) == [(0, [0])] * (len(steps) - 1) + [(1, [])]
    assert len(kept(ledger)) == 1
    assert len(rejects(ledger)) == len(steps) - 1


def test_events_of_an_older_version_are_found(
    embedded: Fresh, embedded_servers: SessionServers
) -> None:
    """They are in the index at once; two that came under one id then are both still known."""
    name = f"{embedded.name}_old"
    with psycopg.connect(embedded.postgres_url, autocommit=True) as owner:
        owner.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    url = with_database(embedded_servers.addresses.postgres_url, name)
    before = (event(ONE), event(ONE, "picking"), event(OTHER, "packing"), event(None, "loading"))
    try:
        migrate(url, "0025_happened")
        with connect(url) as connection:
            found = [one.entry for one in captured(document(*before))]
            row = connection.execute(
                "select ledger.capture("
                "'demo', 5, %s, %s::bigint[], %s, %s::text[], %s, '{}', '{}')",
                (
                    [one.id for one in found],
                    [one.happened_us for one in found],
                    [one.identity for one in found],
                    [one.location for one in found],
                    [one.payload for one in found],
                ),
            ).fetchone()
            assert row == (len(before),)
        assert migrate(url) >= 1
        with connect(url, "ledger_appender") as connection:
            ledger = PostgresLedger(connection, "demo")
            assert taken(ledger, *before) == (0, [])
            changed = (event(ONE, "storing"), event(OTHER, "storing"), event(None, "storing"))
            assert taken(ledger, *changed) == (1, [0, 1])
            declared = (event(ONE, "picking", CORRECTED), event(ONE, declared=CORRECTED))
            assert taken(ledger, *declared) == (2, [])
    finally:
        with psycopg.connect(embedded.postgres_url, autocommit=True) as owner:
            owner.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def test_an_id_is_looked_up_in_an_index(ledger: PostgresLedger) -> None:
    """Even where the planner knows nothing of the table."""
    assert taken(ledger, event(ONE)) == (1, [])
    plan = ledger.connection.execute(
        "explain select from ledger.entries e where e.site = 'demo' and e.kind = 'epcis'"
        " and ledger.event_key(e.payload) = any (array(select sha256(%s::bytea)))",
        (ONE.encode(),),
    ).fetchall()
    assert any("entries_by_event_id" in line for (line,) in plan), plan
    assert ledger.connection.execute(
        "select ledger.event_key(payload) = sha256(%s::bytea) from ledger.entries", (ONE.encode(),)
    ).fetchall() == [(True,)]


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[]", b"null", b'"x"', b'{"event": "x"}'])
def test_an_entry_that_is_no_event_has_no_id(ledger: PostgresLedger, payload: bytes) -> None:
    row = ledger.connection.execute("select ledger.event_key(%s)", (payload,)).fetchone()
    assert row == (None,)


class Said(NamedTuple):
    """What a made-up event says."""

    event_id: str | None
    step: str
    declared: str

    def made(self) -> Event:
        """The event."""
        return event(*self)

    def declared_at(self) -> str:
        """When it was declared an error, as its entry says."""
        return self.declared and self.declared.replace("Z", ".000Z")


STEPS = ("packing", "picking", "loading")
SAID = some.builds(
    Said,
    some.sampled_from([None, ONE, OTHER, *map(hash_of, STEPS[:2])]),
    some.sampled_from(STEPS),
    some.sampled_from(["", "", CORRECTED]),
)


class Model:
    """What is refused and entered, worked out here once more, one event after the other."""

    def __init__(self) -> None:
        self.entered: dict[tuple[str, str], Said] = {}
        self.refused: set[Said] = set()

    def take(self, events: Sequence[Said]) -> tuple[int, list[int]]:
        """A document: how many of its events are new, and the places of those refused."""
        standing: dict[str | None, set[str]] = {}
        for one in self.entered.values():
            standing.setdefault(one.event_id, set()).add(one.step)
        plain = {hash_of(one.step) for one in (*events, *self.entered.values()) if not one.declared}
        firsts: dict[str | None, set[str]] = {}
        passed: list[Said] = []
        refused: list[int] = []
        for place, one in enumerate(events):
            names = standing.get(one.event_id) or firsts.get(one.event_id) or {one.step}
            is_free = one.event_id is None or one.event_id == hash_of(one.step)
            is_free = is_free or one.step in standing.get(one.event_id, ())
            if not is_free and (one.step not in names or one.event_id in plain):
                refused.append(place)
                self.refused.add(one)
            else:
                firsts.setdefault(one.event_id, {one.step})
                passed.append(one)
        before = len(self.entered)
        for one in passed:
            self.entered.setdefault((one.step, one.declared), one)
        return len(self.entered) - before, refused


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.generate],
)
@given(documents=some.lists(some.lists(SAID, min_size=1, max_size=5), min_size=1, max_size=6))
def test_any_documents_are_judged_event_by_event(
    ledger: PostgresLedger, documents: list[list[Said]]
) -> None:
    row = ledger.connection.execute("select count(*) from ledger.chains").fetchone()
    assert row is not None
    site = PostgresLedger(ledger.connection, f"site{row[0]}")
    model = Model()
    for given_events in documents:
        for _ in range(2):
            should = model.take(given_events)
            assert taken(site, *(one.made() for one in given_events)) == should
        assert should[0] == 0
    assert kept(site) == [
        (one.event_id, one.step, one.declared_at()) for one in model.entered.values()
    ]
    assert len(rejects(site)) == len(model.refused)


def test_the_command_names_what_it_refuses(embedded: Fresh, tmp_path: Path) -> None:
    where = ("--postgres", embedded.postgres_url, "--site", "demo", "--data", str(tmp_path))
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    first.write_text(json.dumps(document(event(ONE))))
    second.write_text(
        json.dumps(document(event(ONE), event(ONE, "picking"), event(OTHER, "packing")))
    )
    code, said = tallygate("epcis", "capture", str(first), str(second), *where)
    refusal = f"epcisBody.eventList[1]: other content stands under its eventID {ONE} already"
    assert (code, said.splitlines()) == (
        1,
        [
            f"{first}: 1 events entered",
            f"{second}: {refusal}: refused",
            f"{second}: 1 events entered, 1 were known, 1 refused and kept as rejects",
        ],
    )
    code, said = tallygate("stats", *where)
    assert refusal in said.replace("\n", " "), said
    with connect(embedded.postgres_url) as connection:
        row = connection.execute(
            "select payload from ledger.entries where kind = %s", (EntryKind.REJECT,)
        ).fetchone()
    assert row is not None
    raw = base64.b64decode(json.loads(row[0])["raw"])
    assert b"picking" in raw
