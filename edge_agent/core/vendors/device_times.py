"""Times as devices write them, to microseconds since 1970.

RFC 3339, with its liberties and the makers': a zone without colon (`+0000`) or without minutes,
one to nine digits of a second's fraction, a blank for the `T`, no zone at all (then UTC).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

MICROSECONDS = 1_000_000
MILLISECOND_US = 1_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TEXT_CHARACTERS_MAX = 48
TIME_US_MAX = 1 << 62
"""Beyond it a number is no time; what no clock of ours can hold is sorted out later."""
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9})\d*)?"
    r"\s?(?:[Zz]|([+-])(\d\d):?(\d\d)?)?",
    re.ASCII,
)


def time_us(text: str | None) -> int | None:
    """Microseconds since 1970; None for a text that is no time."""
    found = _TIME.fullmatch(text) if text and len(text) <= TEXT_CHARACTERS_MAX else None
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    fraction, sign, zone_hours, zone_minutes = found.groups()[6:]
    try:
        # A leap second is the second after it: microseconds since 1970 know none.
        at = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return None
    at_us = (at - EPOCH) // timedelta(microseconds=1)
    if second == 60:  # noqa: PLR2004
        at_us += MICROSECONDS
    elif second > 60:  # noqa: PLR2004
        return None
    at_us += int((fraction or "").ljust(6, "0")[:6])
    zone_us = (int(zone_hours or 0) * 60 + int(zone_minutes or 0)) * 60 * MICROSECONDS
    return at_us + zone_us if sign == "-" else at_us - zone_us


def milliseconds_us(value: float | None) -> int | None:
    """Microseconds of milliseconds since 1970; None for what is no time."""
    if value is None or not -TIME_US_MAX < value * MILLISECOND_US < TIME_US_MAX:
        return None
    return int(value * MILLISECOND_US)


def seconds_us(value: float | None) -> int | None:
    """Microseconds of seconds since 1970; None for what is no time."""
    return None if value is None else milliseconds_us(value * 1_000)
