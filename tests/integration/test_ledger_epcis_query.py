"""Any life of a site as EPCIS: valid, the same at another site, and found by what asks for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some
from jsonschema import Draft7Validator, FormatChecker

import tallygate as tallygate_package
from contracts.documents import Document
from contracts.epcis.checking import check_document
from contracts.epcis.digital_link import canonical_identifier
from contracts.epcis.documents import encoded, events_of
from contracts.epcis.event_hash import event_hash
from contracts.epcis.times import microseconds, moment_of
from ledger_sink.books import Books
from ledger_sink.core.epcis_pages import QueryTooLargeError, TokenError
from ledger_sink.epcis import Answer, Slice, capture, export, query
from ledger_sink.postgres_ledger import PostgresLedger, connect
from ledger_sink.posting import DocumentPosting
from tallygate.company_entry import enter_master_data
from tallygate.company_file import Company
from tests.integration.test_command_line_looks import tallygate
from tests.support.conformance import CONFORMANCE
from tests.support.epcis_floor import CARRIER, GLN, START, Floor
from tests.support.servers import Fresh

JUDGE = Draft7Validator(
    json.loads((CONFORMANCE / "epcis" / "EPCIS-JSON-Schema.json").read_bytes()),
    format_checker=FormatChecker(),
)
SAMPLE = Path(tallygate_package.__file__).parent / "samples" / "company.json"
LATER = 1_790_000_000_000_000
CREATED = "2026-11-24T10:00:00.000Z"
Event = dict[str, Any]
STEP = some.tuples(some.integers(0, 23), some.integers(0, 60), some.integers(0, 60))
LIVES = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.generate],
)


@pytest.fixture
def ledger(embedded: Fresh) -> Iterator[PostgresLedger]:
    with connect(embedded.postgres_url) as connection:
        yield PostgresLedger(connection, "demo")


def fresh_site(ledger: PostgresLedger) -> PostgresLedger:
    """A site of its own in the same ledger, and another one beside it."""
    row = ledger.connection.execute("select count(*) from ledger.chains").fetchone()
    assert row is not None
    return PostgresLedger(ledger.connection, f"site{row[0]}")


def exported(ledger: PostgresLedger) -> list[Event]:
    done = export(ledger, Slice(), created=CREATED)
    assert done.untold == ()
    document: dict[str, Any] = json.loads(encoded(done.document))
    assert [error.message for error in JUDGE.iter_errors(document)] == []
    assert check_document(document) == []
    ours = [one for one in events_of(document) if "tallygate:entry" in one.event]
    if done.rehashed == 0:
        assert all(one.event["eventID"] == event_hash(*one) for one in ours)
    events: list[Event] = document["epcisBody"]["eventList"]
    return events


def declared(event: Event) -> str:
    return str(event.get("errorDeclaration", {}).get("declarationTime", ""))


def key(event: Event) -> tuple[str, str]:
    """What tells events apart, whoever gives them."""
    (one,) = events_of({**event, "@context": event.get("@context", [])})
    return event_hash(*one), declared(event)


def asked(ledger: PostgresLedger, *given: tuple[str, str], **paging: Any) -> Answer:
    answer = query(ledger, given, created=CREATED, **paging)
    assert isinstance(answer, Answer), answer
    document = json.loads(encoded(answer.document))
    assert [error.message for error in JUDGE.iter_errors(document)] == []
    return answer


def found(answer: Answer) -> list[Event]:
    document = json.loads(encoded(answer.document))
    events: list[Event] = document["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    return events


# What an event says of a parameter, worked out here once more from the standard's text.


def plain(text: Any) -> str:
    return canonical_identifier(str(text)) or str(text)


def listed(event: Event, *names: str) -> set[str]:
    return {plain(one) for name in names for one in event.get(name, [])}


def classes(event: Event, *names: str) -> set[str]:
    return {plain(one["epcClass"]) for name in names for one in event.get(name, [])}


def single(*path: str) -> Callable[[Event], set[str]]:
    def read(event: Event) -> set[str]:
        value: Any = event
        for name in path:
            value = value.get(name, {}) if isinstance(value, dict) else {}
        if isinstance(value, list):
            return {plain(one) for one in value}
        return {plain(value)} if isinstance(value, str) else set()

    return read


def typed(lists: str, name: str, kind: str) -> Callable[[Event], set[str]]:
    return lambda event: {
        plain(one[name]) for one in event.get(lists, []) if one.get("type") == kind
    }


QUANTITIES = ("quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList")
SAYS: Mapping[str, Callable[[Event], set[str]]] = {
    "eventType": single("type"),
    "EQ_action": single("action"),
    "EQ_bizStep": single("bizStep"),
    "EQ_disposition": single("disposition"),
    "EQ_persistentDisposition_set": single("persistentDisposition", "set"),
    "EQ_readPoint": single("readPoint", "id"),
    "EQ_bizLocation": single("bizLocation", "id"),
    "EQ_transformationID": single("transformationID"),
    "EQ_bizTransaction_po": typed("bizTransactionList", "bizTransaction", "po"),
    "EQ_bizTransaction_desadv": typed("bizTransactionList", "bizTransaction", "desadv"),
    "EQ_bizTransaction_recadv": typed("bizTransactionList", "bizTransaction", "recadv"),
    "EQ_bizTransaction_inv": typed("bizTransactionList", "bizTransaction", "inv"),
    "EQ_source_owning_party": typed("sourceList", "source", "owning_party"),
    "EQ_destination_possessing_party": typed("destinationList", "destination", "possessing_party"),
    "MATCH_epc": lambda event: listed(event, "epcList", "childEPCs"),
    "MATCH_parentID": single("parentID"),
    "MATCH_outputEPC": lambda event: listed(event, "outputEPCList"),
    "MATCH_anyEPC": lambda event: (
        listed(event, "epcList", "childEPCs", "inputEPCList", "outputEPCList")
        | single("parentID")(event)
    ),
    "MATCH_epcClass": lambda event: classes(event, "quantityList", "childQuantityList"),
    "MATCH_inputEPCClass": lambda event: classes(event, "inputQuantityList"),
    "MATCH_outputEPCClass": lambda event: classes(event, "outputQuantityList"),
    "MATCH_anyEPCClass": lambda event: classes(event, *QUANTITIES),
    "EQ_eventID": lambda event: {str(event.get("eventID")), key(event)[0]},
    "EQ_errorReason": single("errorDeclaration", "reason"),
    "EQ_correctiveEventID": single("errorDeclaration", "correctiveEventIDs"),
}
TIMES = {
    "eventTime": ("eventTime",),
    "errorDeclarationTime": ("errorDeclaration", "declarationTime"),
}


def at_us(event: Event, name: str) -> int | None:
    value: Any = event
    for step in TIMES[name]:
        value = value.get(step, {})
    moment = moment_of(value) if isinstance(value, str) else None
    return None if moment is None else microseconds(moment)


def should_find(events: list[Event], name: str, value: str) -> list[tuple[str, str]]:
    if name in SAYS:
        return sorted(key(event) for event in events if plain(value) in SAYS[name](event))
    how, _, field = name.partition("_")
    moment = moment_of(value)
    assert moment is not None
    limit = microseconds(moment)
    times = [(event, at_us(event, field)) for event in events]
    return sorted(
        key(event)
        for event, at in times
        if at is not None and ((at >= limit) if how == "GE" else (at < limit))
    )


@LIVES
@given(steps=some.lists(STEP, min_size=4, max_size=30), data=some.data())
def test_any_life_is_valid_comes_back_equal_and_is_found(
    ledger: PostgresLedger, steps: list[tuple[int, int, int]], data: some.DataObject
) -> None:
    site = fresh_site(ledger)
    Floor(site).live(steps)
    events = exported(site)

    # The same again is known; another site takes it once, and tells it equally.
    document = export(site, Slice(), created=CREATED).document
    if not any("tallygate:ignoreFields" in part for part in document):
        assert capture(site, document, START * 2).entered == 0
        other = PostgresLedger(ledger.connection, f"{site.site}-other")
        assert capture(other, document, START * 2) == (len(events), len(events), ())
        assert capture(other, document, START * 2).entered == 0
        back = {key(event): event for event in exported(other)}
        assert back == {key(event): event for event in events}

    # The life of one identity, exported by itself.
    ours = [event for event in events if "tallygate:entry" in event]
    identities = sorted({one for event in ours for one in SAYS["MATCH_anyEPC"](event)})
    if identities:
        identity = data.draw(some.sampled_from(identities))
        life = export(site, Slice(identity=identity), created=CREATED).document
        got = sorted(key(one.event) for one in events_of(life))
        assert got == should_find(events, "MATCH_anyEPC", identity), identity

    for name, says in SAYS.items():
        said = sorted({value for event in events for value in says(event)} - {"None"})
        for value in {data.draw(some.sampled_from(said)) for _ in range(2) if said}:
            got = sorted(key(event) for event in found(asked(site, (name, value))))
            assert got == should_find(events, name, value), (name, value)
    moments = [str(event["eventTime"]) for event in events] or ["2026-03-02T02:00:10Z"]
    moments += [f"2026-03-02T02:00:{second:02}.000{second}Z" for second in range(1, 20, 3)]
    for name in ("GE_eventTime", "LT_eventTime", "GE_errorDeclarationTime"):
        value = data.draw(some.sampled_from(moments))
        got = sorted(key(event) for event in found(asked(site, (name, value))))
        assert got == should_find(events, name, value), (name, value)


@LIVES
@given(
    steps=some.lists(STEP, min_size=6, max_size=24),
    per_page=some.integers(1, 5),
    order=some.sampled_from(["", "eventTime", "recordTime"]),
    direction=some.sampled_from(["ASC", "DESC"]),
    limit=some.none() | some.integers(1, 12),
)
def test_pages_give_every_event_once_and_in_order(
    ledger: PostgresLedger,
    steps: list[tuple[int, int, int]],
    per_page: int,
    order: str,
    direction: str,
    limit: int | None,
) -> None:
    site = fresh_site(ledger)
    floor = Floor(site)
    floor.live(steps)
    given = [("orderBy", order), ("orderDirection", direction)] if order else []
    if limit is not None and order:
        given.append(("eventCountLimit", str(limit)))
    whole = [key(event) for event in found(asked(site, *given))]
    events = exported(site)
    assert len(whole) == min(len(events), limit or 10**9 if order else 10**9)
    pages: list[tuple[str, str]] = []
    times: list[str] = []
    token = ""
    while True:
        answer = asked(site, *given, per_page=per_page, token=token)
        pages += [key(event) for event in found(answer)]
        times += [
            str(at_us(event, "eventTime")) if order == "eventTime" else event["recordTime"]
            for event in found(answer)
        ]
        assert len(found(answer)) <= per_page
        token = answer.next_page
        # What is entered meanwhile changes no page.
        floor.live([(1, 0, 3)])
        if not token:
            break
    assert pages == whole
    assert times == sorted(times, reverse=bool(order) and direction == "DESC")


def test_the_sample_company_s_quarter_is_epcis_that_others_can_take(
    ledger: PostgresLedger,
) -> None:
    said = json.loads(SAMPLE.read_bytes())
    documents = [Document.model_validate_json(json.dumps(one)) for one in said.pop("documents")]
    enter_master_data(ledger, [Company.model_validate_json(json.dumps(said))], 1)
    posted = DocumentPosting(Books(ledger)).post(documents, LATER)
    entered = {one.id for one in posted if one.outcome == "entered"}
    assert len(entered) > 400

    events = exported(ledger)
    told = {
        (kind, step): {event["tallygate:entry"] for event in events if is_like(event, kind, step)}
        for kind, step in (
            *(("TransactionEvent", "shipping"), ("TransactionEvent", "receiving")),
            *(("TransformationEvent", ""), ("AggregationEvent", "unpacking")),
            *(("ObjectEvent", "destroying"), ("ObjectEvent", "storing")),
        )
    }
    kinds: dict[str, list[str]] = {}
    for one in documents:
        if one.id in entered:
            kinds.setdefault(str(one.kind), []).append(f"{one.id}/m")
    for way, names in (
        (("TransactionEvent", "shipping"), ("sales_shipment", "transfer_out", "supplier_return")),
        (("TransactionEvent", "receiving"), ("goods_receipt", "transfer_in", "customer_return")),
        (("TransformationEvent", ""), ("production_receipt",)),
        (("AggregationEvent", "unpacking"), ("unpacking",)),
        (("ObjectEvent", "destroying"), ("scrap",)),
        (("ObjectEvent", "storing"), ("relocation",)),
    ):
        assert told[way] == {id_ for name in names for id_ in kinds[name]}, way
    assert any("errorDeclaration" in event for event in events)
    document = export(ledger, Slice(), created=CREATED).document
    assert capture(ledger, document, LATER).entered == 0
    other = PostgresLedger(ledger.connection, "other")
    assert capture(other, document, LATER) == (len(events), len(events), ())


def is_like(event: Event, kind: str, step: str) -> bool:
    return event["type"] == kind and step in ("", event.get("bizStep"))


def test_a_query_that_finds_too_much_is_refused(ledger: PostgresLedger) -> None:
    floor = Floor(ledger)
    floor.live([(1, number, number) for number in range(6)])
    assert len(found(asked(ledger, ("maxEventCount", "6")))) == 6
    with pytest.raises(QueryTooLargeError, match="more than 5 events match") as caught:
        asked(ledger, ("maxEventCount", "5"))
    # Whoever still holds the refusal can go on with the connection.
    assert caught.value.__traceback__ is not None
    answer = asked(ledger, per_page=2)
    with pytest.raises(TokenError, match="of another query"):
        asked(ledger, ("EQ_action", "OBSERVE"), per_page=2, token=answer.next_page)
    with pytest.raises(TokenError, match="none that was given out"):
        asked(ledger, token="nonsense")


def test_places_are_found_by_what_they_lie_in(ledger: PostgresLedger) -> None:
    floor = Floor(ledger)
    floor.live([(1, 0, 0), (1, 0, 3), (16, 0, 1)])
    site, north = f"https://id.gs1.org/414/{GLN}", "urn:tallygate:location:demo:north"
    everything = len(exported(ledger))
    assert everything == 3
    assert len(found(asked(ledger, ("WD_readPoint", site)))) == everything
    assert len(found(asked(ledger, ("WD_readPoint", "urn:tallygate:site:demo")))) == everything
    assert len(found(asked(ledger, ("EQ_readPoint", site)))) == 0
    (stored,) = found(asked(ledger, ("WD_bizLocation", north)))
    assert stored["bizLocation"]["id"] == f"{site}/254/stage"
    (there,) = found(asked(ledger, ("WD_readPoint", "urn:tallygate:location:demo:south")))
    assert there["readPoint"]["id"] == "urn:tallygate:location:demo:bin%207"


def test_patterns_quantities_and_extensions_are_found(ledger: PostgresLedger) -> None:
    floor = Floor(ledger)
    floor.live([(3, 0, 0), (8, 2, 3), (8, 2, 5), (1, 0, 0)])
    pump = "urn:epc:idpat:sgtin:0614141.011001.*"
    assert {event["type"] for event in found(asked(ledger, ("MATCH_epc", pump)))} == {"ObjectEvent"}
    company = "urn:epc:idpat:sgtin:0614141.*.*"
    assert len(found(asked(ledger, ("MATCH_anyEPC", company)))) >= 2
    amounts = {
        quantity["quantity"]
        for event in exported(ledger)
        for quantity in event.get("quantityList", [])
        if quantity.get("uom") == "KGM"
    }
    for amount in amounts:
        for name in ("EQ_quantity", "GE_quantity_KGM", "LE_quantity"):
            assert found(asked(ledger, (name, repr(amount))))
        assert found(asked(ledger, ("GT_quantity_GRM", "0"))) == []
    assert len(found(asked(ledger, ("EQ_tallygate:event", "arrived")))) == 1
    assert len(found(asked(ledger, ("EXISTS_tallygate:event", "")))) == 1
    assert len(found(asked(ledger, ("EQ_ILMD_cbvmda:lotNumber", "B/1")))) == 0
    assert amounts


def test_the_command_finds_gives_a_document_and_names_what_is_wrong(
    embedded: Fresh, ledger: PostgresLedger, tmp_path: Path
) -> None:
    floor = Floor(ledger)
    floor.live([(8, 0, 0), (8, 1, 2), (10, 0, 0), (1, 0, 0), (1, 0, 3)])
    where = ("--postgres", embedded.postgres_url, "--site", "demo", "--data", str(tmp_path))
    code, said = tallygate("epcis", "query", "EQ_bizStep=shipping,receiving", *where)
    assert (code, "TransactionEvent" in said, "events" in said) == (0, True, True), said
    code, said = tallygate("epcis", "query", f"MATCH_anyEPC={CARRIER}", "--json", *where)
    assert code == 0, said
    document = json.loads(said)
    assert document["type"] == "EPCISQueryDocument"
    assert [error.message for error in JUDGE.iter_errors(document)] == []
    code, said = tallygate("epcis", "query", "--per-page", "2", *where)
    assert (code, "more with --next-page " in said) == (0, True), said
    token = said.partition("more with --next-page ")[2].strip()
    code, said = tallygate("epcis", "query", "--per-page", "2", "--next-page", token, *where)
    assert code == 0, said
    code, said = tallygate(
        *("epcis", "query", "EQ_bizstep=shipping", "EQ_action=ADDED", "HASATTR_bizLocation=x"),
        *("GE_eventTime=yesterday", *where),
    )
    assert code != 0
    for words in (
        "EQ_bizstep: no such parameter; did you mean 'EQ_bizStep'?",
        "EQ_action: 'ADDED' is no action; did you mean 'ADD'?",
        "HASATTR_bizLocation: asks for master data",
        "GE_eventTime: 'yesterday' is no time",
        "QueryParameterException",
    ):
        assert words in said
    code, said = tallygate("epcis", "query", "maxEventCount=1", *where)
    assert (code != 0, "QueryTooLargeException" in said) == (True, True), said
