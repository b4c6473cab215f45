"""The site file: what a person writes about places, gateways and devices, in TOML.

`read_site` answers with the file as checked models, or with every mistake in it at once. Units are
the person's: seconds (`_s`), dBm (`_dbm`), dB (`_db`); `site_map` turns them into the integers of
the wire.
"""

from __future__ import annotations

import math
import tomllib
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from contracts.places import (
    AntennaPlace,
    Gate,
    Geometry,
    Side,
    SignalPlace,
    SiteMap,
    Zone,
    ZoneParameters,
)
from contracts.site_mistakes import Mistake, cross_references, line_numbers, mistakes_of
from contracts.topics import is_name

MICROSECONDS = 1_000_000
CENTIBELS = 100
"""Steps of 1/100 dBm in one dBm."""

ANTENNA_MAX = 64
"""More than any reader or antenna hub on the market carries."""
PORT_MAX = 32
"""Inputs and outputs of a reader: more than any carries."""
SITE_BYTES_MAX = 4_000_000
"""A site file beyond this is no site file."""


def _name(value: object) -> object:
    if isinstance(value, str) and not is_name(value):
        raise ValueError(
            "must be 1 to 64 letters, digits, - or _, and start with a letter or digit"
        )
    return value


Name = Annotated[str, BeforeValidator(_name)]
Seconds = Annotated[float, Field(ge=0, le=31_536_000, allow_inf_nan=False)]
"""At most a year."""
Decibels = Annotated[float, Field(ge=-200, le=200, allow_inf_nan=False)]


class Table(BaseModel):
    """A table of the file: unknown fields are mistakes, and a text is no number."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ParametersTable(Table):
    """How reads in a place are understood; what is left out keeps `ZoneParameters`' default."""

    dedup_window_s: Seconds | None = None
    silence_s: Seconds | None = None
    reads_min: Annotated[int, Field(ge=1, le=1000)] | None = None
    rssi_min_dbm: Decibels | None = None
    stronger_db: Annotated[float, Field(ge=0, le=100)] | None = None
    memory_s: Seconds | None = None
    sighting_s_max: Seconds | None = None
    continuous: bool | None = None
    departure_s: Seconds | None = None
    incomplete_s: Seconds | None = None
    clock_tolerance_s: Seconds | None = None


class ZoneTable(Table):
    """A zone of a warehouse."""

    id: Name
    name: str = ""
    warehouse: str = ""
    outside: bool = False
    parameters: ParametersTable = ParametersTable()


class GateTable(Table):
    """A gate between two zones."""

    id: Name
    name: str = ""
    inner: str
    outer: str
    geometry: Literal["rows", "facing", "overhead", "line"] = "rows"
    direction: Literal["in", "out"] | None = None
    light: str | None = None
    """`{gateway}/{device}/{output}`."""
    parameters: ParametersTable = ParametersTable()


class GatewayTable(Table):
    """An edge agent."""

    id: Name
    name: str = ""
    spool_mb: Annotated[int, Field(ge=1, le=1_000_000)] = 512
    """How much may wait for the ledger, in millions of bytes."""
    keep_acknowledged: bool = False
    """True: batches stay on disk after the ledger has them, for proof and replay; unbounded."""


class LlrpTable(Table):
    """How an LLRP reader shall read."""

    session: Annotated[int, Field(ge=0, le=3)] = 1
    """The Gen2 session: 1 repeats a tag after 0.5 to 5 s, 2 and 3 keep it quiet for longer."""
    power_dbm: Annotated[float, Field(ge=0, le=36)] | None = None
    """Transmit power; left out: the most that the reader offers."""
    tag_population: Annotated[int, Field(ge=1, le=65_535)] = 32
    """How many tags are in the field at once, about."""
    tag_transit_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    """How long a tag stays in the field, about; 0: unknown."""
    rf_mode: Annotated[int, Field(ge=0, le=65_535)] | None = None
    """Mode of the reader's own table; left out: the reader's choice."""
    report_every_s: Annotated[float, Field(ge=0, le=60)] = 0.1
    """A report this often while tags are seen; 0: by number of tags, as LLRP 1.0.1 does."""
    report_tags: Annotated[int, Field(ge=1, le=65_535)] = 1
    """After so many tags a reader reports that cannot report by time."""
    keepalive_s: Annotated[float, Field(ge=0.5, le=600)] = 5.0
    """The reader shows life this often."""
    keepalives_missed_max: Annotated[int, Field(ge=1, le=20)] = 3
    """After so many missing ones the connection is made anew."""
    timeout_s: Annotated[float, Field(ge=0.5, le=120)] = 10.0
    """How long the reader may take to connect or to answer a request."""
    retry_s_max: Annotated[float, Field(ge=0.1, le=3600)] = 30.0
    """The longest pause between two attempts to connect."""
    hold_reports: bool = True
    """True: the reader keeps reports while nobody is connected, where it can."""


class ScannerTable(Table):
    """How an ASCII scanner over TCP shall be understood."""

    no_read: str = "NOREAD"
    """What the scanner sends when a trigger found no code; upper and lower case alike."""
    heartbeat: str = ""
    """A line that only shows life, if the scanner sends one."""
    silent_s_max: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    """The connection is made anew after this much silence; 0: never, TCP keepalive must do."""
    timeout_s: Annotated[float, Field(ge=0.5, le=120)] = 10.0
    """How long a connection attempt may take."""
    retry_s_max: Annotated[float, Field(ge=0.1, le=3600)] = 30.0
    """The longest pause between two attempts to connect."""


