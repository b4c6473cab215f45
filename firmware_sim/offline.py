"""The same reads without sockets: for tuning the location stages, for scores and benchmarks.

    from firmware_sim.offline import Rehearsal

    rehearsal = Rehearsal(seed=1)
    for batch in rehearsal.batches():      # ReadBatch: reads, photo-eye signals, gateway_us
        ...                                # feed it to the stages; about 70,000 reads/s
    passages = rehearsal.passages()        # the truth, reads_emitted filled in by now
    from firmware_sim.score import score_of
    print(score_of(passages, events))      # events: firmware_sim.score.Told

- `Rehearsal(seed, scenario=DEFAULT, start_us=START_US, report_us=100_000, true_clocks=True,
  speed=1.0, readers=READERS, shift=None)`
- `.site_map`, `.items`, `.loads`: structs of `contracts.places`, as they go into `reference`.
- `.batches(every_us=200_000)`: one gateway's batches in order of time (`dock`); call it once.
- `.faults`: what was planned to go wrong (`firmware_sim.core.loads.Fault`).
- `reads_of(seed, ...)`: only the reads, in order of receipt.

The readers are taken to be set up as `core/site.py` writes it (session 0, all antennas, full
power, reports by time). `true_clocks=False` leaves each device's offset and drift in `first_us`,
`last_us` and the signals' `at_us`, as an agent that believes the reader's UTC would pass them on;
a reader that knows only its uptime then counts from its start of the shift, offset removed.
`received_us` is right always. With `speed` 60, reports are received as late and in such bursts as
in a run that is 60 times faster than life: everything that takes wall time takes 60 times that in
domain time.
"""

from __future__ import annotations

from collections.abc import Iterator

from contracts.places import Item, Load, LoadLine, SiteMap
from contracts.reads import GateSignal, Read, ReadBatch
from contracts.site import SiteFile, read_site, site_map
from firmware_sim.core.dice import key_of, throw
from firmware_sim.core.goods import PACKAGING
from firmware_sim.core.inventory import Heard, Inventory, Settings
from firmware_sim.core.layout import READERS, SCANNER, Reader
from firmware_sim.core.loads import Fault
from firmware_sim.core.scanning import Trigger, triggers_of
from firmware_sim.core.shift import Shift, shift_of
from firmware_sim.core.signals import EyeChange, eye_changes
from firmware_sim.core.site import DEVICES, SITE, site_toml
from firmware_sim.core.truth import Passage, passages_of
from firmware_sim.parameters import DEFAULT, ReaderParameters, Scenario

START_US = 1_772_438_400_000_000
"""2026-03-02T08:00:00Z: the shift begins."""
NETWORK_US = 15_000
"""From a reader's report to its receipt."""
TICK_US = 10_000
"""Wall time between two looks of a simulated reader at its world."""
LAG_US_MAX = 50_000
"""Wall time by which a busy machine delays what a reader sent at a tick, at most: as measured in
whole runs on two cores."""
CHUNK_US = 5_000_000
"""How much of the shift is worked out at once."""
CENTIBELS = 100
ORDINARY = ReaderParameters()


