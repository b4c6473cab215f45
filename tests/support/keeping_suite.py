# ruff: noqa: D102 - names say it.
"""What keeping promises, on whichever PostgreSQL a test brings: the embedded one and a real one."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from contracts.codec import decode_json
from contracts.events import Evidence, EvidenceForgotten
from ledger_sink.heads_file import HEADS, PUBLIC_KEY
from ledger_sink.keeping import KeepingError, dump, evidence_months, forget_evidence, restore
from ledger_sink.migrate import migrate
from ledger_sink.postgres_ledger import PostgresLedger, connect
from ledger_sink.publisher import Publisher
from ledger_sink.settings import Settings
from ledger_sink.verify import verify
from tests.support.servers import with_database
from tests.unit.ledger_sink.ledger_builders import passage, sighting_of

JANUARY_US = 1_767_225_600_000_000
"""2026-01-01 UTC."""
DAY_US = 86_400_000_000
MARCH_US = JANUARY_US + 59 * DAY_US
MAY_US = JANUARY_US + 120 * DAY_US


def fill(ledger: PostgresLedger, numbers: range, at_us: int) -> None:
    """Passages with the sighting behind each, recorded at one time."""
    sightings = [sighting_of(number) for number in numbers]
    with ledger.transaction():
        ledger.append(
            [passage(number, evidence=one) for number, one in zip(numbers, sightings, strict=True)],
            at_us,
        )
        ledger.add_evidence(sightings, at_us)


def publish(ledger: PostgresLedger, folder: Path) -> tuple[Path, Path]:
    """The published heads and the key that signed them."""
    settings = Settings(data=folder)
    publisher = Publisher(ledger, settings)
    try:
        publisher.publish()
    finally:
        publisher.close()
    return settings.folder / HEADS, settings.folder / PUBLIC_KEY


class KeepingSuite:
    """Subclasses say which database: fixtures `url` and `programs`."""

    @pytest.fixture
    def url(self) -> str:
        """Of a fresh database with the schema, as its superuser."""
        raise AssertionError

    @pytest.fixture
    def programs(self) -> Path:
        """Where that PostgreSQL's pg_dump lies."""
        raise AssertionError

    def test_sightings_lie_in_the_month_of_their_recording(self, url: str) -> None:
        with connect(url) as connection:
            ledger = PostgresLedger(connection, "demo")
            fill(ledger, range(3), JANUARY_US + 5 * DAY_US)
            fill(ledger, range(3, 5), MARCH_US)
            names = [month.name for month in evidence_months(connection)]
            assert names == ["evidence_2026_01", "evidence_2026_03"]
            counts = "select count(*) from ledger.evidence_2026_01"
            assert connection.execute(counts).fetchone() == (3,)

    def test_a_sighting_that_comes_again_in_another_month_is_not_kept_twice(self, url: str) -> None:
        with connect(url) as connection:
            ledger = PostgresLedger(connection, "demo")
            fill(ledger, range(3), JANUARY_US)
            assert ledger.add_evidence([sighting_of(1), sighting_of(9)], MARCH_US) == 1
            changed = Evidence(
                id=sighting_of(2).id,
                entry=None,
                identity=sighting_of(2).identity,
                location="elsewhere",
                first_us=MARCH_US,
                last_us=MARCH_US,
                reads=99,
                payload=b"{}",
            )
            assert ledger.add_evidence([changed], MAY_US) == 0
            kinds = connection.execute("select kind from ledger.entries order by seq desc limit 1")
            assert kinds.fetchone() == ("reject",)
            assert connection.execute("select count(*) from ledger.evidence").fetchone() == (4,)

    def test_old_months_are_forgotten_and_the_chain_says_so(self, url: str, tmp_path: Path) -> None:
        with connect(url) as connection:
            ledger = PostgresLedger(connection, "demo")
            fill(ledger, range(3), JANUARY_US)
            fill(ledger, range(3, 5), MARCH_US)
            connection.execute("set role ledger_keeper")
            gone = forget_evidence(connection, MARCH_US, MAY_US)
            connection.execute("reset role")
            assert [(month.name, month.sightings) for month in gone] == [("evidence_2026_01", 3)]
            (payload,) = connection.execute(
                "select payload from ledger.entries where kind = 'evidence_forgotten'"
            ).fetchone() or (b"",)
            told = decode_json(EvidenceForgotten, payload)
            assert (told.from_us, told.sightings) == (JANUARY_US, 3)
            assert ledger.add_evidence([sighting_of(1)], MAY_US) == 0, "known, though forgotten"
            heads, key = publish(ledger, tmp_path)
            report = verify(url, "demo", heads, key)
            assert report.findings == ()

    def test_what_is_gone_without_an_order_is_found(self, url: str, tmp_path: Path) -> None:
        with connect(url) as connection:
            ledger = PostgresLedger(connection, "demo")
            fill(ledger, range(3), JANUARY_US)
            fill(ledger, range(3, 5), MARCH_US)
            forget_evidence(connection, MARCH_US, MAY_US)
            heads, key = publish(ledger, tmp_path)
            connection.execute("drop table ledger.evidence_2026_03")
            report = verify(url, "demo", heads, key)
            assert [finding.fault for finding in report.findings] == ["evidence", "evidence"]

    def test_the_last_month_is_never_forgotten(self, url: str) -> None:
        with connect(url) as connection:
            fill(PostgresLedger(connection, "demo"), range(3), JANUARY_US)
            with pytest.raises(psycopg.errors.InvalidParameterValue, match="a month at least"):
                forget_evidence(connection, MARCH_US, MARCH_US + DAY_US)

    def test_who_forgets_waits_for_no_reader_and_holds_no_writer_up(self, url: str) -> None:
        """A verification reads for minutes: until it is over nothing is forgotten."""
        with connect(url) as connection, psycopg.connect(url) as reader:
            ledger = PostgresLedger(connection, "demo")
            fill(ledger, range(3), JANUARY_US)
            reader.execute("select count(*) from ledger.evidence")
            with pytest.raises(psycopg.errors.LockNotAvailable, match="nothing was forgotten"):
                forget_evidence(connection, MARCH_US, MAY_US)
            fill(ledger, range(3, 6), MARCH_US)
            assert reader.execute("select count(*) from ledger.evidence").fetchone() == (6,)
            reader.rollback()
            assert [one.sightings for one in forget_evidence(connection, MARCH_US, MAY_US)] == [3]
            assert forget_evidence(connection, MARCH_US, MAY_US) == [], "the same again"

    def test_each_site_says_what_it_lost_and_a_clock_that_jumps_back_makes_no_old_month(
        self, url: str, tmp_path: Path
    ) -> None:
        with connect(url) as connection:
            demo, other = PostgresLedger(connection, "demo"), PostgresLedger(connection, "other")
            idle = PostgresLedger(connection, "idle")
            fill(demo, range(3), JANUARY_US)
            fill(other, range(2), JANUARY_US + DAY_US)
            gone = forget_evidence(connection, MARCH_US, MAY_US)
            assert [one.sightings for one in gone] == [5]
            for ledger, number in ((demo, 3), (other, 3), (idle, 0)):
                fill(ledger, range(number, number + 2), JANUARY_US + 2 * DAY_US)
            names = [month.name for month in evidence_months(connection)]
            assert names == ["evidence_2026_01", "evidence_2026_05"], "idle's is the old one"
            assert [one.sightings for one in forget_evidence(connection, MARCH_US, MAY_US)] == [2]
            for ledger, count in ((demo, 6), (other, 5), (idle, 3)):
                heads, key = publish(ledger, tmp_path / ledger.site)
                report = verify(url, ledger.site, heads, key)
                assert (report.entries, report.findings) == (count, ())

    def test_only_the_keeper_forgets(self, url: str) -> None:
        for role in ("ledger_reader", "ledger_appender", "ledger_sink", "ledger_bridge"):
            with (
                connect(url, role) as connection,
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                forget_evidence(connection, JANUARY_US, MAY_US)

    def test_a_copy_is_restored_whole_and_goes_on(
        self, url: str, programs: Path, tmp_path: Path
    ) -> None:
        with connect(url) as connection:
            ledger = PostgresLedger(connection, "demo")
            fill(ledger, range(40), JANUARY_US)
            heads, key = publish(ledger, tmp_path)
            other = f"restored_{url.rpartition('/')[2]}"
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(other)))
        copy = tmp_path / "ledger.dump"
        dump(url, copy, programs)
        again = with_database(url, other)
        try:
            restore(again, copy, programs)
            report = verify(again, "demo", heads, key)
            assert (report.entries, report.findings) == (40, ())
            assert migrate(again) == 0, "it knows which migrations it has"
            with connect(again, "ledger_sink") as restored:
                fill(PostgresLedger(restored, "demo"), range(40, 42), MARCH_US)
            with pytest.raises(KeepingError, match="holds a ledger already"):
                restore(again, copy, programs)
            with connect(again) as restored, pytest.raises(psycopg.errors.InsufficientPrivilege):
                restored.execute("delete from ledger.entries")
        finally:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(
                    sql.SQL("drop database {} with (force)").format(sql.Identifier(other))
                )

    def test_a_damaged_copy_leaves_nothing_behind(
        self, url: str, programs: Path, tmp_path: Path
    ) -> None:
        with connect(url) as connection:
            fill(PostgresLedger(connection, "demo"), range(40), JANUARY_US)
            other = f"damaged_{url.rpartition('/')[2]}"
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(other)))
        copy = tmp_path / "ledger.dump"
        dump(url, copy, programs)
        copy.write_bytes(copy.read_bytes()[:-2_000])
        again = with_database(url, other)
        try:
            with pytest.raises(KeepingError, match="pg_restore failed"):
                restore(again, copy, programs)
            with psycopg.connect(again) as connection:
                found = connection.execute("select to_regnamespace('ledger')").fetchone()
            assert found == (None,)
        finally:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(
                    sql.SQL("drop database {} with (force)").format(sql.Identifier(other))
                )
