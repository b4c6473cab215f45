"""Query parameters: what each asks of GS1's own examples, and what is said of wrong ones."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from contracts.epcis.documents import events_of
from contracts.epcis.event_hash import event_hash
from contracts.epcis.vocabulary import Json
from contracts.events import EntryKind
from ledger_sink.core.epcis_build import ToldEvent
from ledger_sink.core.epcis_match import Candidate
from ledger_sink.core.epcis_pages import Found, Place, collect, name_of, page_of, token_of
from ledger_sink.core.epcis_query import Query, read_query, serials_in
from tests.support.conformance import CONFORMANCE

EXAMPLES = CONFORMANCE / "epcis" / "examples"


def candidates(*names: str) -> list[Candidate]:
    found = []
    for name in names:
        document = json.loads((EXAMPLES / f"{name}.jsonld").read_bytes())
        found += [
            Candidate(one.event, one.context, event_hash(*one), 1_000_000, lambda _: ())
            for one in events_of(document)
        ]
    return found


ALL = candidates(*(path.stem for path in sorted(EXAMPLES.glob("*.jsonld"))))


def query(*given: str) -> Query:
    read = read_query([(one.partition("=")[0], one.partition("=")[2]) for one in given])
    assert isinstance(read, Query), read
    return read


def wanted(*given: str, among: list[Candidate] = ALL) -> list[Any]:
    asked = query(*given)
    return [one.event for one in among if asked.wants(one)]


def test_no_parameter_asks_for_everything() -> None:
    assert len(wanted()) == len(ALL) > 30


ASKED = [
    ("eventType=TransformationEvent", lambda event: event["type"] == "TransformationEvent"),
    ("EXISTS_errorDeclaration", lambda event: "errorDeclaration" in event),
    ("EXISTS_sensorElementList=", lambda event: "sensorElementList" in event),
    (
        "EQ_bizStep=urn:epcglobal:cbv:bizstep:receiving",
        lambda event: event.get("bizStep") == "receiving",
    ),
    (
        "EQ_bizStep=https://ref.gs1.org/cbv/BizStep-receiving,shipping",
        lambda event: event.get("bizStep") in ("receiving", "shipping"),
    ),
    (
        "GE_eventTime=2013-06-08T14:58:56.591+02:00",
        lambda event: event["eventTime"][:4] >= "2013" and event["eventTime"][:10] > "2013-06-07",
    ),
    ("EQ_errorReason=incorrect_data", lambda event: "incorrect_data" in str(event)),
    (
        "EQ_type=Temperature,Speed",
        lambda event: any(
            report.get("type") in ("Temperature", "Speed")
            for element in event.get("sensorElementList", [])
            for report in element["sensorReport"]
        ),
    ),
    (
        "GT_value_CEL=26",
        lambda event: any(
            report.get("uom") == "CEL" and report.get("value", 0) > 26
            for element in event.get("sensorElementList", [])
            for report in element["sensorReport"]
        ),
    ),
    (
        "EQ_persistentDisposition_unset=completeness_inferred",
        lambda event: (
            "completeness_inferred" in event.get("persistentDisposition", {}).get("unset", [])
        ),
    ),
]


@pytest.mark.parametrize(("parameter", "says"), ASKED, ids=lambda one: str(one)[:30])
def test_a_parameter_finds_the_examples_that_say_so(parameter: str, says: Any) -> None:
    got = wanted(parameter)
    assert got == [one.event for one in ALL if says(one.event)]
    assert 0 < len(got) < len(ALL)


def test_an_epc_is_found_in_any_of_its_forms() -> None:
    among = candidates("Example_9.6.1-ObjectEvent")
    urn = "urn:epc:id:sgtin:0614141.107346.2017"
    link = "https://id.gs1.org/01/10614141073464/21/2017"
    other = "https://shop.example.com/gtin/10614141073464/ser/2017?x=1"
    found = [wanted(f"MATCH_epc={epc}", among=among) for epc in (urn, link, other)]
    assert found[0] == found[1] == found[2] != []
    several = wanted("MATCH_epc=urn:epc:idpat:sgtin:0614141.107346.*", among=among)
    assert several == [one.event for one in among if "107346." in str(one.event["epcList"])]
    assert wanted("MATCH_anyEPC=urn:epc:idpat:sgtin:0614141.*.*", among=among) == several
    assert wanted("MATCH_anyEPC=urn:epc:idpat:sgtin:0614142.*.*", among=among) == []
    assert wanted("MATCH_epc=https://id.gs1.org/01/10614141073464", among=among) == []
    assert wanted(f"MATCH_parentID={urn}", among=among) == []


def test_fields_with_a_namespace_are_found_wherever_the_name_is_written_out() -> None:
    event: dict[str, Json] = {
        "type": "ObjectEvent",
        "ex:colour": "red",
        "ex:size": 12.5,
        "ex:when": "2026-01-01T00:00:00+01:00",
        "ex:box": {"ex:depth": 3, "list": [{"ex:mark": "a"}]},
        "ilmd": {"ex:lot": "7", "ex:inner": {"ex:lot": "8"}},
        "readPoint": {"id": "urn:x:1", "ex:shelf": "2"},
    }
    one = Candidate(event, {"ex": "https://ns.example.com/#"}, "", 0, lambda _: ())

    def finds(parameter: str) -> bool:
        return wanted(parameter, among=[one]) == [event]

    for good in (
        *("EQ_ex:colour=red", "EQ_https://ns.example.com/#colour=red", "EXISTS_ex:colour"),
        *("GT_ex:size=12", "LE_ex:size=12.50", "GE_ex:when=2025-12-31T23:00:00Z"),
        *("EQ_INNER_ex:depth=3", "EQ_INNER_ex:mark=a", "EQ_ILMD_ex:lot=7"),
        *("EQ_INNER_ILMD_ex:lot=8", "EQ_readPoint_ex:shelf=2"),
    ):
        assert finds(good), good
    for bad in (
        *("EQ_ex:colour=blue", "EQ_https://other.example.com/#colour=red", "EXISTS_ex:mark"),
        *("GT_ex:size=12.5", "LT_ex:when=2025-12-31T23:00:00Z", "EQ_ex:lot=7", "EQ_ILMD_ex:lot=8"),
        "EQ_INNER_ex:lot=8",
    ):
        assert not finds(bad), bad


WRONG = [
    ("EQ_bizstep=shipping", "EQ_bizstep: no such parameter; did you mean 'EQ_bizStep'?"),
    ("MATCH_epcs=urn:x:1", "did you mean 'MATCH_epc'?"),
    ("zzz=1", "see docs/epcis.md for all of them"),
    ("EQ_bizStep=shiping", "'shiping' is no business step; did you mean 'shipping'?"),
    ("eventType=Event", "'Event' is no event type"),
    ("GE_eventTime=yesterday", "'yesterday' is no time such as"),
    ("GE_recordTime=2026-01-01", "is no time such as"),
    ("EQ_readPoint=dock", "'dock' is no URI"),
    ("MATCH_epc=urn:epc:idpat:gdti:1.*.*", "is no pattern that is known"),
    ("MATCH_epc=30AF", "is no URI of an EPC"),
    ("GT_quantity=many", "'many' is no number"),
    ("GT_quantity=NaN", "'NaN' is no number"),
    ("EQ_bizTransaction_type=urn:x:1", "'type' is no type of it: bol, cert"),
    ("HASATTR_bizLocation=x", "asks for master data"),
    ("EXISTS_errorDeclaration=maybe", "takes no value"),
    ("GT_ex:size=big", "'big' is neither a number nor a time"),
    ("orderBy=bizStep", "'bizStep' must be eventTime or recordTime"),
    ("orderDirection=up", "'up' must be ASC or DESC"),
    ("maxEventCount=0", "'0' is no whole number above zero"),
    ("eventCountLimit=3", "needs orderBy"),
]


@pytest.mark.parametrize("name", ["orderBy", "orderDirection", "eventCountLimit"])
def test_two_orders_or_limits_contradict_each_other(name: str) -> None:
    given = {"orderBy": "eventTime", "orderDirection": "ASC", "eventCountLimit": "3"}
    other = {"orderBy": "recordTime", "orderDirection": "DESC", "eventCountLimit": "4"}
    read = read_query([*given.items(), (name, other[name])])
    assert isinstance(read, list)
    assert [one.name for one in read] == [name]


@pytest.mark.parametrize(("parameter", "says"), WRONG)
def test_a_wrong_parameter_is_named_with_what_would_be_right(parameter: str, says: str) -> None:
    name, _, value = parameter.partition("=")
    read = read_query([(name, value), ("EQ_action", "ADD")])
    assert isinstance(read, list)
    (mistake,) = read
    assert mistake.name == name
    assert says in mistake.text()


def test_all_mistakes_are_told_at_once() -> None:
    read = read_query(
        [("a", "1"), ("EQ_action", "NO"), ("maxEventCount", "x"), ("eventCountLimit", "1")]
    )
    assert isinstance(read, list)
    assert len(read) == 5
    assert isinstance(read_query([("EQ_ex:a", "x")] * 1_001), list)


def test_a_query_says_which_entries_need_no_look() -> None:
    assert EntryKind.LOCATION in query().kinds
    assert EntryKind.LOCATION not in query("eventType=TransactionEvent").kinds
    assert EntryKind.LOCATION not in query("EQ_bizTransaction_po=urn:x:1").kinds
    asked = query(
        "MATCH_epc=urn:epc:id:sgtin:0614141.107346.2017", "GE_eventTime=1970-01-01T00:00:01Z"
    )
    assert asked.from_us == 1_000_000
    assert asked.identities is not None
    assert "https://id.gs1.org/01/10614141073464/21/2017" in asked.identities
    assert query("MATCH_epc=urn:epc:idpat:sgtin:0614141.107346.*").identities is None
    assert "s/1" in serials_in([f"https://id.gs1.org/01/10614141073464/21/{'s%2F1'}"])


@given(
    keys=some.lists(some.integers(0, 4), max_size=30),
    per_page=some.integers(1, 7),
    descending=some.booleans(),
)
def test_pages_are_the_whole_cut_in_pieces(
    keys: list[int], per_page: int, descending: bool
) -> None:
    asked = Query(order_by="eventTime", is_descending=descending)
    found = [
        Found(
            Place(*((-key, -seq, 0) if descending else (key, seq, 0))), ToldEvent({}, "", (), seq)
        )
        for seq, key in enumerate(keys, start=1)
    ]
    whole, is_more = collect(asked, found, None, None)
    assert not is_more
    assert [one.place for one in whole] == sorted(one.place for one in found)
    pages: list[Found] = []
    page = None
    while True:
        some_found, is_more = collect(asked, found, page, per_page)
        pages += some_found
        if not is_more:
            break
        page = page_of("q", token_of("q", 9, pages[-1], len(pages)))
    assert pages == whole


def test_a_query_has_one_name_whatever_the_order_of_its_parameters() -> None:
    assert name_of([("a", "1"), ("b", "2")]) == name_of([("b", "2"), ("a", "1")])
    assert name_of([("a", "1")]) != name_of([("a", "2")])
