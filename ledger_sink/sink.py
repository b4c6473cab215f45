"""The sink's main flow. Read me first.

Kafka topic `events` -> admission -> one transaction per round (positions, entries, sightings,
loads, whereabouts, undecided memory) -> acknowledgements and stack lights over MQTT -> metrics.

Everything that must not be lost is in that one transaction; all else is made again from it at
the next start. So the answer to trouble is simple: end, and be started again.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable

import msgspec
import psycopg

from contracts.codec import UNDECODABLE, decode
from contracts.commands import Acknowledgement, SetLight
from contracts.events import Entry
from contracts.log import MemoryChange, Output
from contracts.named_points import reached
from contracts.places import ReferenceChange
from contracts.reads import Reject
from ledger_sink import journal
from ledger_sink.commit import LEASE, LEASE_S, Committed, LeaseLostError, Stage, commit
from ledger_sink.core.admission import Admission, CommitPlan, Verdict
from ledger_sink.core.cleaning import reject_entry
from ledger_sink.core.gateway_times import GatewayTimes
from ledger_sink.core.latency import histogram
from ledger_sink.core.loads import Loads
from ledger_sink.core.points import Figures, latency_us
from ledger_sink.kafka_events import EventRecord, KafkaEvents
from ledger_sink.ledger import CurrentLog, SpoolAcknowledged
from ledger_sink.metrics import Metrics
from ledger_sink.mqtt_outbox import MqttOutbox
from ledger_sink.postgres_ledger import PostgresLedger, connect
from ledger_sink.publisher import Publisher
from ledger_sink.settings import Settings, SinkError

ROLE = "ledger_sink"
POLL_S = 0.05
"""Waiting for outputs; a stop is noticed as soon."""
WAIT_S = 0.2
"""Between two looks for a lease or a log."""
ROUND_S = 1.0
"""How often the lease is renewed, the log and the reference are looked at, figures are kept."""
REPEAT_S = 10.0
"""How often acknowledgements and lights are told again: an agent may have missed them."""
WAITING_MAX = 100_000
"""Outputs gathered without a tick behind them: far beyond any backlog between two ticks."""

_memory = msgspec.msgpack.Decoder(MemoryChange)
_reference = msgspec.msgpack.Decoder(ReferenceChange)


def run(settings: Settings, stop: threading.Event) -> None:
    """Be the site's sink until `stop` is set. Raises SinkError, LeaseLostError, psycopg.Error."""
    with connect(settings.postgres_url, ROLE) as connection:
        # A sink that hangs within a transaction holds rows that others need: its successor gets
        # them when its lease runs out.
        connection.execute(
            "select set_config('idle_in_transaction_session_timeout', %s, false)",
            (f"{LEASE_S:g}s",),
        )
        ledger = PostgresLedger(connection, settings.site)
        number = _wait_for_lease(ledger, stop)
        if number is None:
            return
        journal.write("sink runs", site=settings.site, run=number)
        outbox = MqttOutbox(settings, number)
        metrics = Metrics(settings.influx)
        sink = Sink(settings, ledger, number, outbox, metrics)
        try:
            while not stop.is_set():
                log = ledger.current_log()
                if log is None:
                    sink.keep_up()
                    stop.wait(WAIT_S)
                else:
                    sink.follow(log, stop)
            sink.publish_head()
        finally:
            sink.close()
            outbox.close()
            metrics.close()
        ledger.release_lease(LEASE, number)
        journal.write("sink stopped", site=settings.site, run=number)


def _wait_for_lease(ledger: PostgresLedger, stop: threading.Event) -> int | None:
    """The run's number, or None where we are to stop before it is our turn."""
    holder = f"{socket.gethostname()}:{os.getpid()}"
    waited = False
    while not stop.is_set():
        number = ledger.take_lease(LEASE, holder, LEASE_S)
        if number is not None:
            return number
        if not waited:
            journal.write("another sink holds the lease; waiting", site=ledger.site)
            waited = True
        stop.wait(WAIT_S)
    return None


