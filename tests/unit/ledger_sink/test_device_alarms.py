"""Alarms stand beside a device's state, on the floor and in the metrics; they never replace it."""

from __future__ import annotations

import hashlib
from typing import cast

from contracts.codec import canonical
from contracts.events import Entry, EntryKind
from contracts.reads import DeviceChange
from ledger_sink.core.points import Figures
from ledger_sink.floor import Floor
from ledger_sink.postgres_ledger import PostgresLedger


def change(state: str, detail: str, at_us: int = 1) -> DeviceChange:
    return DeviceChange(device="door", state=state, detail=detail, at_us=at_us)


def test_the_floor_keeps_a_devices_state_while_alarms_come_and_go() -> None:
    floor = Floor(cast("PostgresLedger", None))
    for told in (
        change("reading", "", 1),
        change("alarm", "dark_antenna 3: silent for 30 working minutes", 2),
        change("alarm", "clock_off: the device's clock is off by 6.0 s", 3),
        change("alarm_over", "clock_off: the device's clock is off by 0.1 s", 4),
        change("antenna_lost", "antenna 3", 5),
    ):
        floor._take(told)
    row = floor.devices["door"]
    assert (row.state, row.at_us) == ("reading", 1)
    assert row.alarms == ("dark_antenna 3",)
    assert row.antennas_lost == ("antenna 3",)
    floor._take(change("retrying", "no connection", 6))
    row = floor.devices["door"]
    assert (row.state, row.at_us, row.alarms) == ("retrying", 6, ("dark_antenna 3",))


def test_an_alarm_is_no_state_in_the_metrics() -> None:
    figures = Figures("demo")
    payloads = [canonical(change("reading", "")), canonical(change("alarm", "disk: full"))]
    entries = [
        Entry(
            id=hashlib.sha256(payload).hexdigest(),
            kind=EntryKind.DEVICE,
            happened_us=1,
            identity=None,
            location=None,
            payload=payload,
        )
        for payload in payloads
    ]
    figures.take(entries, sightings=0, reads=0, committed_us=1)
    lines = figures.drain(at_us=2, waiting=0, gateways={})
    assert [line for line in lines if line.startswith("devices")] == [
        'devices,site=demo,device=door state="reading",reading=1i 2'
    ]
