"""A label on its template: every text, symbol and line at its place, whatever prints it."""

from __future__ import annotations

from typing import NamedTuple

import segno

from contracts.element_strings import Element, digital_link, element_string, readable
from contracts.labels import Label
from tallygate.labels.code_128 import code_128
from tallygate.labels.data_matrix import Matrix, gs1_data_matrix
from tallygate.labels.template import FIELD, Line, SymbolBox, Template, TemplateError

WIDE_FROM = "\u2e80"
"""From here on letters are as wide as high: Chinese and its kin."""
LATIN_UPTO = "\xff"
"""Every printer's own font has letters up to here."""
NARROW = 0.56
"""Width of the other letters by their height: on the safe side."""
MODULE_DOTS_MIN = 2
"""Thinner bars are not read reliably."""
MODULE_DOTS_MAX = 10
"""Label printers magnify a QR code by no more."""
_KINDS = {"unit": "单品", "case": "箱", "pallet": "托盘"}
_BAR_KEYS = ("00", "01", "21")


class PlacedText(NamedTuple):
    """A line of text."""

    x_mm: float
    y_mm: float
    """Of its upper edge."""
    height_mm: float
    text: str
    wide: bool
    """Whether it needs the Chinese font."""


class PlacedMatrix(NamedTuple):
    """A GS1 DataMatrix or QR symbol."""

    x_mm: float
    y_mm: float
    module_dots: int
    symbol: str
    data: str
    """Without the FNC1 in front."""
    dark: Matrix


class PlacedBars(NamedTuple):
    """A GS1-128 symbol."""

    x_mm: float
    y_mm: float
    height_mm: float
    module_dots: int
    data: str
    """Without the FNC1 in front."""
    bars: tuple[int, ...]
    """Widths in modules, bars and spaces in turn."""


class Placed(NamedTuple):
    """One label, ready to be printed."""

    label: Label
    width_mm: float
    height_mm: float
    texts: tuple[PlacedText, ...]
    matrices: tuple[PlacedMatrix, ...]
    bars: tuple[PlacedBars, ...]
    lines: tuple[Line, ...]


def place(label: Label, template: Template) -> Placed:
    """The label on the template. Raises TemplateError where a symbol does not fit."""
    sheet = template.sheet(label.packing)
    fields = fields_of(label)
    texts = []
    for box in sheet.texts:
        named = FIELD.findall(box.value)
        if named and not any(fields[name] for name in named):
            continue
        text = FIELD.sub(lambda found: fields[found[1]], box.value)
        height_mm = min(box.height_mm, box.width_mm / _em(text))
        texts.append(PlacedText(box.x_mm, box.y_mm, height_mm, text, is_wide(text)))
    matrices, bars = [], []
    for symbol in sheet.symbols:
        if symbol.symbol == "gs1_128":
            bars.append(_bars(symbol, label, template))
        else:
            matrices.append(_matrix(symbol, label, template))
    return Placed(
        label=label,
        width_mm=sheet.width_mm,
        height_mm=sheet.height_mm,
        texts=tuple(texts),
        matrices=tuple(matrices),
        bars=tuple(bars),
        lines=sheet.lines,
    )


def fields_of(label: Label) -> dict[str, str]:
    """What texts may name."""
    elements = dict(label.elements)
    return {
        "kind": label.packing.value,
        "kind_zh": _KINDS[label.packing],
        "name": label.name,
        "name_zh": label.name_zh,
        "item": label.item,
        "serial": elements.get("21", ""),
        "sscc": elements.get("00", ""),
        "batch": label.batch,
        "expiry": label.expiry,
        "quantity": str(label.quantity) if label.quantity else "",
        "parent": label.parent,
        "readable": readable(label.elements),
        "identity": label.identity,
        "epc": label.epc.hex().upper(),
    }


def is_wide(text: str) -> bool:
    """Whether it needs the Chinese font, which has the letters of other scripts too."""
    return any(letter > LATIN_UPTO for letter in text)


def _em(text: str) -> float:
    """How wide a text is by its height."""
    return sum(1.0 if letter >= WIDE_FROM else NARROW for letter in text) or 1.0


def _matrix(box: SymbolBox, label: Label, template: Template) -> PlacedMatrix:
    if box.symbol == "qr":
        data = digital_link(label.elements)
        code = segno.make(data, error="m", micro=False, boost_error=False)
        dark: Matrix = [[bool(module) for module in row] for row in code.matrix]
    else:
        data = element_string(label.elements)
        dark = gs1_data_matrix(data)
    room_mm = min(box.width_mm, box.height_mm)
    dots = _module_dots(room_mm, len(dark), template, f"{label.packing}: the {box.symbol}")
    return PlacedMatrix(box.x_mm, box.y_mm, dots, box.symbol, data, dark)


def _bars(box: SymbolBox, label: Label, template: Template) -> PlacedBars:
    key = [Element(ai, value) for ai, value in label.elements if ai in _BAR_KEYS]
    data = element_string(key)
    bars = code_128(data)
    dots = _module_dots(box.width_mm, sum(bars), template, f"{label.packing}: the gs1_128")
    return PlacedBars(box.x_mm, box.y_mm, box.height_mm, dots, data, bars)


def _module_dots(room_mm: float, modules: int, template: Template, what: str) -> int:
    """As many dots as fit; a template that gives too little room is refused, not shrunk."""
    dots = int(room_mm * template.dots_per_mm / modules)
    if dots < MODULE_DOTS_MIN:
        needed_mm = modules * MODULE_DOTS_MIN / template.dots_per_mm
        raise TemplateError(
            f"{what} with this content needs {needed_mm:.1f} mm, its place has {room_mm:g} mm"
        )
    return min(dots, MODULE_DOTS_MAX)
