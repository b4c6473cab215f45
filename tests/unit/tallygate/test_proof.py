"""The proof names whom it misses and whom it has too often."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tallygate.proof import compare, describe


def test_equal_books_prove_that_nothing_is_lost_or_twice() -> None:
    proof = compare({"a": 2, "b": 1}, {"b": 1, "a": 2})
    assert proof.holds
    assert describe(proof) == ["lost 0, twice 0 (of 3 reads in the spools)"]


def test_a_missing_read_names_its_identity() -> None:
    proof = compare({"a": 2}, {"a": 1})
    assert not proof.holds
    assert proof.lost == {"a": 1}
    assert "lost: a (1 of its reads or events)" in describe(proof)


def test_one_event_under_two_ids_is_twice_even_if_its_reads_agree() -> None:
    event = ("a", "passed", "door-1", "in", 5)
    assert compare({"a": 1}, {"a": 1}, [event, event]).twice == {"a": 1}


def test_a_direction_that_became_known_later_is_another_event() -> None:
    first = ("a", "passed", "door-1", "unknown", 5)
    assert compare({"a": 1}, {"a": 1}, [first, ("a", "passed", "door-1", "in", 5)]).holds


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abc")))
def test_the_proof_holds_exactly_when_the_books_agree(left: list[str], right: list[str]) -> None:
    proof = compare(Counter(left), Counter(right))
    assert proof.holds == (Counter(left) == Counter(right))
    difference = proof.entered - proof.spooled
    assert difference == sum(proof.twice.values()) - sum(proof.lost.values())
