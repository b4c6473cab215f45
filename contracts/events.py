"""What the reads mean: sightings, location events, discrepancies; and how they are entered."""

from __future__ import annotations

from enum import StrEnum

from msgspec import UNSET, UnsetType

from contracts.base import SCHEMA, Record, Row
from contracts.reads import Scan


class EntryKind(StrEnum):
    """Every kind of ledger entry."""

    LOCATION = "location"
    """A location event."""
    DISCREPANCY_OPENED = "discrepancy_opened"
    """The physical world and the book or the plan began to differ."""
    DISCREPANCY_CLOSED = "discrepancy_closed"
    """They agree again, or the cause is known."""
    LOAD = "load"
    """A load reached another state: started, complete, short, left."""
    REJECT = "reject"
    """Input that could not be used."""
    LOSS = "loss"
    """Reads that are gone for good."""
    DEVICE = "device"
    """A device came, went or complained."""
    REFERENCE = "reference"
    """Master data or a plan was changed."""
    LOG = "log"
    """A new log was opened."""
    EPCIS = "epcis"
    """Another party's EPCIS event."""
    BOOK = "book"
    """Master data of the books was changed, or a period closed."""
    MOVEMENT = "movement"
    """Stock moved in the books: a balanced set of postings."""
    DOCUMENT = "document"
    """A document was posted, or an order entered."""
    VOUCHER = "voucher"
    """A journal voucher: a balanced set of account lines."""
    COMMISSIONED = "commissioned"
    """An identity began: on a unit, a case or a pallet."""
    DECOMMISSIONED = "decommissioned"
    """An identity ended."""
    EVIDENCE_FORGOTTEN = "evidence_forgotten"
    """The sightings of a month, past their retention time, were removed."""
    REDACTION = "redaction"
    """A person's data was deleted: a pseudonym stands for nobody any more."""


class Entry(Row, frozen=True, kw_only=True):
    """One thing to be entered in the ledger; the payload's exact bytes are what is hashed."""

    id: str
    """Made from content: the same thing entered again has the same id and is skipped."""
    kind: str
    """An `EntryKind`."""
    happened_us: int
    """When it happened."""
    identity: str | None
    """The identity that it is about, if one."""
    location: str | None
    """The location or gate that it is about, if one."""
    payload: bytes
    """A struct of this module as canonical JSON: UTF-8, fields in order of definition."""
    read_received_us: int | None = None
    """When the agent received the last read that the decision needed; for the latency figure."""
    window_us: int = 0
    """How much of the time since then was waited on purpose, for the latency figure."""


class EvidenceForgotten(Record, tag="evidence_forgotten", frozen=True, kw_only=True):
    """A month's sightings were removed (payload of an entry of kind `evidence_forgotten`)."""

    schema: int = SCHEMA
    """Version of this record."""
    from_us: int
    """The month's first moment, by the time of recording."""
    to_us: int
    """The first moment after it."""
    sightings: int
    """How many this site lost."""
    reads: int
    """How many reads were merged in them."""


class Evidence(Row, frozen=True, kw_only=True):
    """A sighting on its way into the evidence table."""

    id: str
    """The sighting's id."""
    entry: str | None
    """The entry that it decided; none where the sighting confirmed what was known."""
    identity: str
    """Whose sighting it is."""
    location: str
    """Where: a zone or a gate."""
    first_us: int
    """First seen."""
    last_us: int
    """Last seen."""
    reads: int
    """How many `Read` records are merged in it: the books of reads must balance to the read."""
    payload: bytes
    """A `Sighting` as canonical JSON."""


class AntennaDetail(Row, frozen=True, kw_only=True):
    """One antenna's share of a sighting."""

    device: str
    """The antenna's device."""
    antenna: int
    """Its number."""
    first_us: int
    """First seen there, skew of the device corrected."""
    last_us: int
    """Last seen there."""
    reads: int
    """`Read` records merged."""
    count: int
    """Sum of their seen counts."""
    strongest_cdbm: int | None = None
    """Strongest signal."""
    strongest_us: int | None = None
    """When it was strongest."""
    mean_us: int | None = None
    """Mean time of its reads, each weighted by its seen count: order shows in it."""


class Sighting(Record, tag="sighting", frozen=True, kw_only=True):
    """Reads of one identity at one location, merged."""

    schema: int = SCHEMA
    """Version of this record."""
    identity: str
    """Whose reads."""
    location: str
    """A zone or a gate."""
    first_us: int
    """First seen."""
    last_us: int
    """Last seen."""
    count: int
    """Sum of seen counts."""
    antennas: tuple[AntennaDetail, ...]
    """By antenna, in order of first sight."""
    incomplete: bool = False
    """True: a gateway of the location was silent when the window was closed."""
    evidence: tuple[str, ...] = ()
    """The tag's bytes as they were read, in hexadecimal, each once."""
    scan: Scan | UnsetType = UNSET
    """For a scan by hand: who, with what, for which document. Left out otherwise."""


