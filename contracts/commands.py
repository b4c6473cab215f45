"""What goes down to the agents, and what they say of themselves (MQTT)."""

from __future__ import annotations

from typing import Literal

import msgspec

from contracts.base import SCHEMA, Record


class Acknowledgement(Record, tag="acknowledgement", frozen=True, kw_only=True):
    """The ledger has all that the spool's batches up to this one led to (topic `ack`, retained)."""

    schema: int = SCHEMA
    """Version of this record."""
    spool: str
    """The spool."""
    sequence: int
    """The highest batch of which nothing is missing in the ledger."""


class BridgeRun(Record, tag="bridge_run", frozen=True, kw_only=True):
    """A bridge began (topic `bridge`, retained): agents send again all that they hold."""

    schema: int = SCHEMA
    """Version of this record."""
    run: int
    """The lease's number."""
    log: str
    """The log that it writes to."""


class SendAgain(Record, tag="send_again", frozen=True, kw_only=True):
    """The bridge lacks batches (topic `cmd`)."""

    schema: int = SCHEMA
    """Version of this record."""
    spool: str
    """Of which spool."""
    sequence: int
    """From this sequence on, all."""


class SetLight(Record, tag="set_light", frozen=True, kw_only=True):
    """Switch a stack light (topic `cmd`); harmless when repeated."""

    schema: int = SCHEMA
    """Version of this record."""
    device: str
    """The device that the light is wired to."""
    port: int
    """Its output, from 1."""
    red: bool
    """True: red; false: green."""
    reason: str
    """Why, in words: a discrepancy's id and problem, or that all is well."""


class SetOutput(Record, tag="set_output", frozen=True, kw_only=True):
    """Switch an output of a device: a barrier, a horn (topic `cmd`); harmless when repeated."""

    schema: int = SCHEMA
    """Version of this record."""
    device: str
    """The device that it is wired to."""
    port: int
    """Its output, from 1."""
    on: bool
    """True: the output is active."""
    reason: str
    """Why, in words."""
    for_s: float | None = None
    """So many wall seconds, then the other way; none: until told otherwise."""


class SetLogLevel(Record, tag="set_log_level", frozen=True, kw_only=True):
    """Tell more or less in the agent's log until it is started again (topic `cmd`)."""

    schema: int = SCHEMA
    """Version of this record."""
    level: Literal["debug", "info", "warning", "error"]
    """The least that is told."""


Command = SendAgain | SetLight | SetOutput | SetLogLevel
COMMAND: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
"""Decodes whatever comes on topic `cmd`; use it with `contracts.codec.decode_with`."""


class AgentStatus(Record, tag="status", frozen=True, kw_only=True):
    """An agent's state (topic `status`, retained; the last will says `offline`)."""

    schema: int = SCHEMA
    """Version of this record."""
    gateway: str
    """The agent."""
    state: str
    """`online`, `stopped` or `offline`."""
    at_us: int
    """Since when; 0 in a last will, which is written before its time."""
    spool: str = ""
    """Its spool."""
    version: str = ""
    """Its program's version."""


class AntennaHealth(Record, frozen=True, kw_only=True):
    """One antenna as its agent sees it."""

    number: int
    """From 1; 0 for a device without antennas."""
    reads: int
    """Reads since the agent started."""
    last_read_us: int | None
    """When it last heard a tag."""
    connected: bool | None = None
    """Whether the device says that it is plugged in, where it tells."""


class DeviceHealth(Record, frozen=True, kw_only=True):
    """One device as its agent sees it."""

    device: str
    """Its id."""
    state: str
    """As in `DeviceChange`."""
    detail: str
    """In words."""
    reads: int
    """Reads since the agent started."""
    rejects: int
    """Rejects since the agent started."""
    last_read_us: int | None
    """When it last reported a tag."""
    skew_us: int | None
    """Its clock minus the agent's, as far as reports show."""
    antennas: tuple[AntennaHealth, ...] = ()
    """Its antennas, those of the site file and any other that was heard."""
    reads_per_s: float = 0.0
    """Reads a second of wall time since the last health message."""
    temperature_c: float | None = None
    """Its own temperature, where it tells."""
    alarms: tuple[str, ...] = ()
    """Its alarms that stand, as `DeviceChange.detail` names them."""


class AgentHealth(Record, tag="health", frozen=True, kw_only=True):
    """An agent's figures (topic `health`)."""

    schema: int = SCHEMA
    """Version of this record."""
    gateway: str
    """The agent."""
    at_us: int
    """When."""
    spool_batches: int
    """Batches that wait for the ledger's acknowledgement."""
    spool_bytes: int
    """Their size."""
    sequence: int
    """The newest sequence."""
    acknowledged: int
    """The highest acknowledged one."""
    lost_reads: int
    """Reads given up since the spool was made, because it was full."""
    devices: tuple[DeviceHealth, ...] = ()
    """Its devices."""
    oldest_us: int | None = None
    """Gateway time of the oldest batch that waits."""
    uptime_s: float | None = None
    """Since the agent started, wall time."""
    cpu_percent: float | None = None
    """Of one core, since the last health message."""
    memory_bytes: int | None = None
    """Resident memory of the agent."""
    disk_free_bytes: int | None = None
    """Where the spool is."""
    temperature_c: float | None = None
    """The machine's hottest sensor."""
    certificate_until_us: int | None = None
    """When the agent's own certificate ends, wall time."""
    configuration: str = ""
    """The version of the site file in force, as in `ConfigurationState`."""
    log_level: str = ""
    """The least that the agent's log tells."""
    alarms: tuple[str, ...] = ()
    """Alarms of the agent itself that stand."""
