"""What the site file wishes of a reader, and what becomes of what the reader tells."""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple

import pytest

from contracts.clock import REAL_TIME
from contracts.commands import SetOutput
from contracts.reads import ReadBatch
from contracts.site import read_site
from contracts.site_devices import DeviceTable
from contracts.site_llrp import LlrpTable
from edge_agent.core.device_time import ClockLimit, DeviceTime
from edge_agent.core.device_watch import DeviceWatch
from edge_agent.core.llrp.events import ClockShown
from edge_agent.core.llrp.filters import EpcFilters
from edge_agent.core.llrp.reports import TagReport
from edge_agent.core.llrp.rospec import InputTrigger
from edge_agent.devices.llrp_intake import LlrpIntake, reader_settings
from edge_agent.devices.stack_light import StackLights
from edge_agent.door import Door
from edge_agent.intake import Intake

SECOND_US = 1_000_000
WAIT_S = 60.0


class Rig(NamedTuple):
    """One reader's intake and what is around it."""

    intake: Intake
    watch: DeviceWatch
    reader: LlrpIntake

    def batch(self) -> ReadBatch:
        """What has come in."""
        return self.intake.take()


def rig(**settings: object) -> Rig:
    intake = Intake(REAL_TIME, floor_us=0)
    watch = DeviceWatch("door-1")
    door = Door(intake, watch=watch, can_wait=True, per_s_max=0)
    lights = StackLights(lambda _device, _detail: None)
    reader = LlrpIntake(
        source="dock/door-1",
        intake=door,
        watch=watch,
        lights=lights,
        **settings,  # type: ignore[arg-type]
    )
    return Rig(intake, watch, reader)


def report(epc: str = "3034257bf7194e4000001a85", *, last_us: int = 1, **more: int) -> TagReport:
    return TagReport(
        epc=bytes.fromhex(epc),
        epc_bits=len(epc) * 4,
        antenna=1,
        rssi_cdbm=-5_012,
        first_seen_us=last_us,
        last_seen_us=last_us,
        uptime=False,
        seen_count=1,
        channel=None,
        rospec=None,
        raw=b"",
        **more,
    )


async def test_phase_and_doppler_shift_are_kept_with_the_read() -> None:
    one = rig()
    await one.reader.on_reports([report(phase_cdeg=17_999, doppler_chz=-250)], 1.0)
    [read] = one.batch().reads
    assert (read.phase_cdeg, read.doppler_chz, read.rssi_cdbm) == (17_999, -250, -5_012)


async def test_tags_that_are_not_wanted_are_left_out_whatever_the_reader_does() -> None:
    one = rig(filters=EpcFilters(include=("3034",), exclude=("30340",)))
    tags = ["3034257bf7194e4000001a85", "30340257bf7194e400001a85", "e28011606000020000000001"]
    await one.reader.on_reports([report(tag) for tag in tags], 1.0)
    assert [read.evidence.hex() for read in one.batch().reads] == tags[:1]
    assert one.reader.filtered == 2


@pytest.mark.parametrize(
    ("include", "exclude", "epc", "wanted"),
    [
        ((), (), "30", True),
        (("3",), (), "30", True),
        (("3", "e2"), (), "e280", True),
        (("303",), (), "30", False),
        ((), ("e",), "e2", False),
        (("3",), ("30",), "3034", False),
    ],
)
def test_a_tag_is_wanted_by_how_its_epc_begins(
    include: tuple[str, ...], exclude: tuple[str, ...], epc: str, wanted: bool
) -> None:
    assert EpcFilters(include=include, exclude=exclude).wants(bytes.fromhex(epc)) is wanted


async def test_a_clock_that_is_off_is_told_once_and_again_when_it_agrees() -> None:
    one = rig(clock_off_us=10 * SECOND_US)
    now_s = time.time()
    for late_s in (30.0, 30.1, 31.0):
        shown = ClockShown(round((now_s - late_s) * SECOND_US), uptime=False)
        await one.reader.on_clock(shown)
        one.reader._time = DeviceTime()
    assert one.watch.skew_us is not None
    assert one.watch.skew_us < -29 * SECOND_US
    await one.reader.on_reports([report(last_us=round(now_s * SECOND_US))], now_s)
    changes = one.batch().changes
    assert [change.state for change in changes] == ["clock_off", one.watch.state]
    assert "30.0 s behind the agent's" in changes[0].detail
    assert "agrees again" in changes[1].detail


async def test_reports_that_were_kept_do_not_make_a_clock_look_late() -> None:
    """The reader showed its time when it was connected to; that was now."""
    one = rig(clock_off_us=10 * SECOND_US)
    now_s = time.time()
    await one.reader.on_clock(ClockShown(round(now_s * SECOND_US), uptime=False))
    old = report(last_us=round((now_s - 900) * SECOND_US))
    await one.reader.on_reports([old], now_s)
    assert one.batch().changes == ()
    await one.reader.on_clock(ClockShown(5, uptime=True))
    assert one.watch.skew_us is not None
    assert abs(one.watch.skew_us) < SECOND_US


def test_a_clock_that_drifts_is_followed_both_ways() -> None:
    for drift_us in (-2 * SECOND_US, 2 * SECOND_US):
        clock = DeviceTime()
        for second in range(0, 200, 10):
            now_us = (1_000 + second) * SECOND_US
            told_us = now_us + second * drift_us // 200
            clock.utc_us(told_us, told_us, uptime=False, received_us=now_us)
        assert clock.skew_us is not None
        assert abs(clock.skew_us - drift_us) < abs(drift_us) * 0.65


