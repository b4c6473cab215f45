"""Payloads of the entries that the ledger makes by itself, in SQL; decoded here."""

from __future__ import annotations

from contracts.base import SCHEMA, Record


class LogOpened(Record, tag="log_opened", frozen=True, kw_only=True):
    """The payload of an entry of kind `log`."""

    schema: int = SCHEMA
    """Version of this record."""
    log: str
    """The new log's id."""
    partitions: int
    """How many partitions its topics have."""
    run: int
    """The bridge's run that opened it."""
    reason: str
    """Why, in words."""


class ReferenceChanged(Record, tag="reference_changed", frozen=True, kw_only=True):
    """The payload of an entry of kind `reference`."""

    schema: int = SCHEMA
    """Version of this record."""
    key: str
    """As in `ReferenceChange`."""
    version: int
    """As in `ReferenceChange`."""
    removed: bool
    """True: the key is no more."""
    change_digest: str
    """SHA-256 of the encoded `ReferenceChange`, in hexadecimal."""
