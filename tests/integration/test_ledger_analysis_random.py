"""Analysis on a real PostgreSQL against the same worked out from raw rows, for any documents.

A stranger's site with the same names stands beside each: nothing of it may leak in.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import count, pairwise
from math import ceil
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from contracts.accounting import BookDataKind, Planning
from contracts.documents import Document
from ledger_sink import analysis
from ledger_sink.analysis import By
from ledger_sink.books import Books
from ledger_sink.postgres_ledger import connect
from ledger_sink.posting import DocumentPosting
from tests.support import analysis_oracle as oracle
from tests.support.analysis_books import new_books, post, stranger
from tests.support.document_books import DAY_US, NOW_US, START, document, line
from tests.support.servers import Fresh

STEP_US = 12 * DAY_US
"""Between two documents: up to a year in all, so that what is old and what is new differ."""
TODAY = date(2026, 11, 1)
PLANNED = {
    "bolt": Planning(safety_stock=Decimal(5), lead_time_days=2, lot_size=Decimal(4)),
    "sand@W1": Planning(lead_time_days=3, lot_min=Decimal(10)),
}
"""By key, as the books have it."""
SITES = count()
"""Numbers of sites: each example has one of its own."""


FOLLOWS = {
    "shipping_notice": ("purchase_order",),
    "goods_receipt": ("purchase_order", "shipping_notice", ""),
    "sales_shipment": ("sales_order", ""),
    "production_receipt": ("production_order", ""),
    "goods_issue": ("production_order", ""),
    "transfer_out": ("transfer_order", ""),
    "transfer_in": ("transfer_out",),
    "order_closed": ("purchase_order", "sales_order", "production_order", "transfer_order"),
    "customer_return": ("sales_shipment", ""),
    "reversal": ("goods_receipt", "sales_shipment", "transfer_in", "order_closed", "adjustment"),
}
KINDS = [
    "purchase_order", "sales_order", "production_order", "transfer_order", "relocation",
    "state_change", "adjustment", "scrap", *FOLLOWS, *FOLLOWS,
]  # fmt: skip
STEP = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(KINDS),
        "item": st.sampled_from(["bolt", "bolt", "sand", "kit"]),
        "quantity": st.integers(1, 9),
        "day": st.integers(0, 58),
        "due": st.none() | st.integers(50, 90),
        "pick": st.integers(0, 5),
        "place": st.sampled_from("ABC"),
        "sign": st.sampled_from([1, -1]),
    }
)


def written(number: int, said: dict[str, Any], past: Sequence[Document]) -> Document | None:
    """A document that is right often enough; None: nothing is there that it could follow."""
    kind, place = said["kind"], said["place"]
    choices = [
        one.id for want in FOLLOWS.get(kind, ()) for one in past if want == one.kind.value
    ] + [""] * ("" in FOLLOWS.get(kind, ("",)))
    if not choices:
        return None
    refers = choices[said["pick"] % len(choices)]
    item = said["item"] if kind not in {"production_order", "production_receipt"} else "kit"
    followed = next((one for one in past if one.id == refers), None)
    if followed is not None and followed.lines and kind != "goods_issue":
        item = followed.lines[0].item
    fields: dict[str, Any] = {"location": place}
    if kind == "relocation":
        fields = {"location": "A", "to_location": "B"}
    elif kind == "state_change":
        fields["to_disposition"] = "frozen"
    elif kind == "transfer_in":
        fields = {"to_location": "C"}
    elif kind in {"sales_order", "transfer_order"}:
        fields = {}
    elif kind == "adjustment":
        fields["reason"] = ["mispick", "misplacement", ""][said["pick"] % 3]
    if kind in {"goods_receipt", "sales_shipment", "purchase_order"}:
        fields["price"] = Decimal(said["quantity"]) / 4
    due = None if said["due"] is None else START + timedelta(days=said["due"])
    is_order = kind.endswith("_order") or kind == "shipping_notice"
    quantity = said["quantity"] * (said["sign"] if kind == "adjustment" else 1)
    bare = kind in {"reversal", "order_closed"}
    return document(
        f"D{number}",
        kind,
        *(() if bare else (line(item, quantity, **fields),)),
        day=said["day"],
        refers=refers,
        warehouse="W1" if kind in {"sales_order", "transfer_order", "production_order"} else "",
        to_warehouse="W2" if kind in {"transfer_order", "transfer_out"} else "",
        due_at=due if is_order else None,
        person=f"P{said['pick'] % 2}" if kind == "adjustment" else "",
        approved_by="boss" if kind in {"sales_order", "adjustment"} else "",
        case="C1" if kind == "adjustment" else "",
    )


OPENING = document(
    "D0",
    "opening",
    *(
        line(item, 20, location=place, price="2.33")
        for item, place in (("bolt", "A"), ("bolt", "C"), ("sand", "A"), ("kit", "A"))
    ),
    day=0,
)


@pytest.fixture
def beside(embedded: Fresh) -> Fresh:
    """A database in which a stranger's site is already."""
    with connect(embedded.postgres_url) as connection:
        post(new_books(connection, "stranger"), *stranger())
    return embedded


