"""What the books refuse, word for word, and what a refusal must never do: harm another movement.

Payloads are made by hand here, because most of these no program of ours would write.
"""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from contracts.books import (
    HAPPENED_US_MAX,
    POSTINGS_MAX,
    TEXT_BYTES_MAX,
    BookItem,
    BookPlace,
    Disposition,
    Movement,
    PlaceKind,
    Posting,
    Tracking,
)
from contracts.codec import canonical
from ledger_sink.books import Books
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.verify_books import verify_books
from tests.integration.test_ledger_books import NOW, SECOND, at, move, post, set_up
from tests.support.servers import Fresh

Connection = psycopg.Connection[Any]


@pytest.fixture
def books(connection: Connection) -> Books:
    made = Books(PostgresLedger(connection, "demo"))
    set_up(made)
    return made


def post_raw(connection: Connection, *payloads: bytes | None, at_us: int = NOW) -> list[Any]:
    return connection.execute(
        "select place, outcome, problem from ledger.post('demo', %s, %b::bytea[])",
        (at_us, list(payloads)),
    ).fetchall()


def said(movement: Movement) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(canonical(movement))
    return found


def with_fields(**fields: Any) -> bytes:
    return json.dumps({**said(move("bad", "1")), **fields}).encode()


def with_line(**fields: Any) -> bytes:
    made = said(move("bad", "1"))
    made["postings"][1] |= fields
    return json.dumps(made).encode()


def text_of(movement: Movement, old: str, new: str) -> bytes:
    text = canonical(movement).decode()
    assert old in text
    return text.replace(old, new).encode()


