"""Holds files against themselves before anything is entered: all mistakes of a file at once.

What the books must know (is there such an item, is there enough, is the period open) is not asked
here: the ledger refuses that, document by document, and keeps what it refuses.
"""

from __future__ import annotations

from collections.abc import Iterator

from contracts.accounting import Units
from ledger_sink.core.posting.packs import mistakes_in_units
from tallygate.company_file import CompanyFile


class CompanyCheck:
    """Takes files in order; each says what is wrong with it."""

    def __init__(self) -> None:
        """Nothing is counted yet."""
        self.documents = 0
        """How many there are in all."""
        self.lines = 0
        """And lines in them."""

    def take(self, file: CompanyFile) -> Iterator[str]:
        """What is wrong with a file: whole sentences."""
        yield from file.mistakes
        yield from _master_data(file)
        for read in file.documents():
            self.documents += 1
            yield from read.mistakes
            if read.document is not None:
                self.lines += len(read.document.lines)


def _master_data(file: CompanyFile) -> Iterator[str]:
    """What single records cannot know of each other."""
    company, name = file.company, file.path.name
    for what, keys in (
        ("items", [item.item for item in company.items]),
        ("places", [place.location for place in company.places]),
    ):
        for key in sorted({key for key in keys if keys.count(key) > 1}):
            yield f"{name}: {what}: {key} comes twice"
    for item in company.items:
        for problem in mistakes_in_units(item.book(), Units(units=item.units)):
            yield f"{name}: items, units: {problem}"
