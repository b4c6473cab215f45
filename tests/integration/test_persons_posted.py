"""What is posted names nobody: pseudonyms stand in the ledger, and the same is known again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from contracts.books import Movement, Posting
from contracts.codec import decode_json
from contracts.documents import Document, EnteredDocument
from contracts.persons import PersonUse, is_pseudonym
from ledger_sink.books import Books
from ledger_sink.postgres_ledger import PostgresLedger, connect
from ledger_sink.redaction import Persons
from tests.support.document_books import (
    DAY_US,
    NOW_US,
    document,
    entered,
    line,
    opening,
    post,
    problem,
    set_up,
)
from tests.support.servers import Fresh


@pytest.fixture
def books(embedded: Fresh) -> Iterator[Books]:
    with connect(embedded.postgres_url) as connection:
        made = Books(PostgresLedger(connection, "demo"))
        set_up(made)
        yield made


@pytest.fixture
def persons(books: Books) -> Persons:
    return Persons(books.ledger)


def counted(person: str = "anna", approved_by: str = "boss", **fields: Any) -> Document:
    """An adjustment, which two persons make."""
    lines = line("bolt", -2, location="A", reason="lost")
    return document("ADJ-1", "adjustment", lines, person=person, approved_by=approved_by, **fields)


def moved(person: str = "anna", id_: str = "m1") -> Movement:
    """Sand, which is not valued, from outside into zone A."""
    return Movement(
        id=id_,
        document="",
        step="receipt",
        happened_us=1,
        postings=(
            Posting(item="sand", location="supplier", quantity="-5"),
            Posting(item="sand", location="A", quantity="5"),
        ),
        person=person,
    )


def payloads(books: Books, kind: str) -> list[bytes]:
    query = "select payload from ledger.entries where kind = %s order by seq"
    return [row[0] for row in books.ledger.connection.execute(query, (kind,)).fetchall()]


def forget(persons: Persons, person: str) -> None:
    pseudonym = persons.pseudonym_of(person, NOW_US)
    persons.redact(pseudonym, by="officer", reason="asked", at_us=NOW_US, early=True)


def test_a_document_is_entered_with_pseudonyms_each_for_its_use(
    books: Books, persons: Persons
) -> None:
    entered(books, opening(), counted())
    *_, raw = payloads(books, "document")
    said = decode_json(EnteredDocument, raw)
    anna, boss = (next(p for p in persons.known() if p.person == n) for n in ("anna", "boss"))
    assert (said.person, said.approved_by) == (anna.pseudonym, boss.pseudonym)
    assert decode_json(Movement, payloads(books, "movement")[-1]).person == anna.pseudonym
    assert (anna.legal_us > 0, boss.legal_us > 0) == (False, True), "only an approval is law's"
    assert persons.in_clear() == []
    (row,) = books.ledger.connection.execute(
        "select person from ledger.documents where id = 'ADJ-1'"
    ).fetchall()
    assert row == (anna.pseudonym,)


@pytest.mark.parametrize("forgotten", [(), ("anna",), ("boss",), ("anna", "boss")])
def test_the_same_document_is_known_whoever_was_forgotten_since(
    books: Books, persons: Persons, forgotten: tuple[str, ...]
) -> None:
    entered(books, opening(), counted())
    for person in forgotten:
        forget(persons, person)
    count = len(persons.known())
    for _ in range(2):
        (again,) = post(books, counted(), at_us=NOW_US + DAY_US)
        assert (again.outcome, again.problem) == ("known", None)
    assert len(persons.known()) == count, "nobody who was forgotten is remembered by that"
    assert not {person.person for person in persons.known()} & set(forgotten)


def test_a_number_that_stands_for_another_persons_document_is_refused(
    books: Books, persons: Persons
) -> None:
    entered(books, opening(), counted())
    forget(persons, "anna")
    for other in (counted(approved_by="chief"), counted(person=""), counted(reason="other")):
        assert "stands for another document" in problem(books, other)
    (again,) = post(
        books, counted(person=decode_json(EnteredDocument, payloads(books, "document")[-1]).person)
    )
    assert again.outcome == "known"


def test_nobody_approves_their_own_adjustment_under_a_pseudonym_either(
    books: Books, persons: Persons
) -> None:
    entered(books, opening())
    anna = persons.pseudonym_of("anna", NOW_US)
    for person, approver in (("anna", "anna"), (anna, "anna"), ("anna", anna), (anna, anna)):
        assert problem(books, counted(person, approver)).startswith("who made an adjustment")


def test_a_refused_document_is_kept_without_names(books: Books, persons: Persons) -> None:
    named = {"person": "unmistakable-anna", "approved_by": "unmistakable-boss"}
    entered(books, opening())
    problem(books, document("S-1", "scrap", line("bolt", 999, location="A"), **named))
    problem(books, counted(*["unmistakable-anna"] * 2))
    problem(books, document("S-2", "scrap", line("nothing", 1, location="A"), **named))
    raws = payloads(books, "reject")
    assert len(raws) == 3
    everything = b"".join(
        row[0]
        for row in books.ledger.connection.execute("select payload from ledger.entries").fetchall()
    )
    assert b"unmistakable" not in everything
    assert {one.person for one in persons.known()} == {"unmistakable-anna", "unmistakable-boss"}


def test_a_batch_asks_for_its_persons_in_one_query(
    books: Books, persons: Persons, monkeypatch: pytest.MonkeyPatch
) -> None:
    del persons
    asked: list[str] = []
    execute = psycopg.Connection.execute

    def listening(self: psycopg.Connection[Any], query: Any, *rest: Any, **more: Any) -> Any:
        asked.append(str(query))
        return execute(self, query, *rest, **more)

    entered(books, opening())
    monkeypatch.setattr(psycopg.Connection, "execute", listening)
    entered(
        books,
        *(
            document(
                f"GI-{number}",
                "goods_issue",
                line("bolt", 1, location="A"),
                person=f"clerk-{number % 4}",
                approved_by="boss",
                day=2,
            )
            for number in range(12)
        ),
    )
    assert sum("pseudonym_of" in query for query in asked) == 1


def test_a_bare_movement_is_entered_with_a_pseudonym_and_known_again(
    books: Books, persons: Persons
) -> None:
    nameless = moved(person="", id_="m0")
    assert [one.outcome for one in books.post([moved(), nameless], NOW_US)] == ["entered"] * 2
    first, second = (decode_json(Movement, raw) for raw in payloads(books, "movement"))
    assert is_pseudonym(first.person)
    assert second.person == ""
    assert [one.outcome for one in books.post([moved()], NOW_US)] == ["known"]
    forget(persons, "anna")
    assert [one.outcome for one in books.post([moved(), moved(first.person)], NOW_US)] == [
        "known"
    ] * 2
    assert "anna" not in {one.person for one in persons.known()}
    assert persons.in_clear() == []
    # Somebody else did something else.
    assert [one.outcome for one in books.post([moved("")], NOW_US)] == ["refused"]


@pytest.mark.parametrize("person", ["x" * 201, "a\0b", "\ud800"])
def test_what_is_no_sign_in_id_is_refused_in_words(
    books: Books, persons: Persons, person: str
) -> None:
    wrong, right = books.post([moved(person), moved(id_="m2")], NOW_US)
    assert (wrong.outcome, right.outcome) == ("refused", "entered")
    assert [one.person for one in persons.known()] == ["anna"]


def test_who_works_today_is_kept_from_today_on(books: Books, persons: Persons) -> None:
    books.post([moved()], NOW_US)
    (before,) = persons.known()
    books.post([moved(id_="m2")], NOW_US + 10 * DAY_US)
    (after,) = persons.known()
    assert after.until_us == before.until_us + 10 * DAY_US
    assert persons.retention_times()[-1].use is PersonUse.WORK


def test_names_are_told_to_those_who_may_know_them(
    books: Books, persons: Persons, embedded: Fresh
) -> None:
    books.post([moved(), moved("bert", "m2"), moved("carl", "m3")], NOW_US)
    anna, bert, carl = (persons.pseudonym_of(one, NOW_US) for one in ("anna", "bert", "carl"))
    persons.name("anna", "Anna Li")
    forget(persons, "carl")
    wanted = [anna, bert, carl, "somebody"]
    assert persons.names(wanted) == {anna: "Anna Li", bert: "bert"}
    with connect(embedded.postgres_url) as connection:
        connection.execute("set role ledger_reader")
        assert Persons(PostgresLedger(connection, "demo")).names(wanted) == {}
