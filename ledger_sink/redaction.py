"""Persons behind pseudonyms, in PostgreSQL: told apart, named, kept for their time, forgotten.

`pseudonym_of` is for whoever writes entries, with the role `ledger_appender` or `ledger_bridge`;
the rest needs `ledger_privacy`. Times are microseconds of domain time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, LiteralString, NamedTuple

import psycopg

from contracts.books import Movement
from contracts.codec import decode_json
from contracts.persons import PersonUse, is_pseudonym
from ledger_sink.core.redaction import Person
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.sql import queries

QUERIES = queries("persons")


class RedactionError(Exception):
    """The ledger refuses to forget; the text says why."""


class RetentionTime(NamedTuple):
    """How long a kind of personal data is kept behind its last use."""

    use: PersonUse
    days: int
    is_legal: bool
    """True: a law asks for it."""


class InClear(NamedTuple):
    """Entries whose payloads name persons in clear."""

    kind: str
    """Their kind."""
    part: str
    """The field: `person`, `approved_by`."""
    entries: int
    """How many."""
    first_seq: int
    last_seq: int


class Persons:
    """The persons of one site's ledger."""

    def __init__(self, ledger: PostgresLedger) -> None:
        """On the ledger's connection, in autocommit mode."""
        self._ledger = ledger

    def pseudonym_of(self, person: str, at_us: int, use: PersonUse = PersonUse.WORK) -> str:
        """What stands for a person in payloads; nobody stays nobody, a pseudonym stays itself.

        Call it in the transaction that appends, or before: it locks the chain where it writes.
        """
        return str(self._value("pseudonym_of", person=person, use=use, at_us=at_us))

    def pseudonyms_of(self, uses: Sequence[tuple[str, PersonUse]], at_us: int) -> dict[str, str]:
        """What stands for each of several persons, of whom each is somebody; one query."""
        if not uses:
            return {}
        return dict(
            self._rows(
                QUERIES["pseudonyms_of"],
                persons=[person for person, _ in uses],
                uses=[str(use) for _, use in uses],
                at_us=at_us,
            )
        )

    def standing_for(self, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Pairs of pseudonym and person that may be one: it stands for that person, or nobody."""
        if not pairs:
            return set()
        pseudonyms, persons = zip(*sorted(pairs), strict=True)
        query = QUERIES["standing_for"]
        return set(self._rows(query, pseudonyms=list(pseudonyms), persons=list(persons)))

    def of_movements(self, ids: Sequence[str]) -> dict[str, str]:
        """Who stands in the movements that are entered under these ids."""
        rows = self._rows(QUERIES["entered_movements"], ids=list(ids))
        entered = [decode_json(Movement, payload) for (payload,) in rows]
        return {movement.id: movement.person for movement in entered}

    def names(self, pseudonyms: Iterable[str]) -> dict[str, str]:
        """Names, else sign-in ids, as far as this login may know them; nobody who is forgotten."""
        wanted = sorted({one for one in pseudonyms if is_pseudonym(one)})
        if not wanted or not self._value("may_name"):
            return {}
        return dict(self._rows(QUERIES["names"], pseudonyms=wanted))

    def name(self, person: str, name: str) -> None:
        """Tell a person's name; an empty one takes it back. Raises RedactionError."""
        try:
            self._value("name_person", person=person, name=name)
        except psycopg.errors.NoDataFound as error:
            raise RedactionError(_said(error)) from error

    def known(self) -> list[Person]:
        """All persons, those that are kept the shortest first, the redacted ones last."""
        return [Person(*row) for row in self._rows(QUERIES["persons"])]

    def expired(self, at_us: int) -> list[Person]:
        """Persons whose data is past its time."""
        return [person for person in self.known() if person.is_expired(at_us)]

    def redact(
        self, pseudonym: str, *, by: str, reason: str, at_us: int, early: bool = False
    ) -> int:
        """Forget who it was; gives the place of the entry that says so. Raises RedactionError.

        `by` is who asks for it, a sign-in id or a pseudonym; the reason must name nobody. `early`
        lets go what a law wants kept.
        """
        try:
            return int(
                self._value(
                    "redact", pseudonym=pseudonym, by=by, why=reason, at_us=at_us, early=early
                )
            )
        except (
            psycopg.errors.NoDataFound,
            psycopg.errors.InvalidParameterValue,
            psycopg.errors.CheckViolation,
        ) as error:
            raise RedactionError(_said(error)) from error

    def scrub(self) -> bool:
        """Rewrite the table's file, in which deleted rows remain; False: only its owner may."""
        with self._ledger.connection.cursor() as cursor:
            ((owns,),) = cursor.execute(
                "select pg_has_role(current_user, relowner, 'usage') from pg_class"
                " where oid = 'ledger.persons'::regclass"
            ).fetchall()
            if owns:
                cursor.execute("vacuum (full, analyze) ledger.persons")
        return bool(owns)

    def retention_times(self) -> list[RetentionTime]:
        """How long each kind of personal data is kept."""
        rows = self._rows(QUERIES["retention_times"])
        return [RetentionTime(PersonUse(use), days, legal) for use, days, legal in rows]

    def keep(self, time: RetentionTime) -> None:
        """Set how long a kind of personal data is kept at this site."""
        self._value("put_retention", use=time.use, days=time.days, by_law=time.is_legal)

    def in_clear(self) -> list[InClear]:
        """Entries that name persons in clear: of these nothing can be redacted."""
        return [InClear(*row) for row in self._rows(QUERIES["in_clear"])]

    def _rows(self, query: LiteralString, **values: Any) -> list[tuple[Any, ...]]:
        return self._ledger.connection.execute(
            query, {"site": self._ledger.site, **values}
        ).fetchall()

    def _value(self, query: str, **values: Any) -> Any:
        return self._rows(QUERIES[query], **values)[0][0]


def _said(error: psycopg.Error) -> str:
    return error.diag.message_primary or str(error)
