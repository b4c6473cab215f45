"""What an edge agent sends: batches of reads, rejects, signals and losses."""

from __future__ import annotations

from contracts.base import SCHEMA, Record, Row


class Scan(Record, frozen=True, kw_only=True):
    """That a person scanned it by hand, and what is known of that."""

    id: str
    """The handheld's own id of the scan: equal for equal scans, whatever is sent twice."""
    client: str
    """The handheld's id in the site configuration."""
    person: str | None
    """Who was signed in at the handheld when it scanned; none where that is not certain."""
    told_us: int
    """When it was scanned, by the handheld's own clock."""
    location: str | None = None
    """The zone or gate where it was scanned; none: where the interface's device stands."""
    place: str | None = None
    """The place as it was told: the text of a bin's label."""
    document: str | None = None
    """The document that it was scanned for."""


class Read(Row, frozen=True, kw_only=True):
    """What a device reported of one identity in one report, with its seen count."""

    identity: str
    """Canonical identity: a GS1 Digital Link URI, `ble:...` or `raw:...`; of a trigger that found
    no code `noread:` and the device's id."""
    device: str
    """The device's id in the site configuration."""
    antenna: int
    """The antenna's number from 1; 0 where the device has none or did not say."""
    first_us: int
    """When the identity was first seen in this report, by the device's clock brought to UTC."""
    last_us: int
    """When it was last seen, by the same clock; never before `first_us`."""
    received_us: int
    """When the agent received the report, by the agent's clock."""
    count: int
    """How often it was seen, at least 1."""
    rssi_cdbm: int | None = None
    """Strongest signal in 1/100 dBm, where the device told it."""
    evidence: bytes = b""
    """The tag's own bytes (the EPC memory) or the code as scanned."""
    scan: Scan | None = None
    """Only for a scan by hand."""
    phase_cdeg: int | None = None
    """Phase of the tag's answer in 1/100 degrees, from 0 to below 36,000, where it was told."""
    doppler_chz: int | None = None
    """Doppler shift of the tag's answer in 1/100 Hz, where it was told."""


NO_READ = "noread:"
"""What the identity of a trigger without a code begins with. Something passed the scanner and
nobody knows what: a class, no instance. Each trigger is one read and one sighting, and a passage
where the scanner stands at a line; none is merged with another, and none has a place afterwards."""


def no_read_identity(device: str) -> str:
    """The identity in the reads of a scanner's triggers that found no code."""
    return NO_READ + device


def is_no_read(identity: str) -> bool:
    """Whether an identity stands for things that passed a scanner without being read."""
    return identity.startswith(NO_READ)


class Reject(Record, frozen=True, kw_only=True):
    """Input that could not be used, whole, with the reason."""

    source: str
    """Who met it: `{gateway}/{device}`, `bridge`, `worker` or `sink`."""
    reason: str
    """Why it could not be used, in words."""
    raw: bytes
    """The bytes as they came, cut to RAW_BYTES_MAX."""
    raw_length: int
    """How many bytes came."""
    at_us: int
    """When it was received."""


RAW_BYTES_MAX = 4096
"""How much of a rejected input is kept: enough to see what it was; a flood stays bounded."""


class GateSignal(Record, frozen=True, kw_only=True):
    """A photo-eye or another contact at a gate changed."""

    device: str
    """The device whose input changed."""
    port: int
    """The device's input, from 1."""
    state: bool
    """True: active (a photo-eye is interrupted)."""
    at_us: int
    """When it changed, by the device's clock brought to UTC."""
    received_us: int
    """When the agent heard of it."""


class Loss(Record, frozen=True, kw_only=True):
    """Reads that are gone for good: the spool was full, or a spool vanished."""

    gateway: str
    """The agent that lost them."""
    spool: str
    """The spool that they belonged to."""
    reason: str
    """`spool_full` or `spool_cut`."""
    first_sequence: int
    """The first batch that is missing; 0 where the reads never became a batch."""
    last_sequence: int
    """The last batch that is missing; 0 as above."""
    reads: int | None
    """How many reads, where known."""
    at_us: int
    """When it was noticed."""


class DeviceChange(Record, frozen=True, kw_only=True):
    """A device came, went or complained."""

    device: str
    """The device's id."""
    state: str
    """`reading`, `retrying`, `refused`, `silent`, `paused` (the spool is nearly full), `stopped`,
    `antenna_lost`, `antenna_back`, `clock_off`, `alarm`, `alarm_over`. The last two leave the
    device's state as it is; of the agent itself they name the gateway as `device`."""
    detail: str
    """What the device or the network said, in words. An alarm: its name, a colon, and the reason.
    Names: `dark_antenna 3` (antenna 3 hears nothing while its siblings do), `silent_device`,
    `clock_off`, `temperature`; of an agent `disk`, `spool`, `temperature`, `certificate`."""
    at_us: int
    """When it was noticed."""


class ReadBatch(Record, tag="read_batch", frozen=True, kw_only=True):
    """What a spool keeps under one sequence number; empty ones keep the gateway's time moving."""

    schema: int = SCHEMA
    """Version of this record."""
    gateway_us: int
    """The gateway's time: whatever its devices send from now on was received at or after it,
    save what the network between device and gateway still holds."""
    reads: tuple[Read, ...] = ()
    """The reads, in the order of their arrival."""
    rejects: tuple[Reject, ...] = ()
    """Input that the agent could not use."""
    signals: tuple[GateSignal, ...] = ()
    """Changes of photo-eyes and contacts."""
    losses: tuple[Loss, ...] = ()
    """What the agent had to give up."""
    changes: tuple[DeviceChange, ...] = ()
    """Devices that came, went or complained."""


class SpooledBatch(Record, tag="spooled_batch", frozen=True, kw_only=True):
    """A batch on the wire from an edge agent to the bridge (MQTT topic `reads`)."""

    schema: int = SCHEMA
    """Version of this record."""
    spool: str
    """The spool's id: 32 random hexadecimal characters, made with the spool."""
    sequence: int
    """The batch's place in its spool, from 1, without gaps."""
    lowest: int
    """The lowest sequence that the spool still holds."""
    payload: bytes
    """A `ReadBatch`, encoded, exactly as it lies in the spool."""