class LocationKind(StrEnum):
    """What a location event says."""

    ARRIVED = "arrived"
    MOVED = "moved"
    DEPARTED = "departed"
    PASSED = "passed"


class Direction(StrEnum):
    """How something passed a gate."""

    IN = "in"
    OUT = "out"
    TURNED_BACK = "turned_back"
    UNKNOWN = "unknown"


class LocationEvent(Record, tag="location_event", frozen=True, kw_only=True):
    """Where an identity is, or how it passed a gate."""

    schema: int = SCHEMA
    """Version of this record."""
    kind: LocationKind
    """What is said."""
    identity: str
    """Of whom."""
    location: str
    """The zone where it is now (`departed`: was), or the gate passed."""
    previous: str | None = None
    """The zone where it was before, if known."""
    direction: Direction | None = None
    """Only for `passed`."""
    at_us: int
    """When: for a passage the crossing, else the read that decided."""
    first_us: int
    """First read of the deciding sighting."""
    last_us: int
    """Last read of the deciding sighting."""
    confidence: float
    """0 to 1, by the stage's own reckoning."""
    basis: str
    """Why: `antenna_order`, `photo_eye`, `neighbour`, `companions`, `load`, `trend`, `scan`, ..."""
    late: bool = False
    """True: older than what was already known; the present location stays."""
    incomplete: bool = False
    """True: decided while a gateway of the place was silent."""
    device: str | None = None
    """The device of the deciding read."""
    sightings: tuple[str, ...] = ()
    """Ids of the sightings behind it."""
    evidence_digest: str = ""
    """SHA-256 over the sightings' payloads in that order, hexadecimal."""
    load: str | None = None
    """The load that it belongs to, where a plan says so."""
    person: str | UnsetType = UNSET
    """Who scanned it by hand, from a sign-in. Left out where nobody is known for certain."""


class Problem(StrEnum):
    """How what passes differs from the plan."""

    MISSING = "missing"
    """Expected with what passed, and not read."""
    OVER = "over"
    """More than the line allows, or the same once more."""
    STRANGER = "stranger"
    """On no line of any load."""
    WRONG_DOOR = "wrong_door"
    """On a line of a load that leaves or arrives elsewhere, or the other way."""
    NEGATIVE_BOOK = "negative_book"
    """The book of an item at a location fell below zero."""


class DiscrepancyOpened(Record, tag="discrepancy_opened", frozen=True, kw_only=True):
    """The plan and what moves began to differ."""

    schema: int = SCHEMA
    """Version of this record."""
    discrepancy: str
    """The discrepancy's id, made from problem, load and subject."""
    problem: Problem
    """How they differ."""
    load: str | None
    """The load that is wrong because of it."""
    expected_load: str | None = None
    """For a wrong door: the load that it belongs to."""
    location: str
    """The gate."""
    identities: tuple[str, ...]
    """Whom it is about."""
    item: str | None = None
    """The item's number, where known."""
    quantity: int = 1
    """How many, in base units of the line."""
    at_us: int
    """When it began."""
    found_us: int
    """When it was known, in domain time of the gate's gateways."""
    evidence: tuple[str, ...] = ()
    """Ids of the entries and sightings behind it."""


class DiscrepancyClosed(Record, tag="discrepancy_closed", frozen=True, kw_only=True):
    """They agree again."""

    schema: int = SCHEMA
    """Version of this record."""
    discrepancy: str
    """Which."""
    reason: str
    """`passed_later`, `came_back`, `plan_changed`."""
    at_us: int
    """When."""
    evidence: tuple[str, ...] = ()
    """Ids of the entries behind it."""


class LoadState(StrEnum):
    """How far a load is."""

    STARTED = "started"
    COMPLETE = "complete"
    LEFT = "left"


class LoadEvent(Record, tag="load_event", frozen=True, kw_only=True):
    """A load reached another state."""

    schema: int = SCHEMA
    """Version of this record."""
    load: str
    """Which."""
    state: LoadState
    """The state reached."""
    location: str
    """The gate."""
    expected: int
    """How many cases (or single units outside a case) its lines name."""
    passed: int
    """Of how many of these something has passed, net of what came back."""
    at_us: int
    """When."""
