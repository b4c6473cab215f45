"""What the log carries: parts and ticks in, one output per input out."""

from __future__ import annotations

import msgspec

from contracts.base import SCHEMA, Record
from contracts.events import Entry, Evidence
from contracts.reads import DeviceChange, GateSignal, Loss, Read, Reject


class Part(Record, tag="part", frozen=True, kw_only=True):
    """The share of one batch that belongs to one partition (Kafka topic `reads`)."""

    schema: int = SCHEMA
    """Version of this record."""
    run: int
    """The bridge's run: records of an older run behind those of a newer one are void."""
    gateway: str
    """Who sent the batch."""
    spool: str
    """The batch's spool."""
    sequence: int
    """The batch's sequence."""
    previous: int
    """The sequence of this spool's part before this one in this partition and run; 0 at first."""
    gateway_us: int
    """The batch's gateway time."""
    reads: tuple[Read, ...] = ()
    """Reads whose identity hashes here."""
    rejects: tuple[Reject, ...] = ()
    """Rejects whose id hashes here."""
    signals: tuple[GateSignal, ...] = ()
    """Every signal of the batch: signals go to all partitions."""
    losses: tuple[Loss, ...] = ()
    """Losses whose id hashes here."""
    changes: tuple[DeviceChange, ...] = ()
    """Device changes whose id hashes here."""


class SpoolProgress(Record, frozen=True, kw_only=True):
    """How far the log holds one spool."""

    gateway: str
    """The spool's agent."""
    spool: str
    """The spool."""
    sequence: int
    """Kafka has acknowledged every part of every batch up to this one."""
    gateway_us: int
    """The gateway time of that batch: the gateway's clock for whoever reads the log."""
    part: int = 0
    """The spool's newest part that lies before this tick in this partition and run; 0: none. A
    partition that has not seen it knows that its log lost something, even where no later part
    tells."""


class Tick(Record, tag="tick", frozen=True, kw_only=True):
    """Time, for every partition (Kafka topic `reads`)."""

    schema: int = SCHEMA
    """Version of this record."""
    run: int
    """The bridge's run."""
    number: int
    """The tick's place in its run, from 1."""
    bridge_us: int
    """The bridge's time."""
    spools: tuple[SpoolProgress, ...] = ()
    """One for each spool that the bridge knows."""


class Output(Record, tag="output", frozen=True, kw_only=True):
    """What one input record led to (Kafka topic `events`): exactly one for each, even if empty."""

    schema: int = SCHEMA
    """Version of this record."""
    log: str
    """The log that the input lies in."""
    partition: int
    """The input's partition."""
    offset: int
    """The input's offset: the sink admits only the next one."""
    epoch: int
    """The worker's hold on the partition: the sink admits only the current one."""
    chunk: int = 0
    """An output too large for one message travels in several, numbered from 0."""
    more: bool = False
    """True: further chunks of this output follow; only the last may be committed at."""
    entries: tuple[Entry, ...] = ()
    """What is to be entered, in order."""
    evidence: tuple[Evidence, ...] = ()
    """The sightings behind the entries."""
    tick: TickOutput | None = None
    """Present if and only if the input was a valid tick: here the sink may commit. Each chunk
    carries it, with its own share of the memory."""


class TickOutput(Record, frozen=True, kw_only=True):
    """What a partition says at a tick."""

    run: int
    """The tick's run."""
    number: int
    """The tick's number."""
    bridge_us: int
    """The bridge's time."""
    spools: tuple[SpoolProgress, ...] = ()
    """How far this partition holds each spool; less than the tick said where a part is missing."""
    memory: bytes = b""
    """The undecided memory: a `MemoryChange`, encoded."""


class MemoryChange(Record, tag="memory", frozen=True, kw_only=True):
    """Undecided memory of one partition: all of it, or what changed since the last tick."""

    schema: int = SCHEMA
    """Version of this record."""
    snapshot: bool
    """True: all of it, earlier changes do not matter. False: apply over those before."""
    values: dict[str, bytes] = {}
    """Key to its new value; keys are the stages' own."""
    removed: tuple[str, ...] = ()
    """Keys that are no more."""


LOG_RECORD: msgspec.msgpack.Decoder[Part | Tick] = msgspec.msgpack.Decoder(Part | Tick)
"""Decodes whatever lies in the topic `reads`; use it with `contracts.codec.decode_with`."""
