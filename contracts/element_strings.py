"""What a GS1 symbol carries: element strings with FNC1, their readable form, and Digital Links."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from contracts.gs1_keys import ROOT, escaped

SEPARATOR = "\x1d"
"""Stands for FNC1 between element strings, as a scanner sends it."""
PREDEFINED = frozenset({"00", "01", "02", "11", "13", "15", "17"})
"""Of the application identifiers that labels carry, those whose values have a fixed length: what
follows them needs no FNC1."""
_PATH = ("22", "10", "21")
"""Qualifiers of a GTIN, in the order in which a Digital Link wants them."""


class Element(NamedTuple):
    """One element string."""

    ai: str
    """The application identifier."""
    value: str


def element_string(elements: Sequence[Element]) -> str:
    """All in one, those of fixed length first; the FNC1 in front is the symbol's business."""
    ordered = sorted(elements, key=lambda element: element.ai not in PREDEFINED)
    parts = []
    for place, element in enumerate(ordered):
        last = place == len(ordered) - 1
        ends = "" if last or element.ai in PREDEFINED else SEPARATOR
        parts.append(f"{element.ai}{element.value}{ends}")
    return "".join(parts)


def readable(elements: Sequence[Element]) -> str:
    """For people, beneath the symbol: `(01)..(21)..`."""
    return "".join(f"({element.ai}){element.value}" for element in elements)


def digital_link(elements: Sequence[Element], root: str = ROOT) -> str:
    """The GS1 Digital Link: the key, its qualifiers in the path, the rest in the query."""
    key, *rest = elements
    found = dict(rest)
    path = f"{root}/{key.ai}/{escaped(key.value)}"
    if key.ai == "01":
        path += "".join(f"/{ai}/{escaped(found.pop(ai))}" for ai in _PATH if ai in found)
    query = "&".join(f"{ai}={escaped(value)}" for ai, value in found.items())
    return f"{path}?{query}" if query else path
