"""What to plan, what expires and what is set free, with the real command line.

The sample company is posted with a few orders more, which its stock does not meet. The plan is
held against running totals over what the books say is there and comes and goes, expiry against
the files alone; nothing of the planning itself is used.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import psycopg
import pytest
from psycopg import conninfo

from ledger_sink import analysis
from ledger_sink.books import Books
from ledger_sink.core.mrp import Worry
from ledger_sink.postgres_ledger import connect
from ledger_sink.posting import DocumentPosting
from tallygate import releasing
from tallygate.company_file import SAMPLE
from tallygate.database import ledger_database
from tallygate.ledger import open_ledger
from tallygate.report_words import REPORT_WORDS
from tallygate.stack import Stack
from tests.integration.test_post_and_report import FIVE_DAYS_LATER, Company, tallygate
from tests.support import oracle_reports
from tests.support.analysis_books import new_books, post
from tests.support.company_oracle import CompanyOracle
from tests.support.document_books import START, document, line
from tests.support.servers import Fresh

TODAY = FIVE_DAYS_LATER.date()
ZERO = Decimal(0)
HORIZON = 60
"""Days; the last order is due on the 40th."""
PLANNING = {
    "R-150": {"lead_time_days": 21, "supplier": "SUP-MOTORS", "lot_size": "5"},
    "R-131": {"expiry_warning_days": 420},
    "M-402": {"safety_stock": "60", "lead_time_days": 4, "supplier": "SUP-PACIFIC"},
}
IN_WUXI = {"safety_stock": "80", "lead_time_days": 2, "from_warehouse": "WH-SZ"}
"""Of M-402."""
ORDERS = {
    "SO-FAR": ("2026-05-15T00:00:00+08:00", {"F-300": 120, "M-404": 400, "F-301": 40}),
    "SO-NEAR": ("2026-04-08T00:00:00+08:00", {"F-302": 400, "M-400": 700}),
    "SO-OVERDUE": ("2026-04-02T00:00:00+08:00", {"M-402": 30}),
}
WAITING_S = 60.0
"""For what must come; a quiet machine takes a second."""


class Wishful(NamedTuple):
    """The sample company with orders that its stock does not meet."""

    company: Company
    file: Path


def wishful_text() -> str:
    """The sample's file with more planning and orders."""
    whole = json.loads(SAMPLE[0].read_text(encoding="utf-8"))
    for item in whole["items"]:
        if item["item"] in PLANNING:
            item["planning"] = PLANNING[item["item"]]
        if item["item"] == "M-402":
            item["planning_in"] = {"WH-WX": IN_WUXI}
    whole["documents"] += [
        {
            "id": name,
            "kind": "sales_order",
            "happened_at": "2026-04-01T09:00:00+08:00",
            "due_at": due,
            "party": "CUS-WATER",
            "warehouse": "WH-SZ",
            "lines": [
                {"item": item, "quantity": str(quantity), "price": "900", "tax": "VAT13"}
                for item, quantity in lines.items()
            ],
        }
        for name, (due, lines) in ORDERS.items()
    ]
    return json.dumps(whole)


@pytest.fixture(scope="module")
def wishful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wishful]:
    folder = tmp_path_factory.mktemp("wishful")
    file, data = folder / "company.json", folder / "data"
    file.write_text(wishful_text(), encoding="utf-8")
    code, said, errors = tallygate("post", str(file), "--data", str(data), at=FIVE_DAYS_LATER)
    assert code == 0, said + errors
    oracle = CompanyOracle([file])
    with ledger_database(data, None, print) as url:
        yield Wishful(Company(url, (said,), oracle, oracle, {}), file)


