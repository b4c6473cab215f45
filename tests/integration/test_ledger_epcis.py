"""EPCIS in and out of a ledger: GS1's examples come back equal, once; ours are valid."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from jsonschema import Draft7Validator, FormatChecker

from contracts.codec import canonical
from contracts.epcis.checking import check_document
from contracts.epcis.documents import STANDARD_CONTEXT, encoded, events_of
from contracts.epcis.event_hash import event_hash
from contracts.events import Entry, EntryKind, LocationEvent, LocationKind
from ledger_sink.core.epcis import CapturedEvent
from ledger_sink.epcis import Slice, capture, export
from ledger_sink.postgres_ledger import PostgresLedger, connect
from ledger_sink.queries import trace
from tests.integration.test_command_line_looks import tallygate
from tests.support import dock_ledger as dock
from tests.support.conformance import CONFORMANCE
from tests.support.servers import Fresh

EXAMPLES = sorted((CONFORMANCE / "epcis" / "examples").glob("*.jsonld"))
EXAMPLE = CONFORMANCE / "epcis" / "examples" / "Example_9.6.1-ObjectEvent.jsonld"
JUDGE = Draft7Validator(
    json.loads((CONFORMANCE / "epcis" / "EPCIS-JSON-Schema.json").read_bytes()),
    format_checker=FormatChecker(),
)
CREATED = "2026-11-24T10:00:00.000Z"


@pytest.fixture
def ledger(embedded: Fresh) -> Iterator[PostgresLedger]:
    with connect(embedded.postgres_url) as connection:
        yield PostgresLedger(connection, "demo")


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_bytes())
    return document


def meaning(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Events without their `@context`, with the hash that their namespaces give."""
    return sorted(
        ((event_hash(*one), {**one.event, "@context": None}) for one in events_of(document)),
        key=lambda one: (one[0], declared_at(one[1])),
    )


def declared_at(event: dict[str, Any]) -> str:
    return str(event.get("errorDeclaration", {}).get("declarationTime", ""))


def exported(ledger: PostgresLedger, asked: Slice = Slice()) -> dict[str, Any]:  # noqa: B008
    done = export(ledger, asked, created=CREATED)
    assert (done.untold, done.rehashed) == ((), 0)
    document: dict[str, Any] = json.loads(encoded(done.document))
    assert len(document["epcisBody"]["eventList"]) == done.events
    errors = [error.message for error in JUDGE.iter_errors(document)]
    assert errors == []
    return document


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_of_the_standard_comes_back_equal_and_once(
    ledger: PostgresLedger, path: Path
) -> None:
    document = read(path)
    done = capture(ledger, document, 5)
    assert capture(ledger, document, 6).entered == 0
    came_back = meaning(exported(ledger))
    assert len(came_back) == done.entered
    once = []
    for one in meaning(document):
        declared = one[1].get("errorDeclaration", {}).get("declarationTime")
        if (one[0], declared) not in [
            (o[0], o[1].get("errorDeclaration", {}).get("declarationTime")) for o in once
        ]:
            once.append(one)
    assert came_back == once


def test_an_error_declaration_is_kept_beside_the_event_that_it_declares(
    ledger: PostgresLedger,
) -> None:
    document = read(CONFORMANCE / "epcis" / "examples" / "Example_9.6.1-ObjectEvent.jsonld")
    plain = document["epcisBody"]["eventList"][0]
    declared = {
        **plain,
        "errorDeclaration": {
            "declarationTime": "2020-01-15T00:00:00.000+01:00",
            "reason": "incorrect_data",
        },
    }
    assert capture(ledger, document, 5).entered >= 1
    document["epcisBody"]["eventList"] = [declared]
    assert capture(ledger, document, 6).entered == 1
    assert capture(ledger, document, 7).entered == 0
    same_hash = [one for one in meaning(exported(ledger)) if one[0] == meaning(document)[0][0]]
    assert sorted("errorDeclaration" in event for _, event in same_hash) == [False, True]


