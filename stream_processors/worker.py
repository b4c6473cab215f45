"""Read me first: the worker, from the log's reads to outputs for the sink.

1. Ask the ledger for the current log, and follow the topic `reference`.
2. Run a Faust app with one agent on the log's topic `reads`. Kafka assigns partitions; for each the
   worker takes the next epoch, loads what the ledger has (undecided memory, whereabouts, reference)
   and goes on at the ledger's next offset (`_load`, asked by `io.faust_transport`).
3. Each record goes through `core.partition`; what comes out goes to the same partition of topic
   `events`, in order (`_take`).
4. A guard thread ends the process (exit code 75: start me again) when the log is no longer the
   current one, when outputs do not come to the ledger, or when records lie in Kafka that do not
   come out of Faust. Any exception and any failed send end it at once: Faust would log it and skip
   the record.

Nothing is committed to Kafka and nothing is saved at the end: all that counts is in the ledger.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import faust
import uvloop
from confluent_kafka import KafkaError, Message

from contracts.codec import encode
from contracts.named_points import reached
from contracts.places import ReferenceChange
from contracts.topics import kafka_topic
from stream_processors.core.holding import Holding
from stream_processors.core.partition import Partition
from stream_processors.core.reference import Reference
from stream_processors.core.understanding import Understanding
from stream_processors.core.watch import CommitWatch
from stream_processors.io import journal
from stream_processors.io.faust_transport import use_ledger_positions
from stream_processors.io.guard import Guard, Held, Patience
from stream_processors.io.kafka_log import RECORD_BYTES_MAX, producer
from stream_processors.io.ledger import LedgerConnection, LedgerDownError
from stream_processors.io.reference import ReferenceFollower, changes_in
from stream_processors.io.sabotage import Sabotage
from stream_processors.settings import RESTART, Settings

SESSION_SECONDS = 8.0
"""A killed worker's partitions move after this; brokers refuse less than 6 s."""
REQUEST_SECONDS = 40.0
"""Past this Faust gives up on positions and hangs: `LOAD_SECONDS_MAX` must be well below."""
LOAD_SECONDS_MAX = 30.0
"""For epochs, memory and whereabouts of all assigned partitions: some millions of identities."""
UNDELIVERED_MAX = 1_000
"""Outputs that Kafka has not acknowledged; above this no record is taken."""
POLL_SECONDS = 0.01
"""How soon a failed send is noticed, and how long a full producer is waited for at a time."""
RECORDS_AT_ONCE = 200
"""Records that Faust fetches and buffers at once: each is up to a batch of a thousand reads."""
LOG_SECONDS = 0.5
"""Between two looks for the first log."""
STOP_SECONDS_MAX = 8.0
"""To leave the group in good order, so that partitions move at once."""


def run_worker(settings: Settings, data: Path) -> int:
    """Run until asked to stop; gives the exit code. Raises StreamError."""
    data.mkdir(parents=True, exist_ok=True)
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    signal.signal(signal.SIGINT, lambda *_: stopped.set())
    found = _current_log(settings, stopped)
    if found is None:
        return 0
    # Faust's consumer has a loop of its own, in a thread: the policy reaches that one too.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    worker = _Worker(settings, data, log=found[0], partitions=found[1])
    return worker.run(loop)


def _current_log(settings: Settings, stopped: threading.Event) -> tuple[str, int] | None:
    """Wait until there is a log; None when asked to stop meanwhile."""
    said = ""
    while not stopped.is_set():
        try:
            ledger = LedgerConnection(settings.postgres_url, settings.site, "ledger_worker")
            current = ledger.current_log()
            ledger.close()
            if current is not None:
                return current
            waiting_for = "no log was opened yet: the bridge does that"
        except LedgerDownError as error:
            waiting_for = str(error)
        if waiting_for != said:
            said = waiting_for
            journal.write("waiting for a log", reason=waiting_for)
        stopped.wait(LOG_SECONDS)
    return None


@dataclass(slots=True)
class _Loaded:
    """What the ledger has of the assigned partitions."""

    partitions: dict[int, Partition]
    reference: Reference


