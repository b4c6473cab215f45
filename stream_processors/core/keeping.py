"""The undecided memory of a partition, out of the state and back into it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from contracts.events import LocationKind
from contracts.places import Zone
from stream_processors.core.gate_state import Gate
from stream_processors.core.memory import (
    SEPARATOR,
    SavedStay,
    load_clock,
    load_gate,
    load_stay,
    load_times,
    load_trail,
    load_visit,
    peek,
    save_clock,
    save_gate,
    save_times,
    save_trail,
    save_window,
)
from stream_processors.core.reference import Location
from stream_processors.core.skew import DeviceClock
from stream_processors.core.state import State
from stream_processors.core.windows import Record, Stay, Trail, Visit, Window


def change(state: State) -> tuple[dict[str, bytes], list[str]]:
    """What changed since the last call, and which keys are no more."""
    values: dict[str, bytes] = {}
    removed = state.removed
    for window in state.dirty:
        window.dirty = False
        if not window.gone:
            save_window(window, values, removed, whole=False)
    for identity, trail in state.dirty_trails.items():
        trail.saved = True
        values["i/" + identity] = save_trail(trail)
    _shared(state, values, everything=False)
    if values or removed:
        values["t"] = save_times(state.times)
    state.dirty = []
    state.dirty_trails = {}
    state.removed = set()
    return values, sorted(removed - values.keys())


def snapshot(state: State) -> dict[str, bytes]:
    """All of it; what changed until now is then told, too."""
    values: dict[str, bytes] = {}
    for record in state.records.values():
        for window in record.windows:
            window.dirty = False
            save_window(window, values, set(), whole=True)
        if record.trail is not None:
            record.trail.saved = True
            values["i/" + record.identity] = save_trail(record.trail)
    _shared(state, values, everything=True)
    values["t"] = save_times(state.times)
    state.dirty = []
    state.dirty_trails = {}
    state.removed = set()
    return values


def restore(
    state: State, values: Mapping[str, bytes], whereabouts: Iterable[tuple[str, str, int, str]]
) -> None:
    """Begin with a memory and with the newest events of identities. The state is new."""
    for identity, location, at_us, kind in whereabouts:
        record = state.records[identity] = Record(identity)
        record.since_us = at_us
        record.zone = _zone(state, location, kind)
    if "t" in values:
        load_times(state.times, values["t"])
    for key, raw in values.items():
        if key.startswith("d/"):
            clock = state.devices[key[2:]] = DeviceClock(key[2:])
            load_clock(clock, raw)
        elif key.startswith("c/"):
            gate = state.gates[key[2:]] = Gate(key[2:])
            load_gate(gate, raw)
        elif key.startswith("i/"):
            record = _record(state, key[2:])
            record.trail = Trail(record)
            record.trail.saved = True
            load_trail(record.trail, raw)
            state.wait_for_trail(record.trail)
    _windows(state, values)
    for record in state.records.values():
        state.watch(record)


def _shared(state: State, values: dict[str, bytes], *, everything: bool) -> None:
    """What belongs to no identity: clocks and gates."""
    for clock in state.devices.values():
        if clock.dirty or everything:
            clock.dirty = False
            values["d/" + clock.device] = save_clock(clock)
    for gate in state.gates.values():
        if gate.dirty or everything:
            gate.dirty = False
            values["c/" + gate.id] = save_gate(gate)


def _record(state: State, identity: str) -> Record:
    record = state.records.get(identity)
    if record is None:
        record = state.records[identity] = Record(identity)
    return record


def _zone(state: State, location: str, kind: str) -> str | None:
    """Where the newest event left an identity: `passed:in` leads to the gate's inner zone."""
    if kind in (LocationKind.ARRIVED, LocationKind.MOVED):
        return location
    gate = state.reference.locations.get(location)
    if gate is None:
        return None
    if kind == "passed:in":
        return gate.inner
    if kind == "passed:out":
        return gate.outer
    return None


def _windows(state: State, values: Mapping[str, bytes]) -> None:
    """Open windows, from their chunks in order, each identity's in the order of opening."""
    chunks: dict[str, list[tuple[int, bytes]]] = {}
    for key, raw in values.items():
        if key.startswith("w/"):
            base, _, chunk = key.rpartition(SEPARATOR)
            chunks.setdefault(base, []).append((int(chunk), raw))
    for base in sorted(chunks):
        parts = sorted(chunks[base])
        identity, place, opened, late = base[2:].split(SEPARATOR)
        record = _record(state, identity)
        saved = peek(parts[0][1])
        location = state.reference.locations.get(place) or Location(Zone(id=place))
        clock = state.clock_of(location, (*saved.gateways, "")[0])
        window: Window
        if isinstance(saved, SavedStay):
            window = Stay(record, location, clock, saved.first_us, int(opened))
            load_stay(window, parts[0][1], state.reference)
        else:
            window = Visit(record, location, clock, saved.first_us, int(opened))
            for _, raw in parts:
                load_visit(window, raw, state.reference)
        window.late = late == "1"
        window.key = base
        window.saved = len(parts)
        record.windows = (*record.windows, window)
        clock.windows.put(window, window.due_us())
    for record in state.records.values():
        if len(record.windows) > 1:
            record.windows = tuple(sorted(record.windows, key=_opened))


def _opened(window: Window) -> tuple[int, str]:
    return window.opened_us, window.key
