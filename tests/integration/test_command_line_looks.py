"""`tallygate` looks into a ledger: what it says, its exit code, and what to do when it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from contracts.clock import ClockSetting
from ledger_sink.postgres_ledger import PostgresLedger, connect
from tallygate.ledger import write_state
from tests.support import dock_ledger as dock
from tests.support.servers import Fresh, with_database

ROOT = Path(__file__).parents[2]
SECONDS_MAX = 90
"""A command that only looks is done long before."""


def tallygate(*arguments: str, **environment: str) -> tuple[int, str]:
    """The command's exit code and all that it said."""
    given = {name: text for name, text in os.environ.items() if not name.startswith("TALLYGATE_")}
    done = subprocess.run(
        [sys.executable, "-m", "tallygate", *arguments],
        cwd=ROOT,
        env={**given, "LC_ALL": "C.UTF-8", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS_MAX,
        check=False,
    )
    return done.returncode, done.stdout.decode()


@pytest.fixture
def folder(embedded: Fresh, tmp_path: Path) -> str:
    """A stack's folder whose ledger is filled."""
    with connect(embedded.postgres_url) as connection:
        dock.fill(PostgresLedger(connection, "demo"))
    write_state(tmp_path, postgres_url=embedded.postgres_url, site="demo")
    return str(tmp_path)


def test_figures_are_told_with_what_was_waited_on_purpose_beside_them(folder: str) -> None:
    code, said = tallygate("stats", "--data", folder)
    assert code == 0
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert "demo: 20 entries" in lines
    assert "location events 9" in lines
    assert "reads in sightings 34" in lines
    assert "without the decision's wait p50 31 ms, p99 95 ms" in lines
    assert "the decision's wait p50 4.0 s, p99 4.0 s of domain time" in lines
    assert "r-2 retrying since 02:00:00: refused" in lines
    assert "none in this folder" in lines


def test_latencies_of_an_accelerated_stack_are_told_in_wall_time(
    folder: str, embedded: Fresh
) -> None:
    fast = ClockSetting(speed=10.0)
    write_state(Path(folder), postgres_url=embedded.postgres_url, site="demo", clock=fast.text())
    _, said = tallygate("stats", "--data", folder)
    assert "p50 3 ms, p99 10 ms" in said
    assert "10 domain seconds in one second" in said


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("(01)00614141110001(21)1", "Servo motor 400 W"),
        ("006141410000000010", "https://id.gs1.org/00/006141410000000010"),
        ("…/21/77", "Safety relay 24 V"),
    ],
)
def test_an_item_is_traced_by_what_stands_on_it(folder: str, typed: str, told: str) -> None:
    code, said = tallygate("trace", typed, "--data", folder)
    assert code == 0
    assert told in said
    assert "passed out" in said


def test_an_end_that_means_several_names_them(folder: str, embedded: Fresh) -> None:
    other = dock.unit(dock.RELAY, 1)
    with connect(embedded.postgres_url) as connection:
        ledger = PostgresLedger(connection, "demo")
        ledger.append([dock.passage(other, dock.START, load=None)], dock.START)
    code, said = tallygate("trace", "/21/1", "--data", folder)
    assert code == 2
    assert "may mean one of several" in said
    assert f"  {other}\n" in said
    assert f"  {dock.unit(dock.MOTOR, 1)}\n" in said


def test_what_was_never_read_is_told_as_it_was_understood(folder: str) -> None:
    code, said = tallygate("trace", "(00)106141410003001341", "--data", folder)
    assert code == 2
    assert "understood as https://id.gs1.org/00/106141410003001341" in said


def test_the_live_view_shows_once_where_no_terminal_is(folder: str) -> None:
    code, said = tallygate("watch", "--data", folder)
    assert code == 0
    assert "Dock door 1" in said
    assert "missing case" in said


def test_a_wrong_site_names_those_there_are(folder: str) -> None:
    code, said = tallygate("stats", "--data", folder, "--site", "acme")
    assert code == 2
    assert said == (
        "tallygate: the ledger has no site 'acme'; it has demo. Name one with --site or"
        " TALLYGATE_SITE.\n"
    )


@pytest.mark.parametrize("command", [["stats"], ["watch", "--once"], ["trace", "x"], ["verify"]])
def test_without_a_stack_it_says_how_to_start_one(command: list[str], tmp_path: Path) -> None:
    code, said = tallygate(*command, "--data", str(tmp_path))
    assert code == 2
    assert "tallygate up" in said or "--public-key" in said
    assert "Traceback" not in said


