"""The site file: what a person writes about places, gateways and devices, in TOML.

`read_site` answers with the file as checked models, or with every mistake in it at once. Units are
the person's: seconds (`_s`), dBm (`_dbm`), dB (`_db`); `site_map` turns them into the integers of
the wire.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, ValidationError

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
from contracts.site_base import (
    BYTE_ORDER_MARK,
    Decibels,
    Located,
    Name,
    Seconds,
    Table,
    sgln,
    whole_number,
)
from contracts.site_devices import DeviceTable
from contracts.site_hours import AlarmsTable, HoursTable
from contracts.site_mistakes import Mistake, cross_references, line_numbers, mistakes_of

MICROSECONDS = 1_000_000
CENTIBELS = 100
"""Steps of 1/100 dBm in one dBm."""

SITE_BYTES_MAX = 4_000_000
"""A site file beyond this is no site file."""


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


class ZoneTable(Located):
    """A zone of a warehouse."""

    id: Name
    name: str = ""
    warehouse: str = ""
    outside: bool = False
    hours: HoursTable | None = None
    """When somebody works here, where it is not the site's hours."""
    parameters: ParametersTable = ParametersTable()


class GateTable(Located):
    """A gate between two zones."""

    id: Name
    name: str = ""
    inner: str
    outer: str
    geometry: Literal["rows", "facing", "overhead", "line"] = "rows"
    direction: Literal["in", "out"] | None = None
    light: str | None = None
    """`{gateway}/{device}/{output}`."""
    hours: HoursTable | None = None
    """When somebody works here, where it is not the site's hours."""
    parameters: ParametersTable = ParametersTable()


class GatewayTable(Table):
    """An edge agent."""

    id: Name
    name: str = ""
    spool_mb: Annotated[int, Field(ge=1, le=1_000_000)] = 512
    """How much may wait for the ledger, in millions of bytes."""
    keep_acknowledged: bool = False
    """True: batches stay on disk after the ledger has them, for proof and replay; unbounded."""
    trial_s: Annotated[float, Field(ge=0.5, le=600, allow_inf_nan=False)] = 30.0
    """How long changed devices may take to read again before a pushed file is rolled back."""


class SiteFile(Located):
    """The whole file."""

    site: Name
    zones: list[ZoneTable] = []
    gates: list[GateTable] = []
    gateways: Annotated[list[GatewayTable], Field(min_length=1)]
    devices: list[DeviceTable] = []
    hours: HoursTable | None = None
    """When somebody works; left out: nobody knows, and silence at night is nothing to wonder at."""
    alarms: AlarmsTable = AlarmsTable()


def read_site(text: str) -> SiteFile | list[Mistake]:
    """The site in a TOML text, or all mistakes in it, in the order of their lines."""
    if len(text) > SITE_BYTES_MAX:
        return [Mistake(path="", line=None, problem=f"larger than {SITE_BYTES_MAX} characters")]
    text = text.removeprefix(BYTE_ORDER_MARK)
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return [Mistake(path="", line=_line_of(error), problem=f"not TOML: {error}")]
    except ValueError:
        # Python reads no decimal number of more than 4,300 digits.
        return [Mistake(path="", line=None, problem="not TOML: a number with too many digits")]
    except RecursionError:
        return [Mistake(path="", line=None, problem="not TOML: nested too deeply")]
    lines = line_numbers(text)
    mistakes = cross_references(written, lines)
    site_file = None
    try:
        site_file = SiteFile.model_validate(written)
    except ValidationError as error:
        mistakes += mistakes_of(error, SiteFile, lines)
    else:
        mistakes += _lost_extensions(site_file, lines)
    if mistakes or site_file is None:
        return sorted(set(mistakes), key=lambda found: (found.line or 0, found.path))
    return site_file


def _lost_extensions(site_file: SiteFile, lines: Mapping[str, int]) -> list[Mistake]:
    """Extensions of no number: they would name nothing."""
    places: list[tuple[str, Located]] = [("", site_file)]
    places += [(f"zones[{index}].", zone) for index, zone in enumerate(site_file.zones)]
    places += [(f"gates[{index}].", gate) for index, gate in enumerate(site_file.gates)]
    problem = "stands for nothing without a gln, of this place or of the site"
    return [
        Mistake(
            path=f"{path}gln_extension", line=lines.get(f"{path}gln_extension"), problem=problem
        )
        for path, place in places
        if place.gln_extension is not None and not sgln(place, site_file)
    ]


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
        zones=tuple(_zone(zone, site_file) for zone in site_file.zones),
        gates=tuple(_gate(gate, site_file) for gate in site_file.gates),
        antennas=tuple(antennas),
        signals=tuple(signals),
        gateways={device.id: device.gateway for device in site_file.devices},
        sgln=sgln(site_file),
    )


def _zone(zone: ZoneTable, site: SiteFile) -> Zone:
    return Zone(
        id=zone.id,
        name=zone.name or zone.id,
        warehouse=zone.warehouse,
        outside=zone.outside,
        parameters=_parameters(zone.parameters),
        sgln=sgln(zone, site),
    )


def _gate(gate: GateTable, site: SiteFile) -> Gate:
    return Gate(
        id=gate.id,
        name=gate.name or gate.id,
        inner=gate.inner,
        outer=gate.outer,
        geometry=Geometry(gate.geometry),
        direction=gate.direction,
        light=gate.light,
        parameters=_parameters(gate.parameters),
        sgln=sgln(gate, site),
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
    return whole_number(words)
