"""The entries at both ends of an identity's life: commissioned and decommissioned."""

from __future__ import annotations

from enum import StrEnum

from contracts.base import SCHEMA, Record
from contracts.labels import Packing


class EndReason(StrEnum):
    """Why an identity is no more."""

    RETAGGED = "retagged"
    """Another identity took its place on the same thing."""
    UNPACKED = "unpacked"
    """The carrier was taken apart."""
    CONSUMED = "consumed"
    """It was used up."""
    SCRAPPED = "scrapped"
    """The thing was destroyed."""
    LABEL_LOST = "label_lost"
    """The label never reached its thing, or fell off."""


class Commissioned(Record, tag="commissioned", frozen=True, kw_only=True):
    """An identity began (payload of an entry of kind `commissioned`)."""

    schema: int = SCHEMA
    """Version of this record."""
    identity: str
    """The canonical identity."""
    packing: Packing
    """What carries it."""
    item: str
    """The item's GTIN-14: its own, or that of what is in it."""
    quantity: int
    """Units of the item in it, itself included."""
    epc: str
    """What was written on the tag, in hexadecimal."""
    batch: str = ""
    """The batch; empty: none."""
    expiry: str = ""
    """The date of expiry, `2027-03-31`; empty: none."""
    parent: str | None = None
    """The identity of what holds it."""
    replaces: str | None = None
    """The identity whose place it took."""
    at_us: int
    """When."""


class Decommissioned(Record, tag="decommissioned", frozen=True, kw_only=True):
    """An identity ended (payload of an entry of kind `decommissioned`)."""

    schema: int = SCHEMA
    """Version of this record."""
    identity: str
    """Which."""
    reason: EndReason
    """Why."""
    successor: str | None = None
    """The identity that took its place; what it held is in that one now. None: in nothing."""
    at_us: int
    """When."""