def test_a_database_that_is_down_or_holds_no_ledger_is_told_apart(
    embedded: Fresh, tmp_path: Path
) -> None:
    down = "postgresql://nobody@127.0.0.1:1/none"
    code, said = tallygate("stats", "--postgres", down, "--data", str(tmp_path))
    assert (code, "PostgreSQL does not answer" in said) == (2, True)
    code, said = tallygate("stats", "--postgres", "nonsense", "--data", str(tmp_path))
    assert (code, "PostgreSQL does not answer" in said) == (2, True)
    empty = with_database(embedded.postgres_url, f"{embedded.name}_empty")
    with psycopg.connect(embedded.postgres_url, autocommit=True) as connection:
        connection.execute(f'create database "{embedded.name}_empty"')
    try:
        code, said = tallygate("stats", "--postgres", empty, "--data", str(tmp_path))
    finally:
        with psycopg.connect(embedded.postgres_url, autocommit=True) as connection:
            connection.execute(f'drop database "{embedded.name}_empty"')
    assert code == 2
    assert "holds no ledger" in said
    assert "ledger_sink migrate" in said
    code, said = tallygate("stats", "--postgres", embedded.postgres_url, "--data", str(tmp_path))
    assert (code, "nothing was ever entered" in said) == (2, True)


def test_a_ledger_without_published_heads_cannot_be_proved(folder: str) -> None:
    code, said = tallygate("verify", "--data", folder)
    assert code == 2
    assert "public.pem does not exist" in said
    assert "--public-key" in said


LOADS = """load,gate,direction,opens_at,closes_at,pallet,case,identity,item,quantity
S-9,{gate},out,2026-03-02T08:00:00Z,2026-03-02T09:00:00Z,,,raw:bb,4711,1
"""


def test_a_dry_run_checks_and_writes_nothing(folder: str, tmp_path: Path) -> None:
    path = tmp_path / "loads.csv"
    path.write_text(LOADS.format(gate="door-1"))
    code, said = tallygate("import", "--loads", str(path), "--dry-run", "--data", folder)
    assert (code, said) == (0, "would be taken: 1 load with 1 line\n")
    _, said = tallygate("watch", "--once", "--data", folder)
    assert "S-9" not in said


def test_what_is_imported_is_stamped_by_the_stacks_clock(
    folder: str, embedded: Fresh, tmp_path: Path
) -> None:
    stopped = ClockSetting(wall_anchor_us=0, domain_anchor_us=dock.START, speed=1e-12)
    write_state(Path(folder), postgres_url=embedded.postgres_url, site="demo", clock=stopped.text())
    path = tmp_path / "loads.csv"
    path.write_text(LOADS.format(gate="door-1"))
    code, said = tallygate("import", "--loads", str(path), "--data", folder)
    assert (code, said) == (0, "taken: 1 load with 1 line\n")
    with connect(embedded.postgres_url) as connection:
        query = "select at_us - %s from ledger.reference where key = 'load/S-9'"
        ((off_us,),) = connection.execute(query, (dock.START,)).fetchall()
    assert 0 <= off_us < 1_000_000


def test_a_load_at_a_gate_that_the_site_lacks_is_refused(folder: str, tmp_path: Path) -> None:
    path = tmp_path / "loads.csv"
    path.write_text(LOADS.format(gate="door-9"))
    code, said = tallygate("import", "--loads", str(path), "--data", folder)
    assert code == 2
    assert "'door-9' is not in the site map (belt, door-1, door-2)" in said


def test_a_mistyped_site_is_not_begun_by_an_import(folder: str, tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("item,name\n4711,Bolt M8\n")
    code, said = tallygate("import", "--items", str(path), "--site", "dmeo", "--data", folder)
    assert code == 2
    assert "the ledger has no site 'dmeo'; it has demo" in said


def test_the_doctor_says_whether_a_stack_can_start(tmp_path: Path) -> None:
    code, said = tallygate("doctor", "--data", str(tmp_path))
    assert code == 0
    for server in ("MQTT", "Kafka", "PostgreSQL"):
        assert server in said
    assert "holds no stack yet" in said
    assert said.endswith("A stack can start.\n")


def test_the_doctor_names_a_server_that_does_not_answer(tmp_path: Path) -> None:
    code, said = tallygate("doctor", "--data", str(tmp_path), TALLYGATE_KAFKA="127.0.0.1:1")
    assert code == 1
    assert "127.0.0.1:1" in said
    assert "No stack can start" in said
