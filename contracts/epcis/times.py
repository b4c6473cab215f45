"""Times as EPCIS documents write them: RFC 3339 with an offset, letters in either case."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def moment_of(text: str) -> datetime | None:
    """The moment in UTC; None where the text names none, or one outside the years 1 to 9999."""
    if not _TIME.match(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def microseconds(moment: datetime) -> int:
    """A moment in UTC microseconds."""
    return (moment - _EPOCH) // _MICROSECOND


def utc_milliseconds(text: str) -> str:
    """A time in UTC, to the millisecond; the fourth digit rounds. Any other text as it is."""
    match = _TIME.match(text)
    if match is None:
        return text
    try:
        whole = datetime.fromisoformat(f"{match[1]}T{match[2]}{match[4].upper()}").astimezone(UTC)
        milliseconds = int(
            Decimal(f"0.{match[3] or 0}").scaleb(3).quantize(Decimal(1), "ROUND_HALF_UP")
        )
        moment = whole + timedelta(milliseconds=milliseconds)
    except (ValueError, OverflowError):
        return text
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