def test_the_same_event_with_a_partner_s_own_times_and_ids_is_the_same(
    ledger: PostgresLedger,
) -> None:
    document = read(CONFORMANCE / "epcis" / "examples" / "Example_9.6.3-AggregationEvent.jsonld")
    (event,) = document["epcisBody"]["eventList"]
    assert capture(ledger, document, 5).entered == 1
    event |= {"recordTime": "2030-01-01T00:00:00Z", "eventID": "urn:uuid:other"}
    assert capture(ledger, document, 6).entered == 0
    kinds = ledger.connection.execute("select kind, count(*) from ledger.entries group by 1")
    assert dict(kinds.fetchall()) == {EntryKind.EPCIS: 1}


def test_an_event_belongs_to_the_life_of_everything_in_it(ledger: PostgresLedger) -> None:
    document = read(CONFORMANCE / "epcis" / "examples" / "Example_9.6.3-AggregationEvent.jsonld")
    capture(ledger, document, 5)
    (event,) = document["epcisBody"]["eventList"]
    for epc in [event["parentID"], *event["childEPCs"]]:
        identity = next(iter(events_of({**event, "epcList": [epc]}))).event["epcList"][0]
        from contracts.epcis.digital_link import canonical_identifier  # noqa: PLC0415

        life = trace(ledger, str(canonical_identifier(identity)))
        assert [moment.kind for moment in life.moments] == [EntryKind.EPCIS]
        payload = msgspec.json.decode(life.moments[0].payload, type=CapturedEvent)
        assert payload.event_hash == meaning(document)[0][0]
        (one,) = exported(ledger, Slice(identity=life.identity))["epcisBody"]["eventList"]
        assert one["parentID"] == event["parentID"]


def test_our_own_events_are_valid_and_bear_their_hash(ledger: PostgresLedger) -> None:
    dock.fill(ledger)
    document = exported(ledger)
    found = document["epcisBody"]["eventList"]
    assert len(found) == 9
    assert {event["bizStep"] for event in found if "bizStep" in event} <= {
        "entering_exiting",
        "storing",
    }
    for one in events_of(document):
        assert one.event["eventID"] == event_hash(*one)
    before = Slice(
        before_us=min(life.happened_us for life in trace(ledger, found[0]["epcList"][0]).moments)
    )
    assert exported(ledger, before)["epcisBody"]["eventList"] != found
    # What we export can be captured by another site; we ourselves know it. Declared an error it is
    # another event; with other content under its id it is refused.
    assert capture(ledger, document, 5) == (9, 0, ())
    other = PostgresLedger(ledger.connection, "other")
    assert capture(other, document, 6) == (9, 9, ())
    assert capture(other, document, 7) == (9, 0, ())
    found[0]["tallygate:device"] = "changed"
    found[1]["errorDeclaration"] = {"declarationTime": "2026-05-01T00:00:00Z"}
    for site in (ledger, other):
        done = capture(site, document, 8)
        assert (done.events, done.entered) == (9, 1)
        assert [one.path for one in done.refused] == ["epcisBody.eventList[0]"]


def test_a_partner_s_contexts_come_back_whole(ledger: PostgresLedger) -> None:
    document = read(EXAMPLE)
    own = {"ex": {"@id": "https://ns.example.com/", "@prefix": True}}
    document["@context"] += ["https://example.com/context.jsonld", own]
    (event, *_) = document["epcisBody"]["eventList"]
    event |= {"@context": [{"ex2": "https://ns.example.com/2/"}], "ex:colour": "red"}
    document["epcisBody"]["eventList"] = [event]
    assert capture(ledger, document, 5).entered == 1
    came_back = exported(ledger)
    assert meaning(came_back) == meaning(document)
    contexts = [*document["@context"], *event["@context"]]
    assert came_back["epcisBody"]["eventList"][0]["@context"] == [
        one for one in contexts if one != STANDARD_CONTEXT
    ]
    assert capture(ledger, came_back, 6).entered == 0


