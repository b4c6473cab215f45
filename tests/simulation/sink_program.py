"""A sink: the real admission and the real transaction over the ledger's twin in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from contracts.codec import decode, encode
from contracts.commands import Acknowledgement
from contracts.log import Output
from ledger_sink.commit import LeaseLostError, commit
from ledger_sink.core.admission import Verdict
from ledger_sink.ledger import SpoolAcknowledged
from tests.simulation.loop import POINT, EndedError
from tests.simulation.site import FETCH_EVENTS, POLL_S, SiteProgram

REPUBLISH_S = 3.0


class Sink(SiteProgram):
    """A sink: admission, commit, acknowledgements."""

    role: ClassVar[str] = "sink"

    def main(self) -> Iterator[float]:
        """Admit, commit, acknowledge."""
        site, world = self.site, self.world
        yield from self.take_lease()
        site.mqtt.connect(self, lambda _: False)
        self._log = ""
        reload_s = republish_s = world.now
        while True:
            current = site.ledger.current_log()
            if current is None:
                yield 0.5
                continue
            if current.log != self._log:
                self._log, self._partitions = current.log, current.partitions
                positions = site.ledger.positions()
                yield POINT
                self._admission = site.cores.admission(positions, site.ledger.acknowledged())
                self._offsets = {each.partition: each.events_offset for each in positions}
                if len(positions) != self._partitions:
                    raise EndedError("another log was opened meanwhile")
            while self.inbox:
                self.inbox.popleft()
                republish_s = world.now
            if world.now >= republish_s:
                republish_s = world.now + REPUBLISH_S
                self._publish(site.ledger.acknowledged())
            for number in range(self._partitions):
                yield from self._read(number)
            yield from self._commit()
            if world.now >= reload_s and self._admission.reloads():
                reload_s = world.now + 1.0
                yield from self._reload()
            self.renew_lease()
            yield POLL_S

    def _read(self, number: int) -> Iterator[float]:
        for offset, raw in self.site.kafka.fetch(
            f"events.{self._log}", number, self._offsets[number], FETCH_EVENTS
        ):
            output = decode(Output, raw, source="sink", at_us=0)
            if isinstance(output, Output):
                verdict = self._admission.receive(output, offset)
                if verdict is not Verdict.ADMITTED:
                    self.world.seen[f"outputs {verdict.value}"] += 1
            self._offsets[number] = offset + 1
        yield POINT

    def _commit(self) -> Iterator[float]:
        plan = self._admission.ready()
        if plan is None:
            return
        yield POINT
        try:
            done = commit(
                self.site.ledger,
                plan,
                run=self.run,
                stages={},
                gateways={},
                recorded_us=self.world.now_us,
            )
        except LeaseLostError as error:
            raise EndedError("another holds the lease") from error
        if done.refused:
            self.world.seen["commits refused"] += 1
            for number in done.refused:
                self._admission.refused(number)
            return
        self.world.seen["commits"] += 1
        self.site.books.committed(plan, self._partitions)
        yield POINT
        self._publish(self._admission.committed(plan))

    def _reload(self) -> Iterator[float]:
        positions = {each.partition: each for each in self.site.ledger.positions()}
        yield POINT
        for number in self._admission.reloads():
            position = positions.get(number)
            if position is not None and position.log == self._log:
                self._admission.reload(position)
                self._offsets[number] = position.events_offset

    def _publish(self, rows: Sequence[SpoolAcknowledged]) -> None:
        for gateway, spool, sequence in rows:
            told = encode(Acknowledgement(spool=spool, sequence=sequence))
            self.site.mqtt.publish(self, f"{gateway}/ack", told, retain=True)
