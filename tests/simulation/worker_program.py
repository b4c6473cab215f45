"""A worker: the partitions that the group gives it, each the real core under an epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from contracts.codec import encode
from stream_processors.core.partition import LogSkippedError, Partition
from stream_processors.core.watch import CommitWatch, Verdict
from tests.simulation.fakes import Producer
from tests.simulation.loop import POINT, EndedError
from tests.simulation.site import FETCH, LEDGER_S, POLL_S, SiteProgram

STALLED_AFTER_S = 4.0


class Worker(SiteProgram):
    """A worker: the partitions that the group gives it, each under an epoch."""

    role: ClassVar[str] = "worker"

    def main(self) -> Iterator[float]:
        """Work on what the group gives."""
        site, world = self.site, self.world
        self._log = ""
        self._producer = Producer(site.kafka, self)
        self._held: dict[int, Partition] = {}
        self._watches: dict[int, CommitWatch] = {}
        judge_s = world.now
        while True:
            current = site.ledger.current_log()
            if current is None:
                yield 0.5
                continue
            if current.log != self._log:
                self._log, self._partitions = current.log, current.partitions
                self._held.clear()
                self._watches.clear()
            mine = site.group.poll(self, self._partitions)
            for number in [each for each in self._held if each not in mine]:
                del self._held[number], self._watches[number]
            for number in sorted(mine - self._held.keys()):
                yield from self._begin(number)
            for number in sorted(self._held):
                yield from self._work(number)
            if world.now >= judge_s:
                judge_s = world.now + LEDGER_S
                yield from self._judge()
            if self._producer.failure:
                raise EndedError(self._producer.failure)
            yield POLL_S

    def crash(self, why: str) -> None:
        """End at once; the group hears of it."""
        self.site.group.leave(self)
        super().crash(why)

    def _begin(self, number: int) -> Iterator[float]:
        """Take a partition: epoch, then memory."""
        site, world = self.site, self.world
        taken = site.ledger.take_epoch(self._log, number, self.name)
        yield POINT
        if taken is None:
            return
        epoch, next_offset = taken
        world.seen["epochs taken"] += 1
        partition = site.cores.partition(
            log=self._log,
            partitions=self._partitions,
            partition=number,
            epoch=epoch,
            next_offset=next_offset,
            stages=site.make_stages(f"{self._log}/{number}/{epoch}"),
            snapshot_every_ticks=site.snapshot_every_ticks,
            chunk_bytes_max=site.chunk_bytes_max,
        )
        memory = site.ledger.memory()
        yield POINT
        partition.restore(memory, site.ledger.whereabouts(self._partitions, number))
        self._held[number] = partition
        watched = self._watches.setdefault(number, CommitWatch(stalled_after_s=STALLED_AFTER_S))
        watched.began(epoch, next_offset, world.now)

    def _work(self, number: int) -> Iterator[float]:
        """Take what lies in the log."""
        site, world = self.site, self.world
        partition = self._held[number]
        topic = f"events.{self._log}"
        records = site.kafka.fetch(f"reads.{self._log}", number, partition.next_offset, FETCH)
        for offset, raw in records:
            try:
                outputs = partition.take(offset, raw)
            except LogSkippedError as error:
                raise EndedError(str(error)) from error
            if world.chance(self.rates.stage_error):
                world.injected["a stage raised"] += 1
                raise EndedError("a stage raised")
            for output in outputs:
                self._producer.send(topic, number, encode(output))
                if output.tick is not None and not output.more:
                    self._watches[number].ticked(offset, world.now)
            if world.dice.random() < 0.2:
                yield POINT
        if partition.gaps:
            world.seen["ticks that withheld a spool"] += 1

    def _judge(self) -> Iterator[float]:
        positions = {each.partition: each for each in self.site.ledger.positions()}
        yield POINT
        for number in list(self._held):
            position = positions.get(number)
            if position is None or position.log != self._log:
                continue
            verdict = self._watches[number].judge(
                position.epoch, position.next_offset, self.world.now
            )
            if verdict is Verdict.SUPERSEDED:
                raise EndedError(f"another worker has partition {number}")
            if verdict is Verdict.STALLED:
                self.world.seen["partitions begun again, nothing was committed"] += 1
                del self._held[number]