def test_no_limit_tells_nothing() -> None:
    assert ClockLimit(0).judge(10**12) == ""
    assert ClockLimit(1).judge(None) == ""


def device(llrp: dict[str, object]) -> DeviceTable:
    return DeviceTable.model_validate(
        {
            "id": "door-1",
            "gateway": "dock",
            "kind": "llrp",
            "host": "reader",
            "port": 5084,
            "llrp": llrp,
            "antennas": [{"number": 1, "location": "stage"}],
        }
    )


def test_a_behaviour_sets_what_the_site_file_leaves_out() -> None:
    deep = reader_settings(device({"behaviour": "deep"}))
    assert (deep.session, deep.tag_population, deep.tag_transit_ms) == (2, 3_000, 10_000)
    assert (deep.search_mode, deep.both_ways) == (6, True)
    own = reader_settings(device({"behaviour": "fast", "session": 3, "tag_transit_s": 0.0}))
    assert (own.session, own.tag_population, own.tag_transit_ms) == (3, 500, 0)


def test_triggers_powers_and_filters_reach_the_reader_s_settings() -> None:
    settings = reader_settings(
        device(
            {
                "antenna_power_dbm": {"1": 27.5},
                "start": {"input": 1},
                "stop": {"input": 2, "active": False, "timeout_s": 3.0},
                "include": ["3034A"],
            }
        )
    )
    assert settings.antenna_powers_cdbm == ((1, 2_750),)
    assert settings.start == InputTrigger(port=1, state=True)
    assert settings.stop == InputTrigger(port=2, state=False, timeout_ms=3_000)
    assert settings.filters == EpcFilters(include=("3034a",))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"include": ["30G4"]}, "hexadecimal digits"),
        ({"antenna_power_dbm": {"0": 20.0}}, "no antenna"),
        ({"antenna_power_dbm": {"one": 20.0}}, "no antenna"),
        ({"profile": "alien"}, "impinj"),
        ({"search_mode": 7}, "6"),
    ],
)
def test_a_wrong_wish_is_named(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        LlrpTable.model_validate(wrong)


def test_a_power_for_an_antenna_that_is_not_there_is_a_mistake() -> None:
    text = """
site = "demo"
[[zones]]
id = "stage"
[[gateways]]
id = "dock"
[[devices]]
id = "door-1"
gateway = "dock"
kind = "llrp"
host = "reader"
port = 5084
[devices.llrp]
antenna_power_dbm = { 1 = 20.0, 4 = 24.0 }
[[devices.antennas]]
number = 1
location = "stage"
"""
    mistakes = read_site(text)
    assert isinstance(mistakes, list)
    assert [mistake.text() for mistake in mistakes] == [
        "line 14: devices[0].llrp.antenna_power_dbm: '4' is no antenna of the device; allowed: 1"
    ]
    assert not isinstance(read_site(text.replace(", 4 = 24.0", "")), list)


class Barrier:
    """A reader with outputs that notes when each was switched."""

    def __init__(self) -> None:
        self.switched: list[tuple[int, bool]] = []
        self.is_away = False
        self._changed = asyncio.Condition()

    async def set_output(self, port: int, *, on: bool) -> None:
        """Switch an output."""
        if self.is_away:
            raise ConnectionError("not reading")
        async with self._changed:
            self.switched.append((port, on))
            self._changed.notify_all()

    async def until(self, *switched: tuple[int, bool]) -> None:
        """Wait until just this was switched."""
        async with asyncio.timeout(WAIT_S), self._changed:
            await self._changed.wait_for(lambda: self.switched == list(switched))


def opened(*, on: bool = True, for_s: float | None = None) -> SetOutput:
    return SetOutput(device="door-1", port=2, on=on, reason="load S-118", for_s=for_s)


async def test_a_barrier_opens_for_so_long_and_closes_by_itself() -> None:
    told: list[tuple[str, str]] = []
    complained = asyncio.Event()

    def complain(name: str, detail: str) -> None:
        told.append((name, detail))
        complained.set()

    outputs = StackLights(complain)
    barrier = Barrier()
    outputs.add("door-1", barrier)
    running = asyncio.create_task(outputs.run())
    outputs.switch(opened(for_s=0.02))
    await barrier.until((2, True), (2, False))
    outputs.switch(opened(for_s=60.0))
    outputs.switch(opened(on=False))
    await barrier.until((2, True), (2, False), (2, False))
    barrier.is_away = True
    outputs.switch(opened())
    await asyncio.wait_for(complained.wait(), WAIT_S)
    assert told == [("door-1", "the switch at output 2 is not on: not reading")]
    barrier.is_away = False
    outputs.came_back("door-1")
    await barrier.until((2, True), (2, False), (2, False), (2, True))
    running.cancel()


@pytest.mark.parametrize("for_s", [0.0, -1.0, float("nan"), 1e9])
async def test_an_impossible_time_is_told_and_not_switched(for_s: float) -> None:
    told: list[str] = []
    outputs = StackLights(lambda _name, detail: told.append(detail))
    outputs.add("door-1", Barrier())
    outputs.switch(opened(for_s=for_s))
    assert len(told) == 1
    outputs.switch(SetOutput(device="belt", port=1, on=True, reason=""))
    assert told[1] == "an output is to be switched, but it has none"
