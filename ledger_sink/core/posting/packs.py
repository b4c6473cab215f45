"""Units and packs of an item, converted exactly: a pallet of cases of units is so many base units.

A conversion is a fraction inside and a decimal outside; what the item's decimals cannot hold
exactly is refused, never rounded.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from contracts.accounting import Units
from contracts.books import QUANTITY, BookItem
from ledger_sink.core.posting.money import quantity_text

DECIMALS_TOLD = 6
"""Of a number that is told because it does not fit."""


def mistakes_in_units(item: BookItem, units: Units) -> tuple[str, ...]:
    """What is wrong with an item's units: one that comes twice, is unknown or holds itself."""
    names = [unit.unit for unit in units.units]
    found = [
        f"unit {name} of item {item.item} comes twice"
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    if item.base_unit in names:
        found.append(f"unit {item.base_unit} is the base unit of item {item.item}: leave it out")
    sizes = [contained(name, item, units) for name in dict.fromkeys(names)]
    return (*found, *dict.fromkeys(size for size in sizes if isinstance(size, str)))


def contained(unit: str, item: BookItem, units: Units) -> Fraction | str:
    """How many base units one `unit` is, or what is wrong with it."""
    known = {one.unit: one for one in units.units}
    size, name, seen = Fraction(1), unit, [unit]
    while name not in {"", item.base_unit}:
        if name not in known:
            told = ", ".join([item.base_unit, *known])
            return f"unit {name} of item {item.item} is not known: it has {told}"
        size *= Fraction(known[name].contains)
        name = known[name].of
        if name in seen:
            return f"unit {unit} of item {item.item} holds itself: {' of '.join([*seen, name])}"
        seen.append(name)
    return size


def in_base_units(quantity: Decimal, unit: str, item: BookItem, units: Units) -> Decimal | str:
    """The same quantity in base units, or why it has none."""
    size = contained(unit, item, units)
    if isinstance(size, str):
        return size
    exact = Fraction(quantity) * size
    scaled = exact * 10**item.decimals
    if scaled.denominator != 1:
        of_what = f" of {unit}" if unit and unit != item.base_unit else ""
        counts = f"to {item.decimals} decimals" if item.decimals else "whole pieces"
        told = f"{quantity_text(quantity)}{of_what} are {_told(exact)} {item.base_unit}"
        if not of_what:
            told = f"{quantity_text(quantity)} {item.base_unit}"
        return f"{told}: item {item.item} counts {counts}"
    base = Decimal(scaled.numerator).scaleb(-item.decimals)
    if not QUANTITY.fullmatch(quantity_text(base)):
        told = f"{quantity_text(base)} {item.base_unit} of item {item.item}"
        return f"{told}: more digits than a book has"
    return base


def _told(exact: Fraction) -> str:
    """A number for people: whole if that is short, else cut."""
    scaled = exact * 10**DECIMALS_TOLD
    cut = quantity_text(Decimal(round(scaled)).scaleb(-DECIMALS_TOLD))
    return cut if scaled.denominator == 1 else f"about {cut}"