class World:
    """What the books say of items in areas, day by day, with the plan or without it."""

    def __init__(self, wishful: Wishful) -> None:
        self.items = wishful.company.late.items
        self.planned = wishful.company.report("plan")
        self.there: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.changes: dict[tuple[str, str], list[tuple[date, Decimal]]] = defaultdict(list)
        self.needs: dict[str, Decimal] = defaultdict(Decimal)
        with open_ledger(wishful.company.url, "demo") as ledger:
            for row in analysis.available(ledger, TODAY):
                self.there[self.area(row.item, row.warehouse)] += row.free + row.reserved
            for one in analysis.supply_and_demand(ledger):
                day = datetime.fromtimestamp(one.due_us / 1_000_000, UTC).date()
                is_supply = one.direction == "supply"
                change = one.quantity if is_supply else -one.quantity
                area = self.area(one.item, one.warehouse)
                self.changes[area].append((max(day, TODAY), change))
                if not is_supply:
                    self.needs[f"{one.document} line {one.line}"] += one.quantity

    def area(self, item: str, warehouse: str) -> tuple[str, str]:
        """The item, and the warehouse if it is planned by itself."""
        return item, warehouse if warehouse in self.items[item].get("planning_in", {}) else ""

    def planning(self, item: str, area: str) -> dict[str, Any]:
        """How the file says that an area is replenished."""
        of_item: dict[str, Any] = self.items[item]
        found: dict[str, Any] = (
            of_item["planning_in"][area] if area else of_item.get("planning", {})
        )
        return found

    def parts(self, order: dict[str, Any]) -> Iterator[tuple[str, Decimal]]:
        """What a planned production takes."""
        bill = self.items[order["item"]]["bill_of_materials"]
        for part in bill["components"]:
            item = self.items[part["item"]]
            packs = {one["unit"]: Decimal(one["contains"]) for one in item.get("units", [])}
            per_lot = Decimal(part["quantity"]) * packs.get(part.get("unit", ""), Decimal(1))
            exact = per_lot * (1 + Decimal(part.get("scrap_rate", "0"))) * order["quantity"]
            step = Decimal(1).scaleb(-item["decimals"])
            yield (
                part["item"],
                (exact / Decimal(bill.get("lot", "1"))).quantize(step, ROUND_CEILING),
            )

    def with_plan(self) -> dict[tuple[str, str], list[tuple[date, Decimal]]]:
        """All changes of each area, those that are planned too."""
        changes = defaultdict(list, {area: list(rows) for area, rows in self.changes.items()})
        for row in self.planned:
            order = row | {"quantity": Decimal(row["quantity"])}
            changes[row["item"], row["area"]].append(
                (date.fromisoformat(row["due"]), order["quantity"])
            )
            start = max(date.fromisoformat(row["release"]), TODAY)
            if row["how"] == "transfer":
                sender = self.area(row["item"], row["source"])
                changes[sender].append((start, -order["quantity"]))
            if row["how"] == "production":
                for item, needed in self.parts(order):
                    changes[self.area(item, row["area"])].append((start, -needed))
        return changes

    def level(
        self,
        changes: dict[tuple[str, str], list[tuple[date, Decimal]]],
        area: tuple[str, str],
        day: int,
    ) -> Decimal:
        """What an area has at the end of a day from today."""
        until = TODAY + timedelta(days=day)
        return self.there[area] + sum((by for at, by in changes[area] if at <= until), ZERO)


@pytest.fixture(scope="module")
def world(wishful: Wishful) -> World:
    return World(wishful)


def covers_of(row: dict[str, Any]) -> dict[str, Decimal]:
    """A planned order's needs."""
    parts = (part.rpartition(": ") for part in row["covers"].split(", "))
    return {need: Decimal(quantity) for need, _, quantity in parts}


def test_the_plan_buys_makes_and_moves(world: World) -> None:
    """It is worth being looked at."""
    assert {row["how"] for row in world.planned} == {"purchase", "production", "transfer"}
    assert {row["item"] for row in world.planned} >= {"F-300", "S-200", "R-150", "F-302", "M-402"}


def test_with_the_plan_every_item_stays_at_its_safety_stock_or_above(world: World) -> None:
    """From the day on which a new order can be there; what comes before that is only hurried."""
    changes = world.with_plan()
    for area in {*changes, *world.there}:
        planning = world.planning(*area)
        safety = Decimal(planning.get("safety_stock", "0"))
        for day in range(int(planning.get("lead_time_days", 0)), HORIZON):
            assert world.level(changes, area, day) >= safety, (area, day)


