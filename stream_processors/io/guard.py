"""Watches from a thread that a worker still works, and ends the process where it does not.

Faust hangs in silence after some errors, so nothing here relies on its event loop.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from confluent_kafka import KafkaException, TopicPartition

from contracts.topics import kafka_topic
from stream_processors.core.partition import Partition
from stream_processors.core.watch import (
    STALLED_AFTER_S,
    STALLED_AFTER_S_MAX,
    CommitWatch,
    Verdict,
)
from stream_processors.io import journal
from stream_processors.io.kafka_log import consumer
from stream_processors.io.ledger import LedgerConnection, LedgerDownError, Position
from stream_processors.settings import RESTART, Settings

LOOK_SECONDS = 1.0
"""Between two looks at the ledger."""
SILENT_SECONDS = 15.0
"""No record came for so long, though ticks come five times a second: is Faust dead, or is the
bridge? Kafka is asked."""
BUSY_SECONDS = 5.0
"""Another partition took a record within this: Faust is alive."""
BEHIND_RECORDS = 500
"""Another partition has more than this before it: there is a backlog, and brokers may serve some
partitions of a backlog long before others."""
STARVED_SECONDS_MAX = 180.0
"""Even behind a backlog no partition is to wait longer."""
SUPERSEDED_SECONDS = 20.0
"""Another worker has the partition; Kafka should take it from us within a session or two."""
SKIPPED_SECONDS = 10.0
"""Records come, but never the one that is due."""


class Patience:
    """How long outputs may take to come to the ledger; kept in a file over restarts.

    While the sink is down a worker that begins again does not help, and each time it writes the
    same outputs once more: so the wait doubles until a commit is seen.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.seconds = STALLED_AFTER_S
        """The wait."""
        try:
            self.seconds = float(json.loads(path.read_text())["stalled_after_s"])
        except (OSError, ValueError, KeyError, TypeError):
            self._path.unlink(missing_ok=True)

    def lost(self) -> None:
        """The wait was in vain."""
        self.seconds = min(2 * self.seconds, STALLED_AFTER_S_MAX)
        self._path.write_text(json.dumps({"stalled_after_s": self.seconds}))

    def rewarded(self) -> None:
        """A commit was seen."""
        if self.seconds != STALLED_AFTER_S:
            self.seconds = STALLED_AFTER_S
            self._path.unlink(missing_ok=True)


class Held:
    """A partition that this worker holds."""

    def __init__(self, partition: Partition, watch: CommitWatch) -> None:
        self.partition = partition
        """The core's part."""
        self.watch = watch
        """The core's part of watching."""
        self.record_s = time.monotonic()
        """When a record was taken last."""
        self.asked_s = self.record_s
        """When Kafka was asked last whether there are records."""
        self.skipped_since_s: float | None = None
        """Since when records come that are not due."""
        self.superseded_since_s: float | None = None
        """Since when another worker has the partition."""
        self.started_at = partition.next_offset
        """Where it began."""
        self._begun = False
        self._lock = threading.Lock()

    def wants(self, offset: int) -> bool:
        """Whether a record is for this hold.

        Until the first due record came, records of the hold before may still be in Faust's
        buffers: they are passed over.
        """
        self.record_s = time.monotonic()
        if self.superseded_since_s is not None:
            return False
        if self._begun or offset == self.partition.next_offset:
            self._begun = True
            self.skipped_since_s = None
            return True
        if offset > self.partition.next_offset and self.skipped_since_s is None:
            self.skipped_since_s = self.record_s
        return False

    def ticked(self, offset: int) -> None:
        """The output of the tick at an offset was sent."""
        with self._lock:
            self.watch.ticked(offset, time.monotonic())

    def judge(self, position: Position, now_s: float) -> Verdict:
        """What follows from the ledger's row of the partition."""
        with self._lock:
            return self.watch.judge(position.epoch, position.next_offset, now_s)


