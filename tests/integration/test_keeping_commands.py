"""`tallygate backup`, `restore` and `evidence`, where no stack runs: as an operator types them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from ledger_sink.keeping import dump
from ledger_sink.postgres_ledger import PostgresLedger, connect
from tallygate.ledger import write_state
from tallygate.servers.postgres_embedded import find_programs
from tests.integration.test_command_line_looks import tallygate
from tests.support.keeping_suite import JANUARY_US, MARCH_US, fill
from tests.support.servers import Fresh, SessionServers, with_database
from tests.support.whole_ledger import WholeLedger

COMPANY = {
    "items": [{"item": "bolt", "costing": {"method": "fifo"}}],
    "places": [
        {"location": "A", "kind": "zone", "warehouse": "W"},
        {"location": "opening", "kind": "opening"},
    ],
    "documents": [
        {
            "id": "OP-1",
            "kind": "opening",
            "happened_at": "2026-01-02T08:00:00+08:00",
            "lines": [{"item": "bolt", "quantity": "10", "price": "0.35", "location": "A"}],
        }
    ],
}


@pytest.fixture
def empty_url(embedded_servers: SessionServers, embedded: Fresh) -> Iterator[str]:
    """An empty database on another server than the folder's own."""
    name = sql.Identifier(f"{embedded.name}_empty")
    with psycopg.connect(embedded.postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(name))
    yield with_database(embedded_servers.addresses.postgres_url, f"{embedded.name}_empty")
    with psycopg.connect(embedded.postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(name))


def test_a_ledger_is_copied_to_another_server_and_verified_there(
    empty_url: str, tmp_path: Path
) -> None:
    files, folder, copy = tmp_path / "company.json", tmp_path / "data", tmp_path / "copy"
    files.write_text(json.dumps(COMPANY))
    data = ("--data", str(folder))
    code, said = tallygate("post", str(files), *data)
    assert code == 0, said
    code, said = tallygate("verify", *data)
    assert (code, "The ledger is whole." in said) == (0, True), said

    code, said = tallygate("backup", str(copy), *data)
    assert (code, f"The ledger is in {copy}" in said) == (0, True), said
    assert sorted(path.name for path in copy.iterdir()) == [
        *("heads.jsonl", "ledger.dump", "public.pem"),
    ]
    code, said = tallygate("backup", str(copy), *data)
    assert (code, "is not empty" in said) == (2, True), said

    code, said = tallygate("restore", str(copy), "--postgres", empty_url, *data)
    assert code == 0, said
    assert re.search(r"\d+ entries of demo are whole", said)
    code, said = tallygate("restore", str(copy), "--postgres", empty_url, *data)
    assert (code, "holds a ledger already" in said) == (2, True), said
    code, said = tallygate("report", "stock", "--json", "--postgres", empty_url, *data)
    assert (code, '"bolt"' in said) == (0, True), said


def test_a_copy_of_something_else_is_not_called_whole(
    embedded: Fresh, empty_url: str, tmp_path: Path
) -> None:
    """The heads beside it are of another ledger."""
    files, folder, copy = tmp_path / "company.json", tmp_path / "data", tmp_path / "copy"
    files.write_text(json.dumps(COMPANY))
    tallygate("post", str(files), "--data", str(folder))
    tallygate("backup", str(copy), "--data", str(folder))
    with connect(embedded.postgres_url) as connection:
        fill(PostgresLedger(connection, "demo"), range(3), JANUARY_US)
    (copy / "ledger.dump").unlink()
    dump(embedded.postgres_url, copy / "ledger.dump", find_programs())
    code, said = tallygate("restore", str(copy), "--postgres", empty_url, "--data", str(folder))
    assert code == 1, said


def test_a_copy_whose_books_were_changed_is_not_called_whole(
    embedded: Fresh, empty_url: str, tmp_path: Path
) -> None:
    """Its chain is what was published; what was made of it is not."""
    copy = tmp_path / "copy"
    copy.mkdir()
    with connect(embedded.postgres_url) as connection:
        whole = WholeLedger(connection, tmp_path / "published")
        connection.execute("set session_replication_role = replica")
        connection.execute("update ledger.balances set quantity = 7 where quantity > 7")
    for path in (whole.heads, whole.public_key):
        shutil.copy(path, copy / path.name)
    dump(embedded.postgres_url, copy / "ledger.dump", find_programs())
    code, said = tallygate(
        *("restore", str(copy), "--postgres", empty_url, "--data", str(tmp_path / "data"))
    )
    assert (code, "balances: the book of" in said) == (1, True), said


def test_months_of_evidence_are_told_and_forgotten(embedded: Fresh, tmp_path: Path) -> None:
    write_state(tmp_path, postgres_url=embedded.postgres_url, site="demo")
    with connect(embedded.postgres_url) as connection:
        ledger = PostgresLedger(connection, "demo")
        fill(ledger, range(3), JANUARY_US)
        fill(ledger, range(3, 5), MARCH_US)
    data = ("--data", str(tmp_path))
    code, said = tallygate("evidence", "months", *data)
    assert (code, "2026-01" in said, "2026-03" in said) == (0, True, True), said
    code, said = tallygate("evidence", "forget", "--before", "2026-03", "--dry-run", *data)
    assert (code, said.strip()) == (0, "would be forgotten: 2026-01")
    code, said = tallygate("evidence", "forget", "--before", "2026-03", *data)
    assert (code, said.strip()) == (0, "2026-01: 3 sightings forgotten")
    code, said = tallygate("evidence", "forget", "--before", "2026-03", *data)
    assert (code, "no sightings from before 2026-03" in said) == (0, True), said
    code, said = tallygate("evidence", "forget", "--before", "2199-01", *data)
    assert (code, "name an earlier month" in said) == (2, True), said
    code, said = tallygate("evidence", "forget", "--before", "March", *data)
    assert (code, "is no month such as 2026-03" in said) == (2, True), said