LONG = "é" * (TEXT_BYTES_MAX // 2) + "x"
"""One byte too many."""

MALFORMED: list[tuple[bytes | None, str]] = [
    (None, "it is null"),
    (b"", "it is not JSON"),
    (b"{not", "it is not JSON"),
    (b"[" * 100_000, "it is not JSON"),
    (b"\xff\xfe", "it is not text in UTF-8"),
    (with_fields(id="a\0b"), "it holds the character NUL"),
    (with_fields(id="\ud800"), "it is not JSON"),
    (b"5", "it is no JSON object"),
    (b"[]", "it is no JSON object"),
    (with_fields(type="book_item"), "its type is not movement"),
    (with_fields(schema=2), "its schema is not 1"),
    (with_fields(schema="1"), "its schema is not 1"),
    (with_fields(colour="red"), "its fields are not type, schema, id"),
    (text_of(move("bad", "1"), '"step":', '"steps":'), "its fields are not type, schema, id"),
    (text_of(move("bad", "1"), '"step":', '"step":5,"step":'), "its fields are not type, schema"),
    (with_fields(id=""), "id is not 1 to 200 bytes of text"),
    (with_fields(id=7), "id is not 1 to 200 bytes of text"),
    (with_fields(id=LONG), "id is not 1 to 200 bytes of text"),
    (with_fields(document=LONG), "document is not up to 200 bytes of text"),
    (with_fields(step=None), "step is not up to 200 bytes of text"),
    (with_fields(person=[]), "person is not up to 200 bytes of text"),
    (with_fields(reverses=5), "reverses is not up to 200 bytes of text"),
    (with_fields(happened_us=-1), "happened_us is not a whole number from 0 to 2^53"),
    (
        with_fields(happened_us=HAPPENED_US_MAX + 1),
        "happened_us is not a whole number from 0 to 2^53",
    ),
    (with_fields(happened_us=1.0), "happened_us is not a whole number from 0 to 2^53"),
    (text_of(move("bad", "1"), ":10000000,", ":1e7,"), "happened_us is not a whole number"),
    (with_fields(happened_us="5"), "happened_us is not a whole number from 0 to 2^53"),
    (with_fields(is_physical=None), "is_physical is neither true nor false"),
    (with_fields(is_physical="banana"), "is_physical is neither true nor false"),
    (with_fields(postings={}), "postings is no list"),
    (with_fields(postings=None), "postings is no list"),
    (with_fields(postings=[{}] * (POSTINGS_MAX + 1)), "it has more than 25000 lines"),
    (with_fields(postings=[5]), "line 1: it is no JSON object"),
    (with_line(colour="red"), "line 2: its fields are not item, location, quantity"),
    (text_of(move("bad", "1"), '"batch":', '"batch serial":'), "line 1: its fields are not item"),
    (with_line(batch=LONG, owner=1), "line 2: batch, owner is not up to 200 bytes of text"),
    (with_line(quantity=1), "line 2: quantity is not up to 200 bytes of text"),
    (with_line(quantity="+1"), "line 2: +1 is no quantity"),
    (with_line(quantity="1\n"), "line 2: 1\n is no quantity"),
    (with_line(quantity="٣"), "line 2: ٣ is no quantity"),
    (with_line(quantity="1" * 16), "line 2: 1111111111111111 is no quantity"),
    (with_line(quantity="1.0000000"), "line 2: 1.0000000 is no quantity"),
    (with_line(disposition="lost"), "line 2: lost is no disposition"),
    (with_line(reservation="mine"), "line 2: mine is no reservation"),
]


@pytest.mark.usefixtures("books")
@pytest.mark.parametrize(("payload", "says"), MALFORMED)
def test_what_is_no_movement_is_refused_in_words_with_its_bytes_and_harms_no_other(
    embedded: Fresh, connection: Connection, payload: bytes | None, says: str
) -> None:
    good = [canonical(move(name, "1")) for name in ("m1", "m2")]
    before, wrong, after = post_raw(connection, good[0], payload, good[1])
    assert (before[:2], wrong[:2], after[:2]) == ((1, "entered"), (2, "refused"), (3, "entered"))
    assert wrong[2].startswith(says)
    rows = connection.execute("select reason, raw, raw_length from ledger.rejects").fetchall()
    raw = payload or b""
    assert rows == [(wrong[2], raw[:4096], len(raw))]
    report = verify_books(embedded.postgres_url, "demo")
    assert (report.movements, report.findings) == (2, ())


def test_a_movement_at_the_limits_is_entered(books: Books) -> None:
    pairs = move(LONG[:-1], "9" * 15).postings * (POSTINGS_MAX // 2)
    movement = Movement(id=LONG[:-1], document="", step="", happened_us=NOW, postings=pairs)
    late = move("m2", "1", at_s=HAPPENED_US_MAX // SECOND)
    assert post(books, movement, late) == [
        ("entered", None),
        ("refused", "its time has not come yet"),
    ]


def test_what_python_cannot_write_is_refused_and_harms_no_other(books: Books) -> None:
    outcomes = post(books, move("m1", "1"), move("half \ud800", "1"), move("m2", "1", at_s=10**30))
    assert [outcome for outcome, _ in outcomes] == ["entered", "refused", "refused"]


def test_a_reason_is_cut_to_a_length_that_one_can_read(books: Books) -> None:
    lines = tuple(
        Posting(item=f"{number:04d}" + "x" * 190, location="A", quantity="1")
        for number in range(1_000)
    )
    movement = Movement(id="m1", document="", step="", happened_us=1, postings=lines)
    ((outcome, problem),) = post(books, movement)
    assert (outcome, len(str(problem)), str(problem)[-3:]) == ("refused", 2_000, "...")


def test_what_no_check_foresees_refuses_that_movement_alone(
    embedded: Fresh, books: Books, connection: Connection
) -> None:
    """The constraint stands for whatever a check forgot; it fails behind the entry's append."""
    connection.execute("alter table ledger.postings add constraint odd check (quantity <> 7)")
    outcomes = post(books, move("m1", "3"), move("m2", "7"), move("m3", "4"))
    assert [outcome for outcome, _ in outcomes] == ["entered", "refused", "entered"]
    assert 'violates check constraint "odd"' in str(outcomes[1][1])
    assert at(books.now("bolt"), "A") == 7
    assert verify_books(embedded.postgres_url, "demo").findings == ()


def test_when_the_world_is_down_nothing_is_refused_and_all_is_tried_again(
    books: Books, connection: Connection
) -> None:
    connection.execute(
        "create function public.full() returns trigger language plpgsql as"
        " $$ begin raise exception 'disk full' using errcode = 'disk_full'; end $$"
    )
    connection.execute(
        "create trigger disk before insert on ledger.postings for each row"
        " when (new.quantity = 7) execute function public.full()"
    )
    with pytest.raises(psycopg.errors.DiskFull):
        post(books, move("m1", "3"), move("m2", "7"))
    assert books.now("bolt") == []
    connection.execute("drop trigger disk on ledger.postings")
    assert post(books, move("m1", "3"), move("m2", "7")) == [("entered", None)] * 2


def test_a_refused_movement_that_comes_again_later_adds_no_reject(
    books: Books, connection: Connection
) -> None:
    wrong = move("m1", "9", origin="B", to="customer")
    for second in range(4):
        assert post(books, wrong, at_us=NOW + second)[0][0] == "refused"
    rows = connection.execute("select source, reason from ledger.rejects").fetchall()
    assert rows == [("books", "line 1: 0 of item bolt at B, 9 asked for")]
    assert connection.execute("select * from ledger.tallies").fetchall() == []


def lines(*given: tuple[str, str, str, str], item: str = "bolt", **fields: Any) -> Movement:
    """A movement of lines: location, quantity, disposition, owner."""
    postings = tuple(
        Posting(
            item=item,
            location=location,
            quantity=quantity,
            disposition=Disposition(disposition),
            owner=owner,
        )
        for location, quantity, disposition, owner in given
    )
    values = {"id": "m", "document": "", "step": "", "happened_us": SECOND, "postings": postings}
    return Movement(**{**values, **fields})


def test_stock_of_two_states_that_moves_together_changes_no_state(books: Books) -> None:
    damaged = {"before": "damaged", "after": "damaged"}
    post(books, move("m1", "5"), move("m2", "5", **damaged))
    both = lines(
        ("A", "-5", "available", ""),
        ("B", "5", "available", ""),
        ("A", "-5", "damaged", ""),
        ("B", "5", "damaged", ""),
    )
    assert post(books, both) == [("entered", None)]


def test_another_owner_does_not_make_damaged_stock_available(books: Books) -> None:
    post(books, move("m1", "5", before="damaged", after="damaged"))
    healed = lines(("A", "-1", "damaged", ""), ("A", "1", "available", "ours"))
    assert post(books, healed) == [
        ("refused", "line 1: stock may not go from damaged to available")
    ]


def test_a_reversal_takes_back_all_of_a_movement_once_whatever_states_it_changed(
    books: Books,
) -> None:
    harmed = lines(("A", "-2", "available", ""), ("A", "2", "damaged", ""), id="harmed")
    post(books, move("m1", "5"), harmed)
    back = [("A", "2.0", "available", ""), ("A", "-2", "damaged", "")]
    part = [("A", "1", "available", ""), ("A", "-1", "damaged", "")]
    twice = [*part, *part]
    other = "its lines are not those of movement harmed with the signs turned"
    assert post(
        books,
        lines(*part, id="r1", reverses="harmed"),
        lines(*twice, id="r2", reverses="harmed"),
        lines(*reversed(back), id="r3", reverses="harmed"),
        lines(*back, id="r4", reverses="harmed"),
        lines(*back, id="r5", reverses="r5"),
    ) == [
        ("refused", other),
        ("refused", other),
        ("entered", None),
        ("refused", "movement harmed was reversed before, by entry 15"),
        ("refused", "movement r5, which it reverses, is not known"),
    ]


def test_a_serial_number_is_in_one_real_place_only(books: Books, connection: Connection) -> None:
    pump = {"item": "pump", "serial": "7"}
    already = "line 2: serial 7 of item pump is already at A"
    assert post(
        books,
        move("m1", "1", **pump),
        move("m2", "1", to="B", **pump),
        move("m3", "1", **pump),
        move("m4", "1", origin="A", to="B", **pump),
        move("m5", "1", origin="B", to="customer", **pump),
        move("m6", "1", origin="customer", to="A", **pump),
    ) == [
        ("entered", None),
        ("refused", already),
        ("refused", already),
        ("entered", None),
        ("entered", None),
        ("entered", None),
    ]
    assert post(books, move("m7", "1", to="B", is_physical=True, **pump)) == [("entered", None)]
    found = connection.execute("select problem, item, quantity, location from ledger.discrepancies")
    assert found.fetchall() == [("over", "pump", 1, "B")]


def test_a_serial_number_does_not_come_twice_in_one_movement(books: Books) -> None:
    postings = tuple(
        Posting(item="pump", serial="7", location=location, quantity=quantity)
        for location, quantity in (("supplier", "-1"), ("A", "1"), ("supplier", "-1"), ("B", "1"))
    )
    movement = Movement(id="m", document="", step="", happened_us=1, postings=postings)
    assert post(books, movement) == [("refused", "line 2: serial 7 of item pump comes twice")]


def test_shortages_of_an_item_at_a_location_are_one_discrepancy_of_their_sum(
    books: Books, connection: Connection
) -> None:
    taken = lines(
        ("A", "-2", "available", "x"),
        ("A", "-3", "available", "y"),
        ("customer", "5", "available", ""),
        item="sand",
    )
    assert post(books, taken) == [("entered", None)]
    found = connection.execute("select quantity, location from ledger.discrepancies")
    assert found.fetchall() == [(5, "A")]


def test_a_late_movement_tells_of_the_past_and_of_the_present_apart(
    books: Books, connection: Connection
) -> None:
    """By what is known then: 5, -4, -9 and now -6."""
    post(
        books,
        move("m1", "5", item="sand", at_s=10),
        move("m2", "5", item="sand", origin="A", to="customer", at_s=30),
        move("m3", "3", item="sand", at_s=40),
        move("m4", "9", item="sand", origin="A", to="customer", at_s=20),
    )
    found = connection.execute("select quantity from ledger.discrepancies order by quantity")
    assert found.fetchall() == [(6,), (9,)]
    assert connection.execute("select count(*) from ledger.rejects").fetchone() == (0,)


def test_a_late_movement_that_lowers_nothing_on_balance_tells_of_nothing(
    books: Books, connection: Connection
) -> None:
    post(
        books,
        move("m1", "5", item="sand", origin="A", to="customer", at_s=10),
        move("m2", "9", item="sand", at_s=30),
    )
    opened = connection.execute("select count(*) from ledger.discrepancies").fetchone()
    around = lines(
        *(("A", "-4", "available", ""), ("A", "4", "available", "")), item="sand", happened_us=20
    )
    assert post(books, around) == [("entered", None)]
    assert connection.execute("select count(*) from ledger.discrepancies").fetchone() == opened


def test_the_largest_quantities_still_fit_a_discrepancy(
    embedded: Fresh, books: Books, connection: Connection
) -> None:
    most = "999999999999999"
    out = [("A", f"-{most}", "available", "")] * 500
    into = [("customer", most, "available", "")] * 500
    for number in range(20):
        outcome = post(books, lines(*out, *into, id=f"m{number}", item="sand"))
        assert outcome == [("entered", None)]
    found = connection.execute("select max(quantity) from ledger.discrepancies")
    assert found.fetchone() == (2**53,)
    assert verify_books(embedded.postgres_url, "demo").findings == ()


CHANGES: list[tuple[BookItem | BookPlace, str]] = [
    (BookItem(item="oil", decimals=2), "item oil has been counted to 3 decimals"),
    (
        BookItem(item="oil", decimals=3, tracking=Tracking.BATCH),
        "item oil has been counted by tracking none",
    ),
    (BookPlace(location="A", kind=PlaceKind.SUPPLIER), "location A has balances as zone"),
    (BookPlace(location="supplier"), "location supplier has balances as supplier"),
]


@pytest.mark.parametrize(("change", "says"), CHANGES)
def test_master_data_never_turns_stock_into_something_else(
    books: Books, change: BookItem | BookPlace, says: str
) -> None:
    post(books, move("m1", "0.125", item="oil"))
    with pytest.raises(psycopg.errors.CheckViolation, match=says):
        books.put(change, 5)
    assert books.put(BookItem(item="oil", base_unit="litre", decimals=4), 5)
    assert books.put(BookPlace(location="A", kind=PlaceKind.BIN), 5)
    assert books.put(BookPlace(location="customer", kind=PlaceKind.ZONE), 5)


MALFORMED_BOOKS = [
    ({"schema": 2}, "schema is not 1"),
    ({"type": "movement"}, "movement is no master data"),
    ({"item": ""}, "item is not 1 to 200 bytes"),
    ({"decimals": "2"}, "decimals is not a number from 0 to 6"),
    ({"decimals": 7}, "decimals is not a number from 0 to 6"),
    ({"tracking": "colour"}, "colour is no tracking"),
    ({"colour": 1}, "its fields are not"),
]


@pytest.mark.usefixtures("books")
@pytest.mark.parametrize(("fields", "says"), MALFORMED_BOOKS)
def test_master_data_that_verification_could_not_read_is_refused(
    connection: Connection, fields: dict[str, Any], says: str
) -> None:
    payload = json.dumps({**json.loads(canonical(BookItem(item="nut"))), **fields}).encode()
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=says):
        connection.execute("select ledger.put_book('demo', 1, %b)", (payload,))
