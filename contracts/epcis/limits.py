"""What of a document cannot be stored, however well it fits the standard.

A document is looked through for these first: what judges, hashes and stores it can then rely on
texts that a database takes and on a depth that no stack runs out of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from contracts.epcis.digital_link import canonical_identifier
from contracts.epcis.documents import identities_of, place_of
from contracts.epcis.mistakes import EpcisMistake, at, shown
from contracts.epcis.vocabulary import Json

DEPTH_MAX = 60
"""The examples of the standard nest eight deep. Every reader of theirs has a stack that ends."""
MOVED_DEEPER = 3
"""An event alone stands so much deeper in an export, as do a document's contexts in its events."""
EVENT_BYTES_MAX = 1_000_000
"""Of an event in JSON: some 20,000 EPCs. An entry must fit into a line of an exported ledger."""
CONTEXT_BYTES_MAX = 100_000
"""Of an `@context`, which every event keeps; real ones have a few hundred bytes."""
URI_CHARACTERS_MAX = 1_000
"""Identities and places stand in indexes, which take 2,700 bytes."""
ESCAPED_CHARACTERS = 3
"""A character of an identifier becomes at most so many in its canonical form."""


def unstorable(document: Json) -> Iterator[EpcisMistake]:
    """Texts and depths that cannot be stored."""
    if not isinstance(document, dict):
        yield from _look("", document, 1)
        return
    is_alone = "epcisBody" not in document
    for name, value in document.items():
        yield from _look_at_text(name, name)
        deeper = MOVED_DEEPER if is_alone or name == "@context" else 0
        yield from _look(at("", name), value, 2 + deeper)


def _look(path: str, value: Json, depth: int) -> Iterator[EpcisMistake]:
    if isinstance(value, str):
        yield from _look_at_text(path, value)
    elif isinstance(value, list | dict):
        if depth > DEPTH_MAX:
            yield EpcisMistake(path, f"is nested deeper than {DEPTH_MAX} levels")
        elif isinstance(value, list):
            for number, one in enumerate(value):
                yield from _look(f"{path}[{number}]", one, depth + 1)
        else:
            for name, one in value.items():
                yield from _look_at_text(at(path, name), name)
                yield from _look(at(path, name), one, depth + 1)


def _look_at_text(path: str, text: str) -> Iterator[EpcisMistake]:
    if text.isascii():
        if "\0" in text:
            yield EpcisMistake(path, f"{shown(text)} holds a NUL, which no database stores")
        return
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        yield EpcisMistake(path, f"{shown(text)} holds half a character, which cannot be stored")
        return
    if b"\0" in raw:
        yield EpcisMistake(path, f"{shown(text)} holds a NUL, which no database stores")


def long_uri(path: str, text: str) -> Iterator[EpcisMistake]:
    """A URI that is longer than those that can be stored, itself or in its canonical form."""
    # Only few URIs are long enough that the canonical form need be looked at.
    grown = len(text) * ESCAPED_CHARACTERS > URI_CHARACTERS_MAX and canonical_identifier(text)
    if len(text) > URI_CHARACTERS_MAX or (grown and len(grown) > URI_CHARACTERS_MAX):
        yield EpcisMistake(path, f"{shown(text)} is longer than {URI_CHARACTERS_MAX:,} characters")


def long_names(path: str, event: Mapping[str, Json]) -> Iterator[EpcisMistake]:
    """What an event of any type speaks of and cannot be looked up, as it is too long."""
    place = place_of(event)
    for name in (*identities_of(event), *([place] if place else [])):
        if len(name.encode()) > URI_CHARACTERS_MAX:
            yield EpcisMistake(path, f"{shown(name)} is longer than {URI_CHARACTERS_MAX:,} bytes")


def too_large(path: str, value: Json, bytes_max: int) -> Iterator[EpcisMistake]:
    """A value whose JSON is larger than what can be stored."""
    count = len(msgspec.json.encode(value))
    if count > bytes_max:
        yield EpcisMistake(path, f"it has {count:,} bytes; at most {bytes_max:,} are taken")
