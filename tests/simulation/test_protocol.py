"""The protocol under faults: lost 0, twice 0, everything acknowledged; and mistakes are found."""

from __future__ import annotations

import sys
from collections import Counter

import pytest

from tests.simulation.mistakes import HARMLESS_ALONE, MISTAKES
from tests.simulation.run import Report, simulate

BLOCKS = 12
BLOCK_SEEDS = 20
MISTAKE_SEEDS_MAX = 150
"""Most mistakes show within five seeds, the rarest about once in ten."""


def story_of(report: Report) -> str:
    return f"seed {report.seed}: {report.violation}\n" + "\n".join(report.story[-60:])


@pytest.mark.parametrize("block", range(BLOCKS))
def test_whatever_fails_nothing_is_lost_or_entered_twice(block: int) -> None:
    """Every seed is a run of its own; a failure names it and tells what happened in it."""
    first = 1 + block * BLOCK_SEEDS
    sys.stdout.write(f"seeds {first} to {first + BLOCK_SEEDS - 1}\n")
    for seed in range(first, first + BLOCK_SEEDS):
        report = simulate(seed)
        assert not report.violation, story_of(report)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_planted_mistake_is_found(name: str) -> None:
    """The simulation is worth its time only if it notices what it is there for."""
    mistake = MISTAKES[name]
    for seed in range(1, MISTAKE_SEEDS_MAX + 1):
        report = simulate(seed, cores=mistake.cores, change=mistake.weather)
        if report.violation:
            sys.stdout.write(f"found by seed {seed}: {report.violation}\n")
            return
    pytest.fail(f"{MISTAKE_SEEDS_MAX} seeds did not notice a program that {name}")


@pytest.mark.parametrize("name", HARMLESS_ALONE)
def test_one_net_less_does_no_harm_while_the_other_holds(name: str) -> None:
    """Records of an old run that follow the chain of parts are true, so runs are a second net."""
    mistake = HARMLESS_ALONE[name]
    for seed in range(1, 31):
        report = simulate(seed, cores=mistake.cores, change=mistake.weather)
        assert not report.violation, story_of(report)


def test_a_seed_is_one_run() -> None:
    """Otherwise nobody could look into what a seed found."""
    first, second = simulate(7), simulate(7)
    assert first.story == second.story
    assert first.injected == second.injected
    assert first.seen == second.seen
    assert len(first.story) > 1


def test_every_kind_of_fault_is_injected() -> None:
    """A fault that no seed injects proves nothing."""
    injected: Counter[str] = Counter()
    for seed in range(1, 41):
        injected += simulate(seed).injected
    roles = ("agent", "bridge", "worker", "sink")
    assert injected.keys() >= {
        *(f"{role} killed" for role in roles),
        *(f"{role} stopped and continued" for role in roles),
        *(f"kafka topics {kind}" for kind in ("emptied", "deleted", "cut", "expired")),
        "kafka records written twice",
        "kafka request delayed",
        "kafka outage",
        "ledger away for pseudonyms",
        "mqtt message lost",
        "mqtt message repeated",
        "mqtt message delayed past others",
        "mqtt broker restarted empty",
        "worker told late that it lost partitions",
        "number of partitions changed",
        "a stage raised",
        "spool replaced",
        "spool cut",
        "foreign mqtt message",
        "foreign kafka record",
    }
