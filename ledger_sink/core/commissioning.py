"""Which identities a pallet, a case or some units get: pure, from numbers that were allocated.

A *series* is the part of an identity in front of its number: `https://id.gs1.org/01/GTIN/21/` for
trade items, `https://id.gs1.org/00/` with extension digit and company prefix for logistic units.
The ledger hands out the numbers of a series, each once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple
from urllib.parse import unquote

import msgspec

from contracts.codec import canonical
from contracts.commissioning import Commissioned, Decommissioned
from contracts.element_strings import Element
from contracts.epc_encoding import (
    GTIN_DIGITS,
    PREFIX_DIGITS_MAX,
    PREFIX_DIGITS_MIN,
    SERIAL_CHARACTERS_MAX,
    SERIAL_NUMBER_MAX,
    Filter,
    prefix_digits_of,
    sgtin_epc,
    sscc_epc,
)
from contracts.events import Entry, EntryKind
from contracts.gs1_keys import GS1_CHARACTERS, ROOT, check_digit, escaped, is_checked
from contracts.ids import content_id
from contracts.labels import Label, Packing

IDENTITIES_MAX = 10_000
"""Of one call: more than any pallet holds, and few enough for one transaction."""
SSCC_REFERENCE_DIGITS = 16
"""Company prefix and serial reference together, without extension and check digit."""
BATCH_CHARACTERS_MAX = 20
_SGTIN = re.compile(re.escape(ROOT) + r"/01/(\d{14})/21/(.+)")
_SSCC = re.compile(re.escape(ROOT) + r"/00/(\d{18})")
_GTIN_LENGTHS = (8, 12, 13, 14)
_FILTERS = {
    Packing.UNIT: Filter.UNIT,
    Packing.CASE: Filter.CASE,
    Packing.PALLET: Filter.UNIT_LOAD,
}


class CommissioningError(ValueError):
    """What was asked for cannot be commissioned; the message says why."""


class Series(NamedTuple):
    """Numbers that identities are made of."""

    key: str
    """The identity in front of the number."""
    most: int
    """The highest number."""


class Order(NamedTuple):
    """What shall be commissioned, checked."""

    item: str
    """GTIN-14 of the units."""
    prefix: str
    """The GS1 company prefix, which the GTIN begins with behind its indicator."""
    cases: int = 0
    units: int = 1
    """In each case; without cases, in all."""
    pallet: bool = False
    case_item: str = ""
    """GTIN-14 of a case; empty: cases have SSCCs."""
    extension: int = 0
    """Extension digit of SSCCs."""
    batch: str = ""
    expiry: str = ""
    parent: str | None = None
    """What holds all of it."""
    serials: tuple[str, ...] = ()
    """Serials of the units that were chosen elsewhere; empty: the next numbers."""


def order_of(order: Order) -> Order:
    """The order with its GTINs in 14 digits. Raises CommissioningError."""
    prefix, batch = order.prefix, order.batch
    if not (_is_digits(prefix) and PREFIX_DIGITS_MIN <= len(prefix) <= PREFIX_DIGITS_MAX):
        raise CommissioningError(
            f"company prefix {prefix!r}: {PREFIX_DIGITS_MIN} to {PREFIX_DIGITS_MAX} digits"
        )
    if not 0 <= order.extension <= 9:  # noqa: PLR2004 - a digit.
        raise CommissioningError(f"extension digit {order.extension}: 0 to 9")
    if order.cases < 0 or order.units < 0 or (order.units == 0 and order.cases == 0):
        raise CommissioningError("at least one unit or one case")
    if identities_of(order) > IDENTITIES_MAX:
        raise CommissioningError(
            f"{identities_of(order):,} identities are more than {IDENTITIES_MAX:,} at once"
        )
    if len(batch) > BATCH_CHARACTERS_MAX or not GS1_CHARACTERS.issuperset(batch):
        raise CommissioningError(
            f"batch {batch!r}: at most {BATCH_CHARACTERS_MAX} letters, digits and the signs that"
            " GS1 allows"
        )
    _expiry(order.expiry)
    if order.serials:
        _check_serials(order)
    return order._replace(
        item=gtin_14(order.item, prefix),
        case_item=gtin_14(order.case_item, prefix) if order.case_item else "",
    )


def _check_serials(order: Order) -> None:
    count = max(order.cases, 1) * order.units
    if len(order.serials) != count:
        raise CommissioningError(f"{len(order.serials):,} serials for {count:,} units")
    for serial, times in Counter(order.serials).items():
        if times > 1:
            raise CommissioningError(f"serial {serial!r} is given {times} times")
        if not 0 < len(serial) <= SERIAL_CHARACTERS_MAX or not GS1_CHARACTERS.issuperset(serial):
            raise CommissioningError(
                f"serial {serial!r}: 1 to {SERIAL_CHARACTERS_MAX} letters, digits and the signs"
                " that GS1 allows"
            )


def gtin_14(item: str, prefix: str) -> str:
    """A GTIN in 14 digits. Raises CommissioningError where it is none, or another company's."""
    if len(item) not in _GTIN_LENGTHS or not _is_digits(item):
        raise CommissioningError(f"item {item!r}: a GTIN of 8, 12, 13 or 14 digits")
    if not is_checked(item):
        right = check_digit(item[:-1])
        raise CommissioningError(f"item {item}: the check digit is {item[-1]}, must be {right}")
    gtin = item.zfill(GTIN_DIGITS)
    if gtin[1 : 1 + len(prefix)] != prefix:
        raise CommissioningError(f"item {item} has not the company prefix {prefix}")
    return gtin


