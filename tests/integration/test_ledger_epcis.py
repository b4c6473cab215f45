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

from contracts.epcis.documents import document_of, events_of
from contracts.epcis.event_hash import event_hash
from contracts.events import EntryKind
from ledger_sink.core.epcis import CapturedEvent
from ledger_sink.epcis import Slice, capture, events
from ledger_sink.postgres_ledger import PostgresLedger, connect
from ledger_sink.queries import trace
from tests.integration.test_command_line_looks import tallygate
from tests.support import dock_ledger as dock
from tests.support.conformance import CONFORMANCE
from tests.support.servers import Fresh

EXAMPLES = sorted((CONFORMANCE / "epcis" / "examples").glob("*.jsonld"))
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
    document: dict[str, Any] = json.loads(document_of(events(ledger, asked), created=CREATED))
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
    # What we export can be captured by another site, and by ourselves without a double.
    assert capture(ledger, document, 5).entered == 9
    assert capture(ledger, document, 6).entered == 0


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
        writer.join(30)
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
