# ruff: noqa: D102 - short helpers.
"""A database superuser who rewrites the ledger, hashes and heads included, is found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psycopg
import pytest
from psycopg import sql

from contracts.codec import encode
from contracts.places import Item
from ledger_sink.core.chain import ChainEntry, chain_hash, content_of, genesis
from ledger_sink.core.verification import Fault
from ledger_sink.heads_file import HEADS, KEY, PUBLIC_KEY
from ledger_sink.postgres_ledger import PostgresLedger, connect
from ledger_sink.publisher import Publisher
from ledger_sink.settings import Settings, SinkError
from ledger_sink.verify import VerifyReport, verify
from tests.integration.test_ledger_postgres import COLUMNS, rows_of
from tests.support.servers import Fresh
from tests.unit.ledger_sink.ledger_builders import passage, sighting_of

ENTRIES = 12
"""Published in three heads of four entries each."""


class World(NamedTuple):
    """A ledger with published heads."""

    url: str
    folder: Path
    ledger: PostgresLedger
    settings: Settings

    def verify(self) -> VerifyReport:
        return verify(self.url, "demo", self.folder / HEADS, self.folder / PUBLIC_KEY)

    def publish(self) -> None:
        publisher = Publisher(self.ledger, self.settings)
        try:
            publisher.publish()
        finally:
            publisher.close()

    def enter(self, first: int, count: int) -> None:
        """Entries with a sighting behind each."""
        sightings = [sighting_of(number) for number in range(first, first + count)]
        self.ledger.add_evidence(sightings, 20)
        self.ledger.append(
            [passage(first + n, evidence=sighting) for n, sighting in enumerate(sightings)], 20
        )


@pytest.fixture
def world(embedded: Fresh, tmp_path: Path) -> Iterator[World]:
    with connect(embedded.postgres_url) as connection:
        settings = Settings(data=tmp_path)
        made = World(
            embedded.postgres_url, settings.folder, PostgresLedger(connection, "demo"), settings
        )
        for first in range(0, ENTRIES, 4):
            made.enter(first, 4)
            made.publish()
        yield made


class Superuser:
    """Switches the triggers off, changes rows, and makes everything in the database fit again."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        self.connection.execute("set session_replication_role = replica")

    def rewrite(self, change: Callable[[list[ChainEntry]], list[ChainEntry]]) -> None:
        """Put other entries in the place of all, with hashes, chain and heads made anew."""
        rows = change(rows_of(self.connection))
        before, entries = genesis("demo"), []
        for seq, row in enumerate(rows, start=1):
            hash_ = chain_hash(before, seq, content_of("demo", row))
            entries.append(row._replace(seq=seq, previous=before, hash=hash_))
            before = hash_
        insert = sql.SQL("insert into ledger.entries (site, {}) values ('demo', {})").format(
            COLUMNS, sql.SQL(", ").join([sql.Placeholder()] * len(ChainEntry._fields))
        )
        with self.connection.transaction():
            self.connection.execute("delete from ledger.entries")
            with self.connection.cursor() as cursor:
                cursor.executemany(insert, entries)
            self.connection.execute(
                "update ledger.chains set seq = %s, hash = %s", (len(entries), before)
            )
            for row in entries:
                self.connection.execute(
                    "update ledger.heads set hash = %s where seq = %s", (row.hash, row.seq)
                )


@pytest.fixture
def superuser(world: World) -> Iterator[Superuser]:
    made = Superuser(world.url)
    yield made
    made.connection.close()


def test_an_untouched_ledger_is_whole_and_says_what_is_protected(world: World) -> None:
    world.enter(ENTRIES, 3)
    report = world.verify()
    assert report.findings == ()
    assert (report.entries, report.heads) == (15, 3)
    assert (report.protected, report.unprotected, report.sightings) == (12, 3, 15)


def test_a_changed_payload_is_named(world: World, superuser: Superuser) -> None:
    def change(rows: list[ChainEntry]) -> list[ChainEntry]:
        rows[5] = rows[5]._replace(payload=rows[5].payload.replace(b'"out"', b'"in"'))
        return rows

    superuser.rewrite(change)
    first = world.verify().findings[0]
    assert (first.fault, first.seq, first.id) == (Fault.CHANGED, 6, passage(5).id)


@pytest.mark.parametrize(
    "field",
    [
        {"id": "f" * 32},
        {"kind": "device"},
        {"happened_us": 1},
        {"recorded_us": 19},
        {"identity": "https://id.gs1.org/01/1/21/1"},
        {"location": None},
        {"read_received_us": 1},
        {"window_us": 0},
    ],
    ids=lambda field: next(iter(field)),
)
def test_every_column_is_covered(world: World, superuser: Superuser, field: dict[str, Any]) -> None:
    superuser.rewrite(lambda rows: [rows[0]._replace(**field), *rows[1:]])
    first = world.verify().findings[0]
    assert (first.fault, first.seq) == (Fault.CHANGED, 1)


def test_a_removed_last_entry_is_named(world: World, superuser: Superuser) -> None:
    superuser.rewrite(lambda rows: rows[:-1])
    first = world.verify().findings[0]
    assert (first.fault, first.seq) == (Fault.MISSING, 12)


def test_an_entry_removed_from_the_middle_is_named(world: World, superuser: Superuser) -> None:
    superuser.rewrite(lambda rows: rows[:4] + rows[5:])
    first = world.verify().findings[0]
    assert (first.fault, first.seq) == (Fault.MISSING, 5)