def is_stuck(silent_s: float, others: Sequence[tuple[float, int]]) -> bool:
    """Whether records that lie in Kafka will not come by themselves.

    `others`: of the worker's other partitions, for how long they were silent and how many records
    lie before them. Where one of them works off a backlog, this one's turn comes.
    """
    has_backlog = any(
        other_s < BUSY_SECONDS and records > BEHIND_RECORDS for other_s, records in others
    )
    return not has_backlog or silent_s > STARVED_SECONDS_MAX


class Guard:
    """The thread."""

    def __init__(
        self, settings: Settings, log: str, held: Mapping[int, Held], patience: Patience
    ) -> None:
        """`held` is the worker's own: by partition, changed by it at any time."""
        self._settings = settings
        self._log = log
        self._held = held
        self._patience = patience
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="guard", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        ledger: LedgerConnection | None = None
        said = ""
        while not self._closed.wait(LOOK_SECONDS):
            try:
                if ledger is None:
                    ledger = LedgerConnection(
                        self._settings.postgres_url, self._settings.site, "ledger_worker"
                    )
                current = ledger.current_log()
                positions = {each.partition: each for each in ledger.positions()}
                said = ""
            except LedgerDownError as error:
                ledger = None
                if str(error) != said:
                    said = str(error)
                    journal.write("the ledger could not be asked", reason=said)
                continue
            if current is None or current.log != self._log:
                journal.exit_now(RESTART, "the log is no longer current", log=self._log)
            self._look(positions)

    def _look(self, positions: Mapping[int, Position]) -> None:
        now_s = time.monotonic()
        for number, held in list(self._held.items()):
            position = positions.get(number)
            if position is None:
                continue
            if position.next_offset > held.started_at and position.epoch == held.partition.epoch:
                self._patience.rewarded()
            verdict = held.judge(position, now_s)
            if verdict is Verdict.SUPERSEDED:
                self._superseded(number, held, now_s)
            elif verdict is Verdict.STALLED:
                self._patience.lost()
                journal.exit_now(
                    RESTART,
                    "outputs do not come to the ledger",
                    partition=number,
                    next_offset=position.next_offset,
                )
            if held.skipped_since_s is not None and now_s - held.skipped_since_s > SKIPPED_SECONDS:
                journal.exit_now(RESTART, "the record that is due does not come", partition=number)
            if now_s - max(held.record_s, held.asked_s) > SILENT_SECONDS:
                self._ask_kafka(number, held, now_s)

    @staticmethod
    def _superseded(number: int, held: Held, now_s: float) -> None:
        if held.superseded_since_s is None:
            held.superseded_since_s = now_s
            journal.write("another worker has the partition", partition=number)
        elif now_s - held.superseded_since_s > SUPERSEDED_SECONDS:
            journal.exit_now(RESTART, "a partition was not taken back by Kafka", partition=number)

    def _ask_kafka(self, number: int, held: Held, now_s: float) -> None:
        """End the process if Kafka has records that did not come, and no backlog explains it."""
        held.asked_s = now_s
        others = {each: other for each, other in self._held.items() if each != number}
        ends = self._ends((number, *others))
        due = held.partition.next_offset
        if ends.get(number, due) <= due:
            # Nothing is there, or Kafka is down: nothing can come.
            held.record_s = now_s
            return
        busy = [
            (now_s - other.record_s, ends.get(each, 0) - other.partition.next_offset)
            for each, other in others.items()
        ]
        if is_stuck(now_s - held.record_s, busy):
            journal.exit_now(
                RESTART, "records lie in Kafka and do not come", partition=number, offset=due
            )

    def _ends(self, partitions: tuple[int, ...]) -> dict[int, int]:
        """Where partitions of the log end; those that Kafka does not tell are left out."""
        topic = kafka_topic(self._settings.site, "reads", self._log)
        reader = consumer(self._settings.kafka)
        try:
            return {
                each: reader.get_watermark_offsets(TopicPartition(topic, each), timeout=5.0)[1]
                for each in partitions
            }
        except KafkaException:
            return {}
        finally:
            reader.close()
