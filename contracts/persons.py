"""Persons: a payload that is hashed names nobody, it holds a pseudonym.

The pseudonym is a salted hash. Salt, sign-in id and name stand in a table outside of the chain;
when they are deleted nobody can tell any more who it was, and the chain stays whole.
"""

from __future__ import annotations

import re
from enum import StrEnum

from contracts.base import SCHEMA, Record

PSEUDONYM = re.compile(r"p-[0-9a-f]{32}\Z")
"""What stands for a person."""


def is_pseudonym(text: str) -> bool:
    """Whether a text is a pseudonym."""
    return PSEUDONYM.match(text) is not None


class PersonUse(StrEnum):
    """For what a person's data is used; each has a retention time."""

    WORK = "work"
    """Scans, movements, steps and documents: who did it."""
    APPROVAL = "approval"
    """Documents: who approved them. Accounts have to be kept for long, by law."""
    CONTACT = "contact"
    """People at suppliers and customers."""


class Occasion(StrEnum):
    """Why a person's data was deleted."""

    ASKED = "asked"
    """Somebody asked for it."""
    EXPIRED = "expired"
    """Its retention time was over."""


class PersonRedacted(Record, tag="person_redacted", frozen=True, kw_only=True):
    """A person's data was deleted (payload of an entry of kind `redaction`)."""

    schema: int = SCHEMA
    """Version of this record."""
    pseudonym: str
    """What stands for nobody any more."""
    asked_by: str
    """Who asked: a pseudonym; the same where the person asked."""
    occasion: Occasion
    """Why."""
    reason: str
    """Why, in words that name nobody."""
    is_early: bool
    """True: a law wanted it kept, and the reason says why it went all the same."""
    at_us: int
    """When."""
