"""Between devices and the spool: back-pressure, what a reader tells, and stack lights."""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple

import pytest

from contracts.clock import REAL_TIME, ClockSetting
from contracts.commands import Acknowledgement, SendAgain, SetLight
from contracts.reads import GateSignal, Read, ReadBatch
from contracts.site import SiteFile, read_site
from edge_agent.core.batcher import BATCH_READS_MAX, Heard
from edge_agent.core.device_watch import DeviceWatch
from edge_agent.core.llrp.events import AntennaChanged, GpiChanged, ReaderNoticed
from edge_agent.core.llrp.reports import TagReport
from edge_agent.devices.llrp_intake import LlrpIntake, reader_settings
from edge_agent.devices.stack_light import StackLights
from edge_agent.intake import Intake
from edge_agent.outbox import EMPTY_OUTSTANDING_MAX, Outbox
from edge_agent.spool import MEMORY, open_spool

SGTIN = bytes.fromhex("3074257BF7194E4000001A85")
SECOND_US = 1_000_000


def read(received_us: int = 5) -> Read:
    return Read(
        identity="raw:01",
        device="door-1",
        antenna=1,
        first_us=1,
        last_us=2,
        received_us=received_us,
        count=1,
    )


def always() -> bool:
    return True


async def test_who_has_more_than_a_batch_waits_until_one_was_taken() -> None:
    intake = Intake(REAL_TIME, floor_us=0)
    await intake.put(Heard(reads=(read(),) * BATCH_READS_MAX), received_us=5)
    waiting = asyncio.create_task(intake.put(Heard(reads=(read(),)), received_us=5))
    await asyncio.sleep(0)
    assert not waiting.done()
    assert len((await intake.next_batch(wants_empty=always)).reads) == BATCH_READS_MAX
    await asyncio.wait_for(waiting, 5)
    assert len((await intake.next_batch(wants_empty=always)).reads) == 1
    assert intake.is_empty


async def test_the_gateway_s_time_does_not_pass_a_read_that_waits_for_room() -> None:
    intake = Intake(REAL_TIME, floor_us=0)
    await intake.put(Heard(reads=(read(),) * BATCH_READS_MAX), received_us=5)
    received_us = intake.now_us() - 60 * SECOND_US
    waiting = asyncio.create_task(
        intake.put(Heard(reads=(read(received_us),)), received_us=received_us)
    )
    await asyncio.sleep(0)
    assert intake.take().gateway_us == received_us
    await asyncio.wait_for(waiting, 5)
    assert intake.take().gateway_us > received_us


async def test_an_empty_batch_comes_only_where_it_is_wanted() -> None:
    intake = Intake(REAL_TIME, floor_us=0)
    asked = []

    def wanted() -> bool:
        asked.append(time.monotonic())
        return len(asked) > 1

    batch = await asyncio.wait_for(intake.next_batch(wants_empty=wanted), 5)
    assert batch.reads == ()
    assert len(asked) == 2


async def test_gateway_time_goes_on_from_what_was_spooled_even_if_the_clock_was_set_back() -> None:
    ahead_us = Intake(REAL_TIME, floor_us=0).now_us() + 3600 * SECOND_US
    assert Intake(REAL_TIME, floor_us=ahead_us).take().gateway_us == ahead_us


async def test_domain_time_is_stamped_by_the_shared_clock() -> None:
    clock = ClockSetting(wall_anchor_us=1_000_000, domain_anchor_us=50_000_000, speed=10)
    assert Intake(clock, floor_us=0).domain_us(2.0) == 60_000_000


def report(**changes: object) -> TagReport:
    values: dict[str, object] = {
        "epc": SGTIN,
        "epc_bits": 96,
        "antenna": 2,
        "rssi_cdbm": -5250,
        "first_seen_us": 1_700_000_000_000_000,
        "last_seen_us": 1_700_000_000_400_000,
        "uptime": False,
        "seen_count": 3,
        "channel": 1,
        "rospec": 1,
        "raw": b"\x00\xf0",
    }
    return TagReport(**(values | changes))  # type: ignore[arg-type]


class Rig(NamedTuple):
    """One reader's intake and what is around it."""

    intake: Intake
    watch: DeviceWatch
    reader: LlrpIntake

    def batch(self) -> ReadBatch:
        """What has come in."""
        return self.intake.take()


