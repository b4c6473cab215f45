"""EPCIS documents: what GS1's own schema refuses, we refuse, and say what is wrong with it.

Every example of the standard is changed in every way that one step can: a field left out, a value
of another kind, a word of no vocabulary. The verdict must be the schema's.
"""

from __future__ import annotations

import copy
import json
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator, FormatChecker

from contracts.epcis.checking import MISTAKES_MAX, check_document
from tests.support.conformance import CONFORMANCE

EXAMPLES = sorted((CONFORMANCE / "epcis" / "examples").glob("*.jsonld"))
SCHEMA = json.loads((CONFORMANCE / "epcis" / "EPCIS-JSON-Schema.json").read_bytes())
JUDGE = Draft7Validator(SCHEMA, format_checker=FormatChecker())
OTHER_VALUES: tuple[Any, ...] = (
    *(None, True, 3, -1.5, "", "foo", "2026-04-02T15:00:00", "2026-13-02T15:00:00Z", [], {}),
    *(["foo"], [3], {"id": 3}, {"foo": "bar"}, "https://example.com/x", "ex:y", "3034257BF7194E4"),
)
CHANGES_EACH = 40
"""Of the hundreds of ways to change an example, so many are tried: others in every run."""


def read(path: Any) -> Any:
    return json.loads(path.read_bytes())


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document, save inside what is the senders' own."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if "@context" in name or ":" in name or name == "epcisHeader":
                continue
            yield (*path, name)
            yield from places(inner, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield (*path, number)
            yield from places(inner, (*path, number))


def changed(document: Any, path: tuple[Any, ...], dice: random.Random) -> Any:
    made = copy.deepcopy(document)
    table = made
    for step in path[:-1]:
        table = table[step]
    match dice.randrange(4):
        case 0:
            del table[path[-1]]
        case 1 if isinstance(table, dict):
            table[dice.choice(["foo", "ex:foo", "epcList", "ilmd", "parentID"])] = dice.choice(
                OTHER_VALUES
            )
        case 2 if isinstance(table[path[-1]], list) and table[path[-1]]:
            table[path[-1]].append(table[path[-1]][0])
        case _:
            table[path[-1]] = dice.choice(OTHER_VALUES)
    return made


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_of_the_standard_is_taken(path: Any) -> None:
    assert check_document(read(path)) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_verdict_on_a_changed_example_is_the_schema_s(path: Any) -> None:
    document = read(path)
    everywhere = list(places(document))
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    dice = random.Random(seed)
    for _ in range(CHANGES_EACH):
        place = dice.choice(everywhere)
        made = changed(document, place, dice)
        ours, theirs = check_document(made), next(JUDGE.iter_errors(made), None)
        said = theirs and (list(theirs.absolute_path), theirs.message[:300])
        assert bool(ours) == (theirs is not None), (seed, place, ours[:2], said)


MISTAKES = [
    ("eventTime", "2026-04-02T15:00:00", "is no time such as 2026-04-02T15:00:00.000+02:00"),
    ("eventTimeZoneOffset", "+15:00", "is no offset such as +02:00"),
    ("bizStep", "shiping", "is no business step: one of accepting, "),
    ("action", "FOO", "is no action: one of ADD, DELETE, OBSERVE"),
    ("epcList", "urn:epc:id:sscc:1", "must be a list"),
    ("readPoint", "urn:epc:id:sgln:4012345.00011.987", "must be an object"),
    ("colour", "red", "no such field; allowed: @context, action, "),
]


@pytest.mark.parametrize(("field", "value", "says"), MISTAKES)
def test_a_mistake_names_its_place_and_what_is_allowed(field: str, value: str, says: str) -> None:
    document = read(CONFORMANCE / "epcis" / "examples" / "Example_9.6.1-ObjectEvent.jsonld")
    document["epcisBody"]["eventList"][0][field] = value
    (mistake,) = check_document(document)
    assert mistake.path == f"epcisBody.eventList[0].{field}"
    assert says in mistake.problem
    assert value in mistake.text() or field == "colour"


def test_all_mistakes_are_told_at_once_and_a_flood_is_bounded() -> None:
    event = {"type": "ObjectEvent", "action": 3, "epcList": [7] * 300}
    document = {"type": "EPCISDocument", "epcisBody": {"eventList": [event]}, "extra": 1}
    paths = [mistake.path for mistake in check_document(document)]
    assert {"@context", "schemaVersion", "creationDate"} < set(paths)
    assert "epcisBody.eventList[0].eventTime" in paths
    assert len(paths) == MISTAKES_MAX


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["type", "eventTime", "epcList", "epcisBody", "eventList", "@context", "ex:a", "id"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_json_is_judged(document: Any) -> None:
    check_document(document)
    check_document({"type": "EPCISDocument", "epcisBody": {"eventList": [document]}})
    check_document({"@context": [document], "type": "ObjectEvent", "ex:a": document})


CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
LONG = "urn:x:" + "7" * 1_000
DIGITAL_LINK = "https://id.gs1.org/01/09780345418913/21/"


def event_with(**fields: Any) -> dict[str, Any]:
    event = {
        "type": "ObjectEvent",
        "eventTime": "2026-04-02T15:00:00Z",
        "eventTimeZoneOffset": "+02:00",
        "action": "OBSERVE",
        "epcList": ["urn:epc:id:sgtin:4012345.012345.1"],
    }
    return {name: value for name, value in (event | fields).items() if value is not None}


def document_with(event: Any, **fields: Any) -> dict[str, Any]:
    head = {"@context": [CONTEXT], "type": "EPCISDocument", "schemaVersion": "2.0"}
    body = {"creationDate": "2026-04-02T15:00:00Z", "epcisBody": {"eventList": [event]}}
    return {**head, **body, **fields}


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if depth % 2 else {"a": value}
    return value


ALONE = [
    event_with(),
    event_with(**{"ex:field": 1}),
    event_with(type="ex:Own"),
    event_with(action=None),
    event_with(schemaVersion="2.0"),
]


@pytest.mark.parametrize("event", ALONE)
def test_an_event_alone_is_a_document_that_has_a_context(event: Any) -> None:
    alone = {"@context": [CONTEXT], **event}
    assert bool(check_document(alone)) == (next(JUDGE.iter_errors(alone), None) is not None)
    assert "@context: is missing" in [mistake.text() for mistake in check_document(event)]


URIS = [
    *("raw:\u4e2d\u6587", "raw:a%zz", "raw:a%41", "raw:a[b", "raw:a#b#c", "raw:a#b?c", "raw:a|b"),
    *("http://[::1]:80/x", "http://u@[::1]", "https://x/a'b(c)", "raw:a\x7f", "3x:y", "a: b"),
    *("raw:", "urn:x", "a b:c", "https://\u00fc.example/"),
]


@pytest.mark.parametrize("text", URIS)
def test_a_uri_is_what_rfc_3986_says(text: str) -> None:
    for made in (event_with(epcList=[text]), event_with(**{text: 1} if ":" in text else {})):
        document = document_with(made)
        ours, theirs = check_document(document), next(JUDGE.iter_errors(document), None)
        assert bool(ours) == (theirs is not None), ours


UNSTORABLE = [
    (event_with(**{"ex:a": "x\0y"}), "holds a NUL"),
    (event_with(**{"ex:a\0": 1}), "holds a NUL"),
    (event_with(type="ex:Own", epcList=["\u4e2d\0"]), "holds a NUL"),
    (event_with(**{"ex:a": "\ud800"}), "holds half a character"),
    (event_with(**{"ex:a": nested(57)}), "is nested deeper than 60 levels"),
    (event_with(**{"ex:a": nested(900)}), "is nested deeper than 60 levels"),
    (event_with(epcList=nested(901)), "is nested deeper than 60 levels"),
    (event_with(epcList=[LONG]), "is longer than 1,000 characters"),
    (event_with(readPoint={"id": LONG}), "is longer than 1,000 characters"),
    (event_with(epcList=[DIGITAL_LINK + "*" * 400]), "is longer than 1,000 characters"),
    (event_with(type="ex:Own", epcList=[LONG]), "is longer than 1,000 bytes"),
    (event_with(type="ex:Own", readPoint={"id": "\u4e2d" * 400}), "is longer than 1,000 bytes"),
    (event_with(**{"ex:a": "x" * 1_000_000}), "bytes; at most 1,000,000 are taken"),
    (event_with(**{"@context": [{"ex": "x" * 100_000}]}), "bytes; at most 100,000 are taken"),
    (event_with(eventTime="0001-01-01T00:00:00+14:00"), "is no time such as"),
]


@pytest.mark.parametrize(("event", "says"), UNSTORABLE)
def test_what_no_ledger_could_store_is_a_mistake_in_words(event: Any, says: str) -> None:
    (mistake,) = check_document(document_with(event))
    assert says in mistake.text()
    assert len(mistake.text()) < 300
    assert mistake.text().isprintable()
    assert mistake.path.startswith("epcisBody.eventList[0].") or "bytes" in mistake.problem


def test_what_may_be_nested_may_be_so_after_an_export() -> None:
    """An event alone moves deeper in a document, and so does a document's context in an event."""
    event = event_with(**{"ex:a": nested(56)})
    assert check_document({"@context": [CONTEXT], **event}) == []
    assert check_document(document_with(event)) == []
    deep: dict[str, Any] = {"ex": nested(53)}
    taken = document_with(event_with(), **{"@context": [CONTEXT, deep]})
    assert check_document(taken) == []
    assert check_document(document_with(event_with(**{"@context": [deep]}))) == []
    taken["@context"] = [CONTEXT, {"ex": nested(60)}]
    assert check_document(taken)


def test_checking_takes_time_in_step_with_the_document() -> None:
    """Twice as many EPCs are checked in about twice the time, and a double is still found."""

    def seconds(count: int) -> float:
        document = document_with(event_with(epcList=[f"urn:x:{n}" for n in range(count)]))
        before = time.perf_counter()
        assert check_document(document) == []
        return time.perf_counter() - before

    few = min(seconds(5_000) for _ in range(3))
    assert min(seconds(40_000) for _ in range(3)) < few * 40
    doubled = check_document(document_with(event_with(epcList=["urn:x:1", "urn:x:2", "urn:x:1"])))
    assert [mistake.path for mistake in doubled] == ["epcisBody.eventList[0].epcList[2]"]
