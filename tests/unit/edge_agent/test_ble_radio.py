"""A radio's adapter with adverts from a recording: what it tells, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from contracts.site_ble import BleTable
from edge_agent.core.ble.adverts import advert_of
from edge_agent.core.ble.pool import Heard
from edge_agent.devices.ble_radio import RadioError, SilentError
from firmware_sim.core.ble import report_of
from tests.support.ble_bench import BADGE, CART, Desk, badge, cart, phone

Take = Callable[[Heard], None]
Begun = Callable[[str], Awaitable[None]]


class Recorded:
    """A source that gives what was recorded, and then does what it is told to."""

    def __init__(self, *scans: Exception | list[bytes]) -> None:
        self._scans = list(scans)
        self.desk: Desk | None = None

    async def listen(self, take: Take, begun: Begun) -> None:
        """The next scan: its events, or its failure; then silence."""
        scan = self._scans.pop(0) if self._scans else []
        if isinstance(scan, Exception):
            raise scan
        await begun("recorded scan")
        for event in scan:
            report = report_of(event)
            assert report is not None
            assert self.desk is not None
            now_us = self.desk.intake.now_us()
            take(Heard(advert_of(report.data), report.address, report.rssi_dbm, now_us))
        if self._scans:
            raise RadioError("the recording ended")
        await asyncio.Event().wait()


def desk_with(source: Recorded, **fields: object) -> Desk:
    quick: dict[str, object] = {"retry_s_max": 0.1, "report_every_s": 0.1}
    desk = Desk(BleTable.model_validate(quick | fields), source)
    source.desk = desk
    return desk


async def test_recorded_adverts_become_reads() -> None:
    events = [badge(-60), badge(-62), phone(), cart(-70), badge(-61)]
    async with desk_with(Recorded(events)) as desk:
        await desk.until(lambda: desk.counts().total() == 4, "reads")
    assert desk.counts() == {BADGE: 3, CART: 1}
    assert desk.watch.reads == len(desk.reads) == 2
    assert desk.states() == ["reading"]


async def test_what_was_heard_last_is_told_when_the_agent_stops() -> None:
    async with desk_with(Recorded([badge(-60), cart(-70)]), report_every_s=60) as desk:
        await desk.until(lambda: "hears 2 beacons" in desk.watch.detail, "both are heard")
        assert desk.counts() == {}
    assert desk.counts() == {BADGE: 1, CART: 1}


async def test_every_loss_is_told_with_its_reason_and_the_next_try_begins_anew() -> None:
    source = Recorded(RadioError("hci0 is switched off"), [badge(-60)], [badge(-60), badge(-61)])
    async with desk_with(source) as desk:
        await desk.until(lambda: desk.counts() == {BADGE: 3}, "reads of both scans")
        await desk.until(lambda: desk.states()[-1] == "reading", "it reads")
    assert desk.states() == ["retrying", "reading", "retrying", "reading"]
    assert desk.changes[0].detail.startswith("hci0 is switched off; trying again in ")
    assert desk.changes[2].detail.startswith("the recording ended; trying again in ")


async def test_a_radio_that_stays_silent_is_told_once() -> None:
    silent = [SilentError("no advert heard for 300 s") for _ in range(3)]
    async with desk_with(Recorded([badge(-60)], *silent, [cart(-60)])) as desk:
        await desk.until(lambda: desk.counts() == {BADGE: 1, CART: 1}, "it hears again")
        await desk.until(lambda: desk.states()[-1] == "reading", "it reads")
    assert desk.states() == ["reading", "retrying", "silent", "reading"]


def test_the_recording_is_the_wire_format() -> None:
    """A capture of a real radio has the same events: one of them, byte by byte."""
    captured = bytes.fromhex(
        "043e2a020103010700000000c01e0201061aff4c000215fda50693a4e24fb1afcfc6eb0764782500010007c5c4"
    )
    assert badge(-60) == captured
