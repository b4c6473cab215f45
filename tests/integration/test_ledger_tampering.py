"""Whatever a superuser changes in a ledger is found, hashes and heads made anew or not.

And what nobody changed is whole: online, in a copy in another database, in parts by several
processes. `test_ledger_export.py` changes exported files.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from ledger_sink.core.check_contents import Allocation, Content, Standing
from ledger_sink.core.check_identities import Identity
from ledger_sink.core.check_rows import TABLES, Table
from ledger_sink.core.check_stock import Balance, Key
from ledger_sink.core.verification import Fault, published_by
from ledger_sink.export import export
from ledger_sink.heads_file import HEADS, PUBLIC_KEY, read_public_key
from ledger_sink.migrate import migrate
from ledger_sink.postgres_ledger import PostgresLedger, connect
from ledger_sink.publisher import Publisher
from ledger_sink.rows import LedgerRows, ledger_rows
from ledger_sink.settings import Settings
from ledger_sink.verify import VerifyReport, published_heads, verify, verify_file, verify_rows
from ledger_sink.verify_books import QUERIES, recompute, verify_books
from ledger_sink.verify_parts import Parts, Sizes
from tests.support import tampering
from tests.support.servers import Fresh, with_database
from tests.support.tampering import Superuser, UnchangedError
from tests.support.whole_ledger import SITE, WholeLedger
from tests.unit.ledger_sink.ledger_builders import passage, sighting_of

CHANGES = 1_000
SAYS_NOTHING = {
    # Where programs stand, and what is merely counted.
    *("positions", "coverage", "spools", "memory", "stage_memory", "leases", "tallies"),
    *("latencies", "series"),
    # Made anew from location entries by whoever needs it.
    "whereabouts",
    # Rights, and who is behind a pseudonym: outside of the chain on purpose.
    *("site_readers", "persons", "person_uses", "retention_times"),
}
"""Tables of which no entry tells."""


@pytest.fixture
def whole(connection: psycopg.Connection[Any], tmp_path: Path) -> WholeLedger:
    return WholeLedger(connection, tmp_path)


def test_each_of_a_thousand_changes_is_found(
    whole: WholeLedger, connection: psycopg.Connection[Any]
) -> None:
    """Each in a transaction that is rolled back behind its verification."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - a random test says its seed.
    superuser = Superuser(connection, SITE, random.Random(seed))
    published = published_heads(whole.heads, SITE, read_public_key(whole.public_key))

    def findings() -> list[str]:
        chain = verify_rows(LedgerRows(connection, SITE), published).findings
        return [one.text for one in (*chain, *recompute(connection, SITE).findings)]

    with connection.transaction():
        assert findings() == []
    unseen: list[str] = []
    made: Counter[str] = Counter()
    while made.total() < CHANGES:
        with connection.transaction(force_rollback=True):
            try:
                what = superuser.change()
            except UnchangedError:
                continue
            made[" ".join(what.split()[:3])] += 1
            if not findings():
                unseen.append(what)
    assert unseen == [], "\n".join(unseen)


KEYED = sorted(set(tampering.TABLES) - {"evidence_ids", "evidence", "allowed_changes"})


@pytest.mark.parametrize("table", KEYED)
def test_a_superuser_who_drops_a_tables_keys_is_found(
    whole: WholeLedger, connection: psycopg.Connection[Any], table: str
) -> None:
    """The same row twice, and a row whose key is nothing: where a key held, no key forbids it."""
    published = published_heads(whole.heads, SITE, read_public_key(whole.public_key))
    at = sql.Identifier("ledger", table)
    columns = [
        name
        for (name,) in connection.execute(
            "select a.attname from pg_index i join pg_attribute a"
            " on a.attrelid = i.indrelid and a.attnum = any (i.indkey)"
            " where i.indrelid = %s::regclass and i.indisprimary and a.attname <> 'site'",
            (f"ledger.{table}",),
        )
        if name not in tampering.FREE.get(table, ())
    ]
    changes = [
        sql.SQL("insert into {0} overriding system value select * from {0} limit 1").format(at)
    ]
    if table == "chains":
        changes = [sql.SQL("update {} set hash = null").format(at)]
    changes += [
        sql.SQL("update {0} set {1} = null where ctid = (select max(ctid) from {0})").format(
            at, sql.Identifier(column)
        )
        for column in columns
    ]
    for change in changes:
        with connection.transaction(force_rollback=True):
            connection.execute("set session_replication_role = replica")
            _drop_keys(connection, table)
            assert connection.execute(change).rowcount == 1
            chain = verify_rows(LedgerRows(connection, SITE), published).findings
            found = [*chain, *recompute(connection, SITE).findings]
            assert found, change.as_string(connection)


