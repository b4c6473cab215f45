"""`tallygate redact`: who is known and until when, and how somebody is forgotten."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.persons import PersonUse
from ledger_sink.postgres_ledger import PostgresLedger, connect
from ledger_sink.redaction import Persons
from tallygate.ledger import write_state
from tests.integration.test_command_line_looks import tallygate
from tests.support.rights_catalog import logins_of
from tests.support.servers import Fresh

DAY = 86_400_000_000
LONG_AGO = 10 * DAY


@pytest.fixture
def persons(embedded: Fresh, tmp_path: Path) -> Iterator[Persons]:
    """Of a stack in `tmp_path`."""
    write_state(tmp_path, postgres_url=embedded.postgres_url, site="demo")
    with connect(embedded.postgres_url) as connection:
        yield Persons(PostgresLedger(connection, "demo"))


def redact(folder: Path, *arguments: str) -> tuple[int, str]:
    code, said = tallygate("redact", "--data", str(folder), *arguments)
    return code, " ".join(said.split())


def test_persons_are_listed_with_their_times(persons: Persons, tmp_path: Path) -> None:
    anna = persons.pseudonym_of("anna", LONG_AGO, PersonUse.APPROVAL)
    persons.name("anna", "Anna Li")
    code, said = redact(tmp_path)
    assert code == 0
    assert f"{anna} anna Anna Li 2000-01-13 2000-01-13" in said
    assert "approval: kept 10,958 days behind its last use, by law" in said
    assert "work: kept 1,096 days behind its last use" in said


def test_those_past_their_time_are_forgotten_and_nobody_else(
    persons: Persons, tmp_path: Path
) -> None:
    anna = persons.pseudonym_of("anna", LONG_AGO)
    bert = persons.pseudonym_of("bert", time.time_ns() // 1000)
    code, said = redact(tmp_path, "--expired", "--dry-run")
    assert (code, said) == (0, f"would be forgotten: {anna} (anna), kept until 1973-01-12")
    assert [one.person for one in persons.known()] == ["anna", "bert"]
    code, said = redact(tmp_path, "--expired", "--by", "boss")
    assert code == 0
    assert f"{anna} stands for nobody any more: entry 1 says so" in said
    assert "Deleted rows" not in said
    known = {one.pseudonym: one.person for one in persons.known()}
    assert (known[anna], known[bert]) == (None, "bert")
    assert redact(tmp_path, "--expired") == (0, "Nobody's retention time is over.")
    assert f"{anna} (forgotten)" in redact(tmp_path)[1]


def test_one_that_asks_is_forgotten_and_the_law_is_told_of(
    persons: Persons, tmp_path: Path
) -> None:
    anna = persons.pseudonym_of("anna", time.time_ns() // 1000, PersonUse.APPROVAL)
    order = ("--person", "anna", "--by", "boss", "--reason", "she asked")
    code, said = redact(tmp_path, *order, "--dry-run")
    assert code == 0
    assert ", by law until " in said
    code, said = redact(tmp_path, *order)
    assert code == 2
    assert f"{anna} is not forgotten: a law asks to keep {anna} until" in said
    assert "Give --early and the reason to do it all the same." in said
    code, said = redact(tmp_path, *order, "--early")
    assert code == 0
    assert "Copies that were made before still know them" in said
    assert redact(tmp_path, "--person", anna)[1] == f"tallygate: {anna} was forgotten before"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--person", "anna"), "say who asks for it (--by) and why (--reason)"),
        (("--person", "anna", "--by", "boss"), "say who asks for it (--by) and why (--reason)"),
        (("--person", "bert", "--by", "boss", "--reason", "x"), "the ledger knows nobody with"),
        (("--keep", "work"), "--keep is work=DAYS, approval=DAYS, contact=DAYS"),
        (("--keep", "work=0"), "with 1 to 99999 days, not 'work=0'"),
        (("--keep", "play=3"), "not 'play=3'"),
    ],
)
def test_an_order_that_cannot_be_is_refused_in_words(
    persons: Persons, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    persons.pseudonym_of("anna", LONG_AGO)
    code, said = redact(tmp_path, *arguments)
    assert code == 2
    assert words in said
    assert [one.person for one in persons.known()] == ["anna"]


def test_times_are_set_and_payloads_checked(persons: Persons, tmp_path: Path) -> None:
    persons.pseudonym_of("anna", LONG_AGO)
    code, said = redact(tmp_path, "--keep", "work=30", "--keep", "contact=60", "--by-law")
    assert (code, said) == (
        0,
        "work: kept 30 days behind its last use contact: kept 60 days behind its last use",
    )
    assert "work: kept 30 days behind its last use, by law" in redact(tmp_path)[1]
    assert redact(tmp_path, "--check") == (0, "No payload names a person in clear.")


def test_who_protects_persons_needs_one_role_and_one_site(
    persons: Persons, embedded: Fresh, tmp_path: Path
) -> None:
    """Times that hold for all sites hold for whoever sees one site only."""
    long_ago, today = persons.pseudonym_of("anna", LONG_AGO), time.time_ns() // 1000
    persons.pseudonym_of("bert", today)
    with connect(embedded.postgres_url) as owner, logins_of(embedded, owner) as logins:
        assert logins[-1].role == "ledger_privacy"
        urls = {login.role: login.url for login in logins}
        for login in logins:
            owner.execute("select ledger.let_read(%s, 'demo')", (login.name,))
        code, said = redact(tmp_path, "--postgres", urls["ledger_reader"])
        assert code == 2
        assert "Persons are for logins with the role ledger_privacy" in said
        code, said = redact(tmp_path, "--postgres", urls["ledger_names"])
        assert (code, "bert" in said) == (0, True)
        code, said = redact(tmp_path, "--postgres", urls["ledger_privacy"], "--check")
        assert (code, said) == (0, "No payload names a person in clear.")
        code, said = redact(
            tmp_path, "--postgres", urls["ledger_privacy"], "--expired", "--by", "boss"
        )
        assert code == 0
        assert f"{long_ago} stands for nobody any more: entry 1 says so" in said
        assert said.count("stands for nobody") == 1
        assert "until its owner runs VACUUM (FULL, ANALYZE) ledger.persons" in said
        owner.execute("select ledger.let_read(%s, 'demo', false)", (logins[-1].name,))
        code, said = redact(tmp_path, "--postgres", urls["ledger_privacy"])
        assert code == 2
        assert "the ledger is empty" in said
