"""The site file's working hours and alarms: a right one is read, a wrong one tells each mistake."""

from __future__ import annotations

import pytest

from contracts.site import SiteFile, read_site

HEAD = 'site = "demo"\n'
TAIL = """
[[zones]]
id = "cold"
[zones.hours]
days = ["sat", "sun"]
[[gateways]]
id = "dock"
"""


def read(hours: str) -> SiteFile | list[str]:
    found = read_site(HEAD + hours + TAIL)
    return found if isinstance(found, SiteFile) else [mistake.text() for mistake in found]


def test_hours_of_the_site_and_of_a_zone_are_read() -> None:
    found = read(
        '[hours]\ntimezone = "Asia/Shanghai"\nstart = "08:00"\nend = "20:30"\n'
        'holidays = ["2026-10-01"]\n[alarms]\ndark_antenna_min = 45\n'
    )
    assert isinstance(found, SiteFile)
    assert found.hours is not None
    assert found.hours.days == ["mon", "tue", "wed", "thu", "fri"]
    assert found.zones[0].hours is not None
    assert found.zones[0].hours.days == ["sat", "sun"]
    assert found.alarms.dark_antenna_min == 45
    assert found.alarms.disk_free_mb == 1_000


def test_without_hours_none_are_made_up() -> None:
    found = read("")
    assert isinstance(found, SiteFile)
    assert found.hours is None


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ('start = "8:00"', "line 3: hours.start: '8:00': must be a time of day"),
        ('end = "24:01"', "line 3: hours.end: '24:01': must be a time of day"),
        (
            'timezone = "Asia/Nowhere"',
            "line 3: hours.timezone: 'Asia/Nowhere': must be a",
        ),
        ('timezone = "../../etc/passwd"', "must be a time zone"),
        ('holidays = ["1.10.2026"]', "hours.holidays[0]: '1.10.2026': must be a day such as"),
        ('holidays = ["20261001"]', "hours.holidays[0]: '20261001': must be a day such as"),
        ('holidays = ["2026-W40-4"]', "hours.holidays[0]: '2026-W40-4': must be a day such as"),
        ('days = ["monday"]', "line 3: hours.days[0]: 'monday': must be 'mon', 'tue'"),
        ('days = ["mon"]\nuntil = "20:00"', "line 4: hours.until: no such field"),
        ("start = 8", "line 3: hours.start: 8: must be a valid string"),
    ],
)
def test_a_mistake_is_told_with_its_line(written: str, told: str) -> None:
    found = read(f"[hours]\n{written}\n")
    assert isinstance(found, list)
    assert len(found) == 1
    assert told in found[0]
