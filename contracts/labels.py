"""What is on a label, whatever prints it."""

from __future__ import annotations

from enum import StrEnum

from contracts.base import SCHEMA, Record
from contracts.element_strings import Element


class Packing(StrEnum):
    """What a label is stuck on."""

    UNIT = "unit"
    """One piece of an item."""
    CASE = "case"
    """Holds units."""
    PALLET = "pallet"
    """Holds cases or units."""


class Label(Record, tag="label", frozen=True, kw_only=True):
    """One label and its tag."""

    schema: int = SCHEMA
    """Version of this record."""
    packing: Packing
    """What it is stuck on."""
    identity: str
    """The canonical identity, which every symbol and the tag lead to."""
    epc: bytes
    """The tag's EPC memory."""
    elements: tuple[Element, ...]
    """What its symbols say, the key first."""
    item: str
    """The item's GTIN-14: its own, or that of what is in it."""
    quantity: int = 1
    """Units in it."""
    name: str = ""
    """The item's name; empty where none is known."""
    name_zh: str = ""
    """The same in Chinese."""
    batch: str = ""
    """The batch; empty: none."""
    expiry: str = ""
    """The date of expiry, `2027-03-31`; empty: none."""
    parent: str = ""
    """The identity of what holds it; empty: nothing."""