def test_what_is_planned_would_be_missing(world: World) -> None:
    """Without its last planned order each area falls short, be it of parts for what is planned."""
    changes = world.with_plan()
    last = {(row["item"], row["area"]): row for row in world.planned}
    for area, row in last.items():
        safety = Decimal(world.planning(*area).get("safety_stock", "0"))
        without = min(world.level(changes, area, day) for day in range(HORIZON))
        due = (date.fromisoformat(row["due"]) - TODAY).days
        behind = min(world.level(changes, area, day) for day in range(due, HORIZON))
        assert min(without, behind) - Decimal(row["quantity"]) < safety, row


def test_nothing_is_planned_beyond_needs_but_for_lots(world: World) -> None:
    for row in world.planned:
        planning = world.planning(row["item"], row["area"])
        covered = sum(covers_of(row).values())
        left_over = Decimal(row["quantity"]) - covered
        assert covered > 0
        least = Decimal(planning.get("lot_min", "0")) - covered
        assert 0 <= left_over < max(Decimal(planning.get("lot_size", "1")), least + 1)


def test_every_cover_names_an_order_a_planned_order_or_the_safety_stock(world: World) -> None:
    """And no need is covered twice."""
    planned = {row["order"]: row for row in world.planned}
    by_need: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in world.planned:
        for need, quantity in covers_of(row).items():
            by_need[need, row["item"]] += quantity
    for (need, item), quantity in by_need.items():
        if need == "safety stock":
            assert item in PLANNING or "planning" in world.items[item]
        elif need in planned and planned[need]["how"] == "transfer":
            assert (item, True) == (
                planned[need]["item"],
                quantity <= Decimal(planned[need]["quantity"]),
            )
        elif need in planned:
            order = planned[need] | {"quantity": Decimal(planned[need]["quantity"])}
            assert quantity <= dict(world.parts(order))[item]
        else:
            assert quantity <= world.needs[need], need


def test_what_should_have_started_says_so(world: World) -> None:
    late = {row["order"] for row in world.planned if date.fromisoformat(row["release"]) < TODAY}
    assert late
    assert {row["order"] for row in world.planned if "is in the past" in row["warning"]} == late
    for row in world.planned:
        days = date.fromisoformat(row["due"]) - date.fromisoformat(row["release"])
        assert days.days == int(world.planning(row["item"], row["area"]).get("lead_time_days", 0))


def test_the_plan_speaks_chinese_and_programs_are_told_in_english(wishful: Wishful) -> None:
    run = wishful.company.run
    _, chinese, quiet = run("report", "plan", "--language", "zh")
    assert quiet == ""
    for told in ("物料需求计划", "物料 F-300 未设计划参数", "调拨"):
        assert told in chinese
    assert not re.search("planning|safety|stock| line |the past|purchase", chinese)
    _, english, _ = run("report", "plan")
    assert "item F-300 has no planning: no lead time, no lots" in english
    _, text, notes = run("report", "plan", "--csv", "--language", "zh")
    assert "item F-300 has no planning" in notes
    assert "SO-FAR line 1: " in text
    assert "is in the past" in text
    assert "F-300" not in run("report", "plan", "--csv", "--item", "M-402")[2]


def test_every_worry_has_words_for_all_that_it_tells() -> None:
    for worry in Worry:
        english, chinese = REPORT_WORDS[f"worry_{worry.name.lower()}"]
        assert english.count("{}") == chinese.count("{}")
        # The table has the date of a late release in a column of its own.
        assert worry is Worry.LATE_RELEASE or english == worry.value


@pytest.mark.parametrize("kind", ["plan", "expiry", "reorder"])
def test_what_matches_nothing_is_an_empty_report(wishful: Wishful, kind: str) -> None:
    run = wishful.company.run
    assert json.loads(run("report", kind, "--item", "nothing", "--json")[1]) == {
        f"report_{kind}": []
    }
    assert len(run("report", kind, "--item", "nothing", "--csv")[1].splitlines()) == 1
    assert "暂无" in run("report", kind, "--item", "nothing", "--language", "zh")[1]