class Sink:
    """What the sink knows between two rounds."""

    def __init__(
        self,
        settings: Settings,
        ledger: PostgresLedger,
        number: int,
        outbox: MqttOutbox,
        metrics: Metrics,
    ) -> None:
        """Restore the stages and open the published heads."""
        self._settings = settings
        self._ledger = ledger
        self._run = number
        self._outbox = outbox
        self._metrics = metrics
        self._publisher = Publisher(ledger, settings, outbox)
        self._figures = Figures(settings.site, settings.clock)
        self._latencies: list[int] = []
        self._stale = 0
        self._loads = Loads()
        self._stages: dict[str, Stage] = {"loads": self._loads}
        for name, stage in self._stages.items():
            raw = ledger.stage_memory(name)
            if raw:
                stage.restore(raw)
        self._reference_after = 0
        self._take_reference()
        self._lights: dict[str, tuple[str, bool, str]] = {}
        self._round = _Every(ROUND_S)
        self._repeat = _Every(REPEAT_S)
        self._head = _Every(settings.heads_every_s)

    # -- the main flow ---------------------------------------------------------------------

    def follow(self, log: CurrentLog, stop: threading.Event) -> None:
        """Take a log's outputs until another log counts, reading breaks off or we stop."""
        positions = self._ledger.positions()
        if len(positions) != log.partitions or positions[0].log != log.log:
            # The log changed between the two looks.
            return
        journal.write("following", log=log.log, partitions=log.partitions)
        admission = Admission(positions, self._ledger.acknowledged())
        times = GatewayTimes(log.partitions)
        events = KafkaEvents(self._settings.kafka, self._settings.site, positions)
        self._tell_again()
        try:
            while not stop.is_set():
                self._receive(admission, events.poll(POLL_S))
                while (plan := admission.ready()) is not None:
                    self._commit(admission, times, plan)
                if self._round.is_due():
                    self.keep_up(admission.waiting, times)
                    if self._ledger.current_log() != log:
                        return
                    self._reload(admission, events)
                    if events.broken is not None:
                        journal.write("reading the log again", reason=events.broken)
                        return
        finally:
            events.close()

    def _receive(self, admission: Admission, records: list[EventRecord]) -> None:
        """Decode and admit; what is no output of ours becomes a reject and stops nothing."""
        rejects: list[Entry] = []
        for record in records:
            at_us = self._settings.clock.domain_us(record.wall_us) if record.wall_us else 0
            output = decode_output(record, at_us)
            if isinstance(output, Reject):
                rejects.append(
                    reject_entry(
                        output.reason, record.value, at_us, record.partition, record.offset
                    )
                )
            elif admission.receive(output, record.offset) is Verdict.STALE:
                self._stale += 1
        if rejects:
            self._ledger.append(rejects, self._settings.domain_us())
            self._figures.take(rejects, sightings=0, reads=0, committed_us=0)
        if admission.waiting > WAITING_MAX:
            raise SinkError(f"{admission.waiting} outputs wait and no tick comes: starting again")

    def _commit(self, admission: Admission, times: GatewayTimes, plan: CommitPlan) -> None:
        """One transaction, and what follows from it."""
        committed = commit(
            self._ledger,
            plan,
            run=self._run,
            stages=self._stages,
            gateways=times.after(plan),
            recorded_us=self._settings.domain_us(),
        )
        if committed.refused:
            for partition in committed.refused:
                admission.refused(partition)
            return
        reached("after_commit")
        times.committed(plan)
        for acknowledged in admission.committed(plan):
            self._acknowledge(acknowledged)
        reached("after_acknowledge")
        self._set_lights(self._loads.lights())
        self._measure(committed)

    def _reload(self, admission: Admission, events: KafkaEvents) -> None:
        """Partitions that the ledger refused, or that lack an output, begin at their position."""
        partitions = admission.reloads()
        if not partitions:
            return
        for position in self._ledger.positions():
            if position.partition in partitions:
                admission.reload(position)
                events.seek(position)
        journal.write("reading again", partitions=" ".join(map(str, partitions)))

    # -- what follows a commit ---------------------------------------------------------------

    def _acknowledge(self, acknowledged: SpoolAcknowledged) -> None:
        message = Acknowledgement(spool=acknowledged.spool, sequence=acknowledged.sequence)
        self._outbox.publish(acknowledged.gateway, "ack", message, retain=True)

    def _set_lights(self, lights: dict[str, tuple[str, bool, str]]) -> None:
        """Switch the stack lights that are to show something else than before."""
        for gate, (address, red, reason) in lights.items():
            before = self._lights.get(gate)
            if before is not None and before[:2] == (address, red):
                continue
            self._lights[gate] = (address, red, reason)
            try:
                gateway, device, port = address.split("/")
                command = SetLight(device=device, port=int(port), red=red, reason=reason)
            except ValueError:
                journal.write("a gate's light is gateway/device/port", gate=gate, light=address)
                continue
            self._outbox.publish(gateway, "cmd", command)

    def _measure(self, committed: Committed) -> None:
        now_us = self._settings.domain_us()
        self._figures.take(
            committed.entries,
            sightings=committed.sightings,
            reads=committed.reads,
            committed_us=now_us,
        )
        latencies = (latency_us(entry, now_us, self._settings.clock) for entry in committed.entries)
        self._latencies += [latency for latency in latencies if latency is not None]

    # -- now and then ------------------------------------------------------------------------

    def keep_up(self, waiting: int = 0, times: GatewayTimes | None = None) -> None:
        """Renew the lease, take new reference data, keep figures, publish heads."""
        if not self._ledger.renew_lease(LEASE, self._run, LEASE_S):
            raise LeaseLostError
        self._take_reference()
        self._ledger.count({"stale_outputs": self._stale})
        self._ledger.count_latencies(histogram(self._latencies))
        self._stale, self._latencies = 0, []
        now_us = self._settings.domain_us()
        gateways = {} if times is None else times.known()
        self._metrics.put(self._figures.drain(at_us=now_us, waiting=waiting, gateways=gateways))
        self._metrics.put(self._figures.heads(self._publisher.waiting(), now_us))
        if self._head.is_due():
            self.publish_head()
        if self._outbox.came_back() or self._repeat.is_due():
            self._tell_again()

    def publish_head(self) -> None:
        """Sign and publish the chain's head."""
        self._publisher.publish()

    def close(self) -> None:
        """Let files go."""
        self._publisher.close()

    def _tell_again(self) -> None:
        """All acknowledgements, the newest last because one is retained, and all lights."""
        for acknowledged in self._ledger.acknowledged():
            self._acknowledge(acknowledged)
        self._lights = {}
        self._set_lights(self._loads.lights())

    def _take_reference(self) -> None:
        for row in self._ledger.reference(self._reference_after):
            self._reference_after = max(self._reference_after, row.ordinal)
            try:
                self._loads.apply(_reference.decode(row.change))
            except UNDECODABLE as error:
                journal.write("reference data is not readable", key=row.key, error=str(error))


