"""A device's door: who floods is slowed, and a spool that fills up pauses who can wait."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.clock import REAL_TIME, ClockSetting
from contracts.reads import Read, ReadBatch
from edge_agent.core.batcher import Heard
from edge_agent.core.device_watch import DeviceWatch
from edge_agent.core.pace import BURST_US, Pace
from edge_agent.door import Door
from edge_agent.intake import Intake
from edge_agent.spool import MEMORY, RESERVE_BYTES, open_spool

SECOND_US = 1_000_000


def reads(count: int, *, evidence: bytes = b"") -> Heard:
    one = Read(
        identity="raw:01",
        device="door-1",
        antenna=1,
        first_us=1,
        last_us=2,
        received_us=5,
        count=1,
        evidence=evidence,
    )
    return Heard(reads=(one,) * count)


def door(intake: Intake, *, can_wait: bool = True, per_s_max: float = 0) -> Door:
    return Door(intake, watch=DeviceWatch("door-1"), can_wait=can_wait, per_s_max=per_s_max)


def test_a_device_within_its_pace_never_waits() -> None:
    pace = Pace(100)
    assert [pace.wait_us(10, tenth * SECOND_US // 10) for tenth in range(1000)] == [0] * 1000


def test_ten_seconds_worth_may_come_at_once() -> None:
    pace = Pace(100)
    assert pace.wait_us(1000, 0) == 0
    assert pace.wait_us(1, 0) == 10_000


@given(st.lists(st.tuples(st.integers(0, 3_000_000), st.integers(1, 500)), min_size=1, max_size=60))
def test_what_passes_never_exceeds_the_pace_and_a_burst(steps: list[tuple[int, int]]) -> None:
    """A device that waits as told brings at most the burst and its pace."""
    pace = Pace(200)
    at_us = passed = 0
    for pause_us, items in steps:
        at_us += pause_us
        at_us += pace.wait_us(items, at_us)
        passed += items
        assert passed <= 200 * (at_us + BURST_US) / SECOND_US + 1


@given(st.integers(-(10**15), 10**15))
def test_a_clock_that_jumps_costs_a_burst_at_most(jump_us: int) -> None:
    pace = Pace(200)
    pace.wait_us(1, 0)
    assert pace.wait_us(1, jump_us) <= 5_000
    assert pace.wait_us(2_000, jump_us) <= SECOND_US * 2_000 / 200


async def test_a_device_that_floods_is_slowed_and_told_of_and_its_neighbour_is_not() -> None:
    speed = 1000.0
    intake = Intake(ClockSetting(speed=speed), floor_us=0)
    flooding = door(intake, per_s_max=10)
    neighbour = door(intake, per_s_max=10)
    started_us = intake.now_us()
    await flooding.put(reads(100), received_us=5)
    slowed = asyncio.create_task(flooding.put(reads(200), received_us=7))
    await asyncio.sleep(0)
    assert not slowed.done()
    await neighbour.put(reads(1), received_us=9)
    assert not slowed.done()
    batch = intake.take()
    assert len(batch.reads) == 101
    assert batch.gateway_us <= 7
    assert "more than 10 reads a second" in batch.changes[0].detail
    await asyncio.wait_for(slowed, 5)
    assert len(intake.take().reads) == 200
    assert intake.now_us() - started_us >= 19 * SECOND_US


@pytest.mark.parametrize("can_wait", [True, False])
async def test_a_spool_that_fills_up_pauses_a_device_that_can_wait(*, can_wait: bool) -> None:
    spool, _ = open_spool(
        MEMORY, gateway="dock", new_id=lambda: "a" * 32, at_us=0, bytes_max=RESERVE_BYTES + 1_000
    )
    intake = Intake(REAL_TIME, floor_us=0, is_held=spool.is_nearly_full)
    watch = DeviceWatch("door-1")
    watch.entered("reading", "there", at_us=0)
    one = Door(intake, watch=watch, can_wait=can_wait, per_s_max=0)
    await one.put(reads(1), received_us=5)
    assert spool.put(intake.take(), at_us=0) == 1
    assert spool.put(ReadBatch(gateway_us=1, reads=reads(1, evidence=b"x" * 2_000).reads), at_us=0)
    putting = asyncio.create_task(one.put(reads(1), received_us=5))
    await asyncio.sleep(0)
    if not can_wait:
        await asyncio.wait_for(putting, 5)
        assert len(intake.take().reads) == 1
        return
    assert not putting.done()
    assert watch.state == "paused"
    assert [change.state for change in intake.take().changes] == ["paused"]
    spool.acknowledge(2)
    await asyncio.wait_for(putting, 5)
    batch = intake.take()
    assert [change.state for change in batch.changes] == ["reading"]
    assert len(batch.reads) == 1


async def test_what_a_stopped_device_had_brought_is_kept() -> None:
    """It was slowed down, and its task was ended meanwhile: by a change of the site file, say."""
    intake = Intake(REAL_TIME, floor_us=0)
    one = door(intake, per_s_max=10)
    waiting = asyncio.create_task(one.put(reads(200), received_us=5))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert len(intake.take().reads) == 200
