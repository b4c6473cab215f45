"""Many at once are entered as one set: that must lead to the very rows that one by one leads to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg import sql

from contracts.books import BookItem, Movement, Tracking
from contracts.codec import canonical
from ledger_sink.books import Books, Prepared
from ledger_sink.postgres_ledger import PostgresLedger, connect
from tests.integration import test_ledger_books as movements
from tests.integration import test_ledger_posting as documents
from tests.integration.test_ledger_posting import NOW, SECOND, Worth, prepare
from tests.support.servers import Fresh

Connection = psycopg.Connection[Any]
SITE = "demo"
TABLES = (
    *("entries", "chains", "tallies", "postings", "balances", "reversals"),
    *("documents", "document_lines", "document_components", "vouchers", "voucher_lines"),
    *("valuations", "contents", "allocations", "unpackings"),
)
ALONE = """
create or replace function ledger.post_set(of_site text, at_us bigint, payloads bytea[])
    returns bigint language sql as 'select null::bigint';
create or replace function ledger.post_document_set(
    in of_site text, in at_us bigint, in began bigint, in documents bytea[], in movements bytea[],
    in vouchers bytea[], in voucher_places integer[], in valuations bytea[],
    in valuation_places integer[], in undone text[], inout bases jsonb, out seqs bigint[]
) language plpgsql as $$ begin seqs := null; end $$
"""
"""Functions that find nothing usual."""
RANDOM = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.generate],
)


@pytest.fixture
def books(connection: Connection) -> Books:
    return Books(PostgresLedger(connection, SITE))


def rows(connection: Connection) -> dict[str, list[Any]]:
    """All that stands in the books, hashes included."""
    return {
        name: sorted(
            connection.execute(
                sql.SQL("select to_jsonb(t)::text from ledger.{} t").format(sql.Identifier(name))
            ).fetchall()
        )
        for name in TABLES
    }


def both_ways(connection: Connection, post: Callable[[], Any]) -> tuple[Any, Any]:
    """What comes of it one by one, and at once: each from the same beginning."""
    found = []
    for statement in (ALONE, "select"):
        with connection.transaction(force_rollback=True):
            connection.execute(statement)
            found.append((post(), rows(connection)))
    return found[0], found[1]


MOVE = st.tuples(
    st.sampled_from(["bolt", "bolt", "bolt", "sand", "pump", "drug", "nut"]),
    st.integers(1, 9).map(str),
    st.sampled_from(["supplier", "supplier", "supplier", "A", "B", "customer"]),
    st.sampled_from(["A", "A", "B", "customer"]),
    st.integers(0, 40),
    st.sampled_from(["available"] * 5 + ["damaged", "frozen"]),
    st.sampled_from([""] * 8 + ["7", "8"]),
    st.integers(0, 30),
)


def movement(number: int, step: tuple[Any, ...]) -> Movement:
    item, quantity, origin, to, at_s, state, serial, odd = step
    made = movements.move(
        f"m{number - (odd == 0)}",
        "1" if serial else quantity,
        item=item,
        origin=origin,
        to=to,
        # Most come in order.
        at_s=at_s if odd < 3 else number,
        before="available" if origin == "supplier" else state,
        after=state,
        serial=serial if item == "pump" else "",
        batch="L1" if item == "drug" else "",
        is_physical=odd == 4,
        reverses=f"m{number - 2}" if odd == 5 else "",
    )
    if odd == 6:
        return msgspec.structs.replace(made, postings=made.postings[:1])
    return made


@RANDOM
@given(steps=st.lists(MOVE, min_size=2, max_size=40), cut=st.integers(0, 40))
def test_movements_at_once_lead_to_the_rows_of_movements_one_by_one(
    embedded: Fresh, steps: list[Any], cut: int
) -> None:
    with connect(embedded.postgres_url) as connection, connection.transaction(force_rollback=True):
        books = Books(PostgresLedger(connection, SITE))
        movements.set_up(books)
        made = [movement(number, step) for number, step in enumerate(steps)]

        def post() -> Any:
            return [books.post(part, NOW) for part in (made[:cut], made[cut:])]

        alone, at_once = both_ways(connection, post)
        assert at_once[0] == alone[0]
        assert at_once[1] == alone[1]


def test_what_is_usual_is_entered_as_one_set(books: Books, connection: Connection) -> None:
    movements.set_up(books)
    books.put(BookItem(item="motor", tracking=Tracking.BATCH_SERIAL), 1)
    usual = [
        movements.move("m1", "5"),
        movements.move("m2", "3", origin="A", to="B"),
        movements.move("m3", "1.25", item="oil"),
        movements.move("m4", "3", item="drug", batch='L"1/é'),
        movements.move("m5", "1", item="motor", batch="L", serial="7", after="inspection"),
        movements.move("m6", "2", origin="B", to="B", before="available", after="damaged"),
        movements.move("m7", "1", origin="A", to="customer", is_physical=True),
    ]
    payloads = [canonical(one) for one in usual]
    count = connection.execute("select count(*) from ledger.entries").fetchone()
    assert count is not None
    row = connection.execute(
        "select ledger.post_set(%s, %s, %b::bytea[])", (SITE, NOW, payloads)
    ).fetchone()
    assert row == (count[0] + 1,)


STEP = st.tuples(
    st.sampled_from(["bolt", "bolt", "nut", "sand"]),
    st.integers(1, 9),
    st.booleans(),
    st.integers(0, 40),
)


def prepared(steps: Sequence[tuple[Any, ...]]) -> list[Prepared]:
    """Receipts and shipments; a few of them are wrong in one way or another."""
    worths = {item: Worth() for item in documents.ITEMS}
    found: list[Prepared] = []
    for number, (item, quantity, out, odd) in enumerate(steps):
        worth = worths[item]
        is_short = out and worth.quantity < quantity
        fields: dict[str, Any] = {"happened_us": (10 if odd < 3 else number) * SECOND}
        if odd == 4:
            fields["refers"] = f"D{number - 1}"
        if is_short and odd > 10:
            continue
        if is_short and odd > 5:
            fields["is_physical"] = True
        one = prepare(worth, f"D{number - (odd == 0)}", quantity, item=item, out=out, **fields)
        found.append(spoiled(one, odd))
    return found


def spoiled(one: Prepared, odd: int) -> Prepared:
    (voucher,), (valuation,) = one.vouchers, one.valuations
    if odd == 7:
        line = msgspec.structs.replace(voucher.lines[0], debit="7.77")
        voucher = msgspec.structs.replace(voucher, lines=(line, *voucher.lines[1:]))
        return one._replace(vouchers=(voucher,))
    if odd == 8:
        more = str(Decimal(valuation.value) + 1)
        return one._replace(valuations=(msgspec.structs.replace(valuation, value=more),))
    if odd == 9:
        return one._replace(vouchers=())
    return one


@RANDOM
@given(steps=st.lists(STEP, min_size=2, max_size=40), cut=st.integers(0, 40))
def test_documents_at_once_lead_to_the_rows_of_documents_one_by_one(
    embedded: Fresh, steps: list[Any], cut: int
) -> None:
    with connect(embedded.postgres_url) as connection, connection.transaction(force_rollback=True):
        books = Books(PostgresLedger(connection, SITE))
        documents.set_up(books)
        made = prepared(steps)

        def post() -> Any:
            bases = books.bases(documents.ITEMS)
            return [books.post_documents(part, bases, NOW) for part in (made[:cut], made[cut:])]

        alone, at_once = both_ways(connection, post)
        assert at_once[0] == alone[0]
        assert at_once[1] == alone[1]


def test_documents_that_are_usual_are_entered_as_one_set(
    books: Books, connection: Connection
) -> None:
    documents.set_up(books)
    worth = Worth()
    made = [
        prepare(worth, "GR-1", 10, party='A "b" / é'),
        prepare(worth, "SH-1", 4, out=True, happened_us=11 * SECOND),
        Prepared(documents.document("PO-1", "nut", "5", refers="GR-1"), None, (), ()),
    ]
    arguments = (
        [canonical(one.document) for one in made],
        [one.movement and canonical(one.movement) for one in made],
        [canonical(voucher) for one in made for voucher in one.vouchers],
        [canonical(valuation) for one in made for valuation in one.valuations],
    )
    row = connection.execute(
        "select bases, cardinality(seqs) from ledger.post_document_set(%s, %s, 0, %b::bytea[],"
        " %b::bytea[], %b::bytea[], array[1, 2], %b::bytea[], array[1, 2], '{}', '{}')",
        (SITE, NOW, *arguments),
    ).fetchone()
    newest = connection.execute("select max(seq) from ledger.valuations").fetchone()
    assert row is not None
    assert newest is not None
    assert row == ({"bolt": newest[0]}, 3)


@pytest.mark.parametrize("which", range(4))
def test_null_in_the_place_of_a_payload_harms_no_other(
    books: Books, connection: Connection, which: int
) -> None:
    documents.set_up(books)
    apart = [
        prepare(Worth(), "GR-1", 10),
        prepare(Worth(), "GR-2", 5, item="nut"),
        prepare(Worth(), "GR-3", 5, item="sand"),
    ]
    arguments: list[list[bytes | None]] = [
        [canonical(one.document) for one in apart],
        [canonical(one.movement) for one in apart if one.movement],
        [canonical(one.vouchers[0]) for one in apart],
        [canonical(one.valuations[0]) for one in apart],
    ]
    arguments[which][1] = None
    outcomes = connection.execute(
        "select outcome from ledger.post_documents(%s, %s, %b::bytea[], %b::bytea[], %b::bytea[],"
        " array[1, 2, 3], %b::bytea[], array[1, 2, 3], null)",
        (SITE, NOW, *arguments),
    ).fetchall()
    assert outcomes == [("entered",), ("refused",), ("entered",)]