@pytest.fixture(name="rig")
def fixture_rig() -> Rig:
    intake = Intake(REAL_TIME, floor_us=0)
    watch = DeviceWatch("door-1")
    lights = StackLights(lambda _device, _detail: None)
    return Rig(
        intake,
        watch,
        LlrpIntake(source="dock/door-1", intake=intake, watch=watch, lights=lights),
    )


async def test_a_tag_report_becomes_a_read(rig: Rig) -> None:
    await rig.reader.on_reports([report()], 1_700_000_001.0)
    [only] = rig.batch().reads
    assert only == Read(
        identity="https://id.gs1.org/01/80614141123458/21/6789",
        device="door-1",
        antenna=2,
        first_us=1_700_000_000_000_000,
        last_us=1_700_000_000_400_000,
        received_us=1_700_000_001_000_000,
        count=3,
        rssi_cdbm=-5250,
        evidence=SGTIN,
    )
    health = rig.watch.health()
    assert (health.reads, health.skew_us) == (1, -600_000)


async def test_a_report_that_says_little_is_still_a_read(rig: Rig) -> None:
    bare = report(
        antenna=None, rssi_cdbm=None, first_seen_us=None, last_seen_us=None, seen_count=None
    )
    await rig.reader.on_reports([bare], 2.0)
    [only] = rig.batch().reads
    assert (only.antenna, only.count, only.rssi_cdbm) == (0, 1, None)
    assert only.first_us == only.last_us == only.received_us == 2_000_000


async def test_uptime_is_told_as_utc(rig: Rig) -> None:
    up = report(uptime=True, first_seen_us=100_000, last_seen_us=400_000)
    await rig.reader.on_reports([up], 1_700_000_001.0)
    [only] = rig.batch().reads
    assert only.first_us == 1_700_000_000_700_000
    assert only.last_us == 1_700_000_001_000_000


async def test_the_gateway_s_time_waits_at_the_start_for_what_a_reader_kept() -> None:
    floor_us = Intake(REAL_TIME, floor_us=0).now_us() - 60 * SECOND_US
    intake = Intake(REAL_TIME, floor_us=floor_us)
    LlrpIntake(
        source="dock/door-1",
        intake=intake,
        watch=DeviceWatch("door-1"),
        lights=StackLights(lambda _device, _detail: None),
    )
    assert intake.take().gateway_us == floor_us


async def test_a_tag_without_epc_is_a_reject(rig: Rig) -> None:
    await rig.reader.on_reports([report(epc=b"", epc_bits=0), report()], 2.0)
    batch = rig.batch()
    assert len(batch.reads) == 1
    assert [(one.source, one.reason, one.raw) for one in batch.rejects] == [
        ("dock/door-1", "a tag without EPC", b"\x00\xf0")
    ]


async def test_signals_antennas_and_complaints_are_told(rig: Rig) -> None:
    at_us = 1_700_000_000_000_000
    await rig.reader.on_status("reading", "127.0.0.1:5084")
    await rig.reader.on_signal(GpiChanged(port=1, state=True, at_us=at_us, uptime=False))
    await rig.reader.on_signal(
        AntennaChanged(antenna=3, connected=False, at_us=at_us, uptime=False)
    )
    await rig.reader.on_signal(
        ReaderNoticed(kind="exception", detail="too hot", at_us=at_us, uptime=False)
    )
    await rig.reader.on_status("reading", "the reader says no to something")
    await rig.reader.on_reject("nonsense", b"\x01")
    batch = rig.batch()
    [signal] = batch.signals
    assert signal == GateSignal(
        device="door-1", port=1, state=True, at_us=at_us, received_us=signal.received_us
    )
    assert [(change.state, change.detail) for change in batch.changes] == [
        ("reading", "127.0.0.1:5084"),
        ("antenna_lost", "antenna 3"),
        ("reading", "exception: too hot"),
    ]
    assert [one.reason for one in batch.rejects] == ["nonsense"]