class Rehearsal:
    """One shift, read offline."""

    def __init__(
        self,
        seed: int,
        *,
        scenario: Scenario = DEFAULT,
        start_us: int = START_US,
        report_us: int = 100_000,
        true_clocks: bool = True,
        speed: float = 1.0,
        readers: tuple[Reader, ...] = READERS,
        shift: Shift | None = None,
    ) -> None:
        """`shift`: another one than the seed's own, such as one of `firmware_sim.scenes`."""
        self.shift: Shift = shift or shift_of(seed, scenario)
        self.start_us = start_us
        self.end_us = start_us + self.shift.end_us
        self.site_map = _site_map(readers)
        self.items = items_of(self.shift)
        self.loads = loads_of(self.shift, start_us)
        self._report_us = report_us
        self._true_clocks = true_clocks
        self._speed = speed
        self._scenario = scenario
        self._readers = readers
        self._ears = [_Ear(self.shift, reader, scenario) for reader in readers]

    @property
    def faults(self) -> list[Fault]:
        """What was planned to go wrong."""
        return self.shift.faults

    def batches(self, every_us: int = 200_000) -> Iterator[ReadBatch]:
        """One gateway's batches until the shift's end, one every so often, empty ones too."""
        pending_reads: list[Read] = []
        pending_signals: list[GateSignal] = []
        until_us = 0
        scans = triggers_of(self.shift)
        while until_us < self.shift.end_us:
            from_us, until_us = until_us, until_us + CHUNK_US
            for ear in self._ears:
                pending_reads += self._reads(ear, from_us, until_us)
                pending_signals += self._signals(ear, from_us, until_us)
            while scans and scans[0].at_us < until_us:
                pending_reads += self._scanned(scans.pop(0))
            pending_reads.sort(key=lambda read: read.received_us)
            pending_signals.sort(key=lambda signal: signal.received_us)
            yield from self._cut(pending_reads, pending_signals, from_us, until_us, every_us)

    def passages(self) -> list[Passage]:
        """The truth of what the batches have told so far."""
        return passages_of(self.shift, self.start_us, readers=self._readers)

    def _cut(
        self,
        reads: list[Read],
        signals: list[GateSignal],
        from_us: int,
        until_us: int,
        every_us: int,
    ) -> Iterator[ReadBatch]:
        """Batches of what was received before `until_us`; the rest stays in the lists."""
        done = noticed = 0
        for end_us in range(from_us + every_us, until_us + 1, every_us):
            gateway_us = self.start_us + end_us
            first, seen = done, noticed
            while done < len(reads) and reads[done].received_us < gateway_us:
                done += 1
            while noticed < len(signals) and signals[noticed].received_us < gateway_us:
                noticed += 1
            yield ReadBatch(
                gateway_us=gateway_us,
                reads=tuple(reads[first:done]),
                signals=tuple(signals[seen:noticed]),
            )
        del reads[:done]
        del signals[:noticed]

    def _reads(self, ear: _Ear, from_us: int, until_us: int) -> Iterator[Read]:
        """What one reader reports: singulations of one tag at one antenna merged per report."""
        heard = ear.inventory.hear(from_us, until_us, ear.settings)
        report_us = self._report_us
        open_until_us = 0
        merged: dict[tuple[int, bytes], list[Heard]] = {}
        for one in heard:
            if one.at_us >= open_until_us:
                yield from self._report(ear, merged, open_until_us)
                merged = {}
                open_until_us = (one.at_us // report_us + 1) * report_us
            merged.setdefault((one.antenna, one.epc), []).append(one)
        yield from self._report(ear, merged, open_until_us)

    def _report(
        self, ear: _Ear, merged: dict[tuple[int, bytes], list[Heard]], at_us: int
    ) -> Iterator[Read]:
        received_us = self.start_us + self._receipt(ear, at_us)
        for (antenna, epc), group in merged.items():
            first = group[0]
            episode = first.carried.track.episode(ear.reader.gate, first.at_us)
            if episode is not None:
                first.carried.counts[episode] += 1
            yield Read(
                identity=first.identity(),
                device=ear.reader.device,
                antenna=antenna,
                first_us=self._by_clock(ear.nature, first.at_us),
                last_us=self._by_clock(ear.nature, group[-1].at_us),
                received_us=received_us,
                count=len(group),
                rssi_cdbm=max(one.rssi_dbm for one in group) * CENTIBELS,
                evidence=epc,
            )

    def _signals(self, ear: _Ear, from_us: int, until_us: int) -> Iterator[GateSignal]:
        while ear.eyes and ear.eyes[-1].at_us < until_us:
            change = ear.eyes.pop()
            if change.at_us >= from_us:
                yield GateSignal(
                    device=ear.reader.device,
                    port=change.port,
                    state=change.active,
                    at_us=self._by_clock(ear.nature, change.at_us),
                    received_us=self.start_us + self._receipt(ear, change.at_us),
                )

    def _scanned(self, trigger: Trigger) -> Iterator[Read]:
        if trigger.scan is None or not trigger.code:
            return
        trigger.scan.counts += 1
        at_us = self.start_us + trigger.at_us
        yield Read(
            identity=trigger.scan.tag.identity,
            device=SCANNER,
            antenna=0,
            first_us=at_us + NETWORK_US,
            last_us=at_us + NETWORK_US,
            received_us=at_us + NETWORK_US,
            count=1,
            evidence=trigger.code.encode(),
        )

    def _receipt(self, ear: _Ear, at_us: int) -> int:
        """When what a reader sends at a time is received, both of the shift."""
        if self._speed == 1.0:
            return at_us + NETWORK_US
        tick_us = int(TICK_US * self._speed)
        tick = -(-at_us // tick_us)
        lag_us = throw(ear.key, tick) % int(LAG_US_MAX * self._speed)
        # Late is late: what is sent at a later tick does not overtake.
        before_us = throw(ear.key, tick - 1) % int(LAG_US_MAX * self._speed) - tick_us
        return tick * tick_us + max(lag_us, before_us)

    def _by_clock(self, nature: ReaderParameters, at_us: int) -> int:
        if self._true_clocks:
            return self.start_us + at_us
        offset_us = nature.clock_offset_us if nature.utc_clock else 0
        return self.start_us + at_us + offset_us + int(at_us * nature.drift_ppm / 1e6)


class _Ear:
    """One reader, set up rightly."""

    def __init__(self, shift: Shift, reader: Reader, scenario: Scenario) -> None:
        self.reader = reader
        self.key = key_of(shift.seed, reader.device, "lag")
        self.nature = scenario.readers.get(reader.device, ORDINARY)
        self.inventory = Inventory(
            reader=reader, tracks=shift.tracks, signal=scenario.signal, seed=shift.seed
        )
        self.settings = right_settings(reader, scenario)
        self.eyes: list[EyeChange] = eye_changes(reader, shift.tracks)[::-1]


def right_settings(reader: Reader, scenario: Scenario) -> Settings:
    """How a reader reads when its client sets it up as the site file asks."""
    return Settings(
        antennas=tuple(antenna.number for antenna in reader.antennas),
        power_dbm=tuple(scenario.signal.power_max_dbm for _ in reader.antennas),
        session=0,
        population=64,
    )


def reads_of(
    seed: int, *, scenario: Scenario = DEFAULT, report_us: int = 100_000
) -> Iterator[Read]:
    """Only the reads of a shift, in order of receipt, with true clocks."""
    for batch in Rehearsal(seed, scenario=scenario, report_us=report_us).batches():
        yield from batch.reads


def items_of(shift: Shift) -> list[Item]:
    """The catalogue, cases and pallets included."""
    goods = [(item.number, item.name, item.name_zh) for item in shift.goods.items]
    return [
        Item(item=item, name=name, name_zh=chinese) for item, name, chinese in (*goods, *PACKAGING)
    ]


def loads_of(shift: Shift, start_us: int) -> list[Load]:
    """The loads as the plan knows them."""
    return [
        Load(
            load=load.name,
            gate=load.gate,
            direction=load.direction,
            opens_us=start_us + load.opens_us,
            closes_us=start_us + load.closes_us,
            lines=tuple(
                LoadLine(
                    identity=line.identity or None,
                    item=line.item,
                    quantity=line.quantity,
                    case=line.case or None,
                    pallet=line.pallet or None,
                )
                for line in load.lines
            ),
        )
        for load in shift.loads
    ]


def _site_map(readers: tuple[Reader, ...]) -> SiteMap:
    """The site as its file says it; the ports matter to nobody here."""
    ports = {device: 5084 + place for place, device in enumerate(DEVICES)}
    site = read_site(site_toml(ports, readers=readers))
    assert isinstance(site, SiteFile), f"the site file of {SITE} has mistakes: {site}"
    return site_map(site)
