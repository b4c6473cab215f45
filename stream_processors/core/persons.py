"""Persons of scans by hand: no name gets into the log, a pseudonym does.

A batch that names somebody whose pseudonym is not known yet is not accepted: it is dropped as if it
had got lost, the ledger is asked, and then the spool is asked to send again. Nothing is lost, for
an agent keeps what the ledger does not have. What the ledger said counts for a while only, so that
a person who is forgotten gets another pseudonym soon.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from contracts.reads import ReadBatch

KEPT_S = 300.0
"""So long a pseudonym is used without asking again."""
PERSONS_MAX = 10_000
"""Pseudonyms that are kept: more than persons can be named in one batch, and little memory."""
BYTES_MAX = 200
"""Of a sign-in id. With a longer one nobody can sign in anywhere: it stands for nobody."""


class Pseudonyms:
    """Those that the ledger told lately, of one run of the bridge."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, float]] = {}

    def take(self, told: Mapping[str, str], now_s: float) -> None:
        """The ledger told pseudonyms, by person; the oldest go where there are too many."""
        for person, pseudonym in told.items():
            self._kept.pop(person, None)
            self._kept[person] = (pseudonym, now_s + KEPT_S)
        for person in list(self._kept)[: max(0, len(self._kept) - PERSONS_MAX)]:
            del self._kept[person]

    def missing(self, persons: Iterable[str], now_s: float) -> frozenset[str]:
        """Of whom the ledger must be asked."""
        return frozenset(
            person for person in persons if self._kept.get(person, ("", now_s))[1] <= now_s
        )

    def disguised(self, batch: ReadBatch) -> ReadBatch:
        """The batch with pseudonyms; none of its persons may be missing."""
        if not any(read.scan is not None and read.scan.person for read in batch.reads):
            return batch
        reads = []
        for read in batch.reads:
            if read.scan is not None and read.scan.person:
                person = None
                if _is_sign_in(read.scan.person):
                    person, _ = self._kept[read.scan.person]
                scan = msgspec.structs.replace(read.scan, person=person)
                reads.append(msgspec.structs.replace(read, scan=scan))
            else:
                reads.append(read)
        return msgspec.structs.replace(batch, reads=tuple(reads))


def persons_of(batch: ReadBatch) -> set[str]:
    """Who is named in a batch."""
    return {
        read.scan.person
        for read in batch.reads
        if read.scan is not None and read.scan.person and _is_sign_in(read.scan.person)
    }


def _is_sign_in(person: str) -> bool:
    return len(person.encode()) <= BYTES_MAX