def test_the_site_file_says_how_a_reader_reads() -> None:
    site_file = read_site(
        """
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
session = 2
power_dbm = 27.25
report_every_s = 0.25
[[devices.antennas]]
number = 4
location = "stage"
"""
    )
    assert isinstance(site_file, SiteFile)
    settings = reader_settings(site_file.devices[0])
    assert settings.antennas == (4,)
    assert (settings.session, settings.transmit_power_cdbm) == (2, 2725)
    assert settings.report_interval_ms == 250


class Light:
    """A reader with outputs, which may be away."""

    def __init__(self) -> None:
        self.outputs: dict[int, bool] = {}
        self.is_away = False
        self.switched = asyncio.Event()

    async def set_output(self, port: int, *, on: bool) -> None:
        """Switch an output."""
        self.switched.set()
        if self.is_away:
            raise ConnectionError("not reading")
        self.outputs[port] = on


def set_light(device: str, *, red: bool) -> SetLight:
    return SetLight(device=device, port=2, red=red, reason="short load")


async def test_a_light_follows_commands_and_is_asked_again_when_its_reader_is_back() -> None:
    told: list[tuple[str, str]] = []
    lights = StackLights(lambda device, detail: told.append((device, detail)))
    light = Light()
    lights.add("door-1", light)
    running = asyncio.create_task(lights.run())
    lights.set(set_light("door-1", red=True))
    await asyncio.wait_for(light.switched.wait(), 5)
    assert light.outputs == {2: True}
    light.is_away = True
    light.switched.clear()
    lights.set(set_light("door-1", red=False))
    await asyncio.wait_for(light.switched.wait(), 5)
    await asyncio.sleep(0)
    assert light.outputs == {2: True}
    assert told == [("door-1", "the light at output 2 is not green: not reading")]
    light.is_away = False
    light.switched.clear()
    lights.came_back("door-1")
    await asyncio.wait_for(light.switched.wait(), 5)
    assert light.outputs == {2: False}
    running.cancel()


def test_a_light_at_a_device_without_outputs_is_told() -> None:
    told: list[str] = []
    StackLights(lambda device, _detail: told.append(device)).set(set_light("belt", red=True))
    assert told == ["belt"]


async def test_the_outbox_gives_in_order_what_the_ledger_lacks() -> None:
    spool, _ = open_spool(MEMORY, gateway="dock", new_id=lambda: "a" * 32, at_us=0)
    outbox = Outbox(spool)
    for _ in range(4):
        await outbox.put(ReadBatch(gateway_us=1, reads=(read(),)), at_us=0)
    assert [one.sequence for one in await outbox.due(3)] == [1, 2, 3]
    assert [one.sequence for one in await outbox.due(3)] == [4]
    await outbox.acknowledged(Acknowledgement(spool="a" * 32, sequence=2))
    await outbox.send_again(SendAgain(spool="a" * 32, sequence=1))
    assert [one.sequence for one in await outbox.due(9)] == [3, 4]
    assert await outbox.wait_s() is not None
    await outbox.acknowledged(Acknowledgement(spool="a" * 32, sequence=4))
    assert await outbox.wait_s() is None
    await outbox.close()


async def test_a_spool_that_was_set_back_starts_over_and_sends_what_is_new() -> None:
    spool, _ = open_spool(MEMORY, gateway="dock", new_id=lambda: "a" * 32, at_us=0)
    outbox = Outbox(spool)
    await outbox.put(ReadBatch(gateway_us=1, reads=(read(),)), at_us=0)
    await outbox.due(9)
    await outbox.acknowledged(Acknowledgement(spool="a" * 32, sequence=50))
    [again] = await outbox.due(9)
    assert again.spool == spool.id != "a" * 32
    assert again.sequence == 1
    await outbox.close()


async def test_empty_batches_are_unwanted_while_the_ledger_is_away() -> None:
    spool, _ = open_spool(MEMORY, gateway="dock", new_id=lambda: "a" * 32, at_us=0)
    outbox = Outbox(spool)
    for _ in range(EMPTY_OUTSTANDING_MAX):
        assert outbox.wants_empty()
        await outbox.put(ReadBatch(gateway_us=1), at_us=0)
    assert not outbox.wants_empty()
    await outbox.due(1)
    await outbox.acknowledged(Acknowledgement(spool="a" * 32, sequence=1))
    assert outbox.wants_empty()
    await outbox.close()
