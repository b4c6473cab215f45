"""A database superuser who changes a ledger at random, and makes hashes and heads fit again."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import psycopg
from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from ledger_sink.core.chain import ChainEntry, chain_hash, content_of, genesis

COLUMNS = sql.SQL(", ").join(map(sql.Identifier, ChainEntry._fields))

TABLES = (
    *("entries", "entries", "chains", "heads", "logs", "reference", "evidence", "evidence_ids"),
    *("book_items", "book_places", "book_periods", "book_data", "allowed_changes"),
    *("postings", "postings", "postings", "balances", "balances", "reversals", "documents"),
    *("document_lines", "document_components", "vouchers", "voucher_lines", "voucher_lines"),
    *("valuations", "valuations", "identities", "mentions"),
    *("contents", "allocations", "unpackings"),
)
"""Whose rows are changed; those that matter most come several times."""

FREE = {
    # Which sightings confirmed what was known, and how many reads they merged, is in no entry.
    "evidence": {"entry", "reads"},
    "logs": {"ordinal", "opened_at"},
    "reference": {"ordinal"},
}
"""Columns of which no entry tells."""


class Column(NamedTuple):
    """A column of a table."""

    name: str
    kind: str
    is_nullable: bool
    is_key: bool


class UnchangedError(Exception):
    """The dice fell so that nothing was changed."""


class Superuser:
    """Changes one thing at a time, in the transaction that the connection is in."""

    def __init__(self, connection: Connection[Any], site: str, dice: random.Random) -> None:
        self.connection = connection
        self._site = site
        self._dice = dice
        connection.execute("set session_replication_role = replica")
        self._columns = {table: self._columns_of(table) for table in set(TABLES)}

    def change(self) -> str:
        """Change something; what, in words. Raises UnchangedError."""
        kinds: list[tuple[int, Callable[[], str]]] = [
            (6, self._rewrite_chain),
            (8, self._change_row),
            (3, self._remove_row),
            (3, self._insert_row),
        ]
        weights = [weight for weight, _ in kinds]
        ((_, kind),) = self._dice.choices(kinds, weights)
        try:
            return kind()
        except (psycopg.errors.IntegrityError, psycopg.errors.DataError) as error:
            # The database itself did not take it.
            raise UnchangedError from error

    def begin_anew(self, behind: int) -> None:
        """Let the chain begin anew behind an entry: each part is chained, the whole is not."""
        rows = self._rows()
        entries = list(self._chained(rows[behind:], behind))
        self._replace(rows[:behind] + entries)

    def _rewrite_chain(self) -> str:
        rows = self._rows()
        what, changed = self._dice.choice(
            [self._changed, self._changed, self._swapped, self._removed, self._inserted, self._cut]
        )(rows)
        if [row[1:-2] for row in changed] == [row[1:-2] for row in rows]:
            raise UnchangedError
        self._put(changed)
        return f"{what}, and all hashes made anew"

    def _changed(self, rows: list[ChainEntry]) -> tuple[str, list[ChainEntry]]:
        place = self._dice.randrange(len(rows))
        names = ("id", "kind", "happened_us", "recorded_us", "identity", "location")
        name = self._dice.choice([*names, "read_received_us", "window_us", *["payload"] * 5])
        value = getattr(rows[place], name)
        others = [getattr(row, name) for row in rows if row.id != rows[place].id]
        if name == "id" or self._dice.random() < 0.5:
            value = self._other(value, "bigint" if name.endswith("_us") else "text")
        else:
            value = self._dice.choice(others)
        rows = list(rows)
        rows[place] = rows[place]._replace(**{name: value})
        return f"{name} of entry {place + 1} changed", rows

    def _swapped(self, rows: list[ChainEntry]) -> tuple[str, list[ChainEntry]]:
        one, other = self._dice.sample(range(len(rows)), 2)
        rows = list(rows)
        rows[one], rows[other] = rows[other], rows[one]
        return f"entries {one + 1} and {other + 1} swapped", rows

    def _removed(self, rows: list[ChainEntry]) -> tuple[str, list[ChainEntry]]:
        place = self._dice.randrange(len(rows))
        return f"entry {place + 1} removed", rows[:place] + rows[place + 1 :]

    def _inserted(self, rows: list[ChainEntry]) -> tuple[str, list[ChainEntry]]:
        place = self._dice.randrange(len(rows))
        strange = self._dice.choice(rows)._replace(id=f"{self._dice.getrandbits(128):032x}")
        return f"entry inserted at {place + 1}", [*rows[:place], strange, *rows[place:]]

    def _cut(self, rows: list[ChainEntry]) -> tuple[str, list[ChainEntry]]:
        place = self._dice.randrange(len(rows))
        return f"all behind entry {place} cut off", rows[:place]

    def _change_row(self) -> str:
        table, row = self._row()
        columns = [one for one in self._columns[table] if one.name not in FREE.get(table, ())]
        column = self._dice.choice(columns)
        value = row[column.name]
        if column.name == "site" and self._may_be_missing(table, row):
            raise UnchangedError
        if column.is_nullable and value is not None and self._dice.random() < 0.2:
            other = None
        else:
            other = self._other(value, column.kind)
        if other == value:
            raise UnchangedError
        statement = sql.SQL("update {} set {} = %s where ctid = %s")
        self._run(statement, table, column.name, values=(other, row["ctid"]))
        return f"{table}.{column.name} changed from {value!r} to {other!r} in {row}"

    def _remove_row(self) -> str:
        table, row = self._row()
        if self._may_be_missing(table, row):
            raise UnchangedError
        self._run(sql.SQL("delete from {} where ctid = %s"), table, values=(row["ctid"],))
        return f"row of {table} removed: {row}"

    def _insert_row(self) -> str:
        table, row = self._row()
        keys = [one for one in self._columns[table] if one.is_key and one.name != "site"]
        if table in {"evidence", "evidence_ids"} or not keys:
            # A sighting that no entry names may have confirmed what was known.
            raise UnchangedError
        column = self._dice.choice(keys)
        row[column.name] = self._other(row[column.name], column.kind)
        if table == "heads" and row["seq"] > self._last_head():
            # Another head may have been published since the file was copied.
            raise UnchangedError
        names = [one.name for one in self._columns[table] if one.name != "ordinal"]
        statement = sql.SQL("insert into {} ({}) values ({})").format(
            sql.Identifier("ledger", table),
            sql.SQL(", ").join(map(sql.Identifier, names)),
            sql.SQL(", ").join([sql.Placeholder()] * len(names)),
        )
        values = [
            Jsonb(row[name]) if isinstance(row[name], dict | list) else row[name] for name in names
        ]
        self.connection.execute(statement, values)
        return f"row of {table} inserted: {row}"

    def _row(self) -> tuple[str, dict[str, Any]]:
        """A row of a table, with where it lies."""
        table = self._dice.choice(TABLES)
        names = ["ctid", *(one.name for one in self._columns[table])]
        query = sql.SQL("select {} from {} order by {}").format(
            sql.SQL(", ").join(map(sql.Identifier, names)),
            self._where_rows_lie(table),
            sql.SQL(", ").join(map(sql.Identifier, names[1:])),
        )
        rows = self.connection.execute(query).fetchall()
        if not rows:
            raise UnchangedError
        return table, dict(zip(names, self._dice.choice(rows), strict=True))

    def _run(self, statement: sql.SQL, table: str, *names: str, values: tuple[Any, ...]) -> None:
        composed = statement.format(self._where_rows_lie(table), *map(sql.Identifier, names))
        converted = tuple(
            Jsonb(value) if isinstance(value, dict | list) else value for value in values
        )
        if not self.connection.execute(composed, converted).rowcount:
            raise UnchangedError

    def _where_rows_lie(self, table: str) -> sql.Composable:
        """The table, or the partition that has its rows: a ctid is of one of them."""
        found = self.connection.execute(
            "select tableoid::regclass::text from ledger.evidence limit 1"
        ).fetchone()
        assert found is not None
        if table == "evidence":
            return sql.Identifier(*found[0].split("."))
        return sql.Identifier("ledger", table)

    def _other(self, value: Any, kind: str) -> Any:
        """Another value of a column's kind."""
        dice = self._dice
        other: Any = {"bigint": 7, "numeric": Decimal(7), "bytea": b"7"}.get(kind, "7")
        match value:
            case bool():
                other = not value
            case int():
                other = value + dice.choice([-1, 1, 1_000_000, -value - 1, 2**40])
            case Decimal():
                other = value + dice.choice([Decimal(1), Decimal("-0.01"), -value * 2 or 1])
            case bytes() if value:
                place = dice.randrange(len(value))
                flipped = bytes([value[place] ^ (1 << dice.randrange(7))])
                other = value[:place] + flipped + value[place + 1 :]
            case dict() | list():
                other = self._other_json(value)
            case str():
                other = dice.choice([f"{value}x", value[:-1], value.swapcase(), "available"])
        return other

    def _other_json(self, value: Any) -> Any:
        if isinstance(value, list):
            return value[:-1] if value else [{"document": "x", "quantity": "1", "value": "1"}]
        changed = json.loads(json.dumps(value))
        if not changed or self._dice.random() < 0.3:
            return {**changed, "x": 1}
        name = self._dice.choice(sorted(changed))
        changed[name] = "7" if changed[name] != "7" else "8"
        return changed

    def _may_be_missing(self, table: str, row: dict[str, Any]) -> bool:
        """The copy of the last head: a crash right behind its publishing leaves it out."""
        return table == "heads" and bool(row["seq"] == self._last_head())

    def _last_head(self) -> int:
        row = self.connection.execute("select max(seq) from ledger.heads").fetchone()
        return int(row[0] or 0) if row else 0

    def _rows(self) -> list[ChainEntry]:
        query = sql.SQL("select {} from ledger.entries where site = %s order by seq")
        rows = self.connection.execute(query.format(COLUMNS), (self._site,))
        return [ChainEntry(*row) for row in rows]

    def _put(self, rows: list[ChainEntry]) -> None:
        """Other entries in the place of all, with hashes, the chain's end and heads made anew."""
        self._replace(list(self._chained(rows)))

    def _replace(self, entries: list[ChainEntry]) -> None:
        insert = sql.SQL("insert into ledger.entries (site, {}) values (%s, {})").format(
            COLUMNS, sql.SQL(", ").join([sql.Placeholder()] * len(ChainEntry._fields))
        )
        self.connection.execute("delete from ledger.entries")
        with self.connection.cursor() as cursor:
            cursor.executemany(insert, [(self._site, *row) for row in entries])
            cursor.executemany(
                "update ledger.heads set hash = %s where seq = %s",
                [(row.hash, row.seq) for row in entries],
            )
        end = (len(entries), entries[-1].hash if entries else genesis(self._site))
        self.connection.execute("update ledger.chains set seq = %s, hash = %s", end)

    def _chained(self, rows: list[ChainEntry], after: int = 0) -> Iterator[ChainEntry]:
        before = genesis(self._site)
        for seq, row in enumerate(rows, start=after + 1):
            hash_ = chain_hash(before, seq, content_of(self._site, row))
            yield row._replace(seq=seq, previous=before, hash=hash_)
            before = hash_

    def _columns_of(self, table: str) -> list[Column]:
        rows = self.connection.execute(
            "select a.attname, format_type(a.atttypid, null), not a.attnotnull,"
            " coalesce(a.attnum = any (i.indkey), false)"
            " from pg_attribute a"
            " left join pg_index i on i.indrelid = a.attrelid and i.indisprimary"
            " where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped"
            " order by a.attnum",
            (f"ledger.{table}",),
        ).fetchall()
        return [Column(*row) for row in rows]