def identities_of(order: Order) -> int:
    """How many identities it takes."""
    return order.pallet + order.cases + max(order.cases, 1) * order.units


def sgtin_series(gtin: str) -> Series:
    """The serials of a trade item."""
    return Series(f"{ROOT}/01/{gtin}/21/", SERIAL_NUMBER_MAX)


def sscc_series(prefix: str, extension: int) -> Series:
    """The serial references of a company's logistic units."""
    return Series(f"{ROOT}/00/{extension}{prefix}", 10 ** (SSCC_REFERENCE_DIGITS - len(prefix)) - 1)


def needs(order: Order) -> dict[Series, int]:
    """How many numbers of each series an order takes."""
    wanted: Counter[Series] = Counter()
    if order.pallet:
        wanted[sscc_series(order.prefix, order.extension)] += 1
    wanted[_case_series(order)] += order.cases
    if not order.serials:
        wanted[sgtin_series(order.item)] += max(order.cases, 1) * order.units
    return {series: count for series, count in wanted.items() if count}


def plan(order: Order, numbers: Mapping[Series, Sequence[int]], at_us: int) -> list[Commissioned]:
    """The births that an order makes, each behind what holds it."""
    left = {series: iter(numbers.get(series, ())) for series in needs(order)}
    chosen = iter(order.serials)
    units_of_all = max(order.cases, 1) * order.units
    births: list[Commissioned] = []

    def carrier(packing: Packing, series: Series, parent: str | None, quantity: int) -> str:
        number = next(left[series])
        births.append(_birth(order, packing, series, str(number), parent, quantity, at_us))
        return births[-1].identity

    def units(parent: str | None) -> None:
        series = sgtin_series(order.item)
        for _ in range(order.units):
            serial = next(chosen) if order.serials else str(next(left[series]))
            births.append(_birth(order, Packing.UNIT, series, serial, parent, 1, at_us))

    outer = order.parent
    if order.pallet:
        pallets = sscc_series(order.prefix, order.extension)
        outer = carrier(Packing.PALLET, pallets, outer, units_of_all)
    if not order.cases:
        units(outer)
    for _ in range(order.cases):
        units(carrier(Packing.CASE, _case_series(order), outer, order.units))
    return births


def _case_series(order: Order) -> Series:
    if order.case_item:
        return sgtin_series(order.case_item)
    return sscc_series(order.prefix, order.extension)


def _birth(
    order: Order,
    packing: Packing,
    series: Series,
    serial: str,
    parent: str | None,
    quantity: int,
    at_us: int,
) -> Commissioned:
    identity, epc = _written(series, len(order.prefix), serial, packing)
    return Commissioned(
        identity=identity,
        packing=packing,
        item=order.item,
        quantity=quantity,
        epc=epc,
        batch=order.batch,
        expiry=order.expiry,
        parent=parent,
        at_us=at_us,
    )