@settings(
    max_examples=12,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(steps=st.lists(STEP, min_size=8, max_size=25), looked=st.integers(0, 24))
def test_every_figure_is_what_the_raw_rows_say(
    beside: Fresh, steps: list[dict[str, Any]], looked: int
) -> None:
    with connect(beside.postgres_url) as connection:
        site = f"s{next(SITES)}"
        books = new_books(connection, site)
        for key, planning in PLANNED.items():
            books.put_data(BookDataKind.PLANNING, key, planning, 2)
        past = [OPENING]
        post(books, OPENING)
        posting = DocumentPosting(books)
        for number, said in enumerate(steps, 1):
            one = written(number, said, past)
            if one is not None:
                (posted,) = posting.post([one], NOW_US + number * STEP_US)
                event(f"{said['kind']} {posted.outcome}")
                past += [one] if posted.outcome == "entered" else []
        check(books, NOW_US + looked * STEP_US)


def check(books: Books, then_us: int) -> None:
    ledger = books.ledger
    world = oracle.read(ledger.connection, ledger.site)
    now_us = NOW_US + 1_000 * STEP_US
    assert {tuple(row) for row in analysis.stock(ledger)} == oracle.stock(world, now_us)
    assert {tuple(row) for row in analysis.stock_recorded(ledger, then_us)} == oracle.stock(
        world, then_us
    )
    for at_us in (then_us, now_us):
        check_ageing(books, world, at_us)
    check_orders(books, world)
    check_promises(books, world)
    check_reorder(books, world)
    check_variances(books, world)
    check_accounts(books, then_us)


def check_ageing(books: Books, world: oracle.World, at_us: int) -> None:
    layers = oracle.layers(world, at_us)
    found = [
        oracle.Layer(
            row.item, row.warehouse, row.owner, row.came_us, row.quantity, row.value,
            row.last_issue_us,
        )
        for row in analysis.ageing_layers(books.ledger, at_us)
    ]  # fmt: skip
    assert sorted(found, key=str) == sorted(layers, key=str)
    for row in analysis.ageing(books.ledger, at_us):
        mine = [one for one in layers if (one.item, one.warehouse) == (row.item, row.warehouse)]
        days = [(at_us - one.came_us) // DAY_US for one in mine]
        edges = [-1, 30, 60, 90, 180, 365, 99_999]
        assert row.quantities == [
            sum(one.quantity for one, age in zip(mine, days, strict=True) if low < age <= high)
            for low, high in pairwise(edges)
        ]
        last = max([one.last_issue_us or 0 for one in mine] + [min(o.came_us for o in mine)])
        assert row.idle_days == (at_us - last) // DAY_US
        alerts = {row.idle_days >= 90: "slow", row.idle_days >= 180: "dead"}
        assert row.alert == alerts.get(True, "")
        assert row.quantity == sum(row.quantities)


def check_orders(books: Books, world: oracle.World) -> None:
    want = {key: one for key, one in oracle.orders(world).items() if one.open > 0}
    found = {
        (row.document, row.line): oracle.Open(
            row.document, row.line, row.brought, row.open, row.covered
        )
        for row in analysis.open_orders(books.ledger)
    }
    assert found == want
    for row in analysis.supply_and_demand(books.ledger):
        order = want[row.document, row.line]
        if row.item == "bolt" and row.source == "production_order":
            assert row.direction == "demand"
            assert row.quantity > 0
        elif row.direction == "supply":
            assert row.quantity == order.open - order.covered
        else:
            assert row.quantity == order.open
            assert 0 <= row.allocated <= order.open


def check_promises(books: Books, world: oracle.World) -> None:
    """The days, walked one after the other."""
    expected = analysis.supply_and_demand(books.ledger)
    there = {(row.item, row.warehouse): row for row in analysis.available(books.ledger, TODAY)}
    for key, row in there.items():
        mine = [
            one for one in oracle.stock(world, NOW_US * 2)
            if (one[0], one[1]) == key and world.places[one[2]][0] != "in_transit"
        ]  # fmt: skip
        usable = [one for one in mine if one[4] == "available" and not one[6]]
        assert row.on_hand == sum(one[7] for one in mine)
        assert row.free == sum(one[7] for one in usable if one[5] == "none")
        assert row.reserved == sum(one[7] for one in usable if one[5] != "none")
        assert row.blocked == row.on_hand - row.free - row.reserved
    promises: dict[tuple[str, str], list[analysis.PromiseRow]] = {}
    for promise in analysis.available_to_promise(books.ledger, TODAY):
        promises.setdefault((promise.item, promise.warehouse), []).append(promise)
    for key, days in promises.items():
        mine_expected = [one for one in expected if (one.item, one.warehouse) == key]
        here = there.get(key)
        spare = (here.reserved if here else Decimal(0)) - sum(
            one.allocated for one in mine_expected
        )
        levels = []
        for day in days:
            level = here.free if here else Decimal(0)
            asked = -spare
            for one in mine_expected:
                due = max(oracle.day_of(one.due_us), TODAY) if one.due_us else TODAY
                if due <= day.day and one.direction == "demand":
                    asked += one.quantity - one.allocated
                elif due <= day.day and one.due_us:
                    level += one.quantity
            levels.append(level - max(asked, Decimal(0)))
        assert [day.projected for day in days] == levels
        assert [day.promise for day in days] == [
            max(min(levels[place:]), Decimal(0)) for place in range(len(levels))
        ]


def check_reorder(books: Books, world: oracle.World) -> None:
    """Of the whole house for bolts, of one warehouse for sand."""
    rows = {(row.item, row.area): row for row in analysis.reorder(books.ledger, TODAY)}
    assert set(rows) == {("bolt", ""), ("sand", "W1")}
    for (item, area), row in rows.items():
        planning = PLANNED[f"{item}@{area}" if area else item]
        lead = planning.lead_time_days
        used: dict[date, Decimal] = {}
        for flow in oracle.flows(world, NOW_US * 2).get((item, "", area or None), []):
            day = oracle.day_of(flow.happened_us)
            if flow.is_issue and TODAY - timedelta(days=90) <= day < TODAY:
                used[day] = used.get(day, Decimal(0)) - flow.quantity
        mean = Fraction(sum(used.values())) / 90
        variance = (sum(Fraction(day) ** 2 for day in used.values()) - 90 * mean**2) / 89
        spread = (Decimal(variance.numerator) / variance.denominator * lead).sqrt()
        safety = planning.safety_stock or ceil(Decimal("1.645") * spread)
        over_lead = ceil(mean * lead)
        there = [
            one for one in analysis.available(books.ledger, TODAY)
            if one.item == item and area in {"", one.warehouse}
        ]  # fmt: skip
        ways = {"supply": Decimal(0), "demand": Decimal(0)}
        for one in analysis.supply_and_demand(books.ledger):
            if one.item == item and area in {"", one.warehouse}:
                ways[one.direction] += one.quantity
        position = sum(one.free for one in there) + ways["supply"]
        position -= max(ways["demand"] - sum(one.reserved for one in there), Decimal(0))
        point = over_lead + safety
        lot = planning.lot_size or 1
        wanted = max(point + over_lead - position, planning.lot_min, Decimal(1))
        assert abs(row.daily_use - Decimal(mean.numerator) / mean.denominator) < Decimal("1e-6")
        assert (row.safety_stock, row.reorder_point, row.stock_position) == (
            safety, point, position,
        )  # fmt: skip
        is_enough = position > point or position == point == 0
        assert row.suggested == (0 if is_enough else ceil(wanted / lot) * lot)


def check_variances(books: Books, world: oracle.World) -> None:
    found = analysis.variance_lines(books.ledger, 0, NOW_US * 2)
    want = []
    for paper in oracle.standing(world):
        for one in world.lines[paper.seq] if paper.kind == "adjustment" else ():
            book = sum(
                (
                    posting.quantity
                    for posting in world.postings
                    if posting.seq < paper.seq
                    and (posting.item, posting.location) == (one.item, one.location)
                    and posting.owner == one.owner
                ),
                Decimal(0),
            )
            before = [
                worth for worth in world.worths if worth.item == one.item and worth.seq < paper.seq
            ]
            value = oracle.cents(Fraction(book * before[-1].price)) if before else None
            want.append((paper.id, one.line, one.reason or "unknown", one.quantity, book, value))
    assert [
        (row.document, row.line, row.cause, row.quantity, row.book_quantity, row.book_value)
        for row in found
    ] == want
    for by, of in ((By.CAUSE, "cause"), (By.ITEM, "item"), (By.PERSON, "person")):
        for total in analysis.variance_by(books.ledger, 0, NOW_US * 2, by):
            mine = [row for row in found if getattr(row, of) == total.subject]
            assert total.lines == len(mine)
            assert total.value_off == sum(abs(row.value or 0) for row in mine)
            assert total.net_value == sum(row.value or 0 for row in mine)
            assert total.book_value == sum(abs(row.book_value or 0) for row in mine)


def check_accounts(books: Books, then_us: int) -> None:
    rows = books.ledger.connection.execute(
        "select l.account, l.item, l.debit, l.credit from ledger.voucher_lines l"
        " join ledger.vouchers v on v.site = l.site and v.seq = l.seq"
        " where l.site = %s and v.recorded_us <= %s",
        (books.ledger.site, then_us),
    ).fetchall()
    sums = analysis.trial_balance(books.ledger, then_us)
    assert sum(row.balance for row in sums) == 0
    assert {row.account for row in sums} == {row[0] for row in rows}
    for total in sums:
        mine = [row for row in rows if row[0] == total.account]
        assert total.debit == sum(row[2] for row in mine)
        assert total.credit == sum(row[3] for row in mine)
        for one in analysis.account_balance(books.ledger, total.account, then_us):
            assert one.balance == sum(row[2] - row[3] for row in mine if row[1] == one.item)
