"""Packs: exact or refused, whatever holds what."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.accounting import Unit, Units
from contracts.books import BookItem
from ledger_sink.core.posting.packs import contained, in_base_units, mistakes_in_units

BOLT = BookItem(item="bolt")
OIL = BookItem(item="oil", base_unit="litre", decimals=3)
NESTED = Units(
    units=(
        Unit(unit="pallet", contains=Decimal(40), of="case"),
        Unit(unit="case", contains=Decimal(12)),
        Unit(unit="half", contains=Decimal("2.5")),
    )
)


@pytest.mark.parametrize(
    ("quantity", "unit", "base"),
    [("7", "", "7"), ("7", "each", "7"), ("3", "case", "36"), ("2", "pallet", "960"),
     ("0.5", "case", "6"), ("2", "half", "5"), ("-2", "case", "-24")],
)  # fmt: skip
def test_a_pallet_of_cases_of_units_is_so_many_units(quantity: str, unit: str, base: str) -> None:
    assert in_base_units(Decimal(quantity), unit, BOLT, NESTED) == Decimal(base)


@pytest.mark.parametrize(
    ("quantity", "unit", "says"),
    [
        ("3", "half", "3 of half are 7.5 each: item bolt counts whole pieces"),
        ("1.5", "", "1.5 each: item bolt counts whole pieces"),
        ("1", "box", "unit box of item bolt is not known: it has each, pallet, case, half"),
        (
            "999999999999999",
            "case",
            "11999999999999988 each of item bolt: more digits than a book has",
        ),
    ],
)
def test_what_is_not_exact_is_refused_in_words(quantity: str, unit: str, says: str) -> None:
    assert in_base_units(Decimal(quantity), unit, BOLT, NESTED) == says


def test_decimals_of_the_item_count() -> None:
    drum = Units(units=(Unit(unit="drum", contains=Decimal("208.198")),))
    assert in_base_units(Decimal(1), "drum", OIL, drum) == Decimal("208.198")
    assert in_base_units(Decimal("0.5"), "drum", OIL, drum) == Decimal("104.099")
    assert in_base_units(Decimal("0.25"), "drum", OIL, drum) == (
        "0.25 of drum are 52.0495 litre: item oil counts to 3 decimals"
    )


def test_units_that_hold_themselves_or_what_is_unknown_are_mistakes() -> None:
    units = Units(
        units=(
            Unit(unit="a", contains=Decimal(2), of="b"),
            Unit(unit="b", contains=Decimal(2), of="a"),
            Unit(unit="c", contains=Decimal(2), of="nothing"),
            Unit(unit="c", contains=Decimal(3)),
            Unit(unit="each", contains=Decimal(3)),
        )
    )
    found = mistakes_in_units(BOLT, units)
    assert "unit c of item bolt comes twice" in found
    assert "unit each is the base unit of item bolt: leave it out" in found
    assert "unit a of item bolt holds itself: a of b of a" in found
    assert mistakes_in_units(BOLT, NESTED) == ()


SIZES = st.lists(st.decimals("0.001", "1000", places=3), min_size=1, max_size=6)


@given(sizes=SIZES, quantity=st.decimals("0.001", "1000", places=3))
def test_any_chain_of_packs_is_exact_or_refused(sizes: list[Decimal], quantity: Decimal) -> None:
    names = [f"u{number}" for number in range(len(sizes))]
    below = ["", *names]
    units = Units(
        units=tuple(
            Unit(unit=name, contains=size, of=of)
            for name, size, of in zip(names, sizes, below, strict=False)
        )
    )
    exact = Fraction(quantity)
    for size in sizes:
        exact *= Fraction(size)
    assert contained(names[-1], OIL, units) * Fraction(quantity) == exact  # type: ignore[operator]
    base = in_base_units(quantity, names[-1], OIL, units)
    if isinstance(base, Decimal):
        assert Fraction(base) == exact
        assert base == round(base, 3)
    else:
        assert (exact * 1000).denominator != 1 or exact >= 10**15
