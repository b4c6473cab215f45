"""The two shapes of struct that cross a wire, and the schema version that every record carries.

A subclass repeats `frozen=True, kw_only=True`: the first for type checkers, the second because
it is not inherited.
"""

from __future__ import annotations

import msgspec

SCHEMA = 1
"""Version of every record in this package. A record with a higher one is refused."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a message: its fields travel by name."""


class Row(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A part of a message on the hot path: its fields travel by position, so new ones go last."""
