"""Identities from birth to end in a site's ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import psycopg

from contracts.commissioning import Commissioned, Decommissioned, EndReason
from contracts.labels import Packing
from ledger_sink.core.commissioning import CommissioningError, Order, Series, entry_of, needs, plan
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.sql import queries

QUERIES = queries("commissioning")
FIRST_NUMBER = 1
PROBLEMS_TOLD_MAX = 5
"""The rest is in the view `ledger.rejects`."""


class Carried(NamedTuple):
    """An identity as it stands now."""

    birth: Commissioned
    """Its birth, with what holds it now."""
    ended_us: int | None
    """When it was decommissioned; None: it lives."""
    successor: str | None
    """The identity that took its place."""


class UnknownTag(NamedTuple):
    """A tag that nobody should meet."""

    identity: str
    problem: str
    """`decommissioned` or `never_commissioned`."""
    successor: str | None
    first_us: int
    last_us: int
    reads: int
    location: str
    """Where it was read last."""


class Commissioning:
    """One site's identities; the login needs the roles `ledger_appender` and `ledger_reader`."""

    def __init__(self, ledger: PostgresLedger) -> None:
        self._ledger = ledger

    def allocate(self, wanted: Mapping[Series, int], at_least: int) -> dict[Series, list[int]]:
        """Numbers that nobody else gets. Raises CommissioningError where a series is used up."""
        try:
            return {
                series: list(
                    self._rows(
                        "allocate",
                        key=series.key,
                        how_many=count,
                        most=series.most,
                        at_least=at_least,
                    )[0][0]
                )
                # In one order for all, so that no two wait for each other.
                for series, count in sorted(wanted.items())
            }
        except psycopg.errors.NumericValueOutOfRange as error:
            said = str(error).splitlines()[0]
            raise CommissioningError(f"{said}: take another extension digit or item") from error

    def peek(self, wanted: Mapping[Series, int], at_least: int) -> dict[Series, list[int]]:
        """The numbers that `allocate` would very likely give, without taking them."""
        found = {}
        for series, count in wanted.items():
            first = int(self._rows("peek", key=series.key, at_least=at_least)[0][0])
            found[series] = list(range(first, first + count))
        return found

    def order(self, order: Order, at_us: int, at_least: int = FIRST_NUMBER) -> list[Commissioned]:
        """Allocate and enter all that a checked order takes. Raises CommissioningError."""
        births = plan(order, self.allocate(needs(order), at_least), at_us)
        self.enter(births, at_us)
        return births

    def enter(self, births: Sequence[Commissioned], at_us: int) -> int:
        """Enter births, all or none; how many are new. Raises CommissioningError."""
        return self._enter("commission", births, at_us)

    def end(self, ends: Sequence[Decommissioned], at_us: int) -> int:
        """Enter ends, all or none; how many are new. Raises CommissioningError."""
        return self._enter("decommission", ends, at_us)

    def retag(self, birth: Commissioned, at_us: int) -> None:
        """Enter a birth that replaces an identity, and that one's end, together."""
        assert birth.replaces is not None
        end = Decommissioned(
            identity=birth.replaces,
            reason=EndReason.RETAGGED,
            successor=birth.identity,
            at_us=at_us,
        )
        with self._ledger.transaction():
            self.enter([birth], at_us)
            self.end([end], at_us)

    def contents(self, identity: str) -> list[Carried]:
        """An identity and all that it holds, each behind what holds it; empty: none of ours."""
        found = []
        for row in self._rows("contents", identity=identity):
            birth = Commissioned(
                identity=row[0],
                packing=Packing(row[1]),
                item=row[2],
                quantity=row[3],
                batch=row[4],
                expiry=row[5],
                parent=row[6],
                epc=bytes(row[7]).hex(),
                at_us=row[8],
            )
            found.append(Carried(birth, row[9], row[10]))
        return found

    def unknown_tags(self, most: int) -> list[UnknownTag]:
        """Tags that nobody should meet, the newest first."""
        return [UnknownTag(*row) for row in self._rows("unknown_tags", most=most)]

    def _enter(
        self, query: str, records: Sequence[Commissioned | Decommissioned], at_us: int
    ) -> int:
        entries = [entry_of(record) for record in records]
        try:
            ((entered, problems),) = self._rows(
                query,
                at_us=at_us,
                ids=[entry.id for entry in entries],
                payloads=[entry.payload for entry in entries],
            )
        except psycopg.errors.UniqueViolation as error:
            # Another site of this ledger was faster.
            raise CommissioningError("one of the identities was commissioned just now") from error
        if problems:
            more = len(problems) - PROBLEMS_TOLD_MAX
            told = [*problems[:PROBLEMS_TOLD_MAX], *([f"and {more:,} more"] if more > 0 else [])]
            raise CommissioningError("; ".join(told))
        return int(entered)

    def _rows(self, name: str, **values: object) -> list[tuple]:  # type: ignore[type-arg]
        everything = {"site": self._ledger.site, **values}
        return self._ledger.connection.execute(QUERIES[name], everything).fetchall()
