"""Places, devices, items and plans: master data that travels through `reference`."""

from __future__ import annotations

from enum import StrEnum

from contracts.base import SCHEMA, Record


class Geometry(StrEnum):
    """How the antennas of a gate stand, because that decides what carries direction."""

    ROWS = "rows"
    """Two rows along the way: the order of antennas carries direction."""
    FACING = "facing"
    """Pairs that face each other in one plane: order carries none."""
    OVERHEAD = "overhead"
    """Above the way, in one plane or nearly so."""
    LINE = "line"
    """A conveyor's scanner: everything passes in one direction."""


class Side(StrEnum):
    """Which side of a gate an antenna or photo-eye looks at."""

    INNER = "inner"
    OUTER = "outer"
    BOTH = "both"


class AntennaPlace(Record, frozen=True, kw_only=True):
    """Where an antenna (or a whole device, with antenna 0) looks."""

    device: str
    """The device."""
    antenna: int
    """Its antenna, from 1; 0 for a device without."""
    location: str
    """A zone or a gate."""
    side: Side = Side.BOTH
    """For a gate: which side."""


class SignalPlace(Record, frozen=True, kw_only=True):
    """Where a photo-eye stands."""

    device: str
    """The device whose input it is wired to."""
    port: int
    """The input."""
    gate: str
    """The gate."""
    side: Side
    """Which side of the gate's line."""


class ZoneParameters(Record, frozen=True, kw_only=True):
    """How reads in one place are understood; every zone and gate has its own. Hot-reloaded."""

    dedup_window_us: int = 1_000_000
    """Reads of one identity at one antenna closer than this are one."""
    silence_us: int = 4_000_000
    """A gate's window closes after this much silence of the identity."""
    reads_min: int = 2
    """Fewer sightings than this (by seen count) never move a tag."""
    rssi_min_cdbm: int = -8_000
    """Weaker reads never move a tag; they stay evidence."""
    stronger_cdbm: int = 600
    """How much stronger a new zone must be heard than the present one, in its favour."""
    memory_us: int = 10_000_000
    """Signals older than this say nothing of where a tag is now."""
    sighting_us_max: int = 60_000_000
    """A tag that rests is told as a new sighting this often at the most."""
    continuous: bool = False
    """True: the zone is always read, so silence means absence."""
    departure_us: int = 600_000_000
    """In a continuous zone: silence that makes a departure."""
    incomplete_us: int = 60_000_000
    """A window that waits this long for a silent gateway is closed, marked incomplete."""
    clock_tolerance_us: int = 120_000_000
    """A device's clock that is further off than this, after correction, is not believed."""


class Zone(Record, frozen=True, kw_only=True):
    """A zone of a warehouse."""

    id: str
    """Its id, such as `stage`."""
    name: str = ""
    """What people call it."""
    warehouse: str = ""
    """Which warehouse it lies in."""
    outside: bool = False
    """True: beyond the dock; a virtual location."""
    parameters: ZoneParameters = ZoneParameters()
    """How reads here are understood."""
    sgln: str = ""
    """Its GS1 location (SGLN) as a Digital Link; empty: none."""


class Gate(Record, frozen=True, kw_only=True):
    """A gate between two zones."""

    id: str
    """Its id, such as `door-1`."""
    name: str = ""
    """What people call it."""
    inner: str
    """The zone on the inner side: `in` leads here."""
    outer: str
    """The zone on the outer side: `out` leads here."""
    geometry: Geometry = Geometry.ROWS
    """How its antennas stand."""
    direction: str | None = None
    """For a conveyor: the only direction there is, `in` or `out`."""
    light: str | None = None
    """Device and output of its stack light, `{gateway}/{device}/{port}`."""
    parameters: ZoneParameters = ZoneParameters()
    """How reads here are understood."""
    sgln: str = ""
    """Its GS1 location (SGLN) as a Digital Link; empty: none."""


class SiteMap(Record, tag="site_map", frozen=True, kw_only=True):
    """All places of one site: what the location stage needs to know."""

    schema: int = SCHEMA
    """Version of this record."""
    site: str
    """The site's id."""
    zones: tuple[Zone, ...]
    """Its zones."""
    gates: tuple[Gate, ...]
    """Its gates."""
    antennas: tuple[AntennaPlace, ...]
    """Where each antenna looks."""
    signals: tuple[SignalPlace, ...] = ()
    """Where each photo-eye stands."""
    gateways: dict[str, str] = {}
    """Device to the gateway that serves it."""
    sgln: str = ""
    """The site's GS1 location as a Digital Link, whose GLN names its party too; empty: none."""


class Item(Record, tag="item", frozen=True, kw_only=True):
    """An item of stock."""

    schema: int = SCHEMA
    """Version of this record."""
    item: str
    """Its number: the GTIN-14."""
    name: str
    """What people call it."""
    name_zh: str = ""
    """The same in Chinese."""


class LoadLine(Record, frozen=True, kw_only=True):
    """One line of a load: what shall pass."""

    identity: str | None
    """The very instance, where the plan names it."""
    item: str
    """The item's number."""
    quantity: int = 1
    """How many, in base units; 1 where `identity` is given."""
    case: str | None = None
    """The case that it is packed in."""
    pallet: str | None = None
    """The pallet that it stands on."""


class Load(Record, tag="load", frozen=True, kw_only=True):
    """What shall pass a gate for one document."""

    schema: int = SCHEMA
    """Version of this record."""
    load: str
    """Its number, such as `S-118`."""
    gate: str
    """The gate."""
    direction: str
    """`in` or `out`."""
    opens_us: int
    """From when it may pass."""
    closes_us: int
    """Until when; then what has not passed is missing."""
    lines: tuple[LoadLine, ...]
    """What it consists of: units, cases and pallets that carry a tag."""


class ReferenceChange(Record, tag="reference", frozen=True, kw_only=True):
    """One record of the compacted topic `reference`; its key is the Kafka key."""

    schema: int = SCHEMA
    """Version of this record."""
    key: str
    """`site`, `item/{number}` or `load/{number}`."""
    version: int
    """Counts up with every change of this key."""
    value: SiteMap | Item | Load | None
    """None: the key is no more."""
