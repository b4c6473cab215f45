"""Mistakes that somebody could make: each is planted by a subclass, and the simulation must find it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from contracts.commands import Acknowledgement
from contracts.ids import partition_of
from contracts.log import Output, Part, Tick
from edge_agent.core.sender import Sender
from ledger_sink.core.admission import Admission, Verdict
from ledger_sink.ledger import PartitionCommit
from ledger_sink.memory_ledger import MemoryLedger
from stream_processors.core.bridge import Bridge
from stream_processors.core.keys import SpoolKey
from stream_processors.core.partition import Partition
from stream_processors.core.restore import SEEN
from tests.simulation.programs import Cores


class ForgetsWhenSent(Sender):
    """Believes MQTT: what was published need not be kept."""

    def due(self, now_s, limit):
        batches = super().due(now_s, limit)
        if batches:
            self._spool.acknowledge(batches[-1].sequence)
        return batches


class BelievesEverySpool(Sender):
    """Takes the acknowledgement of an older spool for its own."""

    def acknowledged(self, message, now_s):
        own = msgspec.structs.replace(message, spool=self._spool.id)
        super().acknowledged(own, now_s)


class AcceptsAnything(Bridge):
    """Accepts whatever comes above the last sequence."""

    def _miss(self, key, spool, message, token, now_s):
        del now_s
        spool.accepted = message.sequence - 1
        return self._accept(key, spool, message, token)


class CallsItLost(Bridge):
    """Takes a spool that begins later for a loss, without asking the ledger first."""

    def _miss(self, key, spool, message, token, now_s):
        if message.sequence == message.lowest:
            return self._accept(key, spool, message, token)
        return super()._miss(key, spool, message, token, now_s)


class ClaimsEarly(Bridge):
    """Tells at ticks what it accepted instead of what Kafka has."""

    def _tick(self, partition, bridge_us):
        for spool in self._spools.values():
            if spool.held:
                spool.held = spool.accepted
        tick = super()._tick(partition, bridge_us)
        return msgspec.structs.replace(
            tick, spools=tuple(msgspec.structs.replace(each, part=0) for each in tick.spools)
        )


class ForgetsPrevious(Partition):
    """Takes any part that is new, whether or not one before it is missing."""

    def _take_part(self, part):
        return super()._take_part(msgspec.structs.replace(part, previous=0))


class ForgetsNewestPart(Partition):
    """Believes a tick without looking whether the newest part came."""

    def _take_tick(self, base, tick):
        spools = tuple(msgspec.structs.replace(each, part=0) for each in tick.spools)
        return super()._take_tick(base, msgspec.structs.replace(tick, spools=spools))


class ObeysOldRuns(Partition):
    """Takes records of a bridge that lost its lease."""

    def _take_part(self, part):
        return super()._take_part(msgspec.structs.replace(part, run=max(part.run, self._run)))

    def _take_tick(self, base, tick):
        number = max(tick.number, self._tick + 1)
        run = max(tick.run, self._run)
        return super()._take_tick(base, msgspec.structs.replace(tick, run=run, number=number))


class TakesAgain(Partition):
    """Takes parts that it has seen."""

    def _take_part(self, part):
        self._seen[part.gateway, part.spool] = min(
            self._seen.get((part.gateway, part.spool), 0), part.sequence - 1
        )
        return super()._take_part(part)


class ForgetsMemory(Partition):
    """Begins with how far it saw everything, and without the stages' memory."""

    def restore(self, rows, whereabouts):
        super().restore(rows, whereabouts)
        self._stages._windows.clear()


class ForgetsSeen(Partition):
    """Begins with the stages' memory, and without how far it saw everything."""

    def restore(self, rows, whereabouts):
        super().restore(rows, whereabouts)
        self._seen.clear()


class ForgetsOldHolders(Partition):
    """Does not ask what partitions saw under another number of partitions."""

    def _was_seen(self, key, sequence, owner):
        return False


class KeepsEverybodysMemory(Partition):
    """Begins with the memory of identities that are another partition's."""

    def restore(self, rows, whereabouts):
        self._stages.identity_of = lambda key: None
        super().restore(rows, whereabouts)


class DropsRemovals(Partition):
    """Does not tell the ledger what is no longer in the memory."""

    def _memory(self):
        memory = super()._memory()
        if memory is not None:
            memory.removed = []
        return memory


class IgnoresEpochs(Admission):
    """Admits the next offset of whatever worker."""

    def receive(self, output, events_offset):
        partition = self._partitions[output.partition]
        epoch = partition.position.epoch
        return super().receive(msgspec.structs.replace(output, epoch=epoch), events_offset)


class IgnoresOffsets(Admission):
    """Admits whatever comes under the current epoch."""

    def receive(self, output, events_offset):
        partition = self._partitions.get(output.partition)
        if (
            partition
            and output.log == partition.position.log
            and not partition.refused
            and output.epoch == partition.position.epoch
            and not output.chunk
        ):
            partition.offset, partition.chunk = output.offset, 0
        return super().receive(output, events_offset)


class CommitsAnywhere(Admission):
    """Commits between ticks, so that memory and entries do not belong together."""

    def receive(self, output, events_offset):
        verdict = super().receive(output, events_offset)
        partition = self._partitions[output.partition]
        if verdict is Verdict.ADMITTED:
            partition.ready = len(partition.buffer)
        return verdict


class AcknowledgesEarly(Admission):
    """Acknowledges what it has heard of, not what is committed."""

    def receive(self, output, events_offset):
        verdict = super().receive(output, events_offset)
        if verdict is Verdict.ADMITTED and output.tick:
            partition = self._partitions[output.partition]
            for each in output.tick.spools:
                partition.coverage[each.gateway, each.spool] = each.sequence
        return verdict


class AcknowledgesOneForAll(Admission):
    """Acknowledges what one partition holds."""

    def _risen(self):
        kept = dict(self._partitions)
        risen = []
        for number, partition in kept.items():
            self._partitions = {number: partition}
            risen += super()._risen()
        self._partitions = kept
        return risen


class ObeysOldSinks(MemoryLedger):
    """Lets a commit through whatever the row says."""

    def commit_partition(self, commit):
        held = self._state.positions.get(commit.partition)
        if held is None or held.log != commit.log:
            return False
        return super().commit_partition(
            commit._replace(epoch=held.epoch, from_offset=held.next_offset)
        )


MISTAKES = {
    "sender": [ForgetsWhenSent, BelievesEverySpool],
    "bridge": [AcceptsAnything, CallsItLost, ClaimsEarly],
    "partition": [
        ForgetsPrevious,
        ForgetsNewestPart,
        ObeysOldRuns,
        TakesAgain,
        ForgetsMemory,
        ForgetsSeen,
        ForgetsOldHolders,
        KeepsEverybodysMemory,
        DropsRemovals,
    ],
    "admission": [
        IgnoresEpochs,
        IgnoresOffsets,
        CommitsAnywhere,
        AcknowledgesEarly,
        AcknowledgesOneForAll,
    ],
    "ledger": [ObeysOldSinks],
}
