"""Alarms: raised once, cleared once, never at night."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from contracts.site import SiteFile, read_site
from edge_agent.core.alarms import AgentLook, Alarms, AntennaLook, DeviceLook, places_of

MINUTE_US = 60_000_000
DAY_US = 24 * 60 * MINUTE_US
MONDAY_US = int(datetime(2026, 11, 23, 8, tzinfo=UTC).timestamp()) * 1_000_000
"""Work begins."""

SITE = """
site = "demo"
[hours]
start = "08:00"
end = "18:00"
[alarms]
dark_antenna_min = 30
silent_device_min = 60
[[zones]]
id = "cold"
[zones.hours]
days = ["sat"]
[[zones]]
id = "stage"
[[zones]]
id = "yard"
[[gates]]
id = "door"
inner = "stage"
outer = "yard"
[[gateways]]
id = "dock"
[[devices]]
id = "reader"
gateway = "dock"
kind = "llrp"
host = "192.0.2.1"
port = 5084
antennas = [
  { number = 1, location = "door" },
  { number = 2, location = "door" },
  { number = 3, location = "stage" },
]
[[devices]]
id = "belt"
gateway = "dock"
kind = "scanner"
host = "192.0.2.2"
port = 9000
location = "cold"
"""


def site_file(text: str = SITE) -> SiteFile:
    found = read_site(text)
    assert isinstance(found, SiteFile), found
    return found


def alarms(text: str = SITE, **standing: str) -> Alarms:
    kept = {("reader", name): reason for name, reason in standing.items()}
    return Alarms(places_of(site_file(text), "dock"), standing=kept)


def agent(
    *,
    disk: int | None = 10_000_000_000,
    spool: float = 0.0,
    heat: float | None = None,
    days: float | None = None,
) -> AgentLook:
    return AgentLook(
        gateway="dock",
        disk_free_bytes=disk,
        spool_share=spool,
        temperature_c=heat,
        certificate_days=days,
    )


def reader(
    antennas: dict[int, tuple[int, int | None]] | None = None,
    *,
    state: str = "reading",
    skew_us: int | None = None,
    since_us: int = MONDAY_US,
    last_us: int | None = None,
) -> DeviceLook:
    figures = {number: AntennaLook(*look) for number, look in (antennas or {}).items()}
    heard = [look.last_read_us for look in figures.values() if look.last_read_us is not None]
    return DeviceLook(
        device="reader",
        state=state,
        watched_us=since_us,
        reading_us=since_us,
        last_read_us=last_us if last_us is not None else max(heard, default=None),
        skew_us=skew_us,
        temperature_c=None,
        antennas=figures,
    )


def told(found: Alarms, *looks: DeviceLook, at_us: int, by: AgentLook | None = None) -> list[str]:
    changes = found.look(by or agent(), looks, at_us=at_us)
    assert all(change.at_us == at_us for change in changes)
    return [f"{change.device} {change.state} {change.detail.split(':')[0]}" for change in changes]


def test_an_antenna_that_hears_nothing_while_its_sibling_does_is_dark() -> None:
    found = alarms()
    assert told(found, reader({1: (5, MONDAY_US), 2: (5, MONDAY_US)}), at_us=MONDAY_US) == []
    for minute in range(1, 60):
        at_us = MONDAY_US + minute * MINUTE_US
        look = reader({1: (5, MONDAY_US), 2: (5 + minute, at_us), 3: (0, None)})
        expected = ["reader alarm dark_antenna 1"] if minute == 30 else []
        assert told(found, look, at_us=at_us) == expected, minute
    at_us = MONDAY_US + DAY_US // 2
    back = reader({1: (6, at_us), 2: (64, at_us)})
    assert told(found, back, at_us=at_us) == ["reader alarm_over dark_antenna 1"]
    assert told(found, back, at_us=at_us + 1) == []


def test_a_few_reads_of_a_sibling_prove_nothing() -> None:
    found = alarms()
    told(found, reader({1: (0, None), 2: (0, None)}), at_us=MONDAY_US)
    at_us = MONDAY_US + 300 * MINUTE_US
    assert told(found, reader({1: (0, None), 2: (19, at_us)}), at_us=at_us) == []
    assert told(found, reader({1: (0, None), 2: (20, at_us)}), at_us=at_us) == [
        "reader alarm dark_antenna 1"
    ]


def test_an_antenna_alone_at_its_place_is_never_dark() -> None:
    found = alarms()
    told(found, reader({2: (0, None), 3: (0, None)}), at_us=MONDAY_US)
    at_us = MONDAY_US + 300 * MINUTE_US
    assert told(found, reader({2: (500, at_us), 3: (0, None)}), at_us=at_us) == []


def test_a_night_is_no_silence() -> None:
    """From five minutes before the end until five minutes after the next beginning."""
    found = alarms()
    evening_us = MONDAY_US + (10 * 60 - 5) * MINUTE_US
    told(found, reader({1: (9, evening_us), 2: (0, evening_us)}), at_us=evening_us)
    morning_us = MONDAY_US + DAY_US + 5 * MINUTE_US
    look = reader({1: (9, evening_us), 2: (900, morning_us)})
    assert told(found, look, at_us=morning_us) == []


def test_a_silent_device_is_told_after_working_minutes_and_once() -> None:
    found = alarms()
    at_us = MONDAY_US + 59 * MINUTE_US
    assert told(found, reader(last_us=MONDAY_US), at_us=at_us) == []
    at_us = MONDAY_US + 60 * MINUTE_US
    silent = reader(last_us=MONDAY_US, state="retrying")
    assert told(found, silent, at_us=at_us) == ["reader alarm silent_device"]
    assert told(found, silent, at_us=at_us + MINUTE_US) == []
    again = reader(last_us=at_us + MINUTE_US)
    assert told(found, again, at_us=at_us + 2 * MINUTE_US) == ["reader alarm_over silent_device"]


def test_without_hours_no_device_is_called_silent() -> None:
    text = SITE.replace('[hours]\nstart = "08:00"\nend = "18:00"\n', "")
    found = alarms(text)
    at_us = MONDAY_US + 3 * DAY_US
    assert told(found, reader(last_us=MONDAY_US), at_us=at_us) == []


def test_a_zone_has_hours_of_its_own() -> None:
    found = alarms()
    belt = reader()._replace(device="belt", last_read_us=MONDAY_US)
    assert told(found, belt, at_us=MONDAY_US + DAY_US) == []
    saturday_us = MONDAY_US + 5 * DAY_US
    assert told(found, belt, at_us=saturday_us) == ["belt alarm silent_device"]


@pytest.mark.parametrize(
    ("bad", "on_the_brink", "good", "name"),
    [
        (agent(disk=999_000_000), agent(disk=1_100_000_000), agent(disk=1_300_000_000), "disk"),
        (agent(spool=0.71), agent(spool=0.69), agent(spool=0.5), "spool"),
        (agent(heat=85), agent(heat=79), agent(heat=60), "temperature"),
        (agent(days=13), agent(days=15), agent(days=300), "certificate"),
    ],
)
def test_figures_of_the_agent_are_told_once_and_cleared_well_below_the_limit(
    bad: AgentLook, on_the_brink: AgentLook, good: AgentLook, name: str
) -> None:
    found = alarms()
    night_us = MONDAY_US - 60 * MINUTE_US
    assert told(found, at_us=night_us, by=bad) == []
    assert told(found, at_us=MONDAY_US, by=bad) == [f"dock alarm {name}"]
    assert found.of("dock")[0].startswith(f"{name}: ")
    for look in (bad, on_the_brink, bad):
        assert told(found, at_us=MONDAY_US + 1, by=look) == []
    assert told(found, at_us=MONDAY_US + DAY_US // 2, by=good) == [f"dock alarm_over {name}"]
    assert found.of("dock") == ()


def test_a_clock_that_is_off_is_told() -> None:
    found = alarms()
    off, right = reader(skew_us=-6_000_000), reader(skew_us=1_000)
    assert told(found, off, at_us=MONDAY_US) == ["reader alarm clock_off"]
    assert told(found, right, at_us=MONDAY_US + 1) == ["reader alarm_over clock_off"]


def test_what_stood_before_a_restart_is_not_raised_again_and_is_cleared() -> None:
    found = alarms(silent_device="nothing for 60 working minutes")
    at_us = MONDAY_US + 90 * MINUTE_US
    assert told(found, reader(since_us=at_us), at_us=at_us) == []
    look = reader(since_us=at_us, last_us=at_us + 1)
    assert told(found, look, at_us=at_us + 2) == ["reader alarm_over silent_device"]


def test_a_device_that_left_the_site_file_takes_its_alarms_with_it() -> None:
    found = alarms(silent_device="nothing")
    assert told(found, at_us=MONDAY_US) == ["reader alarm_over silent_device"]


def test_a_limit_of_zero_switches_an_alarm_off() -> None:
    text = SITE.replace("dark_antenna_min = 30", "dark_antenna_min = 0\ndisk_free_mb = 0")
    found = alarms(text)
    told(found, reader({1: (0, None), 2: (0, None)}), at_us=MONDAY_US)
    at_us = MONDAY_US + 50 * MINUTE_US
    look = reader({1: (0, None), 2: (500, at_us)})
    assert told(found, look, at_us=at_us, by=agent(disk=0)) == []


steps = some.lists(
    some.tuples(
        some.integers(0, 6 * 60 * MINUTE_US),
        some.integers(0, 30),
        some.integers(0, 30),
        some.sampled_from(["reading", "retrying"]),
        some.floats(0, 1),
        some.one_of(some.none(), some.integers(-10_000_000, 10_000_000)),
    ),
    min_size=1,
    max_size=60,
)


@given(steps)
@settings(max_examples=150, deadline=None)
def test_whatever_happens_each_alarm_is_raised_and_cleared_in_turn_and_only_in_working_hours(
    walk: list[tuple[int, int, int, str, float, int | None]],
) -> None:
    found = alarms()
    hours = found.places.site
    at_us = MONDAY_US
    one, two = AntennaLook(0, None), AntennaLook(0, None)
    standing: set[tuple[str, str]] = set()
    for pause_us, first, second, state, spool, skew_us in walk:
        at_us += pause_us
        one = AntennaLook(one.reads + first, at_us if first else one.last_read_us)
        two = AntennaLook(two.reads + second, at_us if second else two.last_read_us)
        last_us = max((look.last_read_us or 0 for look in (one, two)), default=0)
        look = DeviceLook(
            "reader", state, MONDAY_US, MONDAY_US, last_us or None, skew_us, None, {1: one, 2: two}
        )
        for change in found.look(agent(spool=spool), (look,), at_us=at_us):
            key = (change.device, change.detail.split(":")[0])
            if change.state == "alarm":
                assert key not in standing
                assert hours.is_open(at_us)
                standing.add(key)
            else:
                assert change.state == "alarm_over"
                standing.remove(key)
        assert standing == set(found.standing)