@pytest.mark.parametrize("place", [0, 5, 11])
def test_an_inserted_entry_is_named(world: World, superuser: Superuser, place: int) -> None:
    superuser.rewrite(lambda rows: [*rows[:place], rows[0]._replace(id="e" * 32), *rows[place:]])
    first = world.verify().findings[0]
    assert (first.fault, first.seq, first.id) == (Fault.INSERTED, place + 1, "e" * 32)


@pytest.mark.parametrize(("one", "other"), [(2, 3), (1, 9), (10, 11)])
def test_a_swapped_pair_is_named(world: World, superuser: Superuser, one: int, other: int) -> None:
    def change(rows: list[ChainEntry]) -> list[ChainEntry]:
        rows[one], rows[other] = rows[other], rows[one]
        return rows

    superuser.rewrite(change)
    first = world.verify().findings[0]
    assert (first.fault, first.seq) == (Fault.SWAPPED, one + 1)
    assert str(other + 1) in first.text


def test_a_change_without_new_hashes_is_found_even_unprotected(
    world: World, superuser: Superuser
) -> None:
    world.enter(ENTRIES, 3)
    superuser.connection.execute("update ledger.entries set payload = '{}' where seq = 14")
    first = world.verify().findings[0]
    assert (first.fault, first.seq) == (Fault.BROKEN_HASH, 14)


def test_unprotected_entries_cut_off_are_told_by_the_chains_own_row(
    world: World, superuser: Superuser
) -> None:
    world.enter(ENTRIES, 3)
    superuser.connection.execute("delete from ledger.entries where seq > 13")
    first = world.verify().findings[0]
    assert (first.fault, first.seq) == (Fault.MISSING, 14)


def test_changed_and_removed_sightings_are_found(world: World, superuser: Superuser) -> None:
    superuser.connection.execute(
        "update ledger.evidence set payload = '{}' where id = %s", (sighting_of(3).id,)
    )
    superuser.connection.execute("delete from ledger.evidence where id = %s", (sighting_of(7).id,))
    findings = world.verify().findings
    assert [(each.fault, each.id) for each in findings] == [
        (Fault.EVIDENCE, passage(3).id),
        (Fault.EVIDENCE, passage(7).id),
    ]


def test_an_entry_that_was_made_wrong_before_it_was_entered_is_named(world: World) -> None:
    sighting = sighting_of(40)
    wrong = msgspec.structs.replace(passage(40, evidence=sighting), identity="raw:other")
    world.ledger.add_evidence([sighting], 20)
    world.ledger.append([wrong], 20)
    world.publish()
    (finding,) = world.verify().findings
    assert (finding.fault, finding.id) == (Fault.MISMATCH, wrong.id)
    assert "raw:other" in finding.text


def test_changed_master_data_is_found(world: World, superuser: Superuser) -> None:
    world.ledger.put_reference("item/1", encode(Item(item="1", name="Valve")), 20)
    assert world.verify().whole
    superuser.connection.execute("update ledger.reference set value = '\\xc0'")
    assert [each.fault for each in world.verify().findings] == [Fault.REFERENCE]


def test_a_forged_removed_or_reordered_head_is_found(world: World) -> None:
    path = world.folder / HEADS
    lines = path.read_bytes().splitlines(keepends=True)
    for forged in (
        [lines[0], lines[1].replace(b'"seq":8', b'"seq":7'), lines[2]],
        [lines[0], lines[2]],
        [lines[1], lines[0], lines[2]],
        [lines[0], b"not a head\n", lines[2]],
    ):
        path.write_bytes(b"".join(forged))
        assert any(each.fault is Fault.HEAD for each in world.verify().findings)


def test_a_head_that_was_cut_by_a_crash_was_never_published(world: World) -> None:
    path = world.folder / HEADS
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"type":"head","schema":1,"si')
    assert world.verify().whole
    world.enter(ENTRIES, 3)
    world.publish()
    report = world.verify()
    assert report.whole
    assert (report.heads, report.unprotected) == (4, 0)


def test_a_ledger_without_its_heads_is_not_called_whole(world: World) -> None:
    (world.folder / HEADS).unlink()
    report = world.verify()
    assert [each.fault for each in report.findings] == [Fault.HEAD]
    assert report.unprotected == 12


def test_nobody_else_reads_the_key(world: World) -> None:
    assert (world.folder / KEY).stat().st_mode & 0o777 == 0o600


def test_a_ledger_that_lost_published_entries_is_not_signed_on(
    world: World, superuser: Superuser
) -> None:
    superuser.rewrite(lambda rows: rows[:-1])
    with pytest.raises(SinkError, match="entries are gone"):
        world.publish()


def test_a_changed_entry_is_not_signed(world: World, superuser: Superuser) -> None:
    world.enter(ENTRIES, 3)
    superuser.connection.execute("update ledger.entries set kind = 'loss' where seq = 14")
    with pytest.raises(SinkError, match="entry 14"):
        world.publish()


def test_verifying_while_entries_are_added_finds_nothing_wrong(world: World) -> None:
    """Heads are read before the database's snapshot, so they never seem to be ahead of it."""
    deadline = time.monotonic() + 2
    number = ENTRIES
    while time.monotonic() < deadline and number < ENTRIES + 60:
        world.enter(number, 4)
        world.publish()
        number += 4
        assert world.verify().whole


def test_a_file_of_heads_that_was_emptied_is_found(world: World) -> None:
    """An empty one protects nothing, and that is no ledger whose heads are yet to come."""
    (world.folder / HEADS).write_bytes(b"")
    (finding,) = world.verify().findings
    assert (finding.fault, "holds none" in finding.text) == (Fault.HEAD, True)
