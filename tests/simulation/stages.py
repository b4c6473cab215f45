"""The smallest stages that can lose or double a read: they hold reads back and count them later.

Reads of one identity wait in a window until the gateway's time has passed it; then they are one
sighting. What waits is undecided memory: if it is lost, so are the reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from contracts.events import Entry, Evidence
from contracts.places import AntennaPlace, Gate, ReferenceChange, Side, SiteMap, Zone
from contracts.reads import GateSignal, Read
from stream_processors.core.understanding import Reference, Understanding


@dataclass(slots=True)
class _Window:
    last_us: int
    reads: list[str]


class CountingStages:
    """Counts reads by window.

    Ids are numbered, so that no second net hides what comes twice. A window closes `window_us`
    after its last read, by its gateway's time. Each instance gets another, because a replay need
    not decide as the first time: reference data may have come in between.
    """

    def __init__(self, name: str, window_us: int) -> None:
        self._name = name
        self._window_us = window_us
        self.tells_identities = True
        self._count = 0
        self.windows: dict[str, _Window] = {}
        self._changed: set[str] = set()

    def take_reads(
        self, reads: Sequence[Read], gateway: str, gateway_us: int
    ) -> tuple[list[Entry], list[Evidence]]:
        """Put reads into their windows."""
        del gateway_us
        for read in reads:
            key = f"{read.identity}|{gateway}"
            window = self.windows.setdefault(key, _Window(read.last_us, []))
            window.reads.append(read.evidence.decode())
            window.last_us = max(window.last_us, read.last_us)
            self._changed.add(key)
        return [], []

    def take_signals(
        self, signals: Sequence[GateSignal], gateway: str
    ) -> tuple[list[Entry], list[Evidence]]:
        """Signals mean nothing here."""
        del signals, gateway
        return [], []

    def take_tick(
        self, gateways: Mapping[str, int], bridge_us: int
    ) -> tuple[list[Entry], list[Evidence]]:
        """Close windows that their gateway's time has passed."""
        del bridge_us
        entries: list[Entry] = []
        evidence: list[Evidence] = []
        for key in list(self.windows):
            window = self.windows[key]
            identity, gateway = key.split("|")
            if gateways.get(gateway, 0) < window.last_us + self._window_us:
                continue
            del self.windows[key]
            self._changed.add(key)
            self._count += 1
            name = f"{self._name}.{self._count}"
            entry = Entry(
                id=name,
                kind="sighted",
                happened_us=window.last_us,
                identity=identity,
                location=gateway,
                payload=b"{}",
            )
            entries.append(entry)
            evidence.append(
                Evidence(
                    id=name,
                    entry=name,
                    identity=identity,
                    location=gateway,
                    first_us=window.last_us,
                    last_us=window.last_us,
                    reads=len(window.reads),
                    payload=msgspec.json.encode(window.reads),
                )
            )
        return entries, evidence

    def memory_change(self) -> tuple[dict[str, bytes], list[str]]:
        """What changed since the last call."""
        changed, self._changed = sorted(self._changed), set()
        return (
            {key: self._value(key) for key in changed if key in self.windows},
            [key for key in changed if key not in self.windows],
        )

    def memory_snapshot(self) -> dict[str, bytes]:
        """All windows."""
        return {key: self._value(key) for key in self.windows}

    def restore(
        self, values: Mapping[str, bytes], whereabouts: Iterable[tuple[str, str, int, str]]
    ) -> None:
        """Begin with windows."""
        del whereabouts
        for key, value in values.items():
            last_us, reads = msgspec.json.decode(value, type=tuple[int, list[str]])
            self.windows[key] = _Window(last_us, reads)

    def identity_of(self, key: str) -> str | None:
        """Windows belong to identities."""
        return key.partition("|")[0] if self.tells_identities else None

    def _value(self, key: str) -> bytes:
        window = self.windows[key]
        return msgspec.json.encode((window.last_us, window.reads))


def reads_in(value: bytes) -> list[str]:
    """The reads that wait in one value of the memory."""
    return msgspec.json.decode(value, type=tuple[int, list[str]])[1]


def real_stages(gateways: Sequence[str]) -> Callable[[str], Understanding]:
    """Makes the product's own stages for a site where each gateway has a gate with two antennas."""
    site = SiteMap(
        site="demo",
        zones=(Zone(id="stage"), Zone(id="yard", outside=True)),
        gates=tuple(Gate(id=f"{name}-gate", inner="stage", outer="yard") for name in gateways),
        antennas=tuple(
            AntennaPlace(device=f"{name}-door", antenna=antenna, location=f"{name}-gate", side=side)
            for name in gateways
            for antenna, side in ((1, Side.OUTER), (2, Side.INNER))
        ),
        gateways={f"{name}-door": name for name in gateways},
    )
    reference = Reference()
    reference.apply(ReferenceChange(key="site", version=1, value=site))
    return lambda _: Understanding(reference)
