"""A reader's radio side: which ROSpec reads when, and what goes into its reports.

Time moves only in `advance`, from one thing that happens to the next: a photo-eye, an antenna that
dies, a trigger. What nobody asked to hear is counted as not heard.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from firmware_sim.core.inventory import Heard, Settings
from firmware_sim.core.layout import Reader
from firmware_sim.core.llrp_air import air_of
from firmware_sim.core.llrp_antenna import QUIETING, AntennaWish
from firmware_sim.core.llrp_reports import Air, Entry, Gathering
from firmware_sim.core.llrp_specs import (
    AT_AI_END,
    REPORT_NONE,
    START_GPI,
    START_IMMEDIATE,
    START_PERIODIC,
    STOP_DURATION,
    STOP_GPI,
    STOP_NONE,
    AntennaInventory,
    Content,
    InputTrigger,
    ReportWish,
    RoSpec,
)
from firmware_sim.core.signals import EyeChange
from firmware_sim.core.tracks import SECOND

ENTRIES_PER_MESSAGE = 200
"""Entries in one report: readers send reports of some kilobytes."""
WARNING_SHARE = 0.8
"""Of its memory for reports, beyond which a reader warns."""


class Ear(Protocol):
    """What a reader's antennas hear, whatever world it is in."""

    @property
    def reader(self) -> Reader:
        """Where its antennas are."""
        ...

    def hear(
        self, from_us: int, until_us: int, settings: Settings, dead: frozenset[int] = frozenset()
    ) -> list[Heard]:
        """All singulations that begin in this span, in order of time."""
        ...

    def forget_flags(self) -> None:
        """The reader lost its power."""
        ...


class Happening(NamedTuple):
    """An input, an antenna or the power changed; time in microseconds of the shift."""

    at_us: int
    kind: str
    """`input`, `antenna` or `reboot`."""
    number: int
    state: bool


class Noticed(NamedTuple):
    """What the reader may tell its client of: an event of LLRP."""

    at_us: int
    kind: str
    """`input`, `antenna`, `rospec`, `warning`, `overflow`, `reboot`."""
    number: int
    state: bool


class Report(NamedTuple):
    """Entries that wait to be sent, and what they shall tell."""

    entries: list[Entry]
    content: Content


@dataclass(slots=True)
class _Active:
    """The ROSpec that reads now."""

    rospec: RoSpec
    report: ReportWish
    began_us: int
    gathering: Gathering
    index: int = 0
    inventory_began_us: int = 0
    due_us: int = 0
    tags_seen: int = 0
    known: set[bytes] = field(default_factory=set)
    """Tags seen in this AISpec."""
    new_us: int = 0
    """When the last of them was new."""

    @property
    def inventory(self) -> AntennaInventory:
        """The AISpec that runs."""
        return self.rospec.inventories[self.index]

    def ends_us(self) -> int | None:
        """When the first of its time limits is reached."""
        ends = []
        inventory = self.inventory
        if inventory.stop != STOP_NONE and inventory.duration_us:
            ends.append(self.inventory_began_us + inventory.duration_us)
        if self.rospec.stop == STOP_DURATION:
            ends.append(self.began_us + self.rospec.stop_us)
        if inventory.quiet_us:
            ends.append(max(self.new_us, self.inventory_began_us) + inventory.quiet_us)
        stop = self.rospec.stop_input
        if stop is not None and stop.timeout_us:
            ends.append(self.began_us + stop.timeout_us)
        return min(ends, default=None)


