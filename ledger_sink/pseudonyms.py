"""Pseudonyms in the place of persons, in what is about to be posted.

Whatever is posted again must come out as it was entered, also when its person was forgotten since
and would get another pseudonym now: it keeps the pseudonym of its entry where that stands for the
same person, or for nobody any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from contracts.books import Movement
from contracts.documents import Document, EnteredDocument
from contracts.persons import PersonUse
from ledger_sink.redaction import Persons

PARTS = (("person", PersonUse.WORK), ("approved_by", PersonUse.APPROVAL))
"""Where a document names persons, and what for. The use that is kept the longest comes last: a
person with both has one pseudonym, that of the last."""
BYTES_MAX = 200
"""Of a sign-in id."""


def disguised_documents(
    persons: Persons,
    documents: Sequence[Document],
    known: Mapping[str, EnteredDocument],
    at_us: int,
) -> list[Document]:
    """Documents without names; `known` are those that are entered under their numbers."""
    said = [
        (_kept(known.get(document.id), part), str(getattr(document, part)), use)
        for part, use in PARTS
        for document in documents
    ]
    found = _pseudonyms(persons, said, at_us)
    return [
        document.model_copy(
            update={
                part: found[_kept(known.get(document.id), part), str(getattr(document, part))]
                for part, _ in PARTS
            }
        )
        for document in documents
    ]


def disguised_movements(
    persons: Persons, movements: Sequence[Movement], at_us: int
) -> list[Movement]:
    """Movements without names; what no sign-in id can be stays, for the ledger to refuse."""
    named = [movement for movement in movements if movement.person and _is_sound(movement.person)]
    if not named:
        return list(movements)
    known = persons.of_movements([movement.id for movement in named if _is_sound(movement.id)])
    said = [(known.get(one.id, ""), one.person, PersonUse.WORK) for one in named]
    found = _pseudonyms(persons, said, at_us)
    return [
        msgspec.structs.replace(
            one, person=found.get((known.get(one.id, ""), one.person), one.person)
        )
        for one in movements
    ]


def _pseudonyms(
    persons: Persons, said: Sequence[tuple[str, str, PersonUse]], at_us: int
) -> dict[tuple[str, str], str]:
    """By what is entered and what is said now: what is to be entered."""
    pairs = {(kept, person) for kept, person, _ in said if kept and person and kept != person}
    same = persons.standing_for(pairs)
    fresh = [
        (person, use)
        for kept, person, use in said
        if person and kept != person and (kept, person) not in same
    ]
    made = persons.pseudonyms_of(list(dict.fromkeys(fresh)), at_us)
    return {
        (kept, person): kept
        if kept == person or (kept, person) in same
        else made.get(person, person)
        for kept, person, _ in said
    }


def _kept(known: EnteredDocument | None, part: str) -> str:
    return "" if known is None else str(getattr(known, part))


def _is_sound(text: str) -> bool:
    """Whether the ledger can hold it as an id."""
    encoded = text.encode("utf-8", "surrogatepass")
    return (
        len(encoded) <= BYTES_MAX and "\0" not in text and encoded == text.encode("utf-8", "ignore")
    )
