"""What several makers' messages have in common: compact JSON, times as text, a clock."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

MILLION = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def as_json(value: object) -> bytes:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def time_text(at_us: int, *, digits: int = 3, zone: str = "Z") -> str:
    """`2026-11-24T10:00:00.123Z`, with another zone's text where a maker writes one."""
    at = EPOCH + timedelta(microseconds=at_us)
    fraction = f"{at.microsecond:06d}000"[:digits]
    return f"{at:%Y-%m-%dT%H:%M:%S}.{fraction}{zone}"


class DeviceClock:
    """A clock that may be off and may drift."""

    def __init__(self, start_us: int) -> None:
        self._offset_us = 0.0
        self._drift = 0.0
        self._since_us = start_us

    def tell(self, at_us: int) -> int:
        """What the clock shows at a domain time."""
        return round(at_us + self._offset_us + (at_us - self._since_us) * self._drift)

    def fault(self, name: str, value: float, at_us: int) -> bool:
        """Take a fault of a clock; False: it is another one."""
        if name == "clock_offset_s":
            self._offset_us += value * MILLION
        elif name == "clock_drift_ppm":
            self._offset_us += (at_us - self._since_us) * self._drift
            self._since_us, self._drift = at_us, value / MILLION
        else:
            return False
        return True