def test_a_second_row_of_a_sighting_is_found(
    whole: WholeLedger, connection: psycopg.Connection[Any]
) -> None:
    """Before or behind the right one: nobody knows which of them a look would show."""
    published = published_heads(whole.heads, SITE, read_public_key(whole.public_key))
    false = "select site, id, entry, identity, location, first_us, last_us, reads, %s, recorded_us"
    for table in ("evidence", "evidence_ids"):
        connection.execute("set session_replication_role = replica")
        with connection.transaction(force_rollback=True):
            _drop_keys(connection, table)
            connection.execute(
                "create temp table right_ones on commit drop as table ledger.evidence"
            )
            if table == "evidence":
                connection.execute("delete from ledger.evidence")
                connection.execute(
                    f"insert into ledger.evidence {false} from right_ones limit 1", (b"{}",)
                )
                connection.execute("insert into ledger.evidence table right_ones")
            else:
                connection.execute(
                    "insert into ledger.evidence_ids"
                    " select site, id, recorded_us + 1 from ledger.evidence_ids limit 1"
                )
            found = verify_rows(LedgerRows(connection, SITE), published).findings
            assert [one.fault for one in found] == [Fault.EVIDENCE], table


def _drop_keys(connection: psycopg.Connection[Any], table: str) -> None:
    """No key, no unique index, and every column may be null."""
    of_table = (f"ledger.{table}",)
    at = sql.Identifier("ledger", table)
    keys = connection.execute(
        "select conname from pg_constraint where conrelid = %s::regclass and contype in ('p', 'u')",
        of_table,
    ).fetchall()
    for (name,) in keys:
        drop = sql.SQL("alter table {} drop constraint {}").format(at, sql.Identifier(name))
        connection.execute(drop)
    for (index,) in connection.execute(
        "select indexrelid::regclass::text from pg_index where indrelid = %s::regclass"
        " and indisunique",
        of_table,
    ).fetchall():
        connection.execute(sql.SQL("drop index {}").format(sql.Identifier(*index.split("."))))
    for (column,) in connection.execute(
        "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0"
        " and attnotnull and not attisdropped",
        of_table,
    ).fetchall():
        for what in ("identity if exists", "not null"):
            loosen = sql.SQL(f"alter table {{}} alter {{}} drop {what}")
            connection.execute(loosen.format(at, sql.Identifier(column)))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_column_of_the_books_is_compared(
    connection: psycopg.Connection[Any], table: Table
) -> None:
    """A new column that nobody recomputes fails here."""
    there = connection.execute(
        "select column_name from information_schema.columns"
        " where table_schema = 'ledger' and table_name = %s",
        (table.name,),
    ).fetchall()
    assert sorted(name for (name,) in there) == sorted({*table.columns, "site", "seq"})
    read = connection.execute(QUERIES[table.name], {"site": SITE}).description
    assert read is not None
    assert [column.name for column in read] == ["seq", *table.columns]


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("balances", (*Key._fields, *Balance._fields)),
        ("contents", (*Content._fields, *Standing._fields)),
        ("allocations", (*Allocation._fields, *Standing._fields)),
        ("identities", Identity._fields),
    ],
)
def test_every_column_of_what_stands_now_is_compared(
    connection: psycopg.Connection[Any], table: str, columns: tuple[str, ...]
) -> None:
    there = connection.execute(
        "select column_name from information_schema.columns"
        " where table_schema = 'ledger' and table_name = %s",
        (table,),
    ).fetchall()
    assert {name for (name,) in there} - {"site", "identity"} == set(columns)


def test_every_table_is_compared_or_says_nothing_of_its_own(
    connection: psycopg.Connection[Any],
) -> None:
    """A new table that nobody recomputes fails here, or is named with its reason."""
    found = connection.execute(
        "select c.relname from pg_class c where c.relnamespace = 'ledger'::regnamespace"
        " and c.relkind in ('r', 'p') and not c.relispartition and c.relname !~ '(^_|^yoyo)'"
    ).fetchall()
    compared = {*tampering.TABLES, *(table.name for table in TABLES)}
    assert {name for (name,) in found} - compared == SAYS_NOTHING


def test_a_copy_in_another_database_is_as_whole(
    whole: WholeLedger, connection: psycopg.Connection[Any], embedded: Fresh
) -> None:
    """Restored from the rows alone, as a dump is; a change made to it there is found there."""
    url = copied(connection, embedded)
    chain = verify(url, SITE, whole.heads, whole.public_key)
    books = verify_books(url, SITE)
    assert chain == verify(embedded.postgres_url, SITE, whole.heads, whole.public_key)
    assert (chain.findings, books.findings) == ((), ())
    assert books.vouchers > 0
    with connect(url) as there:
        there.execute("set session_replication_role = replica")
        there.execute("update ledger.valuations set price = price + 1 where item = 'lamp'")
        there.execute("delete from ledger.entries where seq = 3")
    assert verify(url, SITE, whole.heads, whole.public_key).findings
    assert any(one.text.startswith("valuations of") for one in verify_books(url, SITE).findings)


