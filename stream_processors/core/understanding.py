"""What the reads of one partition mean: read me first.

    reads -> intake (places, clocks, dedup) -> windows
    ticks -> agenda (which windows are due by gateway time) -> settling
             -> gate (direction of a visit) or zones -> triggers (loads) -> entries, evidence

`Understanding` is deterministic and holds no clock and no dice: the same inputs in the same order
lead to the same outputs, also when it was restored in between from its undecided memory and from
the ledger's whereabouts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from contracts.reads import GateSignal, Read
from stream_processors.core import intake, keeping
from stream_processors.core.memory import identity_of_key
from stream_processors.core.reference import Reference
from stream_processors.core.settling import close_stay, close_trail, depart, settle_visits
from stream_processors.core.state import Outcome, State
from stream_processors.core.windows import Record, Stay, Trail, Visit, Window

__all__ = ["Outcome", "Reference", "Understanding"]


class Understanding:
    """The stages of one partition, in one hop."""

    def __init__(self, reference: Reference) -> None:
        self._state = State(reference)

    def take_reads(self, reads: Sequence[Read], gateway: str, gateway_us: int) -> Outcome:
        """Reads of one batch, in order. `gateway_us` is not needed: ticks tell time."""
        del gateway_us
        out = self._begin()
        intake.take_reads(self._state, reads, gateway)
        return out

    def take_signals(self, signals: Sequence[GateSignal], gateway: str) -> Outcome:
        """Signals of one batch. The same may come again."""
        del gateway
        out = self._begin()
        intake.take_signals(self._state, signals)
        return out

    def take_tick(self, gateways: Mapping[str, int], bridge_us: int) -> Outcome:
        """Time: each gateway's own, and the bridge's."""
        out = self._begin()
        state = self._state
        state.times.take(gateways, bridge_us)
        visits: dict[int, Visit] = {}
        stays: dict[int, Stay] = {}
        for clock in list(state.clocks.values()):
            clock.advance(state.times)
            for due in clock.windows.due(clock.now_us):
                assert isinstance(due, Window)
                if due.gone:
                    continue
                due_us = due.due_us()
                if due_us > clock.now_us:
                    clock.windows.put(due, due_us)
                elif isinstance(due, Visit):
                    visits[id(due)] = due
                else:
                    assert isinstance(due, Stay)
                    stays[id(due)] = due
            for trail in clock.trails.due(clock.strict_us):
                assert isinstance(trail, Trail)
                close_trail(state, trail, clock)
            for resting in clock.departures.due(clock.listened_us):
                assert isinstance(resting, Record)
                depart(state, resting, clock)
        for stay in sorted(stays.values(), key=_order):
            close_stay(state, stay)
        settle_visits(state, sorted(visits.values(), key=_order))
        return out

    def times_of(self, reads: Sequence[Read]) -> list[int]:
        """When each read was, by the agent's clock. Teaches clocks, decides nothing."""
        return intake.times_of(self._state, reads)

    def times_of_signals(self, signals: Sequence[GateSignal]) -> list[int]:
        """The same of signals."""
        return intake.times_of_signals(self._state, signals)

    def memory_change(self) -> tuple[dict[str, bytes], list[str]]:
        """New values and removed keys since the last call of this or `memory_snapshot`."""
        return keeping.change(self._state)

    def memory_snapshot(self) -> dict[str, bytes]:
        """All of the undecided memory."""
        return keeping.snapshot(self._state)

    def restore(
        self, values: Mapping[str, bytes], whereabouts: Iterable[tuple[str, str, int, str]]
    ) -> None:
        """Begin with this memory, and with identity, location, time, kind of newest events.

        `kind` is `arrived`, `moved`, `departed` or `passed:{direction}`. Call it before any input,
        with the reference loaded.
        """
        self._state.revision = self._state.reference.revision
        keeping.restore(self._state, values, whereabouts)

    @staticmethod
    def identity_of(key: str) -> str | None:
        """Whose memory a key holds; None: the whole partition's."""
        return identity_of_key(key)

    def _begin(self) -> Outcome:
        self._state.rebind()
        self._state.out = Outcome([], [])
        return self._state.out


def _order(window: Window) -> tuple[int, str, str, int]:
    return window.last_us, window.record.identity, window.location.id, window.opened_us
