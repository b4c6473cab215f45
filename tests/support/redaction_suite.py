# ruff: noqa: D102 - the claims are the names.
"""Who is forgotten, and that the chain does not notice: on every PostgreSQL that a site may run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from contracts.books import BookItem, BookPlace, Movement, PlaceKind, Posting
from contracts.codec import canonical, decode_json
from contracts.persons import Occasion, PersonRedacted, PersonUse, is_pseudonym
from ledger_sink.books import Books
from ledger_sink.core.redaction import Person, found, pseudonym
from ledger_sink.heads_file import HEADS, PUBLIC_KEY
from ledger_sink.postgres_ledger import PostgresLedger, connect
from ledger_sink.publisher import Publisher
from ledger_sink.redaction import Persons, RedactionError, RetentionTime
from ledger_sink.settings import Settings
from ledger_sink.verify import verify
from tests.support.servers import Fresh

DAY = 86_400_000_000
NOW = 20_000 * DAY


class RedactionSuite:
    """The claims; a subclass says on which server."""

    @pytest.fixture
    def fresh(self) -> Fresh:
        raise AssertionError("a subclass says it")

    @pytest.fixture
    def ledger(self, fresh: Fresh) -> Iterator[PostgresLedger]:
        with connect(fresh.postgres_url) as connection:
            yield PostgresLedger(connection, "demo")

    @pytest.fixture
    def persons(self, ledger: PostgresLedger) -> Persons:
        return Persons(ledger)

    def person(self, persons: Persons, named: str) -> Person:
        one = found(persons.known(), named)
        assert one is not None
        return one

    def test_a_person_has_one_pseudonym_until_it_is_forgotten(self, persons: Persons) -> None:
        first = persons.pseudonym_of("anna", NOW)
        assert is_pseudonym(first)
        assert persons.pseudonym_of("anna", NOW + DAY) == first
        assert persons.pseudonym_of(first, NOW) == first
        assert persons.pseudonym_of("", NOW) == ""
        assert persons.pseudonym_of("bert", NOW) != first
        persons.redact(first, by="bert", reason="she left", at_us=NOW)
        second = persons.pseudonym_of("anna", NOW)
        assert second != first
        assert persons.pseudonym_of(first, NOW) == first

    def test_the_same_person_of_another_site_is_another(self, ledger: PostgresLedger) -> None:
        here, there = (Persons(PostgresLedger(ledger.connection, site)) for site in ("a", "b"))
        assert here.pseudonym_of("anna", NOW) != there.pseudonym_of("anna", NOW)
        assert [one.person for one in here.known()] == ["anna"]

    def test_salt_and_sign_in_id_show_whom_a_pseudonym_stands_for(
        self, ledger: PostgresLedger, persons: Persons
    ) -> None:
        made = persons.pseudonym_of("an\nna 李", NOW)
        query = "select salt from ledger.persons"
        ((salt,),) = ledger.connection.execute(query).fetchall()
        assert len(salt) == 32
        assert pseudonym("demo", "an\nna 李", salt) == made

    def test_redaction_leaves_the_chain_whole_and_nobody_behind_the_pseudonym(
        self, ledger: PostgresLedger, persons: Persons, fresh: Fresh, tmp_path: Path
    ) -> None:
        books = Books(ledger)
        books.put(BookItem(item="bolt"), 1)
        for location, kind in (("A", PlaceKind.ZONE), ("supplier", PlaceKind.SUPPLIER)):
            books.put(BookPlace(location=location, kind=kind), 1)
        anna, boss = persons.pseudonym_of("anna", NOW), persons.pseudonym_of("boss", NOW)
        persons.name("anna", "Anna Li")
        lines = (
            Posting(item="bolt", location="supplier", quantity="-1"),
            Posting(item="bolt", location="A", quantity="1"),
        )
        movement = Movement(
            id="m1", document="", step="receipt", happened_us=1, postings=lines, person=anna
        )
        books.post([movement], NOW)
        publisher = Publisher(ledger, Settings(data=tmp_path))
        publisher.publish()
        deeds = "select person, name, pseudonym from ledger.deeds_named where kind = 'movement'"
        assert ledger.connection.execute(deeds).fetchall() == [("anna", "Anna Li", anna)]

        seq = persons.redact(anna, by="boss", reason="she asked for it", at_us=NOW)
        assert persons.redact(anna, by="boss", reason="again", at_us=NOW + 5) == seq
        publisher.publish()
        publisher.close()

        files = tmp_path / "ledger"
        report = verify(fresh.postgres_url, "demo", files / HEADS, files / PUBLIC_KEY)
        assert (report.findings, report.unprotected) == ((), 0)
        query = "select payload from ledger.entries where seq = %s and kind = 'redaction'"
        ((payload,),) = ledger.connection.execute(query, (seq,)).fetchall()
        said = PersonRedacted(
            pseudonym=anna,
            asked_by=boss,
            occasion=Occasion.ASKED,
            reason="she asked for it",
            is_early=False,
            at_us=NOW,
        )
        assert decode_json(PersonRedacted, payload) == said
        assert canonical(said) == payload
        assert ledger.connection.execute(deeds).fetchall() == [(None, None, anna)]
        query = "select salt, person, name from ledger.persons where pseudonym = %s"
        rows = ledger.connection.execute(query, (anna,)).fetchall()
        assert rows == [(None, None, None)]
        assert persons.in_clear() == []

    def test_nothing_of_a_forgotten_person_remains_in_the_tables_file(
        self, ledger: PostgresLedger, persons: Persons
    ) -> None:
        """Deleted rows and the planner's figures are gone too."""
        made = persons.pseudonym_of("unmistakable-sign-in", NOW)
        persons.name("unmistakable-sign-in", "Unmistakable Name")
        ledger.connection.execute("analyze ledger.persons")
        persons.redact(made, by="boss", reason="asked", at_us=NOW)
        assert persons.scrub()
        ledger.connection.execute("checkpoint")
        file = (
            "select encode(pg_read_binary_file(pg_relation_filepath(c.oid)), 'escape')"
            " from pg_class c where c.oid = 'ledger.persons'::regclass or c.oid in (select"
            " i.indexrelid from pg_index i where i.indrelid = 'ledger.persons'::regclass)"
        )
        files = [text for (text,) in ledger.connection.execute(file)]
        assert len(files) == 3
        assert any("boss" in text for text in files)
        assert not any("nmistakable" in text for text in files)
        figures = "select most_common_vals::text || coalesce(histogram_bounds::text, '')"
        figures += " from pg_stats where tablename = 'persons' and schemaname = 'ledger'"
        assert "nmistakable" not in str(ledger.connection.execute(figures).fetchall())

    def test_a_person_is_kept_as_long_as_its_longest_use_asks_for(self, persons: Persons) -> None:
        persons.keep(RetentionTime(PersonUse.WORK, 10, is_legal=False))
        persons.keep(RetentionTime(PersonUse.APPROVAL, 100, is_legal=True))
        persons.pseudonym_of("anna", NOW)
        assert self.person(persons, "anna").until_us == NOW + 11 * DAY
        persons.pseudonym_of("anna", NOW + 5 * DAY)
        assert self.person(persons, "anna").until_us == NOW + 16 * DAY
        assert self.person(persons, "anna").legal_us == 0
        persons.pseudonym_of("anna", NOW, PersonUse.APPROVAL)
        one = self.person(persons, "anna")
        assert (one.until_us, one.legal_us) == (NOW + 101 * DAY, NOW + 101 * DAY)
        assert persons.expired(NOW + 101 * DAY - 1) == []
        assert persons.expired(NOW + 101 * DAY) == [one]

    def test_times_of_a_site_come_before_those_of_all(
        self, ledger: PostgresLedger, persons: Persons
    ) -> None:
        before = {time.use: time for time in persons.retention_times()}
        assert before[PersonUse.APPROVAL] == RetentionTime(PersonUse.APPROVAL, 10_958, True)
        Persons(PostgresLedger(ledger.connection, "*")).keep(
            RetentionTime(PersonUse.WORK, 7, is_legal=False)
        )
        assert {time.use: time.days for time in persons.retention_times()}[PersonUse.WORK] == 7
        persons.keep(RetentionTime(PersonUse.WORK, 9, is_legal=False))
        assert {time.use: time.days for time in persons.retention_times()}[PersonUse.WORK] == 9
        with pytest.raises(errors.CheckViolation):
            persons.keep(RetentionTime(PersonUse.WORK, 0, is_legal=False))

    def test_what_a_law_wants_kept_goes_early_only_when_told(
        self, ledger: PostgresLedger, persons: Persons
    ) -> None:
        made = persons.pseudonym_of("anna", NOW, PersonUse.APPROVAL)
        with pytest.raises(RedactionError, match=rf"a law asks to keep {made} until 2054-10-"):
            persons.redact(made, by="boss", reason="asked", at_us=NOW)
        seq = persons.redact(made, by="boss", reason="a court said so", at_us=NOW, early=True)
        query = "select payload from ledger.entries where seq = %s"
        ((payload,),) = ledger.connection.execute(query, (seq,)).fetchall()
        assert decode_json(PersonRedacted, payload).is_early

    def test_what_is_past_its_time_says_so(self, ledger: PostgresLedger, persons: Persons) -> None:
        made = persons.pseudonym_of("anna", NOW)
        later = NOW + 2_000 * DAY
        seq = persons.redact(made, by="boss", reason="time is over", at_us=later)
        query = "select payload from ledger.entries where seq = %s"
        ((payload,),) = ledger.connection.execute(query, (seq,)).fetchall()
        assert decode_json(PersonRedacted, payload).occasion is Occasion.EXPIRED

    @pytest.mark.parametrize(
        ("by", "reason", "words"),
        [
            ("", "why", "who asked for it"),
            ("boss", "", "why in 1 to 200 bytes"),
            ("boss", "x" * 201, "why in 1 to 200 bytes"),
            ("boss", "ANNA left", "must not name the person"),
            ("boss", "Miss anna li left", "must not name the person"),
        ],
    )
    def test_a_redaction_says_who_and_why_and_names_nobody(
        self, persons: Persons, by: str, reason: str, words: str
    ) -> None:
        made = persons.pseudonym_of("anna", NOW)
        persons.name("anna", "Anna Li")
        with pytest.raises(RedactionError, match=words):
            persons.redact(made, by=by, reason=reason, at_us=NOW)
        assert self.person(persons, "anna").name == "Anna Li"

    def test_nobody_unknown_is_forgotten_or_named(self, persons: Persons) -> None:
        with pytest.raises(RedactionError, match="knows no pseudonym"):
            persons.redact("p-" + "0" * 32, by="boss", reason="asked", at_us=NOW)
        with pytest.raises(RedactionError, match="knows no such person"):
            persons.name("anna", "Anna Li")
        made = persons.pseudonym_of("anna", NOW)
        persons.redact(made, by="boss", reason="asked", at_us=NOW)
        with pytest.raises(RedactionError, match="made to forget it"):
            persons.name(made, "Anna Li")

    def test_only_redaction_changes_who_stands_behind_a_pseudonym(
        self, ledger: PostgresLedger, persons: Persons
    ) -> None:
        made = persons.pseudonym_of("anna", NOW)
        for change in (
            "person = 'eve'",
            r"salt = '\x00'",
            "pseudonym = 'p'",
            "site = 'x'",
            "salt = null, person = null, pseudonym = 'p'",
        ):
            statement = "update ledger.persons set CHANGE".replace("CHANGE", change)
            with pytest.raises(errors.InsufficientPrivilege, match="stays as it was made"):
                ledger.connection.execute(statement.encode())
        persons.redact(made, by="boss", reason="asked", at_us=NOW)
        with pytest.raises(errors.InsufficientPrivilege, match="stays as it was made"):
            ledger.connection.execute(
                r"update ledger.persons set salt = '\x00', person = 'eve' where person is null"
            )

    def test_a_redaction_cannot_be_made_up(self, fresh: Fresh) -> None:
        statement = (
            "select ledger.append('demo', 1, array['x'], array['redaction'], array[1::bigint],"
            r" array[null::text], array[null::text], array['\x'::bytea], array[null::bigint],"
            " array[0::bigint])"
        )
        for role in ("ledger_appender", "ledger_sink"):
            with (
                connect(fresh.postgres_url, role) as connection,
                pytest.raises(errors.InsufficientPrivilege, match="kind redaction"),
            ):
                connection.execute(statement)

    def test_names_are_for_those_who_may_know_them(self, fresh: Fresh, persons: Persons) -> None:
        persons.pseudonym_of("anna", NOW)
        for role in ("ledger_reader", "ledger_auditor", "ledger_appender", "ledger_sink"):
            with connect(fresh.postgres_url, role) as connection:
                for view in ("persons_named", "deeds_named", "persons"):
                    with pytest.raises(errors.InsufficientPrivilege):
                        connection.execute(f"table ledger.{view}".encode())
        for role in ("ledger_names", "ledger_privacy"):
            with (
                connect(fresh.postgres_url, role) as connection,
                pytest.raises(errors.InsufficientPrivilege),
            ):
                connection.execute("select salt from ledger.persons")
        assert self.person(persons, "anna").person == "anna"

    def test_writers_that_meet_over_one_person_agree(self, fresh: Fresh) -> None:
        """In transactions that append before and after; none waits for another for ever."""
        told: list[str] = []
        failed: list[Exception] = []

        def write(number: int) -> None:
            try:
                with connect(fresh.postgres_url, "ledger_appender") as connection:
                    persons = Persons(PostgresLedger(connection, "demo"))
                    for turn in range(10):
                        with connection.transaction():
                            names = sorted((f"n{turn}", f"m{turn}"), reverse=number % 2 == 0)
                            told.extend(
                                f"{name} {persons.pseudonym_of(name, NOW)}" for name in names
                            )
            except psycopg.Error as error:
                failed.append(error)

        writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join(60)
        assert failed == []
        assert len(told) == 80
        assert len(set(told)) == 20

    def test_who_asks_on_a_day_again_writes_nothing(
        self, ledger: PostgresLedger, persons: Persons
    ) -> None:
        """So it may be asked for every movement, and the chain is not locked for it."""
        persons.pseudonym_of("anna", NOW)
        with ledger.transaction():
            persons.pseudonym_of("anna", NOW + DAY - 1)
            persons.pseudonym_of("anna", NOW - DAY)
            query = "select pg_current_xact_id_if_assigned()"
            assert ledger.connection.execute(query).fetchone() == (None,)

    def test_persons_in_clear_are_found(self, ledger: PostgresLedger, persons: Persons) -> None:
        books = Books(ledger)
        books.put(BookItem(item="bolt"), 1)
        for location, kind in (("A", PlaceKind.ZONE), ("supplier", PlaceKind.SUPPLIER)):
            books.put(BookPlace(location=location, kind=kind), 1)
        for number, person in enumerate(("anna", persons.pseudonym_of("bert", NOW), "")):
            lines = (
                Posting(item="bolt", location="supplier", quantity="-1"),
                Posting(item="bolt", location="A", quantity="1"),
            )
            movement = Movement(
                id=f"m{number}",
                document="",
                step="receipt",
                happened_us=1,
                postings=lines,
                person=person,
            )
            # As another program does that knows nothing of pseudonyms.
            ((outcome,),) = ledger.connection.execute(
                "select outcome from ledger.post('demo', %s, %s::bytea[])",
                (NOW, [canonical(movement)]),
            ).fetchall()
            assert outcome == "entered"
        (one,) = persons.in_clear()
        assert (one.kind, one.part, one.entries) == ("movement", "person", 1)
        assert one.first_seq == one.last_seq
