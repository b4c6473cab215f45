"""Pseudonyms and who stands behind them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from contracts.persons import is_pseudonym
from ledger_sink.core.redaction import Person, found, pseudonym

DAY = 86_400_000_000
ANNA = Person(pseudonym("demo", "anna", b"1"), "anna", "Anna Li", 10 * DAY, 0)
GONE = Person(pseudonym("demo", "bert", b"2"), None, None, 10 * DAY, 0)


@given(site=some.text(), person=some.text(), salt=some.binary(min_size=32, max_size=32))
def test_a_pseudonym_looks_like_one_and_depends_on_all(site: str, person: str, salt: bytes) -> None:
    made = pseudonym(site, person, salt)
    assert is_pseudonym(made)
    assert pseudonym(site, person, salt) == made
    others = {pseudonym(site + "x", person, salt), pseudonym(site, person + "x", salt)}
    others |= {pseudonym(site, person, bytes([salt[0] ^ 1]) + salt[1:])}
    assert len(others | {made}) == 4


def test_pseudonyms_stay_what_they_are() -> None:
    """They are in ledgers already."""
    assert pseudonym("demo", "anna", bytes(32)) == "p-2136660ddb6cd47a9882bc3b2312ad73"


@pytest.mark.parametrize("text", ["", "anna", "p-", "p-" + "g" * 32, "p-" + "A" * 32, "x" * 34])
def test_a_sign_in_id_is_no_pseudonym(text: str) -> None:
    assert not is_pseudonym(text)
    assert not is_pseudonym("p-" + "0" * 32 + text.ljust(1, "\n"))


def test_a_person_expires_at_the_end_of_its_time_and_once() -> None:
    assert not ANNA.is_expired(10 * DAY - 1)
    assert ANNA.is_expired(10 * DAY)
    assert not GONE.is_expired(20 * DAY)


def test_a_law_holds_until_its_day() -> None:
    kept = ANNA._replace(legal_us=5 * DAY)
    assert kept.is_kept_by_law(5 * DAY - 1)
    assert not kept.is_kept_by_law(5 * DAY)
    assert not ANNA.is_kept_by_law(0)


def test_a_person_is_found_by_sign_in_id_before_pseudonym() -> None:
    """Somebody may sign in with what looks like another's pseudonym."""
    odd = ANNA._replace(pseudonym="p-" + "0" * 32, person=ANNA.pseudonym)
    assert found([GONE, ANNA], "anna") is ANNA
    assert found([GONE, ANNA], ANNA.pseudonym) is ANNA
    assert found([ANNA, odd], ANNA.pseudonym) is odd
    assert found([GONE], GONE.pseudonym) is GONE
    assert found([GONE, ANNA], "bert") is None