class AntennaTable(Table):
    """Where one antenna looks."""

    number: Annotated[int, Field(ge=1, le=ANTENNA_MAX)]
    location: str
    side: Literal["inner", "outer", "both"] = "both"


class InputTable(Table):
    """A photo-eye or contact at a gate."""

    port: Annotated[int, Field(ge=1, le=PORT_MAX)]
    gate: str
    side: Literal["inner", "outer", "both"]


class DeviceTable(Table):
    """A reader or scanner."""

    id: Name
    gateway: str
    kind: Literal["llrp", "scanner"]
    host: Annotated[str, Field(min_length=1, max_length=253)]
    port: Annotated[int, Field(ge=1, le=65_535)]
    location: str | None = None
    """A scanner's place: a zone or a gate."""
    side: Literal["inner", "outer", "both"] = "both"
    llrp: LlrpTable = LlrpTable()
    scanner: ScannerTable = ScannerTable()
    antennas: list[AntennaTable] = []
    inputs: list[InputTable] = []


class SiteFile(Table):
    """The whole file."""

    site: Name
    zones: list[ZoneTable] = []
    gates: list[GateTable] = []
    gateways: Annotated[list[GatewayTable], Field(min_length=1)]
    devices: list[DeviceTable] = []


def read_site(text: str) -> SiteFile | list[Mistake]:
    """The site in a TOML text, or all mistakes in it, in the order of their lines."""
    if len(text) > SITE_BYTES_MAX:
        return [Mistake(path="", line=None, problem=f"larger than {SITE_BYTES_MAX} characters")]
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return [Mistake(path="", line=_line_of(error), problem=f"not TOML: {error}")]
    except RecursionError:
        return [Mistake(path="", line=None, problem="not TOML: nested too deeply")]
    lines = line_numbers(text)
    mistakes = cross_references(written, lines)
    site_file = None
    try:
        site_file = SiteFile.model_validate(written)
    except ValidationError as error:
        mistakes += mistakes_of(error, SiteFile, lines)
    if mistakes or site_file is None:
        return sorted(set(mistakes), key=lambda found: (found.line or 0, found.path))
    return site_file


def site_map(site_file: SiteFile) -> SiteMap:
    """The places of a site as the location stage needs them."""
    antennas: list[AntennaPlace] = []
    signals: list[SignalPlace] = []
    for device in site_file.devices:
        if device.location is not None:
            antennas.append(
                AntennaPlace(
                    device=device.id, antenna=0, location=device.location, side=Side(device.side)
                )
            )
        antennas += [
            AntennaPlace(
                device=device.id,
                antenna=antenna.number,
                location=antenna.location,
                side=Side(antenna.side),
            )
            for antenna in device.antennas
        ]
        signals += [
            SignalPlace(device=device.id, port=eye.port, gate=eye.gate, side=Side(eye.side))
            for eye in device.inputs
        ]
    return SiteMap(
        site=site_file.site,
        zones=tuple(_zone(zone) for zone in site_file.zones),
        gates=tuple(_gate(gate) for gate in site_file.gates),
        antennas=tuple(antennas),
        signals=tuple(signals),
        gateways={device.id: device.gateway for device in site_file.devices},
    )


def _zone(zone: ZoneTable) -> Zone:
    return Zone(
        id=zone.id,
        name=zone.name or zone.id,
        warehouse=zone.warehouse,
        outside=zone.outside,
        parameters=_parameters(zone.parameters),
    )


def _gate(gate: GateTable) -> Gate:
    return Gate(
        id=gate.id,
        name=gate.name or gate.id,
        inner=gate.inner,
        outer=gate.outer,
        geometry=Geometry(gate.geometry),
        direction=gate.direction,
        light=gate.light,
        parameters=_parameters(gate.parameters),
    )


def _parameters(table: ParametersTable) -> ZoneParameters:
    usual = ZoneParameters()
    return ZoneParameters(
        dedup_window_us=_us(table.dedup_window_s, usual.dedup_window_us),
        silence_us=_us(table.silence_s, usual.silence_us),
        reads_min=usual.reads_min if table.reads_min is None else table.reads_min,
        rssi_min_cdbm=_cdbm(table.rssi_min_dbm, usual.rssi_min_cdbm),
        stronger_cdbm=_cdbm(table.stronger_db, usual.stronger_cdbm),
        memory_us=_us(table.memory_s, usual.memory_us),
        sighting_us_max=_us(table.sighting_s_max, usual.sighting_us_max),
        continuous=usual.continuous if table.continuous is None else table.continuous,
        departure_us=_us(table.departure_s, usual.departure_us),
        incomplete_us=_us(table.incomplete_s, usual.incomplete_us),
        clock_tolerance_us=_us(table.clock_tolerance_s, usual.clock_tolerance_us),
    )


def _us(seconds: float | None, usual: int) -> int:
    return usual if seconds is None else math.floor(seconds * MICROSECONDS + 0.5)


def _cdbm(decibels: float | None, usual: int) -> int:
    return usual if decibels is None else math.floor(decibels * CENTIBELS + 0.5)


def _line_of(error: tomllib.TOMLDecodeError) -> int | None:
    """The line in the parser's message, which ends in `(at line 3, column 5)`."""
    words = str(error).rpartition("at line ")[2].partition(",")[0]
    return int(words) if words.isdigit() else None