def test_a_reader_sees_the_same_plan_and_expiry(wishful: Wishful) -> None:
    with connect(wishful.company.url) as owner:
        owner.execute("create role plan_reader login password 'plain' in role ledger_reader")
        try:
            plain = conninfo.make_conninfo(
                wishful.company.url, user="plan_reader", password="plain"
            )
            reader = wishful.company._replace(url=plain, reports={})
            for kind in ("plan", "expiry"):
                assert reader.report(kind) == wishful.company.report(kind)
        finally:
            owner.execute("drop role plan_reader")


@pytest.mark.parametrize("day", [TODAY, date(2026, 11, 21), date(2026, 11, 22), date(2027, 8, 1)])
def test_what_expires_is_what_the_files_say(wishful: Wishful, day: date) -> None:
    """The last day itself is none of the past."""
    oracle = wishful.company.late
    expected = {}
    for key, (quantity, value) in oracle_reports.stock(oracle).items():
        item, batch = key[0], key[2]
        card = oracle.master["batches"].get(f"{item}/{batch}", {})
        if "expires_on" not in card:
            continue
        left = (date.fromisoformat(card["expires_on"]) - day).days
        if left <= oracle.items[item].get("planning", {}).get("expiry_warning_days", 30):
            state = "expired" if left < 0 else "expiring"
            expected[key] = (card["expires_on"], left, state, quantity, value)
    keys = ("item", "location", "batch", "disposition", "reservation", "owner")
    rows = wishful.company.report("expiry", *([] if day == TODAY else ["--on", f"{day}"]))
    told = {
        tuple(row[key] for key in keys): (
            row["expires_on"],
            int(row["days_left"]),
            row["state"],
            Decimal(row["quantity"]),
            None if row["value"] is None else Decimal(row["value"]),
        )
        for row in rows
    }
    assert told == expected
    assert len(told) == len(rows) > 0
    assert [row["expires_on"] for row in rows] == sorted(row["expires_on"] for row in rows)


def test_a_circle_of_warehouses_is_told_and_is_no_plan(tmp_path: Path) -> None:
    item = {
        "item": "bolt",
        "planning_in": {"E": {"from_warehouse": "W"}, "W": {"from_warehouse": "E"}},
    }
    place = {"location": "A", "kind": "bin", "warehouse": "W"}
    file = tmp_path / "circle.json"
    file.write_text(json.dumps({"items": [item], "places": [place]}), encoding="utf-8")
    data = str(tmp_path / "data")
    code, said, errors = tallygate("post", str(file), "--data", data, at=FIVE_DAYS_LATER)
    assert code == 0, said + errors
    code, said, errors = tallygate("report", "plan", "--data", data, at=FIVE_DAYS_LATER)
    assert (code, said) == (2, "")
    assert "transfers of item bolt go in a circle: E -> W -> E. Change a bill" in errors


# What orders hold beyond their time.

DUE = {
    "SO-1": START + timedelta(days=5),
    "SO-2": START + timedelta(days=900),
    "SO-3": START + timedelta(days=6),
    "SO-4": START + timedelta(days=5),
}
LATER = START + timedelta(days=10)


@pytest.fixture
def held(connection: psycopg.Connection[Any], embedded: Fresh) -> Fresh:
    """By LATER all but SO-2 are expired; SO-4 was closed, and set free with that."""
    books = new_books(connection, "demo")
    order = {"warehouse": "W1", "approved_by": "boss"}
    post(
        books,
        document("OP", "opening", line("bolt", 20, price="2", location="A"), day=0),
        *(
            document(name, "sales_order", line("bolt", 2, location="A"), due_at=due, **order)
            for name, due in DUE.items()
        ),
        document("OC", "order_closed", refers="SO-4", day=2),
    )
    return embedded


def release(held: Fresh, *arguments: str) -> tuple[int, str, str]:
    return tallygate("release", "--postgres", held.postgres_url, *arguments, at=LATER)


