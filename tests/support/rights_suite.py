# ruff: noqa: D102 - the claims are the names.
"""Each role tries each forbidden statement, on every PostgreSQL that a site may run.

What there is comes from the catalog, what is allowed from `rights_decisions`; so a table or a
function that nobody thought about fails here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import errors

from ledger_sink.core.proofs import EntryProof
from ledger_sink.heads_file import HEADS, PUBLIC_KEY
from ledger_sink.postgres_ledger import PostgresLedger, connect
from ledger_sink.publisher import Publisher
from ledger_sink.settings import Settings
from ledger_sink.verify import prove, verify
from tests.support.rights_catalog import (
    MINE,
    OTHER,
    World,
    about,
    dummy_call,
    fill,
    functions,
    logins_of,
    refusal,
    rows,
    tables,
)
from tests.support.rights_decisions import (
    EXECUTE,
    MUTABLE,
    REDACTED,
    ROLES,
    SELECT,
    decided,
    undecided,
)
from tests.support.servers import Fresh
from tests.unit.ledger_sink.ledger_builders import passage, sighting_of

DENIED = errors.InsufficientPrivilege
NOT_A_TABLE = (
    errors.WrongObjectType,
    errors.ObjectNotInPrerequisiteState,
    errors.FeatureNotSupported,
)
"""Said of a view before anybody asks who wants to change it."""
AGGREGATES = {"chained", "all_serials"}
"""To which other statements apply."""
CHANGES = (
    "insert into TABLE default values",
    "update TABLE set COLUMN = COLUMN",
    "delete from TABLE",
    "truncate TABLE",
)
"""Of rows."""
DEFINITIONS = (
    "copy TABLE from stdin",
    "lock TABLE in access exclusive mode",
    "alter table TABLE disable trigger all",
    "alter table TABLE disable row level security",
    "alter table TABLE owner to current_user",
    "alter table TABLE add column x integer",
    "create trigger x before insert on TABLE execute function suppress_redundant_updates_trigger()",
    "create rule x as on delete to TABLE do instead nothing",
    "create policy x on TABLE using (true)",
    "drop KIND TABLE cascade",
)
"""Of the table itself and of what guards it."""
POWERS = (
    "create table ledger.x (y integer)",
    "create view ledger.x as select 1",
    "create function ledger.x() returns integer language sql as 'select 1'",
    "create type ledger.x as (y integer)",
    "create table public.x (y integer)",
    "create schema x",
    "drop schema ledger cascade",
    "alter schema ledger rename to x",
    "set session_replication_role = replica",
    "set session authorization postgres",
    "set role postgres",
    "alter role current_user superuser",
    "alter role current_user bypassrls",
    "create role x",
    "select pg_read_file('postgresql.conf')",
    "copy (select 1) to program 'true'",
)
"""What nobody may who serves or reads a ledger."""


class RightsSuite:
    """The claims; a subclass says on which server."""

    @pytest.fixture
    def fresh(self) -> Fresh:
        raise AssertionError("a subclass says it")

    @pytest.fixture
    def world(self, fresh: Fresh) -> Iterator[World]:
        with connect(fresh.postgres_url) as owner, logins_of(fresh, owner) as logins:
            yield World(fresh.postgres_url, owner, logins)

    def test_every_table_and_every_function_has_a_decision(self, world: World) -> None:
        there = {table.name for table in tables(world.owner)}
        assert undecided("tables", there, decided(SELECT)) == ""
        called = rows(
            world.owner,
            "select distinct p.proname from pg_proc p, pg_roles r"
            " where p.pronamespace = 'ledger'::regnamespace and r.rolname = any (%s)"
            " and has_function_privilege(r.oid, p.oid, 'execute')",
            list(ROLES),
        )
        assert undecided("functions", {name for (name,) in called}, decided(EXECUTE)) == ""
        kinds = rows(
            world.owner,
            "select relname from pg_class where relnamespace = 'ledger'::regnamespace"
            " and relkind in ('m', 'f')",
        )
        assert kinds == [], "no policy holds for materialized views and foreign tables"

    def test_each_role_reads_what_was_decided_and_nothing_else(self, world: World) -> None:
        decisions = decided(SELECT)
        for table in tables(world.owner):
            for login in world.logins:
                ended = refusal(login.connection, about(table, "select * from TABLE limit 1"))
                may = login.role in decisions.get(table.name, ())
                assert ended is (None if may else DENIED), (login.role, table.name)

    def test_no_role_changes_a_table_or_what_guards_it(self, world: World) -> None:
        for table in tables(world.owner):
            statements = [about(table, template) for template in CHANGES + DEFINITIONS]
            for login in world.logins:
                for statement in statements:
                    ended = refusal(login.connection, statement)
                    assert ended is DENIED or (table.is_view and ended in NOT_A_TABLE), (
                        login.role,
                        statement,
                        ended,
                    )

    def test_each_role_calls_what_was_decided_and_nothing_else(self, world: World) -> None:
        decisions = decided(EXECUTE)
        for function in functions(world.owner):
            for login in world.logins:
                may = login.role in decisions.get(function.name, ())
                ended = refusal(login.connection, function.call)
                assert (ended is not DENIED) is may, (login.role, function.call, ended)
                for statement in ("drop function", "alter function"):
                    rest = " owner to current_user" if statement.startswith("alter") else ""
                    said = f"{statement} ledger.{function.name}({function.arguments}){rest}"
                    if function.name not in AGGREGATES:
                        assert refusal(login.connection, said) is DENIED, (login.role, said)

    def test_no_role_becomes_more_than_it_is(self, world: World) -> None:
        sequences = rows(
            world.owner,
            "select oid::regclass::text from pg_class"
            " where relnamespace = 'ledger'::regnamespace and relkind = 'S'",
        )
        for login in world.logins:
            others = [role for role in ROLES if role != login.role]
            statements = [
                *POWERS,
                *(f"set role {role}" for role in others),
                *(f"grant {role} to current_user" for role in others),
                *(f"select setval('{name}', 1)" for (name,) in sequences),
                *(f"select nextval('{name}')" for (name,) in sequences),
            ]
            for statement in statements:
                ended = refusal(login.connection, statement)
                assert ended is DENIED, (login.role, statement, ended)
        assert (
            rows(
                world.owner,
                "select c.relname from pg_class c, aclexplode(c.relacl) a where a.grantee = 0"
                " and c.relnamespace = 'ledger'::regnamespace",
            )
            == []
        ), "nothing is open to everybody"

    def test_not_even_the_owner_changes_what_stands(self, world: World) -> None:
        for table in tables(world.owner):
            if table.is_view or table.name in MUTABLE:
                continue
            for template in CHANGES[1:]:
                # Of a person the trigger looks at each row: redaction has tests of its own.
                if table.name != REDACTED or not template.startswith("update"):
                    statement = about(table, template)
                    assert refusal(world.owner, statement) is DENIED, statement

    def test_what_runs_with_the_owners_rights_finds_its_names_itself(self, world: World) -> None:
        """Else a caller could put a function of his own in the place of another."""
        for name, settings in rows(
            world.owner,
            "select proname, proconfig from pg_proc"
            " where pronamespace = 'ledger'::regnamespace and prosecdef",
        ):
            assert "search_path=ledger, pg_temp" in (settings or []), name

    def test_every_table_with_a_site_shows_its_rows_by_site(self, world: World) -> None:
        """And views ask with the rights of whoever looks."""
        for name, secured, policies in rows(
            world.owner,
            "select c.relname, c.relrowsecurity, array(select p.polname || ' ' || p.polcmd::text"
            " from pg_policy p where p.polrelid = c.oid) from pg_class c"
            " where c.relnamespace = 'ledger'::regnamespace and c.relkind in ('r', 'p')"
            " and not c.relispartition and exists (select from pg_attribute a"
            " where a.attrelid = c.oid and a.attname = 'site')",
        ):
            assert (secured, policies) == (True, ["by_site r"]), (
                f"{name}: call ledger.close_rights() at the end of its migration"
            )
        for name, options in rows(
            world.owner,
            "select relname, reloptions from pg_class"
            " where relnamespace = 'ledger'::regnamespace and relkind = 'v'",
        ):
            assert "security_invoker=true" in (options or []), (
                f"{name}: call ledger.close_rights() at the end of its migration"
            )
        parts = rows(
            world.owner,
            "select oid::regclass::text from pg_class where relispartition and relacl is not null"
            " and relnamespace = 'ledger'::regnamespace",
        )
        assert parts == [], "a part of a divided table has no policy of its own"

    def test_a_login_sees_the_rows_of_its_sites_only(self, world: World) -> None:
        fill(world.owner)
        seen = set()
        for login in world.logins:
            world.let_read(login.name, MINE)
            for table in tables(world.owner):
                if not table.has_site or login.role not in decided(SELECT).get(table.name, ()):
                    continue
                found = rows(login.connection, about(table, "select distinct site from TABLE"))
                # A row for all sites names none.
                assert {*found} <= {(MINE,), ("*",)}, (login.role, table.name, found)
                assert found or table.is_view, (login.role, table.name)
                seen.add(table.name)
        assert len(seen) > 40

    def test_no_function_tells_a_reader_of_another_site(self, world: World) -> None:
        """What the owner's rights run for a reader would pass by the policies."""
        fill(world.owner)
        for login in world.logins:
            world.let_read(login.name, MINE)
        for function in functions(world.owner):
            for login in world.logins:
                if login.role not in decided(EXECUTE).get(function.name, ()):
                    continue
                which = (login.role, function.name)
                if login.role in {"ledger_reader", "ledger_auditor", "ledger_names"}:
                    assert not function.is_definer or function.name == "sites_read", which
                if not function.takes_site or function.is_definer:
                    continue
                there, nowhere = (
                    rows(login.connection, dummy_call(function, site)) for site in (OTHER, "none")
                )
                assert there == nowhere, which

    def test_a_reader_reads_all_until_sites_are_granted_to_it(self, world: World) -> None:
        fill(world.owner)
        reader = world.login("ledger_reader")
        query = "select distinct site from ledger.entries order by 1"
        assert rows(reader.connection, query) == [(MINE,), (OTHER,)]
        world.let_read(reader.name, OTHER)
        assert rows(reader.connection, query) == [(OTHER,)]
        reader.connection.execute("set role ledger_reader")
        assert rows(reader.connection, query) == [(OTHER,)]
        world.let_read(reader.name, OTHER, may=False)
        assert rows(reader.connection, query) == []
        world.let_read(reader.name, "*")
        assert rows(reader.connection, query) == [(MINE,), (OTHER,)]

    def test_an_auditor_reads_nothing_until_a_site_is_granted_to_it(self, world: World) -> None:
        fill(world.owner)
        auditor = world.login("ledger_auditor")
        query = "select distinct site from ledger.entries"
        assert rows(auditor.connection, query) == []
        world.let_read(auditor.name, MINE)
        assert rows(auditor.connection, query) == [(MINE,)]

    def test_an_auditor_verifies_its_site_with_its_own_login(
        self, world: World, tmp_path: Path
    ) -> None:
        """And proves one entry; of another site it does not even learn that there is one."""
        settings = [Settings(data=tmp_path / site, site=site) for site in (MINE, OTHER)]
        for each in settings:
            ledger = PostgresLedger(world.owner, each.site)
            ledger.add_evidence([sighting_of(1)], 20)
            ledger.append([passage(1, evidence=sighting_of(1)), passage(2)], 20)
            publisher = Publisher(ledger, each)
            publisher.publish()
            publisher.close()
        auditor = world.login("ledger_auditor")
        world.let_read(auditor.name, MINE)
        reports = [
            verify(auditor.url, each.site, each.folder / HEADS, each.folder / PUBLIC_KEY)
            for each in settings
        ]
        assert (reports[0].findings, reports[0].entries, reports[0].sightings) == ((), 2, 1)
        assert reports[1].entries == 0
        for each, word in zip(settings, (EntryProof, str), strict=True):
            made = prove(auditor.url, each.folder / HEADS, each.folder / PUBLIC_KEY, each.site, "1")
            assert isinstance(made, word)

    def test_a_reader_finds_rows_by_index_as_the_owner_does(self, world: World) -> None:
        """A policy must not turn a look into a reading of everything."""
        world.owner.execute("set session_replication_role = replica")
        world.owner.execute(
            "insert into ledger.entries (site, seq, id, kind, happened_us, recorded_us, identity,"
            " payload, window_us, previous, hash) select site, n, n::text, 'location', n, n,"
            r" 'i' || n %% 500, '\x', 0, '\x', '\x' from generate_series(1, 5000) n,"
            " unnest(%s::text[]) site",
            ([MINE, OTHER],),
        )
        world.owner.execute("set session_replication_role = origin")
        world.owner.execute("analyze ledger.entries")
        reader = world.login("ledger_reader")
        world.let_read(reader.name, MINE)
        for query, index in (
            (
                "explain select id from ledger.entries where site = 'mine' and identity = 'i7'",
                "of_identity",
            ),
            (
                "explain select id from ledger.entries where site = 'mine' and seq > 4900",
                "pkey",
            ),
        ):
            for connection in (world.owner, reader.connection):
                plan = str(rows(connection, query))
                assert f"entries_{index}" in plan
                assert "Seq Scan on entries" not in plan

    def test_a_worker_of_one_site_loads_nothing_of_another(self, world: World) -> None:
        worker = world.login("ledger_worker")
        world.let_read(worker.name, MINE)
        for site in (MINE, OTHER):
            PostgresLedger(world.owner, site).keep_whereabouts([passage(1)])
        found = [
            PostgresLedger(worker.connection, site).whereabouts(1, 0) for site in (MINE, OTHER)
        ]
        assert [len(whereabouts) for whereabouts in found] == [1, 0]
