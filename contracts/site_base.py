"""What the tables of the site file share: their base, names, and numbers with their limits."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from contracts.gs1_keys import GS1_CHARACTERS, ROOT, escaped, is_checked
from contracts.topics import is_name

BYTE_ORDER_MARK = "\ufeff"
"""Some editors put it at the beginning of a file; it says nothing."""
ANTENNA_MAX = 64
"""More than any reader or antenna hub on the market carries."""
DIGITS_MAX = 9
"""Of a number within a text: more than any count of things here."""
GLN_DIGITS = 13
GLN_EXTENSION_MAX = 20
"""Characters that a GLN's extension may have (AI 254)."""
PORT_MAX = 32
"""Inputs and outputs of a reader: more than any carries."""


def _name(value: object) -> object:
    if isinstance(value, str) and not is_name(value):
        raise ValueError(
            "must be 1 to 64 letters, digits, - or _, and start with a letter or digit"
        )
    return value


def _gln(value: object) -> object:
    if isinstance(value, str) and (len(value) != GLN_DIGITS or not is_checked(value)):
        raise ValueError("must be a GLN: 13 digits, the last of which is their check digit")
    return value


def _gln_extension(value: object) -> object:
    fits = isinstance(value, str) and 0 < len(value) <= GLN_EXTENSION_MAX
    if isinstance(value, str) and not (fits and GS1_CHARACTERS.issuperset(value)):
        raise ValueError(
            f"must be 1 to {GLN_EXTENSION_MAX} letters, digits or signs that GS1 keys may hold"
        )
    return value


Gln = Annotated[str, BeforeValidator(_gln)]
"""A Global Location Number of GS1."""
GlnExtension = Annotated[str, BeforeValidator(_gln_extension)]
"""What tells places within a GLN apart (AI 254)."""
Name = Annotated[str, BeforeValidator(_name)]
Seconds = Annotated[float, Field(ge=0, le=31_536_000, allow_inf_nan=False)]
"""At most a year."""
Decibels = Annotated[float, Field(ge=-200, le=200, allow_inf_nan=False)]
Port = Annotated[int, Field(ge=1, le=65_535)]
"""Of TCP."""
Host = Annotated[str, Field(min_length=1, max_length=253)]
"""A name or an address."""


def whole_number(text: str) -> int | None:
    """The number that a text of a few ASCII digits says; None where it is none."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX
    return int(text) if is_number else None


class Table(BaseModel):
    """A table of the file: unknown fields are mistakes, and a text is no number."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Located(Table):
    """A table of something that GS1 may have a number for."""

    gln: Gln | None = None
    """Its Global Location Number, for EPCIS."""
    gln_extension: GlnExtension | None = None
    """Which place within that number; left out where the number is the place's own."""


def sgln(place: Located, around: Located | None = None) -> str:
    """A place's location as a Digital Link; empty where it has none.

    A place with an extension only lies within the number of the site `around` it.
    """
    gln = place.gln
    if gln is None and place.gln_extension is not None and around is not None:
        gln = around.gln
    if gln is None:
        return ""
    within = f"/254/{escaped(place.gln_extension)}" if place.gln_extension is not None else ""
    return f"{ROOT}/414/{gln}{within}"