def decode_output(record: EventRecord, at_us: int) -> Output | Reject:
    """The output in a record, or the reject that it becomes."""
    source = "sink"
    output = decode(Output, record.value, source=source, at_us=at_us)
    if isinstance(output, Reject):
        return output
    reason = None
    if output.partition != record.partition:
        reason = f"output of partition {output.partition} in partition {record.partition}"
    elif output.tick is not None and output.tick.memory:
        try:
            _memory.decode(output.tick.memory)
        except UNDECODABLE as error:
            reason = f"output with memory that is not readable: {error}"
    if reason is None:
        return output
    return Reject(
        source=source,
        reason=reason,
        raw=record.value,
        raw_length=len(record.value),
        at_us=at_us,
    )


class _Every:
    """Says once in so many wall seconds that something is due; at first at once."""

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._now = now
        self._next = now()

    def is_due(self) -> bool:
        now = self._now()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


def end_of(error: BaseException, settings: Settings) -> str:
    """One sentence for an error that ends the sink."""
    if isinstance(error, LeaseLostError):
        return "another sink has taken over this site; this one ends"
    if isinstance(
        error, psycopg.errors.InsufficientPrivilege | psycopg.errors.InvalidParameterValue
    ):
        return f"the login lacks the role {ROLE}: {error}. Grant it: grant {ROLE} to ..."
    if isinstance(error, psycopg.errors.UndefinedFunction | psycopg.errors.UndefinedTable):
        return f"the ledger's schema is missing or old: {error}. Run python -m ledger_sink migrate"
    if isinstance(error, psycopg.Error):
        return f"PostgreSQL: {str(error).strip()}. See that it runs at TALLYGATE_POSTGRES_URL"
    if isinstance(error, SinkError):
        return str(error)
    return f"site {settings.site}: {type(error).__name__}: {error}"
