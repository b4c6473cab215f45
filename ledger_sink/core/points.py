"""Metrics as InfluxDB's line protocol.

| measurement | tags | fields |
|---|---|---|
| passages | gate, direction | count |
| no_reads | gate | count (passages of something that could not be read; among the passages too) |
| entries | kind | count |
| rejects | source | count |
| discrepancies | gate, problem | opened, closed |
| sightings | | count, reads |
| latency | | entries, p50_us, p99_us, window_us (mean of the decision windows beside it) |
| lag | | waiting (outputs read, not committed), gateways_us (behind now, the last of them) |
| devices | device | state, reading (1 or 0) |
| heads | way | waiting (signed heads that have not arrived outside) |

Every line has the tag `site`. Times are microseconds of domain time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from contracts.clock import REAL_TIME, ClockSetting
from contracts.codec import UNDECODABLE, decode_json
from contracts.events import (
    DiscrepancyClosed,
    DiscrepancyOpened,
    Entry,
    EntryKind,
    LocationKind,
)
from contracts.reads import DeviceChange, Reject, is_no_read
from ledger_sink.core.latency import histogram, percentile_us
from ledger_sink.core.whereabouts import location_event


class Figures:
    """Gathers what commits say, until it is drained."""

    def __init__(self, site: str, clock: ClockSetting = REAL_TIME) -> None:
        """`clock` is the stack's, for latencies."""
        self._site = site
        self._clock = clock
        self._clear()

    def _clear(self) -> None:
        self._passages: Counter[tuple[str, str]] = Counter()
        self._no_reads: Counter[str] = Counter()
        self._entries: Counter[str] = Counter()
        self._rejects: Counter[str] = Counter()
        self._opened: Counter[tuple[str, str]] = Counter()
        self._closed: Counter[str] = Counter()
        self._devices: dict[str, str] = {}
        self._sightings = 0
        self._reads = 0
        self._latencies: list[int] = []
        self._windows = 0

    def take(
        self, entries: Sequence[Entry], *, sightings: int, reads: int, committed_us: int
    ) -> None:
        """A commit at `committed_us` added these."""
        self._sightings += sightings
        self._reads += reads
        for entry in entries:
            self._entries[entry.kind] += 1
            latency = latency_us(entry, committed_us, self._clock)
            if latency is not None:
                self._latencies.append(latency)
                self._windows += entry.window_us
            try:
                self._look_inside(entry)
            except UNDECODABLE:
                # Its bytes are in the ledger; no figure can be made of them.
                self._rejects["undecodable"] += 1

    def _look_inside(self, entry: Entry) -> None:
        event = location_event(entry)
        if event is not None:
            if event.kind is LocationKind.PASSED:
                self._passages[(event.location, str(event.direction))] += 1
                self._no_reads[event.location] += is_no_read(event.identity)
        elif entry.kind == EntryKind.REJECT:
            self._rejects[decode_json(Reject, entry.payload).source] += 1
        elif entry.kind == EntryKind.DISCREPANCY_OPENED:
            opened = decode_json(DiscrepancyOpened, entry.payload)
            self._opened[(opened.location, opened.problem)] += 1
        elif entry.kind == EntryKind.DISCREPANCY_CLOSED:
            decode_json(DiscrepancyClosed, entry.payload)
            self._closed[entry.location or ""] += 1
        elif entry.kind == EntryKind.DEVICE:
            change = decode_json(DeviceChange, entry.payload)
            if change.state not in {"alarm", "alarm_over"}:
                self._devices[change.device] = change.state

    def drain(self, *, at_us: int, waiting: int, gateways: Mapping[str, int]) -> list[str]:
        """The lines for all that was gathered, and begin anew."""
        lines = [
            self._line("lag", {}, f"waiting={waiting}i" + _behind(at_us, gateways), at_us),
        ]
        if self._sightings:
            fields = f"count={self._sightings}i,reads={self._reads}i"
            lines.append(self._line("sightings", {}, fields, at_us))
        for (gate, direction), count in self._passages.items():
            tags = {"gate": gate, "direction": direction}
            lines.append(self._line("passages", tags, f"count={count}i", at_us))
        for gate, count in (+self._no_reads).items():
            lines.append(self._line("no_reads", {"gate": gate}, f"count={count}i", at_us))
        for kind, count in self._entries.items():
            lines.append(self._line("entries", {"kind": kind}, f"count={count}i", at_us))
        for source, count in self._rejects.items():
            lines.append(self._line("rejects", {"source": source}, f"count={count}i", at_us))
        for (gate, problem), count in self._opened.items():
            tags = {"gate": gate, "problem": problem}
            lines.append(self._line("discrepancies", tags, f"opened={count}i", at_us))
        for gate, count in self._closed.items():
            lines.append(self._line("discrepancies", {"gate": gate}, f"closed={count}i", at_us))
        for device, state in self._devices.items():
            fields = f'state="{_quoted(state)}",reading={int(state == "reading")}i'
            lines.append(self._line("devices", {"device": device}, fields, at_us))
        if self._latencies:
            counts = histogram(self._latencies)
            fields = (
                f"entries={len(self._latencies)}i,p50_us={percentile_us(counts, 0.5)}i,"
                f"p99_us={percentile_us(counts, 0.99)}i,"
                f"window_us={self._windows // len(self._latencies)}i"
            )
            lines.append(self._line("latency", {}, fields, at_us))
        self._clear()
        return lines

    def heads(self, waiting: Mapping[str, int], at_us: int) -> list[str]:
        """The lines for heads that wait, by their way out."""
        return [
            self._line("heads", {"way": way}, f"waiting={count}i", at_us)
            for way, count in waiting.items()
        ]

    def _line(self, measurement: str, tags: Mapping[str, str], fields: str, at_us: int) -> str:
        named = {"site": self._site, **tags}
        written = "".join(f",{key}={_escaped(value)}" for key, value in named.items() if value)
        return f"{measurement}{written} {fields} {at_us}"


def latency_us(entry: Entry, committed_us: int, clock: ClockSetting) -> int | None:
    """From the agent's receipt of the last read needed to the commit, without deliberate waits.

    These are the decision's window, and what the gateway's time stays behind for its links.
    """
    if entry.read_received_us is None:
        return None
    waited_us = entry.window_us
    if waited_us or clock.speed > 1:  # Accelerated, every read is held until that time.
        waited_us += clock.link_allowance_us()
    return max(0, committed_us - entry.read_received_us - waited_us)


def _behind(at_us: int, gateways: Mapping[str, int]) -> str:
    return f",gateways_us={max(0, at_us - min(gateways.values()))}i" if gateways else ""


def _escaped(text: str) -> str:
    """A tag's value; a line break would end the line, so it becomes a space."""
    flat = text.replace("\n", " ").replace("\r", " ").rstrip("\\")
    return flat.replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ") or "-"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