class _Worker:
    """One process: its Faust app, the partitions that it holds, and the way out."""

    def __init__(self, settings: Settings, data: Path, *, log: str, partitions: int) -> None:
        self._settings = settings
        self._log = log
        self._partitions = partitions
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._reads = kafka_topic(settings.site, "reads", log)
        self._events = kafka_topic(settings.site, "events", log)
        self._reference = Reference()
        self._changes: list[ReferenceChange] = []
        self._held: dict[int, Held] = {}
        self._loading = asyncio.Lock()
        self._sabotage = Sabotage(os.environ.get("TALLYGATE_SABOTAGE", ""))
        self._producer = producer(settings.kafka, compression="lz4")
        self._patience = Patience(data / "patience.json")
        self._guard = Guard(settings, log, self._held, self._patience)
        self._app = self._faust_app(data)
        use_ledger_positions(self._app, topic=self._reads, load=self._load)

    def run(self, loop: asyncio.AbstractEventLoop) -> int:
        """Run the app until a signal comes; gives the exit code."""
        follower = ReferenceFollower(
            self._settings.kafka,
            self._settings.site,
            self._log,
            partial(self._in_loop, loop, self._apply),
        )
        logging.getLogger().addHandler(_ToJournal(logging.WARNING))
        main = loop.create_task(self._main())
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, main)
        journal.write("the worker runs", log=self._log, name=self._name)
        try:
            loop.run_until_complete(main)
        except asyncio.CancelledError:
            pass
        finally:
            self._guard.close()
            follower.close()
            self._producer.flush(1.0)
        journal.write("the worker stopped", log=self._log)
        return 0

    def _faust_app(self, data: Path) -> faust.App:
        app = faust.App(
            f"tallygate-{self._settings.site}-{self._log}",
            broker=f"aiokafka://{self._settings.kafka.replace(',', ';')}",
            datadir=str(data / "faust"),
            web_enabled=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            broker_session_timeout=SESSION_SECONDS,
            broker_heartbeat_interval=SESSION_SECONDS / 4,
            broker_request_timeout=REQUEST_SECONDS,
            broker_max_poll_records=RECORDS_AT_ONCE,
            consumer_max_fetch_size=RECORD_BYTES_MAX,
            stream_buffer_maxsize=RECORDS_AT_ONCE,
            stream_wait_empty=False,
            cython_optimizations=True,
        )
        topic = app.topic(
            self._reads, key_serializer="raw", value_serializer="raw", value_type=bytes, acks=False
        )
        app.agent(topic, name="reads")(self._agent)
        app.on_partitions_revoked.connect(self._revoked)
        return app

    async def _main(self) -> None:
        poller = asyncio.create_task(self._poll())
        try:
            await self._app.start()
            await self._app.wait_until_stopped()
        except Exception as error:  # noqa: BLE001 - what it leaves behind is not to be trusted.
            reason = f"{type(error).__name__}: {error}"
            journal.exit_now(RESTART, "Faust cannot run: is Kafka there?", reason=reason)
        finally:
            poller.cancel()
        # An app that stops by itself crashed.
        journal.exit_now(RESTART, "Faust stopped", reason=str(self._app.crash_reason))

    def _stop(self, main: asyncio.Task[None]) -> None:
        """Leave the group and end; if that takes too long, end all the same."""
        threading.Timer(
            STOP_SECONDS_MAX, journal.exit_now, (0, "the worker stopped without leaving its group")
        ).start()

        async def leave() -> None:
            await self._app.stop()
            journal.write("the worker stopped", log=self._log)
            os._exit(0)

        main.cancel()
        self._leaving = asyncio.get_event_loop().create_task(leave())

    async def _poll(self) -> None:
        """Serve the producer where no record does."""
        while True:
            self._producer.poll(0)
            await asyncio.sleep(POLL_SECONDS)

    async def _agent(self, stream: Any) -> None:
        """Faust's agent: one record after the other."""
        try:
            async for event in stream.events():
                message = event.message
                while len(self._producer) > UNDELIVERED_MAX:
                    self._producer.poll(0)
                    await asyncio.sleep(POLL_SECONDS)
                # A record may have no value at all.
                self._take(message.partition, message.offset, message.value or b"")
        except Exception as error:  # noqa: BLE001 - whatever it is, Faust would skip the record.
            reason = f"{type(error).__name__}: {error}"
            journal.exit_now(1, "a record could not be processed", reason=reason)

    def _take(self, partition: int, offset: int, raw: bytes) -> None:
        """One record in, its output out."""
        held = self._held.get(partition)
        if held is None or not held.wants(offset):
            return
        reached("before_step")
        outputs = held.partition.take(offset, raw)
        reached("after_step")
        if self._sabotage.armed:
            outputs = list(self._sabotage.spoil(outputs))
        reached("before_output")
        for output in outputs:
            self._producer.produce(
                self._events, encode(output), partition=partition, on_delivery=self._delivered
            )
        self._producer.poll(0)
        reached("after_output")
        if outputs and outputs[-1].tick is not None:
            held.ticked(offset)

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            journal.exit_now(RESTART, "Kafka refused an output", reason=str(error), log=self._log)

    async def _revoked(self, _app: faust.App, revoked: set[Any], **_: Any) -> None:
        """Faust's signal: these partitions are no longer ours."""
        for each in revoked:
            self._held.pop(each.partition, None)

    async def _load(self, assigned: set[int]) -> dict[int, int]:
        """Take the partitions over from the ledger: gives where each goes on."""
        async with self._loading:
            # Until they are loaded again nothing of them may be taken.
            self._held.clear()
            try:
                loaded = await asyncio.wait_for(
                    asyncio.to_thread(self._load_now, sorted(assigned)), LOAD_SECONDS_MAX
                )
            except Exception as error:  # noqa: BLE001 - whatever it is, Faust would hang.
                reason = str(error) or f"{type(error).__name__} after {LOAD_SECONDS_MAX:g} s"
                journal.exit_now(RESTART, "partitions could not be loaded", reason=reason)
            self._reference = loaded.reference
            for change in self._changes:
                # They came while the ledger was read, and may be newer than what it said.
                self._reference.apply(change)
            self._changes.clear()
            for number, core in loaded.partitions.items():
                watch = CommitWatch(stalled_after_s=self._patience.seconds)
                watch.began(core.epoch, core.next_offset, time.monotonic())
                self._held[number] = Held(core, watch)
                self._sabotage.reloaded(number, core.next_offset)
            offsets = {number: each.next_offset for number, each in loaded.partitions.items()}
            journal.write(
                "partitions were taken",
                offsets={str(number): offset for number, offset in offsets.items()},
                epochs={str(number): each.epoch for number, each in loaded.partitions.items()},
            )
            return offsets

    def _load_now(self, assigned: list[int]) -> _Loaded:
        """In a thread: epochs first, so that the memory that is read then stays as it is."""
        ledger = LedgerConnection(self._settings.postgres_url, self._settings.site, "ledger_worker")
        # Millions of new objects and none that goes: looking for garbage would double the time.
        gc.disable()
        try:
            partitions: dict[int, Partition] = {}
            reference = Reference()
            for change in changes_in([row.change for row in ledger.reference(0)]):
                reference.apply(change)
            for number in assigned:
                hold = ledger.take_epoch(self._log, number, self._name)
                if hold is None:
                    journal.exit_now(RESTART, "the log is no longer current", log=self._log)
                partitions[number] = Partition(
                    log=self._log,
                    partitions=self._partitions,
                    partition=number,
                    epoch=hold.epoch,
                    next_offset=hold.next_offset,
                    stages=Holding(Understanding(reference)),
                )
            memory = ledger.memory() if partitions else []
            for number, partition in partitions.items():
                partition.restore(memory, ledger.whereabouts(self._partitions, number))
            return _Loaded(partitions, reference)
        finally:
            gc.enable()
            ledger.close()

    def _apply(self, changes: list[ReferenceChange]) -> None:
        """Changes that the topic told; while partitions are loaded they wait."""
        if self._loading.locked():
            self._changes += changes
            return
        for change in changes:
            self._reference.apply(change)

    @staticmethod
    def _in_loop(
        loop: asyncio.AbstractEventLoop,
        apply: Callable[[list[ReferenceChange]], None],
        changes: list[ReferenceChange],
    ) -> None:
        """Hand changes from the follower's thread to the loop's: between two records."""
        loop.call_soon_threadsafe(apply, changes)


class _ToJournal(logging.Handler):
    """What libraries log, as lines of the journal."""

    def emit(self, record: logging.LogRecord) -> None:
        journal.write("library", source=record.name, said=record.getMessage()[:500])
