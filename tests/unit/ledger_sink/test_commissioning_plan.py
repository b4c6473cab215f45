"""Orders become births: every identity once, each in what holds it, each as it will be read."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.commissioning import Commissioned
from contracts.element_strings import Element
from contracts.gs1_keys import ROOT
from contracts.labels import Packing
from edge_agent.core.identity import identity_of_epc
from ledger_sink.core.commissioning import (
    CommissioningError,
    Order,
    identities_of,
    label_of,
    needs,
    order_of,
    plan,
    printing_order,
    series_of,
    sgtin_series,
    sscc_series,
    successor,
)

UNIT = "80614141123458"
CASE = "10614141000019"
ORDER = Order(item=UNIT, prefix="0614141", cases=2, units=3, pallet=True)


def births_of(order: Order, first: int = 1) -> list[Commissioned]:
    """The births of an order whose series all begin at a number."""
    checked = order_of(order)
    numbers = {series: range(first, first + count) for series, count in needs(checked).items()}
    return plan(checked, numbers, 5)


@given(
    st.integers(0, 5),
    st.integers(0, 5),
    st.booleans(),
    st.sampled_from(["", CASE]),
    st.integers(0, 9),
    st.sampled_from([1, 77, 1_000_000]),
)
def test_every_birth_is_one_identity_in_what_was_born_before_and_on_a_tag_that_says_so(
    cases: int, units: int, pallet: bool, case_item: str, extension: int, first: int
) -> None:
    order = ORDER._replace(
        cases=cases, units=units, pallet=pallet, case_item=case_item, extension=extension
    )
    if not cases and not units:
        with pytest.raises(CommissioningError, match="at least one"):
            order_of(order)
        return
    births = births_of(order, first)
    assert len({birth.identity for birth in births}) == len(births) == identities_of(order)
    known: set[str | None] = {None}
    for birth in births:
        assert birth.parent in known
        assert identity_of_epc(bytes.fromhex(birth.epc)) == birth.identity
        known.add(birth.identity)
    printed = printing_order(births)
    assert sorted(map(id, printed)) == sorted(map(id, births))
    at = {birth.identity: place for place, birth in enumerate(printed)}
    assert all(at[birth.identity] < at[birth.parent] for birth in births if birth.parent in at)


def test_carriers_say_how_much_is_in_them() -> None:
    assert [(birth.packing, birth.quantity) for birth in births_of(ORDER)] == [
        (Packing.PALLET, 6),
        *([(Packing.CASE, 3)] + [(Packing.UNIT, 1)] * 3) * 2,
    ]


def test_a_label_says_key_content_dates_batch_and_count_in_element_strings() -> None:
    pallet, _, unit, *_ = births_of(ORDER._replace(batch="B/7", expiry="2027-03-31"))
    assert label_of(pallet).elements == (
        Element("00", "006141410000000012"),
        Element("02", UNIT),
        Element("17", "270331"),
        Element("10", "B/7"),
        Element("37", "6"),
    )
    assert label_of(unit, ("Servo", "伺服")).elements == (
        Element("01", UNIT),
        Element("17", "270331"),
        Element("10", "B/7"),
        Element("21", "1"),
    )


def test_a_serial_stands_on_the_label_as_it_is_and_in_the_identity_escaped() -> None:
    (birth,) = births_of(ORDER._replace(cases=0, units=1, pallet=False, serials=("A/1",)))
    assert birth.identity == f"{ROOT}/01/{UNIT}/21/A%2F1"
    assert dict(label_of(birth).elements)["21"] == "A/1"


def test_a_successor_is_the_same_thing_under_the_next_number_of_its_series() -> None:
    pallet, case, unit, *_ = births_of(ORDER._replace(case_item=CASE, extension=3))
    for old, series in (
        (pallet, sscc_series("0614141", 3)),
        (case, sgtin_series(CASE)),
        (unit, sgtin_series(UNIT)),
    ):
        assert series_of(old) == series
        new = successor(old, 99, 8)
        assert identity_of_epc(bytes.fromhex(new.epc)) == new.identity != old.identity
        assert (new.replaces, new.parent, new.packing) == (old.identity, old.parent, old.packing)
        assert new.identity.startswith(series.key)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"item": "8061414112345"}, "the check digit is 5, must be"),
        ({"item": "806141411234"}, "check digit|company prefix"),
        ({"item": "80614141123458x"}, "a GTIN of 8, 12, 13 or 14 digits"),
        ({"case_item": "1"}, "a GTIN of 8, 12, 13 or 14 digits"),
        ({"prefix": "95"}, "6 to 12 digits"),
        ({"prefix": "٠٦١٤١٤١"}, "6 to 12 digits"),
        ({"prefix": "1614141"}, "has not the company prefix"),
        ({"extension": 10}, "extension digit 10: 0 to 9"),
        ({"cases": -1}, "at least one"),
        ({"cases": 100, "units": 100}, "10,101 identities are more than 10,000"),
        ({"batch": "x" * 21}, "at most 20"),
        ({"expiry": "2027-02-30"}, "a date such as 2027-03-31"),
        ({"serials": ("1",)}, "1 serials for 6 units"),
        ({"serials": ("1",) * 6}, "serial '1' is given 6 times"),
        ({"serials": ("1", "2", "3", "4", "5", "é")}, "signs that GS1 allows"),
    ],
)
def test_an_order_that_cannot_be_is_refused_with_the_reason(
    changed: dict[str, object], told: str
) -> None:
    with pytest.raises(CommissioningError) as caught:
        order_of(ORDER._replace(**changed))
    assert re.search(told, str(caught.value))
