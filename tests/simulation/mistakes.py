"""Mistakes that somebody could make, each planted by a subclass: the simulation must find them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from contracts.commands import Acknowledgement
from contracts.events import Entry, Evidence
from contracts.log import Output, Part, Tick
from contracts.reads import SpooledBatch
from edge_agent.core.sender import Sender
from ledger_sink.core.admission import Admission, Verdict
from ledger_sink.ledger import PartitionCommit, SpoolAcknowledged
from ledger_sink.memory_ledger import MemoryLedger
from stream_processors.core.bridge import Bridge, Effects, _Spool
from stream_processors.core.chunks import Memory
from stream_processors.core.keys import SpoolKey
from stream_processors.core.partition import Partition
from tests.simulation.fakes import PERSONS
from tests.simulation.run import Plan
from tests.simulation.site import Cores
from tests.simulation.stages import CountingStages

Rows = Iterable[tuple[int, int, int, bytes]]
Whereabouts = Iterable[tuple[str, str, int, str]]
Led = tuple[list[Entry], list[Evidence]]


class ForgetsWhenSent(Sender):
    """Believes MQTT: what was published need not be kept."""

    def due(self, now_s: float, limit: int) -> list[SpooledBatch]:
        """Forget at once."""
        batches = super().due(now_s, limit)
        if batches:
            self._spool.acknowledge(batches[-1].sequence)
        return batches


class BelievesEverySpool(Sender):
    """Takes the acknowledgement of an older spool for its own."""

    def acknowledged(self, message: Acknowledgement, now_s: float) -> None:
        """Take it for ours."""
        super().acknowledged(msgspec.structs.replace(message, spool=self._spool.id), now_s)


class AcceptsAnything(Bridge):
    """Accepts whatever comes above the last sequence."""

    def _miss(
        self, key: SpoolKey, spool: _Spool, message: SpooledBatch, token: int, now_s: float
    ) -> Effects:
        spool.accepted = message.sequence - 1
        return self._accept(key, spool, message, token, now_s)


class CallsItLost(Bridge):
    """Takes a spool that begins later for a loss, without asking the ledger first."""

    def _miss(
        self, key: SpoolKey, spool: _Spool, message: SpooledBatch, token: int, now_s: float
    ) -> Effects:
        if message.sequence == message.lowest:
            return self._accept(key, spool, message, token, now_s)
        return super()._miss(key, spool, message, token, now_s)


class NamesPersons(Bridge):
    """Believes that scans name nobody."""

    def receive(
        self, gateway: str, payload: bytes, token: int, *, bridge_us: int, now_s: float
    ) -> Effects:
        """Whoever is named stands for himself."""
        self._pseudonyms.take({person: person for person in PERSONS}, now_s)
        return super().receive(gateway, payload, token, bridge_us=bridge_us, now_s=now_s)


class SkipsNamed(Bridge):
    """Goes on behind a batch that waits for pseudonyms."""

    def _accept(
        self, key: SpoolKey, spool: _Spool, message: SpooledBatch, token: int, now_s: float
    ) -> Effects:
        effects = super()._accept(key, spool, message, token, now_s)
        if effects.ask_persons:
            spool.accepted = message.sequence
        return effects


class ForgetsPrevious(Partition):
    """Takes any part that is new, whether or not one before it is missing."""

    def _take_part(self, part: Part) -> Led:
        return super()._take_part(msgspec.structs.replace(part, previous=0))


class ForgetsNewestPart(Partition):
    """Believes a tick without looking whether the newest part came."""

    def _take_tick(self, base: Output, tick: Tick) -> list[Output]:
        spools = tuple(msgspec.structs.replace(each, part=0) for each in tick.spools)
        return super()._take_tick(base, msgspec.structs.replace(tick, spools=spools))


class ObeysOldRuns(Partition):
    """Takes records of a bridge that lost its lease."""

    def _take_part(self, part: Part) -> Led:
        return super()._take_part(msgspec.structs.replace(part, run=max(part.run, self._run)))

    def _take_tick(self, base: Output, tick: Tick) -> list[Output]:
        number = max(tick.number, self._tick + 1)
        run = max(tick.run, self._run)
        return super()._take_tick(base, msgspec.structs.replace(tick, run=run, number=number))


class TakesAgain(Partition):
    """Takes parts that it has seen."""

    def _take_part(self, part: Part) -> Led:
        key = (part.gateway, part.spool)
        self._seen[key] = min(self._seen.get(key, 0), part.sequence - 1)
        return super()._take_part(part)


class ForgetsMemory(Partition):
    """Begins with how far it saw everything, and without the stages' memory."""

    def restore(self, rows: Rows, whereabouts: Whereabouts) -> None:
        """Half of it."""
        super().restore(rows, whereabouts)
        assert isinstance(self._stages, CountingStages)
        self._stages.windows.clear()


class ForgetsSeen(Partition):
    """Begins with the stages' memory, and without how far it saw everything."""

    def restore(self, rows: Rows, whereabouts: Whereabouts) -> None:
        """Half of it."""
        super().restore(rows, whereabouts)
        self._seen.clear()


class ForgetsOldHolders(Partition):
    """Does not ask what partitions saw under another number of partitions."""

    def _was_seen(self, key: SpoolKey, sequence: int, owner: str) -> bool:
        del key, sequence, owner
        return False


