"""The site file's `[hours]` and `[alarms]`: when somebody works, and what is worth an alarm then.

`[hours]` counts for the whole site; a zone or gate that works otherwise has an `hours` table of its
own (`[zones.hours]` below its `[[zones]]`), which replaces the site's.
"""

from __future__ import annotations

import re
import zoneinfo
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from contracts.site_base import Table

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOLIDAYS_MAX = 1_000
TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])\Z|24:00\Z")


def _time(text: str) -> str:
    if not TIME.match(text):
        raise ValueError("must be a time of day such as '08:30', at most '24:00'")
    return text


def _zone(text: str) -> str:
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("must be a time zone such as 'Asia/Shanghai' or 'UTC'") from error
    return text


def _date(text: str) -> str:
    try:
        is_usual = date.fromisoformat(text).isoformat() == text
    except ValueError:
        is_usual = False
    # A week's day or a date without hyphens would never be found again among the days.
    if not is_usual:
        raise ValueError("must be a day such as '2026-10-01'")
    return text


TimeOfDay = Annotated[str, AfterValidator(_time)]


class HoursTable(Table):
    """When somebody works."""

    timezone: Annotated[str, AfterValidator(_zone)] | None = None
    """Of the times here; left out: the site's, else UTC."""
    days: list[Day] = ["mon", "tue", "wed", "thu", "fri"]
    start: TimeOfDay = "00:00"
    end: TimeOfDay = "24:00"
    """At or before `start`: on the next day. A shift belongs to the day that it began on."""
    holidays: Annotated[
        list[Annotated[str, AfterValidator(_date)]], Field(max_length=HOLIDAYS_MAX)
    ] = []
    """No shift begins on these days."""


Minutes = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]


class AlarmsTable(Table):
    """What is worth an alarm; 0 switches one off."""

    dark_antenna_min: Minutes = 30.0
    """An antenna silent for so many working minutes while its siblings read."""
    silent_device_min: Minutes = 240.0
    """A device that brought nothing for so many working minutes; only where `[hours]` are given."""
    disk_free_mb: Annotated[float, Field(ge=0, le=1_000_000_000, allow_inf_nan=False)] = 1_000.0
    """Less room than this on the agent's disk."""
    spool_percent: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 70.0
    """The spool is filled so far."""
    clock_off_s: Annotated[float, Field(ge=0, le=31_536_000, allow_inf_nan=False)] = 5.0
    """A device's clock is off by more."""
    temperature_c: Annotated[float, Field(ge=0, le=200, allow_inf_nan=False)] = 80.0
    """The agent's machine or a device is hotter."""
    certificate_days: Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)] = 14.0
    """The agent's own certificate ends sooner."""
