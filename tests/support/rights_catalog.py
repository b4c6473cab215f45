"""What the catalog says of the schema `ledger`, logins of each role, and rows of two sites."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from tests.support.rights_decisions import ROLES
from tests.support.servers import Fresh

Connection = psycopg.Connection[Any]
MINE, OTHER = "mine", "other"
"""The site that a login may read, and one that it may not."""
DUMMIES = {
    "bigint": "1",
    "integer": "1",
    "smallint": "1",
    "numeric": "1",
    "double precision": "1",
    "boolean": "true",
    "bytea": r"'\x7b7d'",
    "jsonb": "'{}'",
    "json": "'{}'",
    "timestamp with time zone": "'2026-01-01Z'",
}
"""A value of each type that columns have; of text it is the site's name."""


class Login(NamedTuple):
    """A login of one role, as a site makes it."""

    role: str
    name: str
    url: str
    connection: Connection


class Table(NamedTuple):
    """A table or a view."""

    name: str
    is_view: bool
    has_site: bool
    column: str
    """One that a statement may set, if it may at all."""


class Function(NamedTuple):
    """A function, and a call of it with nothing in it."""

    name: str
    call: str
    arguments: str
    is_definer: bool
    takes_site: bool


class World(NamedTuple):
    """A ledger, its owner, and a login of each role."""

    url: str
    owner: Connection
    logins: tuple[Login, ...]

    def login(self, role: str) -> Login:
        """The login of a role."""
        return next(login for login in self.logins if login.role == role)

    def let_read(self, login: str, site: str, *, may: bool = True) -> None:
        """Grant a site to a login, or take it back."""
        self.owner.execute("select ledger.let_read(%s, %s, %s)", (login, site, may))


def rows(connection: Connection, query: str, *values: object) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode(), values or None).fetchall()


def refusal(connection: Connection, statement: str) -> type[psycopg.Error] | None:
    """How a statement ends, of which nothing stays; None: it went through."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement.encode())
    except psycopg.Error as error:
        return type(error)
    return None


def tables(owner: Connection) -> list[Table]:
    """All but the migrations' own, and the parts of a divided table."""
    found = rows(
        owner,
        "select c.relname, c.relkind = 'v', exists (select from pg_attribute a"
        " where a.attrelid = c.oid and a.attname = 'site'), (select min(a.attname)"
        " from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and a.attidentity = '')"
        " from pg_class c where c.relnamespace = 'ledger'::regnamespace"
        " and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition"
        " and c.relname !~ 'yoyo' order by 1",
    )
    return [Table(*row) for row in found]


def about(table: Table, template: str) -> str:
    """A statement about a table."""
    kind = "view" if table.is_view else "table"
    filled = template.replace("TABLE", f"ledger.{table.name}").replace("KIND", kind)
    return filled.replace("COLUMN", table.column)


def functions(owner: Connection) -> list[Function]:
    found = []
    for row in rows(
        owner,
        "select p.proname, pg_get_function_identity_arguments(p.oid), p.prosecdef,"
        " coalesce(p.proargnames[1] = 'of_site', false),"
        " array(select format_type(t, null) from unnest(p.proargtypes) with ordinality as u (t, n)"
        " order by n), p.proretset, p.prokind = 'p'"
        " from pg_proc p where p.pronamespace = 'ledger'::regnamespace order by 1, 2",
    ):
        name, arguments, is_definer, takes_site, types, gives_rows, is_procedure = row
        given = ", ".join(f"null::{kind}" for kind in types)
        verb = "call" if is_procedure else "select * from" if gives_rows else "select"
        found.append(
            Function(name, f"{verb} ledger.{name}({given})", arguments, is_definer, takes_site)
        )
    return found


def as_login(url: str, name: str, password: str) -> str:
    parts = urlsplit(url)
    place = f"{name}:{password}@{parts.hostname}:{parts.port}"
    return urlunsplit(parts._replace(netloc=place))


@contextmanager
def logins_of(fresh: Fresh, owner: Connection) -> Iterator[tuple[Login, ...]]:
    """A login of each role; roles belong to the whole server, so they are dropped again."""
    made: list[Login] = []
    password = secrets.token_hex(8)
    try:
        for role in ROLES:
            name = f"{fresh.name}_{role}"
            owner.execute(
                sql.SQL("create role {} login password {} in role {}").format(
                    sql.Identifier(name), sql.Literal(password), sql.Identifier(role)
                )
            )
            url = as_login(fresh.postgres_url, name, password)
            made.append(Login(role, name, url, psycopg.connect(url, autocommit=True)))
        yield tuple(made)
    finally:
        for login in made:
            login.connection.close()
            owner.execute(sql.SQL("drop role {}").format(sql.Identifier(login.name)))


def fill(owner: Connection) -> None:
    """A row of each of two sites in every table that names one, whatever its constraints say."""
    owner.execute("set session_replication_role = replica")
    for name, constraint in rows(
        owner,
        "select conrelid::regclass::text, conname from pg_constraint"
        " where connamespace = 'ledger'::regnamespace and contype in ('c', 'f')"
        " and conislocal and conrelid <> 0",
    ):
        owner.execute(f'alter table {name} drop constraint "{constraint}"'.encode())
    for table in tables(owner):
        if table.is_view or not table.has_site:
            continue
        columns = rows(
            owner,
            "select attname, format_type(atttypid, atttypmod) from pg_attribute"
            " where attrelid = %s::regclass and attnum > 0 and not attisdropped"
            " and attidentity = '' and attgenerated = ''",
            f"ledger.{table.name}",
        )
        if table.name == "evidence":
            owner.execute("select ledger.evidence_month(1)")
        names = ", ".join(column for column, _ in columns)
        for site in (MINE, OTHER):
            values = ", ".join(
                "'{}'" if kind.endswith("[]") else DUMMIES.get(kind, f"'{site}'")
                for _, kind in columns
            )
            insert = about(table, "insert into TABLE (NAMES) values (VALUES)")
            owner.execute(insert.replace("NAMES", names).replace("VALUES", values).encode())
    owner.execute("set session_replication_role = origin")


def dummy_call(function: Function, site: str) -> str:
    """A call about a site, with something in every other place."""
    filled = re.sub(r"null::([a-z ]+)\[\]", r"'{}'::\1[]", function.call)
    filled = filled.replace("null::text", f"'{site}'", 1)
    for kind, value in DUMMIES.items():
        filled = filled.replace(f"null::{kind}", f"{value}::{kind}")
    return filled.replace("null::text", f"'{OTHER}'")