class KeepsEverybodysMemory(Partition):
    """Begins with the memory of identities that are another partition's."""

    def restore(self, rows: Rows, whereabouts: Whereabouts) -> None:
        """Half of it."""
        assert isinstance(self._stages, CountingStages)
        self._stages.tells_identities = False
        super().restore(rows, whereabouts)


class DropsRemovals(Partition):
    """Does not tell the ledger what is no longer in the memory."""

    def _memory(self) -> Memory | None:
        memory = super()._memory()
        if memory is not None:
            memory.removed = []
        return memory


class IgnoresEpochs(Admission):
    """Admits the next offset, whichever worker wrote it."""

    def receive(self, output: Output, events_offset: int) -> Verdict:
        """Do not look."""
        epoch = self._partitions[output.partition].position.epoch
        return super().receive(msgspec.structs.replace(output, epoch=epoch), events_offset)


class IgnoresOffsets(Admission):
    """Admits whatever comes under the current epoch."""

    def receive(self, output: Output, events_offset: int) -> Verdict:
        """Do not look."""
        partition = self._partitions[output.partition]
        if output.epoch == partition.position.epoch and not output.chunk:
            partition.offset, partition.chunk = output.offset, 0
        return super().receive(output, events_offset)


class AcknowledgesEarly(Admission):
    """Acknowledges what it has heard of, before that is committed."""

    def receive(self, output: Output, events_offset: int) -> Verdict:
        """Do not look."""
        verdict = super().receive(output, events_offset)
        if verdict is Verdict.ADMITTED and output.tick:
            coverage = self._partitions[output.partition].coverage
            for each in output.tick.spools:
                coverage[each.gateway, each.spool] = each.sequence
        return verdict


class AcknowledgesOneForAll(Admission):
    """Acknowledges what one partition holds."""

    def _risen(self) -> list[SpoolAcknowledged]:
        kept = self._partitions
        risen = []
        for number, partition in kept.items():
            self._partitions = {number: partition}
            risen += super()._risen()
        self._partitions = kept
        return risen


class ObeysOldSinks(MemoryLedger):
    """Lets a commit through, whatever the position says."""

    def commit_partition(self, commit: PartitionCommit) -> bool:
        """Let it through."""
        held = self._state.positions.get(commit.partition)
        if held is None or held.log != commit.log:
            return False
        return super().commit_partition(
            commit._replace(epoch=held.epoch, from_offset=held.next_offset)
        )


def _cut_log(plan: Plan) -> None:
    plan.blows += ["kafka cut"] * 8
    plan.use_real_stages = False


def _restless_bridge(plan: Plan) -> None:
    plan.rates["bridge"].crash = 0.012
    plan.mqtt.delayed = 0.2
    plan.rates["agent"].pause = 0.004
    plan.use_real_stages = False


def _lost_disks(plan: Plan) -> None:
    plan.blows += ["disk lost"] * 3
    plan.use_real_stages = False


def _restless_partitions(plan: Plan) -> None:
    plan.blows += ["partitions"] * 3
    plan.use_real_stages = False


def _restless_readers(plan: Plan) -> None:
    plan.stale_rate = 0.05
    plan.workers = plan.sinks = 2
    plan.rates["sink"].pause = 0.004
    plan.use_real_stages = False


class Mistake(NamedTuple):
    """A mistake, and the weather in which it shows soonest."""

    cores: Cores
    weather: Callable[[Plan], None]


MISTAKES = {
    "forgets when sent": Mistake(Cores(sender=ForgetsWhenSent), _restless_bridge),
    "believes every spool": Mistake(Cores(sender=BelievesEverySpool), _lost_disks),
    "accepts anything": Mistake(Cores(bridge=AcceptsAnything), _restless_bridge),
    "calls it lost": Mistake(Cores(bridge=CallsItLost), _restless_bridge),
    "names persons": Mistake(Cores(bridge=NamesPersons), _restless_bridge),
    "skips named": Mistake(Cores(bridge=SkipsNamed), _restless_bridge),
    "forgets previous": Mistake(Cores(partition=ForgetsPrevious), _cut_log),
    "forgets newest part": Mistake(Cores(partition=ForgetsNewestPart), _cut_log),
    "takes again": Mistake(Cores(partition=TakesAgain), _restless_bridge),
    "forgets memory": Mistake(Cores(partition=ForgetsMemory), _restless_readers),
    "forgets seen": Mistake(Cores(partition=ForgetsSeen), _restless_readers),
    "forgets old holders": Mistake(Cores(partition=ForgetsOldHolders), _restless_partitions),
    "keeps everybody's memory": Mistake(
        Cores(partition=KeepsEverybodysMemory), _restless_partitions
    ),
    "drops removals": Mistake(Cores(partition=DropsRemovals), _restless_readers),
    "ignores epochs": Mistake(Cores(admission=IgnoresEpochs), _restless_readers),
    "ignores offsets": Mistake(Cores(admission=IgnoresOffsets), _restless_readers),
    "acknowledges early": Mistake(Cores(admission=AcknowledgesEarly), _restless_readers),
    "acknowledges one for all": Mistake(
        Cores(admission=AcknowledgesOneForAll), _restless_partitions
    ),
    "obeys old sinks": Mistake(Cores(ledger=ObeysOldSinks), _restless_readers),
}
"""Each must be found."""

HARMLESS_ALONE = {
    "obeys old runs": Mistake(Cores(partition=ObeysOldRuns), _restless_bridge),
}
"""What a second net catches: parts are chained, so an old run's record that fits is true."""