def copied(connection: psycopg.Connection[Any], embedded: Fresh) -> str:
    """The address of a database that has the same rows, every table copied as it is."""
    name = f"{embedded.name}_copy"
    connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    url = with_database(embedded.postgres_url, name)
    migrate(url)
    months = connection.execute("select from_us from ledger.evidence_months").fetchall()
    tables = connection.execute(
        "select c.relname from pg_class c where c.relnamespace = 'ledger'::regnamespace"
        " and c.relkind in ('r', 'p') and not c.relispartition and not starts_with(c.relname, '_')"
        " and not starts_with(c.relname, 'yoyo')"
    ).fetchall()
    with connect(url) as there:
        there.execute("set session_replication_role = replica")
        for (month,) in months:
            there.execute("select ledger.evidence_month(%s)", (month,))
        for (table,) in tables:
            at = sql.Identifier("ledger", table)
            there.execute(sql.SQL("delete from {}").format(at))
            out = sql.SQL("copy (select * from {}) to stdout (format binary)").format(at)
            into = sql.SQL("copy {} from stdin (format binary)").format(at)
            with (
                connection.cursor().copy(out) as rows,
                there.cursor().copy(into) as target,
            ):
                for part in rows:
                    target.write(part)
    return url


@pytest.mark.parametrize("processes", [1, 2])
def test_several_processes_find_the_same_as_one(
    whole: WholeLedger,
    connection: psycopg.Connection[Any],
    embedded: Fresh,
    processes: int,
) -> None:
    """Parts of some entries, so that this small chain has several."""
    parts = Parts(embedded.postgres_url, processes, Sizes(parted_min=2, part=17))

    def report() -> VerifyReport:
        return verify(embedded.postgres_url, SITE, whole.heads, whole.public_key, parts)

    whole_report = report()
    assert whole_report.findings == ()
    assert (whole_report.entries, whole_report.sightings) == (whole_report.protected, 6)
    connection.execute("set session_replication_role = replica")
    connection.execute("update ledger.entries set window_us = window_us + 1 where seq = 35")
    findings = report().findings
    assert [(one.fault, one.seq) for one in findings] == [
        (Fault.CHANGED, 35),
        (Fault.BROKEN_HASH, 35),
    ]


def test_parts_that_do_not_join_are_not_whole(
    whole: WholeLedger, embedded: Fresh, connection: psycopg.Connection[Any]
) -> None:
    """A chain that begins anew behind a part has right hashes in every part."""
    published = published_by(())
    with ledger_rows(embedded.postgres_url, SITE) as rows:
        end = rows.chain_seq()
        parts = Parts(embedded.postgres_url, 2, Sizes(parted_min=2, part=end // 2))
        checked = parts.check(rows, published)
        assert checked is not None
        assert (checked.entries, checked.sightings) == (end, 6)
    superuser = Superuser(connection, SITE, random.Random(1))
    superuser.begin_anew(behind=end // 2)
    with ledger_rows(embedded.postgres_url, SITE) as rows:
        assert parts.check(rows, published) is None
    assert not verify(embedded.postgres_url, SITE, whole.heads, whole.public_key).whole


def test_what_was_forgotten_by_order_is_not_missed_and_what_is_gone_without_one_is(
    connection: psycopg.Connection[Any], embedded: Fresh, tmp_path: Path
) -> None:
    """Of two months, in the database, in parts and in an exported file."""
    settings = Settings(data=tmp_path)
    ledger = PostgresLedger(connection, SITE)
    for month in range(2):
        at_us = month * 40 * 86_400_000_000 + 20
        sightings = [sighting_of(number) for number in range(month * 4, month * 4 + 4)]
        ledger.add_evidence(sightings, at_us)
        entries = [passage(month * 4 + n, evidence=one) for n, one in enumerate(sightings)]
        ledger.append(entries, at_us)
    later_us = 90 * 86_400_000_000
    connection.execute("select * from ledger.forget_evidence(%s, %s)", (at_us, later_us))
    with closing(Publisher(ledger, settings)) as publisher:
        publisher.publish()
    heads, key = settings.folder / HEADS, settings.folder / PUBLIC_KEY
    parts = Parts(embedded.postgres_url, 2, Sizes(parted_min=2, part=3))

    def reports() -> Iterator[VerifyReport]:
        yield verify(embedded.postgres_url, SITE, heads, key)
        yield verify(embedded.postgres_url, SITE, heads, key, parts)
        path = tmp_path / "ledger.jsonl"
        export(embedded.postgres_url, SITE, path, at_us=5, told=lambda *_: None)
        yield verify_file(path, heads, key)

    for report in reports():
        assert (report.findings, report.entries, report.sightings) == ((), 9, 4)
    connection.execute("set session_replication_role = replica")
    connection.execute("delete from ledger.evidence where id = %s", (sighting_of(5).id,))
    for report in reports():
        (finding,) = report.findings
        assert (finding.fault, finding.id) == (Fault.EVIDENCE, passage(5).id)
        assert finding.text.endswith("is gone; no entry says that it was forgotten")
    # Whoever says that it was kept in the forgotten month makes that month too large.
    connection.execute("update ledger.evidence_ids set recorded_us = 21 where recorded_us > 10^6")
    assert any("4 sightings were forgotten" in one.text for one in next(reports()).findings)
