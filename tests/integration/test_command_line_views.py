"""What people see of a dock: loads by door, pallet and item name, in two languages."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from rich.cells import cell_len
from rich.console import Console

from contracts.clock import ClockSetting
from ledger_sink import queries
from ledger_sink.postgres_ledger import PostgresLedger, connect
from tallygate.loads_view import load_views, sentence
from tallygate.names import ReferenceReader
from tallygate.trace import print_life
from tallygate.watch import Viewer, passages_of, present_load, site_zone
from tests.support import dock_ledger as dock
from tests.support.servers import Fresh

STOPPED = ClockSetting(
    wall_anchor_us=0, domain_anchor_us=dock.START + 150 * dock.SECOND, speed=1e-12
)
"""A clock that stands: what is drawn is the same each time."""


@pytest.fixture
def ledger(embedded: Fresh) -> Iterator[PostgresLedger]:
    with connect(embedded.postgres_url) as connection:
        ledger = PostgresLedger(connection, "demo")
        dock.fill(ledger)
        yield ledger


def seen(ledger: PostgresLedger, spoken: str, width: int, height: int) -> list[str]:
    """The lines of the live view."""
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    console.print(Viewer(ledger, spoken, STOPPED).picture(width, height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def life(ledger: PostgresLedger, identity: str, spoken: str) -> str:
    console = Console(file=io.StringIO(), width=110, color_system=None, highlight=False)
    names = ReferenceReader(ledger).refresh()
    print_life(console, queries.trace(ledger, identity), names, spoken, site_zone())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("spoken", ["en", "zh"])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (140, 50), (60, 20)])
def test_the_view_fits_the_terminal(
    ledger: PostgresLedger, spoken: str, width: int, height: int
) -> None:
    lines = seen(ledger, spoken, width, height)
    assert len(lines) <= height
    assert all(cell_len(line) <= width for line in lines)


def test_a_gate_shows_its_load_its_reader_and_what_is_wrong(ledger: PostgresLedger) -> None:
    lines = seen(ledger, "en", 140, 40)
    door = next(line for line in lines if line.startswith("Dock door 1 "))
    assert "reading" in door
    assert "S-118 out" in door
    assert "1/2  under way  02:02:00" in door
    below = lines[lines.index(door) + 1].strip()
    assert below.startswith("missing case …00000034 (Ball valve DN25 ×4)")
    assert lines[lines.index(door) + 2].strip() == (
        "stranger …/21/77 (Safety relay 24 V), 02:02:00"
    )
    other = next(line for line in lines if line.startswith("Dock door 2 "))
    assert "retrying" in other
    assert "S-120 out" in other
    assert "0/1  waiting  02:15:00" in other
    belt = next(line for line in lines if line.startswith("Conveyor "))
    assert "not heard of" in belt


def test_the_view_speaks_chinese(ledger: PostgresLedger) -> None:
    text = "\n".join(seen(ledger, "zh", 140, 40))
    assert "读取中" in text
    assert "重连中" in text
    assert "缺少 箱 …00000034 (球阀 DN25 ×4)" in text
    assert "托盘 …00000010: 8 个标签 (伺服电机 400 瓦 ×6)" in text


def test_passages_are_told_by_what_carried_them(ledger: PostgresLedger) -> None:
    """Eight tags of one pallet are one line, and the stranger beside them another."""
    names = ReferenceReader(ledger).refresh()
    pallet, other = sorted(
        passages_of(queries.recent_passages(ledger, 100), names), key=lambda one: one.load == ""
    )
    assert (pallet.carrier, len(pallet.identities), pallet.load) == (dock.PALLET, 8, "S-118")
    assert (other.carrier, other.identities) == (None, [dock.STRANGER])


def test_the_view_follows_the_ledger(ledger: PostgresLedger) -> None:
    viewer = Viewer(ledger, "en", STOPPED)
    viewer.picture(100, 40)
    ledger.append([dock.passage("raw:00ff", dock.START + 140 * dock.SECOND, load=None)], 9)
    console = Console(file=io.StringIO(), width=100, color_system=None)
    console.print(viewer.picture(100, 40))
    assert isinstance(console.file, io.StringIO)
    assert "02:02:20 Dock door 1 out" in console.file.getvalue()


def test_a_load_is_one_sentence(ledger: PostgresLedger) -> None:
    names = ReferenceReader(ledger).refresh()
    first, second = load_views(ledger, names)
    assert sentence(first, names, "en", site_zone()) == (
        "S-118, Dock door 1: 1 of 2; missing case 00/006141410000000034 (Ball valve DN25 ×4),"
        " 02:02:00; stranger 01/00614141110025/21/77 (Safety relay 24 V), 02:02:00"
    )
    assert sentence(second, names, "en", site_zone()) == "S-120, Dock door 2: 0 of 1"


def test_the_newest_load_under_way_stands_at_the_gate(ledger: PostgresLedger) -> None:
    views = load_views(ledger, ReferenceReader(ledger).refresh())
    assert [view.load for view in (present_load(views, "door-1"), present_load(views, "door-2"))
            if view] == ["S-118", "S-120"]  # fmt: skip
    assert present_load(views, "belt") is None


def test_an_items_life_is_told_with_its_evidence(ledger: PostgresLedger) -> None:
    told = life(ledger, dock.unit(dock.MOTOR, 1), "en")
    head, carried, day, *rows = told.splitlines()
    assert head.startswith("Servo motor 400 W  https://id.gs1.org/01/00614141110001/21/1")
    assert carried == "case 00/006141410000000027; pallet 00/006141410000000010; load S-118"
    assert day == "2026-03-02 UTC"
    assert rows[0].split()[0] == "02:02:00"
    assert "passed out" in rows[0]
    assert "Dock door 1" in rows[0]
    assert "order of the antennas, 98 % sure, load S-118" in rows[0]
    assert "r-1 antenna 4: 17 reads, -46 dBm within 1.0 s" in rows[1]
    assert dock.EPC.lower() in told
    assert rows[-1] == (
        "and 1 sighting (17 reads) that changed nothing; last seen Dock door 1 02:02:21"
    )


def test_a_missing_unit_was_entered_with_its_case(ledger: PostgresLedger) -> None:
    told = life(ledger, dock.unit(dock.VALVE, 11), "zh")
    assert "缺少" in told
    assert "单据 S-118, 5 个标签" in told
