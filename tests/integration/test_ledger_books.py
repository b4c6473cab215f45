"""The books: double entry by constraint, as-of answers equal to a replay, refusals with reasons.

The property tests run any sequence of movements, good and bad, late and repeated, and hold the
books against a few lines of Python.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from contracts.books import (
    BookItem,
    BookPlace,
    Disposition,
    Movement,
    Negative,
    PeriodClosed,
    PlaceKind,
    Posting,
    Tracking,
)
from contracts.codec import canonical
from ledger_sink.books import Balance, Books
from ledger_sink.core.books_check import Key
from ledger_sink.postgres_ledger import PostgresLedger, connect
from ledger_sink.verify_books import verify_books
from tests.integration.test_command_line_looks import tallygate
from tests.support.servers import Fresh

SECOND = 1_000_000
NOW = 1_000 * SECOND
PLACES = {
    "A": PlaceKind.ZONE,
    "B": PlaceKind.BIN,
    "supplier": PlaceKind.SUPPLIER,
    "customer": PlaceKind.CUSTOMER,
}


@pytest.fixture
def books(connection: psycopg.Connection[Any]) -> Books:
    made = Books(PostgresLedger(connection, "demo"))
    set_up(made)
    return made


def set_up(books: Books) -> None:
    for location, kind in PLACES.items():
        assert books.put(BookPlace(location=location, kind=kind), 1)
    books.put(BookItem(item="bolt"), 1)
    books.put(BookItem(item="oil", base_unit="litre", decimals=3), 1)
    books.put(BookItem(item="drug", tracking=Tracking.BATCH), 1)
    books.put(BookItem(item="pump", tracking=Tracking.SERIAL), 1)
    books.put(BookItem(item="sand", negative=Negative.ALARM), 1)


def move(
    id_: str,
    quantity: str,
    *,
    item: str = "bolt",
    origin: str = "supplier",
    to: str = "A",
    at_s: int = 10,
    **fields: Any,
) -> Movement:
    """So much of something from one location to another."""
    line = {"batch": fields.pop("batch", ""), "serial": fields.pop("serial", "")}
    out = {"disposition": fields.pop("before", Disposition.AVAILABLE)}
    into = {"disposition": fields.pop("after", Disposition.AVAILABLE)}
    postings = (
        Posting(item=item, location=origin, quantity=f"-{quantity}", **line, **out),
        Posting(item=item, location=to, quantity=quantity, **line, **into),
    )
    return Movement(
        **{
            "id": id_,
            "document": "GR-1",
            "step": "goods_receipt",
            "happened_us": at_s * SECOND,
            "postings": postings,
            **fields,
        }
    )


def post(books: Books, *movements: Movement, at_us: int = NOW) -> list[tuple[str, str | None]]:
    return [(one.outcome, one.problem) for one in books.post(movements, at_us)]


def at(balances: list[Balance], location: str) -> Decimal:
    return sum((one.quantity for one in balances if one.key.location == location), Decimal(0))


def test_a_receipt_and_a_shipment_leave_what_is_left(books: Books) -> None:
    assert post(books, move("m1", "10"), move("m2", "4", origin="A", to="customer")) == [
        ("entered", None),
        ("entered", None),
    ]
    now = books.now("bolt")
    assert [at(now, place) for place in ("supplier", "A", "customer")] == [-10, 6, 4]
    assert sum(one.quantity for one in now) == 0


def test_the_same_movement_again_changes_nothing_and_another_under_its_id_is_refused(
    books: Books,
) -> None:
    post(books, move("m1", "10"))
    assert post(books, move("m1", "10")) == [("known", None)]
    assert post(books, move("m1", "11")) == [("refused", "id m1 stands for other content")]
    assert at(books.now("bolt"), "A") == 10


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"item": "nut"}, "line 1: item nut is not known; line 2: item nut is not known"),
    ({"to": "C"}, "line 2: location C is not known"),
    ({"quantity": "1.5"}, "line 1: -1.5 each of item bolt: at most 0 decimals"),
    ({"item": "oil", "quantity": "0.0001"}, "line 1: -0.0001 litre of item oil: at most 3"),
    ({"quantity": "1e3"}, "line 1: -1e3 is no quantity; line 2: 1e3 is no quantity"),
    ({"quantity": "0"}, "line 1: -0 is no quantity; line 2: 0 is no quantity"),
    ({"item": "drug"}, "line 1: item drug needs a batch; line 2: item drug needs a batch"),
    ({"batch": "x"}, "line 1: item bolt has no batches"),
    ({"item": "pump"}, "line 1: item pump needs a serial number"),
    ({"item": "pump", "serial": "7", "quantity": "2"}, "a serial number stands for one piece, not"),
    ({"serial": "7"}, "line 1: item bolt has no serial numbers"),
    ({"at_s": 1_061}, "its time has not come yet"),
    ({"origin": "B", "to": "A"}, "line 1: 0 of item bolt at B, 1 asked for"),
    ({"origin": "B", "to": "A", "before": "damaged"}, "stock may not go from damaged to available"),
    ({"reverses": "m9"}, "movement m9, which it reverses, is not known"),
    ({"postings": ()}, "it has no lines"),
]


@pytest.mark.parametrize(("fields", "says"), REFUSED)
def test_a_wrong_movement_is_refused_with_its_line_and_reason_and_harms_no_other(
    books: Books, connection: psycopg.Connection[Any], fields: dict[str, Any], says: str
) -> None:
    wrong = move("bad", fields.pop("quantity", "1"), **fields)
    (before, outcome, after) = post(books, move("m1", "3"), wrong, move("m2", "2"))
    assert (before[0], outcome[0], after[0]) == ("entered", "refused", "entered")
    assert says in str(outcome[1])
    rows = connection.execute("select reason, raw from ledger.rejects").fetchall()
    assert any(row[0] == outcome[1] for row in rows)
    assert rows[0][1]


def test_lines_that_do_not_sum_to_zero_are_refused(books: Books) -> None:
    whole = move("m1", "3")
    half = Movement(
        id="m2",
        document="",
        step="x",
        happened_us=1,
        postings=(whole.postings[0], Posting(item="bolt", location="A", quantity="2")),
    )
    ((outcome, problem),) = post(books, half)
    assert outcome == "refused"
    assert problem == "line 1: -1 of item bolt is left over: lines must sum to zero"


def test_the_table_itself_takes_no_unbalanced_movement_and_none_in_two_goes(
    books: Books, connection: psycopg.Connection[Any]
) -> None:
    post(books, move("m1", "3"))
    insert = (
        "insert into ledger.postings select site, {seq}, {line}, item, batch, serial, location,"
        " disposition, reservation, owner, container, is_inferred, {quantity}, happened_us,"
        " recorded_us, balance"
        " from ledger.postings where {where}"
    )
    with pytest.raises(psycopg.errors.CheckViolation, match="does not balance"):
        connection.execute(
            insert.format(seq="seq + 9", line="line", quantity="1", where="line = 1")
        )
    connection.rollback()
    with pytest.raises(psycopg.errors.CheckViolation, match="has its postings already"):
        connection.execute(
            insert.format(seq="seq", line="line + 2", quantity="quantity", where="true")
        )


def test_an_alarm_item_may_fall_below_zero_and_opens_a_discrepancy(
    books: Books, connection: psycopg.Connection[Any]
) -> None:
    assert post(books, move("m1", "5", item="sand", origin="A", to="customer"))[0][0] == "entered"
    assert at(books.now("sand"), "A") == -5
    rows = connection.execute("select problem, item, quantity, location from ledger.discrepancies")
    assert rows.fetchall() == [("negative_book", "sand", 5, "A")]


def test_what_was_seen_to_move_is_never_refused(
    books: Books, connection: psycopg.Connection[Any]
) -> None:
    seen = move("m1", "2", origin="A", to="customer", is_physical=True)
    assert post(books, seen) == [("entered", None)]
    assert connection.execute("select count(*) from ledger.discrepancies").fetchone() == (1,)


def test_a_late_posting_keeps_both_times_and_rewrites_nothing(
    books: Books, connection: psycopg.Connection[Any]
) -> None:
    post(books, move("m1", "10", at_s=10), at_us=20 * SECOND)
    post(books, move("m2", "10", origin="A", to="customer", at_s=30), at_us=40 * SECOND)
    post(books, move("m3", "5", at_s=50), at_us=60 * SECOND)
    late = move("m4", "4", origin="A", to="B", at_s=12)
    assert post(books, late, at_us=70 * SECOND) == [("entered", None)]
    assert at(books.recorded("bolt", 45 * SECOND), "A") == 0
    assert at(books.recorded("bolt", 70 * SECOND), "A") == 1
    assert at(books.happened("bolt", 15 * SECOND, NOW), "A") == 6
    assert at(books.happened("bolt", 15 * SECOND, 45 * SECOND), "A") == 10
    # By what is known now, 10 left when only 6 were there.
    rows = connection.execute("select problem, quantity, location from ledger.discrepancies")
    assert rows.fetchall() == [("negative_book", 4, "A")]


def test_nothing_is_posted_into_a_closed_period(books: Books) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="up to now, not beyond"):
        books.put(PeriodClosed(before_us=100 * SECOND), 99 * SECOND)
    assert books.put(PeriodClosed(before_us=100 * SECOND), 100 * SECOND)
    ((outcome, problem),) = post(books, move("m1", "1", at_s=99))
    assert (outcome, problem) == ("refused", "the period before 1970-01-01 00:01:40 UTC is closed")
    assert post(books, move("m2", "1", at_s=100)) == [("entered", None)]


def test_master_data_that_is_the_same_changes_nothing(
    books: Books, connection: psycopg.Connection[Any]
) -> None:
    before = connection.execute("select max(seq) from ledger.entries").fetchone()
    assert not books.put(BookItem(item="bolt"), 5)
    assert connection.execute("select max(seq) from ledger.entries").fetchone() == before
    assert books.put(BookItem(item="bolt", decimals=2), 5)
    assert books.put(BookItem(item="bolt"), 6)


QUANTITY = st.integers(1, 12).map(str)
STEP = st.tuples(
    st.sampled_from(["bolt", "sand"]),
    QUANTITY,
    st.sampled_from(list(PLACES)),
    st.sampled_from(list(PLACES)),
    st.integers(0, 30),
    st.sampled_from(["available", "damaged", "frozen"]),
    st.booleans(),
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.generate],
)
@given(steps=st.lists(STEP, min_size=1, max_size=14))
def test_any_sequence_keeps_balances_equal_to_postings_and_to_a_replay(
    embedded: Fresh, connection: psycopg.Connection[Any], steps: list[Any]
) -> None:
    count = connection.execute("select count(*) from ledger.chains").fetchone()
    assert count is not None
    site = f"site{count[0]}"
    books = Books(PostgresLedger(connection, site))
    set_up(books)
    entered: list[tuple[int, Movement]] = []
    for number, (item, quantity, origin, to, at_s, state, is_physical) in enumerate(steps):
        movement = move(
            f"m{number}",
            quantity,
            item=item,
            origin=origin,
            to=to,
            at_s=at_s,
            before=state,
            after=state,
            is_physical=is_physical,
        )
        at_us = (100 + number) * SECOND
        if books.post([movement], at_us)[0].outcome == "entered":
            entered.append((at_us, movement))
    for item in ("bolt", "sand"):
        assert books.now(item) == replay(entered, item, 10**18, 10**18)
        for instant in range(99, 101 + len(steps)):
            us = instant * SECOND
            assert books.recorded(item, us) == replay(entered, item, 10**18, us)
            assert books.happened(item, (instant - 95) * SECOND, us) == replay(
                entered, item, (instant - 95) * SECOND, us
            )
    report = verify_books(embedded.postgres_url, site)
    assert (report.movements, report.findings) == (len(entered), ())


LATENESS_S = st.sampled_from([-60, -59, 0, 1, 300, 1_073, 1_074, 3_600, 40_000])
"""Around the limit from which a posting counts as long late, on both sides."""


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.generate],
)
@given(steps=st.lists(st.tuples(STEP, LATENESS_S, st.integers(0, 1_500)), min_size=1, max_size=12))
def test_what_had_happened_is_a_replay_however_late_it_was_recorded(
    connection: psycopg.Connection[Any], steps: list[Any]
) -> None:
    count = connection.execute("select count(*) from ledger.chains").fetchone()
    assert count is not None
    books = Books(PostgresLedger(connection, f"site{count[0]}"))
    set_up(books)
    entered: list[tuple[int, Movement]] = []
    at_us = 50_000 * SECOND
    for number, (step, late_s, pause_s) in enumerate(steps):
        item, quantity, origin, to, _, state, is_physical = step
        at_us += pause_s * SECOND
        movement = move(
            f"m{number}",
            quantity,
            item=item,
            origin=origin,
            to=to,
            at_s=at_us // SECOND - late_s,
            before=state,
            after=state,
            is_physical=is_physical,
        )
        if books.post([movement], at_us)[0].outcome == "entered":
            entered.append((at_us, movement))
    moments = {at for at, _ in entered} | {movement.happened_us for _, movement in entered}
    for happened_us in {at + shift for at in moments for shift in (-1, 0)}:
        for recorded_us in moments:
            for item in ("bolt", "sand"):
                assert books.happened(item, happened_us, recorded_us) == replay(
                    entered, item, happened_us, recorded_us
                )


def replay(
    entered: list[tuple[int, Movement]], item: str, happened_us: int, recorded_us: int
) -> list[Balance]:
    """The book by a loop over all movements."""
    found: dict[Key, Decimal] = defaultdict(Decimal)
    for at_us, movement in entered:
        if at_us > recorded_us or movement.happened_us > happened_us:
            continue
        for one in movement.postings:
            if one.item == item:
                key = Key(
                    *(one.item, one.location, one.batch, one.serial),
                    *(str(one.disposition), str(one.reservation), one.owner),
                )
                found[key] += Decimal(one.quantity)
    return sorted(Balance(key, quantity) for key, quantity in found.items() if quantity)


def test_two_writers_cannot_both_take_the_last_unit(embedded: Fresh, books: Books) -> None:
    post(books, move("m0", "5"))
    outcomes: list[str] = []

    def take(number: int) -> None:
        with connect(embedded.postgres_url) as own:
            writer = Books(PostgresLedger(own, "demo"))
            outcomes.append(post(writer, move(f"t{number}", "1", origin="A", to="customer"))[0][0])

    writers = [threading.Thread(target=take, args=(number,)) for number in range(32)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert sorted(outcomes) == ["entered"] * 5 + ["refused"] * 27
    assert at(books.now("bolt"), "A") == 0
    assert verify_books(embedded.postgres_url, "demo").findings == ()


TAMPERING = [
    "update ledger.postings set quantity = quantity - 4 where line = 1",
    "update ledger.postings set balance = balance + 1 where line = 2",
    "update ledger.postings set location = 'B' where location = 'A'",
    "delete from ledger.postings where line = 2",
    "update ledger.balances set quantity = quantity + 1 where location = 'A'",
    "delete from ledger.balances where location = 'A'",
    "update ledger.balances set location = 'B' where location = 'A'",
    "update ledger.postings set seq = seq + 9 where seq = (select max(seq) from ledger.postings)",
    "update ledger.postings set recorded_us = recorded_us - 1 where line = 2",
    "update ledger.balances set seq = seq + 1 where location = 'A'",
    "update ledger.book_items set negative = 'alarm' where item = 'bolt'",
    "delete from ledger.book_items where item = 'pump'",
    "update ledger.book_places set kind = 'supplier' where location = 'A'",
    "update ledger.book_periods set before_us = 2",
    "insert into ledger.book_periods values ('demo', 99, 3)",
    "update ledger.reversals set reversed = 'm1'",
    "delete from ledger.reversals",
]


@pytest.mark.parametrize("statement", TAMPERING)
def test_books_that_a_superuser_changed_are_found(
    embedded: Fresh, books: Books, connection: psycopg.Connection[Any], statement: str
) -> None:
    books.put(PeriodClosed(before_us=1), 1)
    back = move("m3", "4", origin="A", to="supplier", reverses="m2")
    outcomes = post(books, move("m1", "10"), move("m2", "4"), back)
    assert outcomes == [("entered", None)] * 3
    assert verify_books(embedded.postgres_url, "demo").findings == ()
    connection.execute("set session_replication_role = replica")
    assert connection.execute(statement).rowcount > 0
    report = verify_books(embedded.postgres_url, "demo")
    assert report.findings
    assert all(finding.fault == "posting" for finding in report.findings)


def test_the_command_says_whether_the_books_are_right(
    embedded: Fresh, books: Books, connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    post(books, move("m1", "10"))
    where = ("--postgres", embedded.postgres_url, "--site", "demo", "--data", str(tmp_path))
    code, said = tallygate("verify", "--balances", *where)
    assert (code, "The books are what the entries say." in said) == (0, True), said
    connection.execute("update ledger.balances set quantity = 11 where location = 'A'")
    code, said = tallygate("verify", "--balances", *where)
    assert (code, "the book of bolt at A is 10, not 11" in said) == (1, True), said


def test_who_may_only_append_may_only_append(
    books: Books, connection: psycopg.Connection[Any]
) -> None:
    post(books, move("m1", "10"))
    forbidden = [
        "insert into ledger.balances select * from ledger.balances",
        "update ledger.balances set quantity = 0",
        "delete from ledger.postings",
        "truncate ledger.postings",
        "select ledger.enter_movement('demo', 1, '', '{}', null)",
        "select ledger.post_one('demo', 1, '')",
        "insert into ledger.reversals values ('demo', 'm1', 1)",
        "insert into ledger.book_items select * from ledger.book_items",
        "insert into ledger.allowed_changes values ('disposition', 'damaged', 'available')",
    ]
    for role in ("ledger_appender", "ledger_reader", "ledger_sink", "ledger_worker"):
        for statement in forbidden:
            with connection.transaction(force_rollback=True):
                connection.execute(f"set local role {role}")
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)
    with connection.transaction():
        connection.execute("set local role ledger_appender")
        payload = canonical(move("m2", "1"))
        rows = connection.execute(
            "select outcome from ledger.post('demo', %s, array[%s::bytea])", (NOW, payload)
        )
        assert rows.fetchone() == ("entered",)