def _written(series: Series, digits: int, serial: str, packing: Packing) -> tuple[str, str]:
    """Identity and EPC in hexadecimal of a number in a series, or of a serial chosen elsewhere."""
    key = series.key.removeprefix(f"{ROOT}/")
    if key.startswith("00/"):
        front = key.removeprefix("00/") + serial.zfill(SSCC_REFERENCE_DIGITS - digits)
        sscc = front + check_digit(front)
        return f"{ROOT}/00/{sscc}", sscc_epc(sscc, digits, _FILTERS[packing]).hex()
    epc = sgtin_epc(key.split("/")[1], digits, serial, _FILTERS[packing])
    return series.key + escaped(serial), epc.hex()


def series_of(birth: Commissioned) -> Series:
    """The series in which the successor of an identity gets its number."""
    digits = prefix_digits_of(bytes.fromhex(birth.epc))
    unit, carrier = _SGTIN.fullmatch(birth.identity), _SSCC.fullmatch(birth.identity)
    if unit:
        return sgtin_series(unit[1])
    assert carrier, birth.identity
    return sscc_series(carrier[1][1 : 1 + digits], int(carrier[1][0]))


def successor(birth: Commissioned, number: int, at_us: int) -> Commissioned:
    """A birth that takes another's place: the same thing under a new number of its series."""
    digits = prefix_digits_of(bytes.fromhex(birth.epc))
    identity, epc = _written(series_of(birth), digits, str(number), birth.packing)
    return msgspec.structs.replace(
        birth, identity=identity, epc=epc, replaces=birth.identity, at_us=at_us
    )


def entry_of(record: Commissioned | Decommissioned) -> Entry:
    """The entry of a birth or an end; an identity has one of each, so its id is made of it."""
    began = isinstance(record, Commissioned)
    kind = EntryKind.COMMISSIONED if began else EntryKind.DECOMMISSIONED
    return Entry(
        id=content_id(kind, record.identity),
        kind=kind,
        happened_us=record.at_us,
        identity=record.identity,
        location=None,
        payload=canonical(record),
    )


def label_of(birth: Commissioned, names: tuple[str, str] = ("", "")) -> Label:
    """What stands on the label of a birth. Names of the item: English, Chinese."""
    unit, carrier = _SGTIN.fullmatch(birth.identity), _SSCC.fullmatch(birth.identity)
    assert unit or carrier, birth.identity
    elements: list[Element] = []
    if unit:
        elements.append(Element("01", unit[1]))
    elif carrier:
        elements.append(Element("00", carrier[1]))
        if birth.quantity:
            elements.append(Element("02", birth.item))
    expiry = _expiry(birth.expiry)
    if expiry:
        elements.append(Element("17", f"{expiry:%y%m%d}"))
    if birth.batch:
        elements.append(Element("10", birth.batch))
    if unit:
        elements.append(Element("21", unquote(unit[2])))
    elif birth.quantity:
        elements.append(Element("37", str(birth.quantity)))
    return Label(
        packing=birth.packing,
        identity=birth.identity,
        epc=bytes.fromhex(birth.epc),
        elements=tuple(elements),
        item=birth.item,
        quantity=birth.quantity,
        name=names[0],
        name_zh=names[1],
        batch=birth.batch,
        expiry=birth.expiry,
        parent=birth.parent or "",
    )


def printing_order(births: Iterable[Commissioned]) -> list[Commissioned]:
    """From the inside out: units, then the case that they are put in, at last the pallet."""
    inside: dict[str | None, list[Commissioned]] = {}
    listed = list(births)
    known = {birth.identity for birth in listed}
    for birth in listed:
        inside.setdefault(birth.parent if birth.parent in known else None, []).append(birth)
    found: list[Commissioned] = []

    def take(holder: str | None) -> None:
        for birth in inside.get(holder, ()):
            take(birth.identity)
            found.append(birth)

    take(None)
    return found


def _expiry(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise CommissioningError(f"expiry {text!r}: a date such as 2027-03-31") from error


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()
