"""When somebody works: shifts, nights, holidays, daylight saving."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from contracts.site_hours import DAYS, HoursTable
from edge_agent.core.working_hours import WorkingHours

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US


def us(text: str, zone: str = "UTC") -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def hours(**fields: object) -> WorkingHours:
    return WorkingHours(HoursTable.model_validate(fields))


def test_a_day_shift_is_open_from_its_start_until_before_its_end() -> None:
    day = hours(start="08:00", end="17:30", timezone="Asia/Shanghai")
    monday = "2026-11-23T"
    for time, is_open in (
        ("07:59:59", False),
        ("08:00", True),
        ("17:29:59", True),
        ("17:30", False),
    ):
        assert day.is_open(us(monday + time, "Asia/Shanghai")) is is_open, time
    assert not day.is_open(us("2026-11-22T12:00", "Asia/Shanghai")), "a Sunday"


def test_a_night_shift_belongs_to_the_day_on_which_it_began() -> None:
    night = hours(start="22:00", end="06:00", days=["fri"])
    assert night.is_open(us("2026-11-27T23:00"))
    assert night.is_open(us("2026-11-28T05:59"))
    assert not night.is_open(us("2026-11-28T06:00"))
    assert not night.is_open(us("2026-11-27T05:00")), "Thursday's night is none"


def test_nobody_works_on_holidays() -> None:
    table = hours(holidays=["2026-10-01"], days=list(DAYS))
    assert not table.is_open(us("2026-10-01T12:00"))
    assert table.is_open(us("2026-10-02T00:00"))


def test_without_a_table_somebody_always_works_but_nobody_said_so() -> None:
    always = WorkingHours(None)
    assert not always.known
    assert always.is_open(us("2026-11-22T03:00"))
    assert always.worked_us(0, 3 * HOUR_US, at_most_us=DAY_US) == 0, "too long ago to be asked"
    at_us = us("2026-11-22T03:00")
    assert always.worked_us(at_us, at_us + 3 * HOUR_US, at_most_us=DAY_US) == 3 * HOUR_US


def test_a_weekend_is_no_working_time() -> None:
    week = hours(start="08:00", end="18:00")
    friday, monday = us("2026-11-27T17:50"), us("2026-11-30T08:05")
    assert week.worked_us(friday, monday, at_most_us=DAY_US) == 15 * MINUTE_US
    assert week.worked_us(friday, monday, at_most_us=MINUTE_US) == MINUTE_US


@pytest.mark.parametrize(
    ("date", "worked"), [("2026-03-29", 23), ("2026-03-30", 24), ("2026-10-25", 25)]
)
def test_daylight_saving_makes_days_shorter_and_longer(date: str, worked: int) -> None:
    always = hours(days=list(DAYS), timezone="Europe/Berlin")
    first_us = us(f"{date}T00:00", "Europe/Berlin")
    next_day = datetime.fromisoformat(date) + timedelta(days=1)
    last_us = us(next_day.isoformat(), "Europe/Berlin")
    assert always.worked_us(first_us, last_us, at_most_us=10 * DAY_US) == worked * HOUR_US


times = some.integers(us("2026-01-01T00:00"), us("2027-01-01T00:00"))
tables = some.builds(
    HoursTable,
    timezone=some.sampled_from(["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York"]),
    days=some.lists(some.sampled_from(DAYS), unique=True),
    start=some.sampled_from(["00:00", "06:30", "22:00"]),
    end=some.sampled_from(["06:00", "18:15", "22:00", "24:00"]),
    holidays=some.just(["2026-05-01", "2026-10-01"]),
)


@given(tables, times, some.integers(0, 10 * DAY_US), some.integers(0, 10 * DAY_US))
@settings(max_examples=150, deadline=None)
def test_working_time_adds_up_and_never_exceeds_the_span(
    table: HoursTable, first_us: int, one_us: int, two_us: int
) -> None:
    table_hours = WorkingHours(table)
    middle_us, last_us = first_us + one_us, first_us + one_us + two_us
    worked = table_hours.worked_us(first_us, last_us, at_most_us=100 * DAY_US)
    parts = (first_us, middle_us), (middle_us, last_us)
    assert worked == sum(table_hours.worked_us(*part, at_most_us=100 * DAY_US) for part in parts)
    assert 0 <= worked <= last_us - first_us


@given(tables, times)
@settings(max_examples=150, deadline=None)
def test_a_moment_counts_as_worked_exactly_when_it_is_open(table: HoursTable, at_us: int) -> None:
    table_hours = WorkingHours(table)
    assert table_hours.worked_us(at_us, at_us + 1, at_most_us=5) == int(table_hours.is_open(at_us))


@given(tables, some.integers(-(2**63), 2**63 - 1), some.integers(-(2**63), 2**63 - 1))
@settings(max_examples=80, deadline=None)
def test_any_times_have_an_answer(table: HoursTable, first_us: int, last_us: int) -> None:
    table_hours = WorkingHours(table)
    assert table_hours.is_open(first_us) in {True, False}
    assert table_hours.worked_us(first_us, last_us, at_most_us=DAY_US) >= 0
