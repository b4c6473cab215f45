"""The floor: loads, discrepancies and devices, followed from entry to entry.

All of it together is little beside location events, so whoever shows it live reads it once and
then only what is new. Times are microseconds of domain time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from contracts.codec import UNDECODABLE
from contracts.events import DiscrepancyClosed, DiscrepancyOpened, EntryKind, LoadEvent, Problem
from contracts.reads import DeviceChange
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.sql import queries

QUERIES = queries("looks")

Told = LoadEvent | DiscrepancyOpened | DiscrepancyClosed | DeviceChange
"""What is followed."""
DECODERS: dict[str, msgspec.json.Decoder[Told]] = {
    EntryKind.LOAD: msgspec.json.Decoder(LoadEvent),
    EntryKind.DISCREPANCY_OPENED: msgspec.json.Decoder(DiscrepancyOpened),
    EntryKind.DISCREPANCY_CLOSED: msgspec.json.Decoder(DiscrepancyClosed),
    EntryKind.DEVICE: msgspec.json.Decoder(DeviceChange),
}
FLOOR = tuple(DECODERS)


class LoadRow(NamedTuple):
    """The newest state of a load."""

    load: str
    state: str
    """A `LoadState`."""
    gate: str
    expected: int
    passed: int
    at_us: int


class Discrepancy(NamedTuple):
    """A discrepancy, open or closed."""

    discrepancy: str
    problem: Problem
    load: str | None
    expected_load: str | None
    location: str
    identities: tuple[str, ...]
    item: str | None
    quantity: int
    at_us: int
    found_us: int
    closed_reason: str | None
    closed_us: int | None


class DeviceRow(NamedTuple):
    """What a device last said of itself."""

    device: str
    state: str
    detail: str
    at_us: int
    """Since when."""
    antennas_lost: tuple[str, ...] = ()
    """Antennas that were pulled and did not come back."""
    alarms: tuple[str, ...] = ()
    """Names of its alarms that stand."""


class Floor:
    """Loads, discrepancies and devices as they are now; `refresh` takes what is new."""

    def __init__(self, ledger: PostgresLedger, kinds: Sequence[str] = FLOOR) -> None:
        """Nothing is read before the first `refresh`."""
        self._ledger = ledger
        self._kinds = kinds
        self._after = 0
        self.loads: dict[str, LoadRow] = {}
        """The newest state of each load that has begun."""
        self.discrepancies: list[Discrepancy] = []
        """Every discrepancy, in the order in which they were opened."""
        self.devices: dict[str, DeviceRow] = {}
        """What each device last said of itself."""
        self._newest: dict[str, int] = {}

    def refresh(self) -> bool:
        """Take what was entered since the last call; whether there was any."""
        kinds = [str(kind) for kind in self._kinds]
        values = {"site": self._ledger.site, "after": self._after, "kinds": kinds}
        rows = self._ledger.connection.execute(QUERIES["told"], values).fetchall()
        for seq, kind, payload in rows:
            self._after = seq
            try:
                told = DECODERS[kind].decode(payload)
            except UNDECODABLE:
                continue  # Anybody who may append may enter anything: that breaks no view.
            self._take(told)
        return bool(rows)

    def _take(self, told: Told) -> None:
        match told:
            case LoadEvent():
                self.loads[told.load] = LoadRow(
                    told.load, told.state, told.location, told.expected, told.passed, told.at_us
                )
            case DiscrepancyOpened():
                self._newest[told.discrepancy] = len(self.discrepancies)
                self.discrepancies.append(_opened(told))
            case DiscrepancyClosed():
                place = self._newest.pop(told.discrepancy, None)
                if place is not None:
                    self.discrepancies[place] = self.discrepancies[place]._replace(
                        closed_reason=told.reason, closed_us=told.at_us
                    )
            case DeviceChange():
                self._device(told)

    def _device(self, told: DeviceChange) -> None:
        known = self.devices.get(told.device, DeviceRow(told.device, "unknown", "", told.at_us))
        if told.state in {"antenna_lost", "antenna_back"}:
            lost = set(known.antennas_lost) - {told.detail}
            if told.state == "antenna_lost":
                lost.add(told.detail)
            self.devices[told.device] = known._replace(antennas_lost=tuple(sorted(lost)))
        elif told.state in {"alarm", "alarm_over"}:
            name = told.detail.partition(":")[0]
            alarms = set(known.alarms) - {name}
            if told.state == "alarm":
                alarms.add(name)
            self.devices[told.device] = known._replace(alarms=tuple(sorted(alarms)))
        else:
            self.devices[told.device] = known._replace(
                state=told.state, detail=told.detail, at_us=told.at_us
            )


def _opened(told: DiscrepancyOpened) -> Discrepancy:
    return Discrepancy(
        discrepancy=told.discrepancy,
        problem=told.problem,
        load=told.load,
        expected_load=told.expected_load,
        location=told.location,
        identities=told.identities,
        item=told.item,
        quantity=told.quantity,
        at_us=told.at_us,
        found_us=told.found_us,
        closed_reason=None,
        closed_us=None,
    )


def devices(ledger: PostgresLedger) -> list[DeviceRow]:
    """What each device last said of itself, by name."""
    floor = Floor(ledger, (EntryKind.DEVICE,))
    floor.refresh()
    return [floor.devices[name] for name in sorted(floor.devices)]


def passed_now(ledger: PostgresLedger) -> dict[str, frozenset[str]]:
    """Of each load that has begun: the identities that have passed, net of what came back."""
    raw = ledger.stage_memory("loads")
    if not raw:
        return {}
    progress = msgspec.msgpack.decode(raw, type=_LoadsMemory).progress
    return {load: frozenset(each.passed) for load, each in progress.items()}


class _Passed(msgspec.Struct):
    passed: dict[str, int] = {}


class _LoadsMemory(msgspec.Struct):
    """What is needed here of what the stage `core/loads.py` keeps."""

    progress: dict[str, _Passed] = {}
