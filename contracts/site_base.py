"""What the tables of the site file share: their base, names, and numbers with their limits."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from contracts.topics import is_name

BYTE_ORDER_MARK = "\ufeff"
"""Some editors put it at the beginning of a file; it says nothing."""
ANTENNA_MAX = 64
"""More than any reader or antenna hub on the market carries."""
DIGITS_MAX = 9
"""Of a number within a text: more than any count of things here."""
PORT_MAX = 32
"""Inputs and outputs of a reader: more than any carries."""


def _name(value: object) -> object:
    if isinstance(value, str) and not is_name(value):
        raise ValueError(
            "must be 1 to 64 letters, digits, - or _, and start with a letter or digit"
        )
    return value


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