def holders(held: Fresh) -> list[str]:
    with connect(held.postgres_url) as connection:
        rows = connection.execute(
            "select order_id from ledger.allocations where quantity <> 0 order by 1"
        ).fetchall()
    return [row[0] for row in rows]


def releases(held: Fresh) -> list[str]:
    with connect(held.postgres_url) as connection:
        rows = connection.execute(
            "select id from ledger.entries where id like '%/released/%' order by id"
        ).fetchall()
    return [row[0] for row in rows]


def test_expired_orders_are_set_free_and_named_once(held: Fresh) -> None:
    lead = "dry run, nothing was entered; it would be"
    code, said, errors = release(held, "--dry-run")
    assert (code, errors) == (0, "")
    assert said.splitlines() == [
        f"{lead}: stock of 2 orders, expired or closed, was set free",
        "  SO-1",
        "  SO-3",
    ]
    assert holders(held) == ["SO-1", "SO-2", "SO-3"]
    code, said, errors = release(held, "--language", "zh")
    assert (code, errors) == (0, "")
    assert said.splitlines() == ["已释放 2 张逾期或已关闭订单锁定的库存", "  SO-1", "  SO-3"]
    assert holders(held) == ["SO-2"]
    for dry in ((), ("--dry-run",)):
        assert release(held, *dry)[:2] == (0, "no order holds stock beyond its time\n")


def test_two_at_once_set_each_order_free_once(held: Fresh) -> None:
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: release(held), range(2)))
    assert [code for code, _, _ in done] == [0, 0], done
    named = sorted(re.findall(r"^  (\S+)$", "".join(said for _, said, _ in done), re.MULTILINE))
    assert named == ["SO-1", "SO-3"]
    assert releases(held) == ["SO-1/released/1", "SO-3/released/1"]
    assert holders(held) == ["SO-2"]
    with open_ledger(held.postgres_url, "demo") as ledger:
        assert DocumentPosting(Books(ledger)).verify() == []


def test_who_may_only_read_sets_nothing_free_and_is_told(held: Fresh) -> None:
    plain = conninfo.make_conninfo(held.postgres_url, options="-c role=ledger_reader")
    code, said, errors = tallygate("release", "--postgres", plain, at=LATER)
    assert (code, said) == (2, "")
    assert "the database refuses" in errors
    assert holders(held) == ["SO-1", "SO-2", "SO-3"]


def test_a_running_stack_sets_free_by_itself(held: Fresh) -> None:
    """By real time, which is later than all that the orders were due."""
    told = asyncio.run(_told_by_background(held, 2))
    assert sorted(told) == [
        ("books", f"stock that order {order} held beyond its time was set free")
        for order in ("SO-1", "SO-3")
    ]
    assert "SO-1" not in holders(held)


async def _told_by_background(held: Fresh, number: int) -> list[tuple[str, str]]:
    """What the background says until it said so much."""
    said: list[tuple[str, str]] = []
    enough = asyncio.Event()

    def tell(source: str, text: str) -> None:
        said.append((source, text))
        if len(said) == number:
            enough.set()

    stack = cast("Stack", SimpleNamespace(postgres_url=held.postgres_url, site="demo"))
    task = asyncio.create_task(releasing.keep_releasing(stack, tell))
    try:
        await asyncio.wait_for(enough.wait(), WAITING_S)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return said


def test_trouble_is_told_once_and_the_next_turn_sets_free(
    held: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[str] = []
    really = releasing._release

    def failing_thrice(stack: Stack) -> list[str]:
        turns.append(stack.site)
        if len(turns) <= 3:
            raise psycopg.OperationalError("the server is away.\nmore of it")
        return really(stack)

    monkeypatch.setattr(releasing, "_release", failing_thrice)
    monkeypatch.setattr(releasing, "EVERY_S", 0.0)
    told = asyncio.run(_told_by_background(held, 3))
    assert told[0] == ("books", "expired orders keep their stock for now: the server is away")
    assert sorted(text.split()[3] for _, text in told[1:]) == ["SO-1", "SO-3"]
    assert len(turns) >= 4
