"""The accuracy table: intervals, sums, and what counts as undecided."""

from __future__ import annotations

from benchmarks.location import KINDS, Figures, interval, seeds_of, table


def test_wilsons_interval_is_the_published_one() -> None:
    low, high = interval(9, 10)
    assert round(low, 3) == 0.596
    assert round(high, 3) == 0.982
    assert interval(0, 0) == (0.0, 1.0)
    assert interval(10, 10)[1] == 1.0


def test_figures_sum_up_field_by_field() -> None:
    whole = Figures(passages=2, right=1, missed=1)
    whole.add(Figures(passages=3, right=3, strays=4, moved=1))
    assert whole == Figures(passages=5, right=4, missed=1, strays=4, moved=1)


def test_a_table_names_each_kind_of_gate_in_words() -> None:
    text = table({kind: Figures(passages=200, right=199, missed=1) for kind in KINDS})
    assert all(name in text for name in KINDS.values())
    assert text.count("99.50") == len(KINDS)


def test_seeds_are_written_as_ranges_and_lists() -> None:
    assert seeds_of("1-3,8") == [1, 2, 3, 8]
