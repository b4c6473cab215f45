r"""Patterns by which a site says what its own codes mean: `(?P<gtin>\d{13})-(?P<serial>\w+)`.

They are regular expressions of RE2, which takes time in proportion to the code and bounded memory,
whatever a person writes and whatever a scanner sends. Named groups say what the parts are.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Protocol, cast

import re2

PATTERN_CHARACTERS_MAX = 500
CODE_CHARACTERS_MAX = 1_000
"""Longer codes are not tried: they are documents, no names."""
MEMORY_BYTES_MAX = 1 << 20
"""Of one pattern as RE2 keeps it."""
KEYS = ("gtin", "sscc", "grai", "giai")
"""What a code can name; one of them."""
QUALIFIERS = ("serial", "lot")
"""What may stand beside a GTIN."""


class Found(Protocol):
    """Where a pattern was found."""

    def groupdict(self) -> Mapping[str, str | None]:
        """Its named parts."""
        ...


class Pattern(Protocol):
    """A pattern that is ready."""

    @property
    def groupindex(self) -> Mapping[str, int]:
        """The names of its groups."""
        ...

    def fullmatch(self, text: str) -> Found | None:
        """Match a text as a whole."""
        ...


@lru_cache(maxsize=1_000)
def compiled(pattern: str) -> Pattern:
    """A pattern, ready. Raises ValueError with the reason in words."""
    if len(pattern) > PATTERN_CHARACTERS_MAX:
        raise ValueError(f"longer than {PATTERN_CHARACTERS_MAX} characters")
    options = re2.Options()
    options.max_mem = MEMORY_BYTES_MAX
    options.log_errors = False
    try:
        found = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        told = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason
        raise ValueError(f"no pattern of RE2: {told}") from error
    return cast("Pattern", found)
