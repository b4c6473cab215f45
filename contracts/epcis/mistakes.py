"""A mistake in an EPCIS document: where it is and what is wrong there."""

from __future__ import annotations

from typing import NamedTuple

from contracts.epcis.vocabulary import Json

SHOWN_CHARACTERS_MAX = 60
"""Of a wrong value or a name, so much is shown."""


class EpcisMistake(NamedTuple):
    """One thing that is wrong."""

    path: str
    """Where: `epcisBody.eventList[3].bizStep`."""
    problem: str
    """The value and what is allowed."""

    def text(self) -> str:
        """The mistake as one line."""
        return f"{self.path}: {self.problem}" if self.path else self.problem


def shown(value: Json) -> str:
    """A value, short enough to be read."""
    return _short(repr(value))


def at(path: str, name: str) -> str:
    """The path of a field."""
    said = _short(name if name.isprintable() else repr(name))
    return f"{path}.{said}" if path else said


def _short(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}..."