def test_fields_that_count_for_no_hash_count_for_none_in_an_export(ledger: PostgresLedger) -> None:
    document = read(EXAMPLE)
    (event, *_) = document["epcisBody"]["eventList"]
    plain = meaning(document)
    event["example:added"] = "by us"
    ignored = {**document, "example:ignoreFields": ["example:added", "example:elsewhere"]}
    assert capture(ledger, ignored, 5).entered == len(plain)
    came_back = exported(ledger)
    assert came_back["tallygate:ignoreFields"] == ["example:added"]
    assert [hash_ for hash_, _ in meaning(came_back)] == [hash_ for hash_, _ in plain]
    assert capture(ledger, came_back, 6).entered == 0

    # A document in which the field counts: one document cannot say both, and it is told.
    event |= {"eventID": "urn:uuid:added", "eventTime": "2020-06-08T18:11:16Z"}
    assert capture(ledger, document, 7).entered == 1
    assert export(ledger, Slice(), created=CREATED).rehashed == 1
    since = Slice(from_us=1_591_639_876_000_000, before_us=1_591_639_876_000_001)
    assert "tallygate:ignoreFields" not in exported(ledger, since)


def test_one_declaration_in_two_zones_is_one(ledger: PostgresLedger) -> None:
    document = read(EXAMPLE)
    (event, *_) = document["epcisBody"]["eventList"]
    times = ("2020-01-15T00:00:00.000+01:00", "2020-01-14T23:00:00Z", "2020-01-14t23:00:00.0001z")
    document["epcisBody"]["eventList"] = [
        {**event, "errorDeclaration": {"declarationTime": at}} for at in times
    ]
    assert capture(ledger, document, 5) == (3, 1, ())


def test_an_event_of_ours_that_no_calendar_has_is_told(
    ledger: PostgresLedger, embedded: Fresh, tmp_path: Path
) -> None:
    event = LocationEvent(
        kind=LocationKind.PASSED,
        identity="raw:\u4e2d",
        location="door-1",
        at_us=4 * 10**17,
        first_us=0,
        last_us=0,
        confidence=1,
        basis="scan",
    )
    entry = Entry(
        id="late",
        kind=EntryKind.LOCATION,
        happened_us=event.at_us,
        identity=event.identity,
        location=event.location,
        payload=canonical(event),
    )
    now = msgspec.structs.replace(entry, id="now", happened_us=1_772_416_800_000_000)
    ledger.append([entry, now], 5)
    done = export(ledger, Slice(), created=CREATED)
    assert [(one.seq, one.id) for one in done.untold] == [(1, "late")]
    (told,) = done.document["epcisBody"]["eventList"]  # type: ignore[index, call-overload]
    assert told["epcList"] == ["urn:tallygate:identity:raw%3A%E4%B8%AD"]
    assert check_document(done.document) == []
    where = ("--postgres", embedded.postgres_url, "--site", "demo", "--data", str(tmp_path))
    code, said = tallygate("epcis", "export", str(tmp_path / "out.json"), *where)
    assert (code, "entry 1 (late) is not in the document: EPCIS has no times" in said) == (1, True)


def test_many_writers_enter_an_event_once(embedded: Fresh) -> None:
    document = read(EXAMPLES[0])
    entered: list[int] = []

    def write() -> None:
        with connect(embedded.postgres_url) as connection:
            entered.append(capture(PostgresLedger(connection, "demo"), document, 5).entered)

    writers = [threading.Thread(target=write) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(90)
    assert sum(entered) == len(meaning(document))
    assert len(entered) == 8


def test_mentions_are_never_rewritten(ledger: PostgresLedger) -> None:
    capture(ledger, read(EXAMPLES[0]), 5)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="insert-only"):
        ledger.connection.execute("delete from ledger.mentions")


