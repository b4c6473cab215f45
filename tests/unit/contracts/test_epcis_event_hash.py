"""Event hash ids: the reference implementation's vectors, and equal events written differently."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.epcis.digital_link import canonical_identifier, is_class
from contracts.epcis.documents import STANDARD_CONTEXT, contexts_of, events_of
from contracts.epcis.event_hash import event_hash, pre_hash
from contracts.epcis.vocabulary import prefixes
from tests.support.conformance import CONFORMANCE

VECTORS = sorted((CONFORMANCE / "event_hash").glob("*.jsonld"))
EXAMPLES = sorted((CONFORMANCE / "epcis" / "examples").glob("*.jsonld"))
DAMAGED = {"epcisDocWithAllGS1Keys"}
"""Whose pre-hash strings were damaged where they were written down; the hashes are good."""


def test_there_are_vectors() -> None:
    assert len(VECTORS) >= 10


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_a_vector_has_its_pre_hash_string_and_its_hash(path: Path) -> None:
    document = json.loads(path.read_bytes())
    events = list(events_of(document))
    hashes = path.with_suffix(".hashes").read_text().split()
    assert [
        event_hash(event, context, document_left_out)
        for event, context, document_left_out in events
    ] == hashes
    if path.stem not in DAMAGED:
        written = path.with_suffix(".prehashes").read_text(encoding="utf-8").split("\n")
        strings = [line for line in written if line]
        assert [pre_hash(*one) for one in events] == strings


LINKS = [
    ("https://example.com/gtin/09780345418913/21/765tz?abc=2", "/01/09780345418913/21/765tz"),
    ("http://example.de/gtin-8/01/97803111", "/01/00000097803111"),
    ("https://id.gs1.org/01/9780345418913/22/344/10/12/21/7", "/01/09780345418913/21/7"),
    ("https://shop.example/our/8006/040123451234560102/10/L/21/s", "/8006/040123451234560102/21/s"),
    ("https://example.co.uk/party/4226350800008", "/417/4226350800008"),
    ("urn:epc:idpat:gdti:4012345.55555.*", "/253/4012345555554"),
    ("urn:epc:idpat:itip:4012345.012345.01.02.*", "/8006/040123451234560102"),
    ("urn:epc:class:lgtin:4012345.012345.Lot987", "/01/04012345123456/10/Lot987"),
]


@pytest.mark.parametrize(("text", "path"), LINKS)
def test_an_identifier_of_any_form_becomes_the_canonical_link(text: str, path: str) -> None:
    assert canonical_identifier(text) == f"https://id.gs1.org{path}"


@pytest.mark.parametrize(
    "text",
    [
        *("http://example.de/abc/9780345418913", "http://id.gs1.org/99/9780345418913"),
        *("http://id.gs1.org/01/9780345418913/99/x", "geo:47.5,11.1", "https://[", "urn:epc:id:x"),
    ],
)
def test_what_is_no_identifier_stays_as_it_is(text: str) -> None:
    assert canonical_identifier(text) is None


@given(st.text(max_size=60) | st.from_regex(r"urn:epc:id(pat)?:[a-z]{3,5}:[0-9.*]{0,20}"))
def test_any_text_gives_an_identifier_or_none(text: str) -> None:
    found = canonical_identifier(text)
    assert found is None or found.startswith("https://id.gs1.org/")
    if found is not None:
        assert canonical_identifier(found) == found


def shuffled(value: Any, dice: random.Random) -> Any:
    """The same event with its fields and lists in another order."""
    if isinstance(value, dict):
        names = list(value)
        dice.shuffle(names)
        return {name: shuffled(value[name], dice) for name in names}
    if isinstance(value, list):
        return dice.sample([shuffled(one, dice) for one in value], len(value))
    return value


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_order_record_time_and_error_declaration_do_not_count(path: Path) -> None:
    dice = random.Random(path.stem)
    for event, context, left_out in events_of(json.loads(path.read_bytes())):
        other = shuffled(copy.deepcopy(event), dice)
        other |= {"recordTime": "2030-01-01T00:00:00Z", "eventID": "urn:uuid:1"}
        other["errorDeclaration"] = {"declarationTime": "2030-01-01T00:00:00Z"}
        assert event_hash(other, context, left_out) == event_hash(event, context, left_out)
        other["eventTime"] = "2030-01-01T00:00:00Z"
        assert event_hash(other, context, left_out) != event_hash(event, context, left_out)


SAME = [
    ("eventTime", "2020-03-04T11:00:30.000+01:00", "2020-03-04T10:00:30Z"),
    ("eventTime", "2020-03-04T10:00:30.0004Z", "2020-03-04T10:00:30.000Z"),
    ("eventTime", "2019-12-31T23:59:59.9995Z", "2020-01-01T00:00:00.000Z"),
    ("bizStep", "departing", "https://ref.gs1.org/cbv/BizStep-departing"),
    ("bizStep", "departing", "urn:epcglobal:cbv:bizstep:departing"),
    ("bizStep", "departing", "cbv:BizStep-departing"),
    ("ex:number", 1.50, 1.5),
    ("ex:list", ["b", "a"], ["a", "b"]),
    ("https://ns.example.com/field", "v", "v"),
    (
        "quantityList",
        [{"epcClass": "ex:a", "quantity": 10.0}],
        [{"epcClass": "ex:a", "quantity": 10}],
    ),
    ("disposition", " in_transit ", "in_transit"),
    ("eventTime", "2020-03-04t10:00:30z", "2020-03-04T10:00:30Z"),
    ("ex:number", -0.0, 0),
    ("ex:number", "-0.00", 0.0),
    ("quantityList", [{"quantity": -0.0}], [{"quantity": 0}]),
]


@pytest.mark.parametrize(("field", "one", "other"), SAME)
def test_two_ways_to_write_one_thing_have_one_hash(field: str, one: Any, other: Any) -> None:
    context = prefixes([{"ex": "https://ns.example.com/"}])
    event = {"type": "ObjectEvent", "eventTime": "2020-01-01T00:00:00Z"}
    assert pre_hash({**event, field: one}, context) == pre_hash({**event, field: other}, context)
    assert field.rpartition("/")[2].removeprefix("ex:") in pre_hash({**event, field: one}, context)


NAMESPACES = [
    {"ex": "https://ns.example.com/"},
    {"ex": {"@id": "https://ns.example.com/", "@prefix": True}},
]


@pytest.mark.parametrize("context", NAMESPACES)
def test_a_context_gives_a_prefix_its_namespace_in_either_form(context: Any) -> None:
    assert prefixes([context])["ex"] == "https://ns.example.com/"


CONTEXTS = [
    ([STANDARD_CONTEXT], None, []),
    ("https://a.b/c", None, ["https://a.b/c"]),
    (
        [STANDARD_CONTEXT, {"x": "1"}],
        [STANDARD_CONTEXT, "https://a.b/c"],
        [{"x": "1"}, "https://a.b/c"],
    ),
    ([{"x": "1"}, {"x": "2"}], {"x": "1"}, [{"x": "2"}, {"x": "1"}]),
    ([{"x": "1", "y": "2"}], {"y": "2", "x": "1"}, [{"x": "1", "y": "2"}]),
]


@pytest.mark.parametrize(("around", "own", "kept"), CONTEXTS)
def test_an_event_is_read_with_all_contexts_of_which_the_last_wins(
    around: Any, own: Any, kept: list[Any]
) -> None:
    found = contexts_of({"@context": around}, {"@context": own})
    assert found == kept
    assert prefixes(found) == prefixes(own, prefixes(around))


CLASSES = [
    ("/01/04012345123456", True),
    ("/01/04012345123456/10/Lot", True),
    ("/01/04012345123456/10/%2F21%2F", True),
    ("/01/04012345123456/10/21", True),
    ("/01/04012345123456/21/7", False),
    ("/01/04012345123456/235/7", False),
    ("/253/4012345555554", True),
    ("/253/4012345555554x", False),
    ("/255/4012345555554", True),
    ("/255/40123455555547", False),
    ("/8003/04012345123456", True),
    ("/8003/04012345123456ABC", False),
    ("/8006/040123451234560102", True),
    ("/8006/040123451234560102/10/L", True),
    ("/8006/040123451234560102/21/7", False),
    ("/8010/4012345PQ7", True),
    ("/8010/4012345PQ7/8011/7", False),
    ("/00/006141410000000010", False),
    ("/8004/4012345x", False),
]


@pytest.mark.parametrize(("path", "names_many"), CLASSES)
def test_a_key_without_its_serial_names_a_class(path: str, names_many: bool) -> None:
    assert is_class(f"https://id.gs1.org{path}") is names_many
    assert not is_class(f"raw:{path}")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "eventTime", "epcList", "sensorReport", "set", "ex:a", "id"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=8) | st.sampled_from(["eventTime", "ilmd"]), JSON))
def test_any_event_has_a_hash(event: dict[str, Any]) -> None:
    assert event_hash(event).startswith("ni:///sha-256;")