class Radio:
    """One reader's ROSpecs over the world."""

    def __init__(
        self,
        inventory: Ear,
        *,
        eyes: list[EyeChange],
        right: Settings,
        dead: tuple[tuple[int, int, int], ...] = (),
        reboots_s: tuple[int, ...] = (),
        reports_max: int,
        at_us: int = 0,
    ) -> None:
        self.at_us = at_us
        self.rospecs: dict[int, RoSpec] = {}
        self.reports: deque[Report] = deque()
        self.noticed: list[Noticed] = []
        self.inputs: dict[int, bool] = {}
        self.default_report = ReportWish()
        self.keeps_reports = False
        """Whether reports are kept now: a client is there, or the reader holds them."""
        self.emitted = 0
        self.unheard = 0
        self._inventory = inventory
        self._gate = inventory.reader.gate
        self._right = right
        self._active: _Active | None = None
        self._dead: set[int] = set()
        self._reports_max = reports_max
        self._kept = 0
        self._warned = False
        self._period_from: dict[int, int] = {}
        self._happenings = _happenings(eyes, dead, reboots_s)

    def advance(self, until_us: int) -> None:
        """Let the shift's time move on."""
        while self.at_us < until_us:
            step_us = until_us
            if self._happenings:
                step_us = min(step_us, max(self._happenings[-1].at_us, self.at_us))
            ends_us = self._active.ends_us() if self._active else self._next_start()
            if ends_us is not None:
                step_us = min(step_us, max(ends_us, self.at_us))
            if step_us > self.at_us:
                self._listen(self.at_us, step_us)
                self.at_us = step_us
            self._happen()
            self._end_and_begin()

    def enable(self, rospec: RoSpec) -> None:
        """Disabled to inactive; at once active where its trigger says so."""
        if rospec.state == 0:
            rospec.state = 1
            self._period_from[rospec.id] = self.at_us + rospec.offset_us
        self._end_and_begin()

    def disable(self, rospec: RoSpec) -> None:
        """To disabled, whatever it was."""
        self.stop(rospec)
        rospec.state = 0

    def start(self, rospec: RoSpec) -> bool:
        """Inactive to active; False where another one is active."""
        if self._active is not None:
            return self._active.rospec is rospec
        self._begin(rospec)
        return True

    def stop(self, rospec: RoSpec) -> None:
        """Active to inactive."""
        if self._active is not None and self._active.rospec is rospec:
            self._end()

    def delete(self, rospec: RoSpec) -> None:
        """Away with it."""
        self.disable(rospec)
        del self.rospecs[rospec.id]

    def flush(self) -> None:
        """Report what is gathered so far."""
        if self._active is not None:
            self._send(self._active)

    def plug(self, antenna: int, *, connected: bool) -> None:
        """An antenna's cable is plugged in or pulled, now."""
        (self._dead.discard if connected else self._dead.add)(antenna)
        self.noticed.append(Noticed(self.at_us, "antenna", antenna, connected))

    def switch_input(self, port: int, *, state: bool) -> None:
        """An input changes, now."""
        self.inputs[port] = state
        self.noticed.append(Noticed(self.at_us, "input", port, state))
        self._input_changed(port, state)

    def air(self, entry: Entry) -> Air:
        """What the tag's answer tells beside its strength."""
        return air_of(entry, self._inventory.reader)

    def take_report(self) -> Report | None:
        """The oldest report that waits; it counts as emitted."""
        if not self.reports:
            return None
        report = self.reports.popleft()
        self._kept -= len(report.entries)
        self._warned &= self._kept > WARNING_SHARE * self._reports_max
        for entry in report.entries:
            episode = entry.carried.track.episode(self._gate, entry.first_us)
            if episode is not None:
                entry.carried.counts[episode] += 1
        self.emitted += len(report.entries)
        return report

    def forget_reports(self) -> None:
        """Nobody will come for what waits."""
        while self.reports:
            self._give_up(self.reports.popleft().entries)
        self._kept = 0

    def reboot(self) -> None:
        """Lose everything but the clock of the world."""
        if self._active is not None:
            self._give_up(self._active.gathering.take())
        self._active = None
        self.rospecs.clear()
        self.forget_reports()
        self.default_report = ReportWish()
        self._inventory.forget_flags()

    def _listen(self, from_us: int, until_us: int) -> None:
        active = self._active
        dead = frozenset(self._dead)
        if active is None:
            for heard in self._inventory.hear(from_us, until_us, self._right, dead):
                self._miss(heard)
            return
        inventory = active.inventory
        wishes = [inventory.wishes[antenna] for antenna in inventory.antennas]
        settings = Settings(
            antennas=inventory.antennas,
            power_dbm=tuple(wish.power_dbm for wish in wishes),
            session=wishes[0].session,
            population=wishes[0].population,
            wants=tuple(wish.wants for wish in wishes) if any(map(_filters, wishes)) else (),
            dual_target=bool(wishes[0].search_mode) and wishes[0].search_mode not in QUIETING,
            flag=wishes[0].flag or 0,
            rate=wishes[0].rate,
        )
        report = active.report
        for heard in self._inventory.hear(from_us, until_us, settings, dead):
            if report.period_us and heard.at_us >= active.due_us:
                self._send(active)
                active.due_us += ((heard.at_us - active.due_us) // report.period_us + 1) * (
                    report.period_us
                )
            active.gathering.add(heard, active.index + 1, inventory.spec_id)
            active.tags_seen += 1
            if inventory.quiet_us and heard.epc not in active.known:
                active.known.add(heard.epc)
                active.new_us = heard.at_us
            if report.tags_max and len(active.gathering) >= report.tags_max:
                self._send(active)
        if report.period_us and until_us >= active.due_us:
            self._send(active)

    def _happen(self) -> None:
        while self._happenings and self._happenings[-1].at_us <= self.at_us:
            at_us, kind, number, state = self._happenings.pop()
            self.noticed.append(Noticed(at_us, kind, number, state))
            if kind == "input":
                self.inputs[number] = state
                self._input_changed(number, state)
            elif kind == "antenna":
                (self._dead.discard if state else self._dead.add)(number)

    def _input_changed(self, port: int, state: bool) -> None:
        def meets(trigger: InputTrigger | None) -> bool:
            return trigger is not None and (trigger.port, trigger.active) == (port, state)

        active = self._active
        if active is not None:
            if active.rospec.stop == STOP_GPI and meets(active.rospec.stop_input):
                self._end()
            elif meets(active.inventory.input):
                self._next_inventory(active)
        for rospec in list(self.rospecs.values()):
            if rospec.state == 1 and rospec.start == START_GPI and meets(rospec.start_input):
                self.start(rospec)

    def _end_and_begin(self) -> None:
        active = self._active
        if active is not None:
            inventory = active.inventory
            ends_us = active.ends_us()
            if ends_us is not None and ends_us <= self.at_us:
                whole_us = active.began_us + active.rospec.stop_us
                over = active.rospec.stop == STOP_DURATION and whole_us <= self.at_us
                timeout = active.rospec.stop_input.timeout_us if active.rospec.stop_input else 0
                if over or (timeout and active.began_us + timeout <= self.at_us):
                    self._end()
                else:
                    self._next_inventory(active)
            elif inventory.tags_max and active.tags_seen >= inventory.tags_max:
                self._next_inventory(active)
        if self._active is None:
            for rospec in self.rospecs.values():
                if rospec.state == 1 and self._starts(rospec):
                    self._begin(rospec)
                    return

    def _starts(self, rospec: RoSpec) -> bool:
        if rospec.start == START_IMMEDIATE:
            return True
        return rospec.start == START_PERIODIC and self._period_from[rospec.id] <= self.at_us

    def _next_start(self) -> int | None:
        return min(
            (
                self._period_from[rospec.id]
                for rospec in self.rospecs.values()
                if rospec.state == 1 and rospec.start == START_PERIODIC
            ),
            default=None,
        )

    def _begin(self, rospec: RoSpec) -> None:
        rospec.state = 2
        report = rospec.report or self.default_report
        if rospec.period_us:
            self._period_from[rospec.id] = self.at_us + rospec.period_us
        elif rospec.start == START_PERIODIC:
            self._period_from[rospec.id] = 1 << 62
        self._active = _Active(
            rospec,
            report,
            self.at_us,
            Gathering(report.content, rospec.id),
            inventory_began_us=self.at_us,
            due_us=self.at_us + report.period_us,
        )
        self.noticed.append(Noticed(self.at_us, "rospec", rospec.id, True))

    def _end(self) -> None:
        active = self._active
        assert active is not None, "only an active ROSpec ends"
        if active.report.trigger != REPORT_NONE:
            self._send(active)
        active.rospec.state = 1
        self._active = None
        self.noticed.append(Noticed(self.at_us, "rospec", active.rospec.id, False))

    def _next_inventory(self, active: _Active) -> None:
        if active.report.trigger in AT_AI_END:
            self._send(active)
        active.index += 1
        active.tags_seen = 0
        active.known.clear()
        active.inventory_began_us = self.at_us
        if active.index == len(active.rospec.inventories) and active.rospec.loops:
            active.index = 0
        if active.index == len(active.rospec.inventories):
            active.index -= 1
            self._end()

    def _send(self, active: _Active) -> None:
        entries = active.gathering.take()
        if not entries:
            return
        if not self.keeps_reports:
            self._give_up(entries)
            return
        for start in range(0, len(entries), ENTRIES_PER_MESSAGE):
            part = entries[start : start + ENTRIES_PER_MESSAGE]
            if self._kept + len(part) > self._reports_max:
                self._give_up(part)
                self.noticed.append(Noticed(self.at_us, "overflow", 0, True))
            else:
                self.reports.append(Report(part, active.report.content))
                self._kept += len(part)
                if not self._warned and self._kept > WARNING_SHARE * self._reports_max:
                    self._warned = True
                    percent = 100 * self._kept // self._reports_max
                    self.noticed.append(Noticed(self.at_us, "warning", percent, True))

    def _give_up(self, entries: list[Entry]) -> None:
        self.unheard += len(entries)
        for entry in entries:
            episode = entry.carried.track.episode(self._gate, entry.first_us)
            if episode is not None:
                entry.carried.unheard[episode] += 1

    def _miss(self, heard: Heard) -> None:
        self.unheard += 1
        episode = heard.carried.track.episode(self._gate, heard.at_us)
        if episode is not None:
            heard.carried.unheard[episode] += 1


def _filters(wish: AntennaWish) -> bool:
    """Whether it leaves out any tag."""
    return bool(wish.filters) or wish.selected


def _happenings(
    eyes: list[EyeChange], dead: tuple[tuple[int, int, int], ...], reboots_s: tuple[int, ...]
) -> list[Happening]:
    """All that happens to the reader, the first last."""
    found = [Happening(change.at_us, "input", change.port, change.active) for change in eyes]
    for antenna, from_s, until_s in dead:
        found.append(Happening(from_s * SECOND, "antenna", antenna, False))
        found.append(Happening(until_s * SECOND, "antenna", antenna, True))
    found += [Happening(at_s * SECOND, "reboot", 0, True) for at_s in reboots_s]
    return sorted(found, reverse=True)
