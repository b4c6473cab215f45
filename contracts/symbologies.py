"""Kinds of symbols (bar codes) and the identifiers that scanners send for them (ISO/IEC 15424).

An identifier is `]`, a letter and a modifier. Those of GS1 say how the content is to be read: as
element strings, or as a trade item's number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Symbology = Literal[
    "code39",
    "code128",
    "gs1_128",
    "ean_upc",
    "codabar",
    "code93",
    "itf",
    "pdf417",
    "gs1_databar",
    "data_matrix",
    "gs1_data_matrix",
    "qr",
    "gs1_qr",
    "aztec",
    "maxicode",
    "dotcode",
    "gs1_dotcode",
]
"""A kind of symbol."""

IDENTIFIERS: Mapping[Symbology, str] = {
    "code39": "]A0",
    "code128": "]C0",
    "gs1_128": "]C1",
    "ean_upc": "]E0",
    "codabar": "]F0",
    "code93": "]G0",
    "itf": "]I1",
    "pdf417": "]L0",
    "gs1_databar": "]e0",
    "data_matrix": "]d1",
    "gs1_data_matrix": "]d2",
    "qr": "]Q1",
    "gs1_qr": "]Q3",
    "aztec": "]z0",
    "maxicode": "]U0",
    "dotcode": "]J0",
    "gs1_dotcode": "]J1",
}
"""The usual identifier of each."""

_GS1: Mapping[str, Symbology] = {
    "]C1": "gs1_128",
    "]d2": "gs1_data_matrix",
    "]d5": "gs1_data_matrix",
    "]Q3": "gs1_qr",
    "]Q4": "gs1_qr",
    "]J1": "gs1_dotcode",
}
_BY_LETTER: Mapping[str, Symbology] = {
    "A": "code39",
    "C": "code128",
    "E": "ean_upc",
    "F": "codabar",
    "G": "code93",
    "I": "itf",
    "J": "dotcode",
    "L": "pdf417",
    "Q": "qr",
    "U": "maxicode",
    "d": "data_matrix",
    "e": "gs1_databar",
    "z": "aztec",
}


def symbology_of(identifier: str) -> Symbology | None:
    """The kind of symbol that an identifier such as `]C1` names; None for any other."""
    known = _GS1.get(identifier)
    return known or _BY_LETTER.get(identifier[1:2])
