"""The servers that tests run on: started once a session, names and databases fresh each test."""

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from ledger_sink.migrate import migrate
from tallygate.servers.child import ServerError
from tallygate.servers.find import Found, Kind, embedded_servers, real_servers
from tallygate.servers.group import Addresses, ServerGroup
from tallygate.servers.postgres import LocalPostgres

TEMPLATE = "tallygate_template"
"""The database that has the schema; each test gets a copy of it, which takes 30 ms."""


@dataclass(frozen=True)
class Fresh:
    """What one test works with: servers that others use too, under names of its own."""

    name: str
    """Of the test's own: a site, a prefix of topics, a measurement. Letters and digits."""
    mqtt_url: str
    kafka: str
    postgres_url: str
    """Of a database that only this test uses, with the ledger's schema in it."""
    influx_url: str
    influx_token: str

    def environment(self) -> dict[str, str]:
        """What a program of ours needs to find these servers."""
        named = {
            "TALLYGATE_SITE": self.name,
            "TALLYGATE_MQTT_URL": self.mqtt_url,
            "TALLYGATE_KAFKA": self.kafka,
            "TALLYGATE_POSTGRES_URL": self.postgres_url,
            "TALLYGATE_INFLUX_URL": self.influx_url,
            "TALLYGATE_INFLUX_TOKEN": self.influx_token,
        }
        return {name: value for name, value in named.items() if value}


class SessionServers:
    """One set of servers for a whole session."""

    def __init__(self, group: ServerGroup) -> None:
        self.group = group
        self.addresses: Addresses = group.addresses()
        self._template_made = False

    @contextmanager
    def fresh(self) -> Iterator[Fresh]:
        """A name and a database for one test; the database is dropped afterwards."""
        name = f"t{secrets.token_hex(4)}"
        self._make_template()
        self._run(
            sql.SQL("create database {} template {}").format(
                sql.Identifier(name), sql.Identifier(TEMPLATE)
            )
        )
        try:
            yield Fresh(
                name=name,
                mqtt_url=self.addresses.mqtt_url,
                kafka=self.addresses.kafka,
                postgres_url=with_database(self.addresses.postgres_url, name),
                influx_url=self.addresses.influx_url,
                influx_token=self.addresses.influx_token,
            )
        finally:
            self._run(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))

    def _make_template(self) -> None:
        if self._template_made:
            return
        template = sql.Identifier(TEMPLATE)
        self._run(sql.SQL("drop database if exists {} with (force)").format(template))
        self._run(sql.SQL("create database {}").format(template))
        migrate(with_database(self.addresses.postgres_url, TEMPLATE))
        self._template_made = True

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.addresses.postgres_url, autocommit=True) as connection:
            connection.execute(statement)


def with_database(url: str, database: str) -> str:
    """The same address with another database."""
    base, _, _ = url.rpartition("/")
    return f"{base}/{database}"


@contextmanager
def running_embedded(folder: Path) -> Iterator[SessionServers]:
    """The embedded servers, and only those, whatever the machine has."""
    with _running(folder, embedded_servers()) as servers:
        yield servers


@contextmanager
def running_real(folder: Path) -> Iterator[SessionServers]:
    """The real servers; `ServerError` names those that are missing and how to get them."""
    found = real_servers(environment_with_installed())
    missing = [one.advice for one in found if not one.usable]
    if missing:
        raise ServerError("; ".join(missing))
    with _running(folder, found) as servers:
        yield servers


@contextmanager
def _running(folder: Path, found: tuple[Found, ...]) -> Iterator[SessionServers]:
    group = ServerGroup(folder, found)
    postgres = group.started.get(Kind.POSTGRES)
    if isinstance(postgres, LocalPostgres):
        group.started[Kind.POSTGRES] = type(postgres)(postgres.folder, durable=False)
    with group:
        yield SessionServers(group)


def environment_with_installed() -> Mapping[str, str]:
    """The environment, with what `scripts/real_servers.sh` wrote down where it says nothing else.

    The servers' programs are looked up in the environment by several, so it is set for good.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    written = cache / "tallygate" / "real_servers.env"
    if written.exists():
        for line in written.read_text().splitlines():
            name, equals, value = line.partition("=")
            if equals and not name.startswith("#"):
                os.environ.setdefault(name, value)
    return os.environ
