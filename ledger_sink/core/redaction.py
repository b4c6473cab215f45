"""Pseudonyms of persons: how one is made, and which persons a payload names in clear.

A ledger makes pseudonyms by its function `ledger.pseudonym_of`; the same hash is worked out here,
so that whoever holds a salt can show whom a pseudonym stands for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from contracts.persons import is_pseudonym

DIGITS = 32
"""Of the hash: two persons of one ledger never get the same, and no index row is large."""


class Person(NamedTuple):
    """Who stands behind a pseudonym."""

    pseudonym: str
    """What payloads hold."""
    person: str | None
    """The sign-in id; None: redacted."""
    name: str | None
    """The name, where it was told."""
    until_us: int
    """Until when the retention times keep it."""
    legal_us: int
    """Until when a law wants it kept; 0: none does."""

    def is_expired(self, at_us: int) -> bool:
        """Whether it is there still, and past its time."""
        return self.person is not None and self.until_us <= at_us

    def is_kept_by_law(self, at_us: int) -> bool:
        """Whether it must not go yet without a reason."""
        return self.legal_us > at_us


def pseudonym(site: str, person: str, salt: bytes) -> str:
    """The pseudonym of a person at a site."""
    return "p-" + hashlib.sha256(salt + f"{site}\n{person}".encode()).hexdigest()[:DIGITS]


def found(persons: Iterable[Person], named: str) -> Person | None:
    """The person with a sign-in id, or else a pseudonym."""
    by_pseudonym = None
    for one in persons:
        if one.person == named:
            return one
        if one.pseudonym == named and is_pseudonym(named):
            by_pseudonym = one
    return by_pseudonym
