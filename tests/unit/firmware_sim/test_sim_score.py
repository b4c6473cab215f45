"""The scorer is strict: every passage is right, wrong or missed, and strays are told apart."""

import pytest

from firmware_sim.core.truth import Passage
from firmware_sim.score import GeometryScore, Told, score_of

S = 1_000_000


def passage(at_s: float = 100, direction: str | None = "out", **more: object) -> Passage:
    """A straight passage at door-1 that was read."""
    at_us = int(at_s * S)
    values: dict[str, object] = {
        "identity": "tag",
        "gate": "door-1",
        "geometry": "rows",
        "kind": "passed",
        "load": None,
        "from_us": at_us - 3 * S,
        "until_us": at_us + 3 * S,
        "how": "",
        "reads_emitted": 12,
    }
    return Passage(at_us=at_us, direction=direction, **{**values, **more})  # type: ignore[arg-type]


def told(at_s: float = 100, direction: str = "out", **more: str) -> Told:
    """The event of that passage."""
    values = {"identity": "tag", "gate": "door-1"} | more
    return Told(at_us=int(at_s * S), direction=direction, **values)


def rows(passages: list[Passage], events: list[Told]) -> GeometryScore:
    return score_of(passages, events)["rows"]


def figures(score: GeometryScore) -> tuple[int, ...]:
    """Passages, right, wrong, missed, unread, strays, strays moved, extra."""
    return (
        score.passages,
        score.right,
        score.wrong,
        score.missed,
        score.unread,
        score.strays,
        score.strays_moved,
        score.extra,
    )


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([told()], (1, 1, 0, 0, 0, 0, 0, 0)),
        ([told(direction="in")], (1, 0, 1, 0, 0, 0, 0, 0)),
        ([], (1, 0, 0, 1, 0, 0, 0, 0)),
        ([told(direction="unknown")], (1, 0, 0, 1, 0, 0, 0, 0)),
        ([told(direction="turned_back")], (1, 0, 0, 1, 0, 0, 0, 0)),
        ([told(), told(101)], (1, 1, 0, 0, 0, 0, 0, 1)),
        ([told(200)], (1, 0, 0, 1, 0, 0, 0, 1)),
        ([told(gate="door-2")], (1, 0, 0, 1, 0, 0, 0, 0)),
        ([told(identity="other")], (1, 0, 0, 1, 0, 0, 0, 1)),
    ],
)
def test_a_passage_is_right_wrong_or_missed(events: list[Told], expected: tuple[int, ...]) -> None:
    """Undecided counts as missed; told again is extra."""
    assert figures(rows([passage()], events)) == expected


def test_an_unread_passage_is_missed_and_shown_apart() -> None:
    """The reader had nothing of it."""
    assert figures(rows([passage(reads_emitted=0)], [])) == (1, 0, 0, 1, 1, 0, 0, 0)


def test_twice_within_five_seconds_needs_both() -> None:
    """Out and in again: one told is one right and one missed; swapped is two wrong."""
    both = [passage(100, "out"), passage(104, "in")]
    assert figures(rows(both, [told(100, "out"), told(104, "in")]))[:4] == (2, 2, 0, 0)
    assert figures(rows(both, [told(102, "in")]))[:4] == (2, 1, 0, 1)
    assert figures(rows(both, [told(100, "in"), told(104, "out")]))[:4] == (2, 0, 2, 0)


@pytest.mark.parametrize("kind", ["lingered", "crosstalk", "turned_back"])
def test_a_stray_that_is_told_as_passed_is_moved(kind: str) -> None:
    """Once each, however often it is told; told as turned back it is not moved."""
    stray = passage(kind=kind, direction=None)
    assert figures(rows([stray], [told(), told(102)])) == (0, 0, 0, 0, 0, 1, 1, 1)
    assert figures(rows([stray], [told(direction="turned_back")])) == (0, 0, 0, 0, 0, 1, 0, 0)


def test_a_stray_beside_a_passage_takes_nothing_from_it() -> None:
    """Parked for minutes, then passed: the event belongs to the passage."""
    parked = passage(60, None, kind="lingered", from_us=10 * S, until_us=97 * S)
    score = rows([parked, passage()], [told()])
    assert figures(score) == (1, 1, 0, 0, 0, 1, 0, 0)


def test_geometries_are_told_apart_and_mistakes_name_the_identity() -> None:
    """So that somebody can look."""
    other = passage(gate="door-2", geometry="facing")
    scores = score_of([passage(), other], [told(), told(gate="door-2", direction="in")])
    assert (scores["rows"].right, scores["facing"].wrong) == (1, 1)
    assert scores["facing"].wrong_or_missed_share == 1.0
    (mistake,) = scores["facing"].mistakes
    assert (mistake.problem, mistake.identity, mistake.told) == ("wrong", "tag", "in")


def test_something_unread_is_held_against_what_passed_unread() -> None:
    """Each unread passage explains one of them; none makes a passage right or extra."""
    unread = [passage(100, reads_emitted=0), passage(150), passage(200, reads_emitted=0)]
    events = [told(at_s, identity="noread:belt") for at_s in (100, 101, 150, 201)]
    score = rows(unread, [*events, told(150)])
    assert figures(score) == (3, 1, 0, 2, 2, 0, 0, 0)
    assert (score.no_reads, score.no_reads_true) == (4, 2)


def test_something_unread_the_other_way_explains_nothing() -> None:
    score = rows([passage(reads_emitted=0)], [told(direction="in", identity="noread:belt")])
    assert (score.no_reads, score.no_reads_true) == (1, 0)
