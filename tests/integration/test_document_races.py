"""Documents of many writers at once, and what the ledger itself refuses, whoever planned it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import msgspec
import psycopg
import pytest

from contracts.vouchers import Method
from ledger_sink.books import Books, Prepared
from ledger_sink.core.posting.plan import Planned, plan, released
from ledger_sink.postgres_ledger import PostgresLedger, connect
from ledger_sink.posting import DocumentPosting, PostedDocument
from ledger_sink.posting_world import Loader
from tests.support.document_books import (
    NOW_US,
    START,
    allocating,
    check_all,
    document,
    entered,
    line,
    opening,
    post,
    problem,
    set_up,
    stock,
)
from tests.support.servers import Fresh

Connection = psycopg.Connection[Any]


@pytest.fixture
def average(connection: Connection) -> Books:
    made = Books(PostgresLedger(connection, "demo"))
    set_up(made)
    return made


def test_two_orders_never_get_the_same_unit_whoever_is_faster(
    embedded: Fresh, average: Books
) -> None:
    entered(average, opening())
    found: list[PostedDocument] = []

    def order(number: int) -> None:
        with connect(embedded.postgres_url) as own:
            books = Books(PostgresLedger(own, "demo"))
            found.extend(post(books, allocating(f"SO-{number}", 5)))

    together(order, 12)
    outcomes = sorted(one.outcome for one in found)
    assert outcomes == ["entered"] * 4 + ["refused"] * 8
    refused = [str(one.problem) for one in found if one.outcome == "refused"]
    assert all("4 each of item bolt are free at A, B, 5 asked for" in text for text in refused)
    assert stock(average, "bolt", reservation="allocated") == 20
    check_all(average)


@pytest.mark.parametrize("method", list(Method))
def test_many_writers_value_one_item_to_the_cent(
    embedded: Fresh, connection: Connection, method: Method
) -> None:
    books = Books(PostgresLedger(connection, "demo"))
    set_up(books, method)
    entered(books, opening())
    found: list[PostedDocument] = []

    def trade(number: int) -> None:
        with connect(embedded.postgres_url) as own:
            writer = Books(PostgresLedger(own, "demo"))
            receipt = line("bolt", 7, price=f"1.{number:02}", location="A")
            ship = line("bolt", 6, price="9", location="A")
            found.extend(
                post(
                    writer,
                    document(f"GR-{number}", "goods_receipt", receipt),
                    document(f"SH-{number}", "sales_shipment", ship),
                )
            )

    together(trade, 8)
    assert {one.outcome for one in found} == {"entered"}
    assert stock(books, "bolt") == 24 + 8
    check_all(books)


def together(work: Callable[[int], None], writers: int) -> None:
    """All at once, each in a thread of its own."""
    threads = [threading.Thread(target=work, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)


def test_a_pallet_moves_once_whoever_is_faster(embedded: Fresh, average: Books) -> None:
    entered(
        average,
        opening(),
        document("GR", "goods_receipt", line("bolt", 6, price="1", location="A", container="P")),
    )
    found: list[PostedDocument] = []

    def carry(number: int) -> None:
        with connect(embedded.postgres_url) as own:
            writer = Books(PostgresLedger(own, "demo"))
            one = line("bolt", 6, location="A", to_location="B", container="P")
            found.extend(post(writer, document(f"RL-{number}", "relocation", one)))

    together(carry, 8)
    assert sorted(one.outcome for one in found) == ["entered"] + ["refused"] * 7
    assert {one.problem for one in found} == {None, "line 1: what P holds is at B"}
    assert (stock(average, "bolt", location="A"), stock(average, "bolt", location="B")) == (24, 6)
    check_all(average)


def test_the_ledger_itself_takes_no_document_that_empties_a_container_below_nothing(
    average: Books,
) -> None:
    entered(
        average,
        opening(),
        document("GR", "goods_receipt", line("bolt", 6, price="1", location="A", container="P")),
        allocating("SO-1", 4),
        allocating("SO-2", 6),
    )
    world = Loader(average.ledger, average).load([], ["SO-1"]).world
    carry = document("RL", "relocation", line("bolt", 1, location="A", to_location="B"))
    stale = plan(carry, world, NOW_US)
    assert isinstance(stale, Planned)
    assert stale.movement is not None
    out = [
        msgspec.structs.replace(one, container="P", quantity=one.quantity + "0")
        for one in stale.movement.postings
    ]
    taken = Prepared(
        stale.document, msgspec.structs.replace(stale.movement, postings=tuple(out)), (), ()
    )
    bases = average.bases(["bolt"])
    ((outcome, _, why),) = average.post_documents([taken], bases, NOW_US)
    assert (outcome, str(why)) == (
        *("refused", "container P lacks 4 of item bolt that are taken out of it"),
    )
    freed = released(world, "SO-1", 1, NOW_US)
    assert freed is not None
    lines = [
        msgspec.structs.replace(one, quantity=one.quantity.replace("4", "6"))
        for one in freed.postings
    ]
    ((outcome, _, why),) = average.post(
        [msgspec.structs.replace(freed, postings=tuple(lines))], NOW_US
    )
    assert (outcome, str(why)) == (
        *("refused", "2 of item bolt are not allocated to order SO-1 any more"),
    )
    check_all(average)


def test_nobody_writes_contents_and_promises_but_the_ledger(
    average: Books, connection: Connection
) -> None:
    entered(average, opening(), allocating("SO-1", 4))
    forbidden = [
        "insert into ledger.contents select * from ledger.contents",
        "update ledger.contents set quantity = 0",
        "delete from ledger.allocations",
        "truncate ledger.allocations",
        "insert into ledger.unpackings values ('demo', 'P', 1, true)",
    ]
    for role in ("ledger_appender", "ledger_reader", "ledger_sink", "ledger_worker"):
        for statement in forbidden:
            with connection.transaction(force_rollback=True):
                connection.execute(f"set local role {role}")
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)
    with pytest.raises(psycopg.Error, match="unpackings"):
        connection.execute("truncate ledger.unpackings")
    connection.execute("update ledger.allocations set quantity = 3")
    texts = [finding.text for finding in DocumentPosting(average).verify()]
    assert texts == ["allocations of SO-1: item bolt at A is 4, not 3"]


def test_a_program_needs_only_its_roles(embedded: Fresh, average: Books) -> None:
    role = f"clerk_{embedded.name}"
    with connect(embedded.postgres_url) as own:
        own.execute(f"create role {role} login in role ledger_appender, ledger_reader")
        try:
            own.execute(f"set role {role}")
            clerk = Books(PostgresLedger(own, "demo"))
            entered(clerk, opening(), allocating("SO-1", 4, due_at=START))
            assert DocumentPosting(clerk).release_expired(NOW_US) == ["SO-1"]
            assert "are missing" in problem(clerk, allocating("SO-2", 99))
        finally:
            own.execute("reset role")
            own.execute(f"drop role {role}")
    check_all(average)


def test_loose_stock_is_never_taken_out_of_a_container_unseen(
    embedded: Fresh, average: Books
) -> None:
    receipts = [
        document("G1", "goods_receipt", line("bolt", 6, price="1", location="A", container="P")),
        document("G2", "goods_receipt", line("bolt", 4, price="1", location="A")),
    ]
    entered(average, *receipts)
    found: list[PostedDocument] = []

    def ship(number: int) -> None:
        with connect(embedded.postgres_url) as own:
            one = line("bolt", 3, price="9", location="A")
            writer = Books(PostgresLedger(own, "demo"))
            found.extend(post(writer, document(f"SH-{number}", "sales_shipment", one)))

    together(ship, 4)
    assert sorted(one.outcome for one in found) == ["entered"] * 3 + ["refused"]
    assert stock(average, "bolt") == 1
    rows = average.ledger.connection.execute(
        "select container, quantity from ledger.contents where location = 'A'"
    ).fetchall()
    assert rows == [("P", 1)]
    check_all(average)
