"""EPCIS documents: what GS1's own schema refuses, we refuse, and say what is wrong with it.

Every example of the standard is changed in every way that one step can: a field left out, a value
of another kind, a word of no vocabulary. The verdict must be the schema's.
"""

from __future__ import annotations

import copy
import json
import random
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