def test_the_commands_say_what_they_took_and_what_is_wrong(embedded: Fresh, tmp_path: Path) -> None:
    where = ("--postgres", embedded.postgres_url, "--site", "demo", "--data", str(tmp_path))
    good, bad = str(EXAMPLES[0]), tmp_path / "bad.json"
    document = read(EXAMPLES[0])
    document["epcisBody"]["eventList"][0] |= {"bizStep": "shiping", "eventTime": "yesterday"}
    bad.write_text(json.dumps(document))

    assert tallygate("epcis", "check", good)[0] == 0
    code, said = tallygate("epcis", "check", good, str(bad))
    assert code == 1
    assert f"{bad}: epcisBody.eventList[0].bizStep: 'shiping' is no business step: one of" in said
    assert f"{bad}: epcisBody.eventList[0].eventTime: 'yesterday' is no time such as" in said

    code, said = tallygate("epcis", "capture", good, "--dry-run", *where)
    assert (code, "would be taken" in said) == (0, True), said
    code, said = tallygate("epcis", "capture", good, str(bad), *where)
    assert (code, "events entered" in said, "not taken" in said) == (1, True, True), said
    code, said = tallygate("epcis", "capture", good, *where)
    assert (code, "0 events entered" in said, "were known" in said) == (0, True, True), said
    code, said = tallygate("epcis", "export", str(tmp_path / "out.json"), *where)
    assert code == 0, said
    assert meaning(read(tmp_path / "out.json")) == meaning(read(EXAMPLES[0]))
    code, said = tallygate("epcis", "hash", str(tmp_path / "out.json"))
    assert sorted(said.split()) == sorted(hash_ for hash_, _ in meaning(read(EXAMPLES[0])))

    future = read(EXAMPLES[0])
    future["epcisBody"]["eventList"][0]["eventTime"] = "2199-01-01T00:00:00Z"
    bad.write_text(json.dumps(future))
    code, said = tallygate("epcis", "capture", str(bad), *where)
    assert (code, "has not come yet" in said) == (1, True), said
    bad.write_text("<epcis/>")
    code, said = tallygate("epcis", "check", str(bad))
    assert (code, "EPCIS in XML is not taken" in said) == (1, True), said


def test_a_bad_document_never_stops_the_others(embedded: Fresh, tmp_path: Path) -> None:
    where = ("--postgres", embedded.postgres_url, "--site", "demo", "--data", str(tmp_path))
    bad = {
        "nul[red].json": b'{"@context": "urn:x", "type": "ex:Own", "epcList": ["a\\u0000b"]}',
        "deep[/x].json": b'{"type": "ex:Own", "ex:a": ' + b"[" * 700 + b"]" * 700 + b"}",
        "deeper.json": b"[" * 100_000,
        "lone.json": b'{"ex:a": "\\ud800"}',
        "utf-16.json": "{}".encode("utf-16"),
        "huge.json": b'{"ex:a": 1e400}',
        "long.json": b'{"@context": "urn:x", "type": "ex:Own", "parentID": "'
        + b"x" * 4_000
        + b'"}',
    }
    paths = []
    for name, raw in bad.items():
        paths.append(tmp_path / name.replace("/", "\u2215"))
        paths[-1].write_bytes(raw)
    paths += [tmp_path, tmp_path / "none.json"]
    lower = tmp_path / "lower.json"
    lower.write_bytes(
        EXAMPLE.read_bytes().replace(b"2020-03-04T11:00:30.000+01:00", b"2020-03-04t11:00:30z")
    )
    good = (str(lower), str(EXAMPLES[0]))
    for command, options in (("check", ()), ("capture", ("--dry-run", *where)), ("capture", where)):
        code, said = tallygate("epcis", command, *map(str, paths), *good, *options)
        assert code == 1, said
        assert "Traceback" not in said
        for path in paths:
            assert f"{path}: " in said
        told = {"check": "good, ", "capture": "events"}[command]
        for path in good:
            assert f"{path}: " in said
            assert told in said.partition(f"{path}: ")[2].partition("\n")[0]
        for words in ("holds a NUL", "nested deeper than 60", "not JSON", "longer than 1,000"):
            assert words in said
    for path in paths:
        code, said = tallygate("epcis", "hash", str(path))
        assert (code, "Traceback" in said) == (2, False), said
