"""Working hours: whether somebody works at a time, and how long somebody worked between two times.

A shift begins on a day of the week that is no holiday, by the clock on the wall of its place, so
daylight saving moves it as it moves people. Times are domain time in UTC microseconds.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from contracts.site_hours import DAYS, HoursTable

MICROSECONDS = 1_000_000
DAY_US = 86_400 * MICROSECONDS
LOOK_BACK_DAYS_MAX = 400
"""Nothing is asked about longer ago; a holiday of more than a year is a closed site."""
REMEMBERED_DAYS_MAX = 2 * LOOK_BACK_DAYS_MAX
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIME_US_MAX = 200_000_000_000_000_000
"""Past the year 8000 the calendar ends."""

Shift = tuple[int, int]
"""From, until (not in it), in microseconds."""


class WorkingHours:
    """The hours of one place; without a table somebody always works."""

    def __init__(self, table: HoursTable | None, *, timezone: str = "UTC") -> None:
        """`timezone`: where the table names none."""
        self.known = table is not None
        """Whether anybody said when somebody works."""
        table = table or HoursTable(days=list(DAYS))
        self._zone = ZoneInfo(table.timezone or timezone)
        self._days = frozenset(DAYS.index(day) for day in table.days)
        self._holidays = frozenset(table.holidays)
        self._start = _minutes(table.start)
        self._end = _minutes(table.end)
        if self._end <= self._start:
            self._end += 24 * 60
        self._shifts: dict[date, Shift | None] = {}

    def is_open(self, at_us: int) -> bool:
        """Whether somebody works at a time."""
        day = self._day(at_us)
        shifts = (self._shift(day), self._shift(day - timedelta(days=1)))
        return any(shift is not None and shift[0] <= at_us < shift[1] for shift in shifts)

    def worked_us(self, from_us: int, until_us: int, *, at_most_us: int) -> int:
        """How much of a span was working time, counted no further than `at_most_us`."""
        worked_us = 0
        day = self._day(until_us)
        for back in range(LOOK_BACK_DAYS_MAX):
            shift = self._shift(day - timedelta(days=back))
            if shift is not None:
                worked_us += max(0, min(shift[1], until_us) - max(shift[0], from_us))
            # A day before the last one that the span touches may reach into it.
            if worked_us >= at_most_us or until_us - back * DAY_US < from_us - 2 * DAY_US:
                break
        return min(worked_us, at_most_us)

    def _day(self, at_us: int) -> date:
        at_us = min(max(at_us, 2 * LOOK_BACK_DAYS_MAX * DAY_US), TIME_US_MAX)
        moment = EPOCH + timedelta(microseconds=at_us)
        return moment.astimezone(self._zone).date()

    def _shift(self, day: date) -> Shift | None:
        if day not in self._shifts:
            if len(self._shifts) >= REMEMBERED_DAYS_MAX:
                self._shifts.clear()
            self._shifts[day] = self._shift_of(day)
        return self._shifts[day]

    def _shift_of(self, day: date) -> Shift | None:
        if day.weekday() not in self._days or day.isoformat() in self._holidays:
            return None
        start_us, end_us = self._us(day, self._start), self._us(day, self._end)
        return (start_us, end_us) if start_us < end_us else None

    def _us(self, day: date, minutes: int) -> int:
        days, minutes = divmod(minutes, 24 * 60)
        wall = datetime.combine(day + timedelta(days=days), time(minutes // 60, minutes % 60))
        return (wall.replace(tzinfo=self._zone) - EPOCH) // timedelta(microseconds=1)


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return 60 * int(hours) + int(minutes)
