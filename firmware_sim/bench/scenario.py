"""The scenario file: devices, what comes by them and what goes wrong, as a person writes it.

TOML, like the site file: Python reads it without another package, it has comments, it means what
it says (YAML reads `no` as false and `9:30` as 570), and each mistake can be told with its line.
Programs that write scenarios may write the same as JSON (a file whose name ends in `.json`).
Units are the person's: seconds, dBm. `scenario.schema.json` beside the examples is made from here.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, ValidationError

from contracts.site_base import ANTENNA_MAX, BYTE_ORDER_MARK, Decibels, Host, Name, whole_number
from contracts.site_base import Table as StrictTable
from contracts.site_mistakes import Mistake, line_numbers, mistakes_of, shown
from firmware_sim.bench.faults import read_fault
from firmware_sim.bench.links.make import LISTENS, NEEDS
from firmware_sim.bench.registry import KINDS, kind_named
from firmware_sim.bench.scene import PASSINGS_MAX, thing_of

SCENARIO_BYTES_MAX = 16_000_000
DEVICES_MAX = 100
"""More than one machine serves at once."""
SPEED_MAX = 1_000.0
SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"
FAULT_PATTERN = "^(drop|freeze|clock|duplicate|reorder|antenna|flood|garbage)( .*)?$"

At = Annotated[float, Field(ge=0, le=31_536_000, allow_inf_nan=False)]


def _kind(name: str) -> str:
    return kind_named(name).name


def _fault(text: str) -> str:
    read_fault(text)
    return text


def _identity(text: str) -> str:
    thing_of(text)
    return text


Kind = Annotated[str, AfterValidator(_kind), Field(json_schema_extra={"enum": [*KINDS]})]
FaultLine = Annotated[
    str, AfterValidator(_fault), Field(json_schema_extra={"pattern": FAULT_PATTERN})
]
Identity = Annotated[str, AfterValidator(_identity), Field(max_length=300)]
HearingAntenna = Annotated[int, Field(ge=1, le=ANTENNA_MAX)]
Antenna = Annotated[int, Field(ge=0, le=ANTENNA_MAX)]


class Table(StrictTable):
    """A table of the file; what its fields mean goes into the schema, too."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class PassingTable(Table):
    """Something comes by."""

    at_s: At
    """Seconds after the beginning."""
    identity: Identity = ""
    """`https://id.gs1.org/01/GTIN/21/SERIAL`, `https://id.gs1.org/00/SSCC`, `raw:HEX`, `ble:...`;
    left out: a label that cannot be read."""
    antenna: Antenna = 0
    """Which antenna hears it; 0: the device has none."""
    rssi_dbm: Decibels = -58.0
    """How strongly it is heard."""
    times: Annotated[int, Field(ge=1, le=PASSINGS_MAX)] = 1
    """It is heard so often ..."""
    every_s: Annotated[float, Field(gt=0, le=86_400)] = 0.1
    """... at this distance."""


class TrafficTable(Table):
    """What comes by where nobody writes it down one by one; the seed makes it."""

    things: Annotated[int, Field(ge=1, le=100_000)] = 300
    """How many different ones; they come again and again."""
    rate_per_s: Annotated[float, Field(gt=0, le=100_000)] = 10.0
    """Passings a second."""
    antennas: list[HearingAntenna] = Field(default_factory=list, max_length=64)
    """Antennas that take turns; left out: those of the kind's example."""
    rssi_dbm: Decibels = -58.0
    """The middle of what is heard."""
    spread_db: Annotated[float, Field(ge=0, le=60)] = 6.0
    """What is heard lies within this of the middle, nearly always."""
    no_read_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of labels that cannot be read."""
    passings: Annotated[int, Field(ge=1, le=PASSINGS_MAX)] = PASSINGS_MAX
    """How many there are at the most."""


class FaultTable(Table):
    """Something goes wrong."""

    at_s: At
    """Seconds after the beginning."""
    fault: FaultLine
    """As on the console: `freeze 5`, `drop after 7`, `clock +30`, `antenna 2 lost`, ..."""


class DeviceTable(Table):
    """One device; which options it has depends on its kind's link."""

    id: Name
    kind: Kind
    host: Host | None = None
    """Where it listens, or, for one that connects, where its client listens."""
    port: Annotated[int, Field(ge=0, le=65_535)] | None = None
    """The TCP port; 0: a free one."""
    mqtt: str | None = None
    """The broker, `mqtt://user:password@host:port` or `mqtts://...`; left out: the scenario's."""
    ca: str | None = None
    """File with the certificate of who signs the other side of a TLS connection."""
    serial: str | None = None
    """Where the link to the pseudo-terminal is made."""
    bus: str | None = None
    """Folder of the private D-Bus."""
    traffic: TrafficTable | None = None
    """What comes by, made from the seed; left out: the usual, or nothing beside `passings`."""
    passings: list[PassingTable] = Field(default_factory=list, max_length=PASSINGS_MAX)
    """What comes by, one by one."""
    faults: list[FaultTable] = Field(default_factory=list, max_length=10_000)
    """What goes wrong, and when."""


class ScenarioFile(Table):
    """The whole file."""

    format: Literal["tallygate-scenario-1"] = "tallygate-scenario-1"
    """The version of this format."""
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 1
    """The same seed gives the same scenes."""
    speed: Annotated[float, Field(ge=1, le=SPEED_MAX)] = 1.0
    """Domain seconds that pass in one second."""
    seconds: Annotated[float, Field(gt=0, le=31_536_000)] | None = None
    """Everything ends after so long, in domain time; left out: never."""
    mqtt: str | None = None
    """The broker of all devices that publish."""
    ca: str | None = None
    """File with the certificate of who signs it, for `mqtts://`."""
    devices: list[DeviceTable] = Field(min_length=1, max_length=DEVICES_MAX)


def read_scenario(text: str, *, is_json: bool = False) -> ScenarioFile | list[Mistake]:
    """The scenario in a text, or all mistakes in it, in the order of their lines."""
    if len(text) > SCENARIO_BYTES_MAX:
        return [Mistake(path="", line=None, problem=f"larger than {SCENARIO_BYTES_MAX} characters")]
    text = text.removeprefix(BYTE_ORDER_MARK)
    written = _parse(text, is_json=is_json)
    if isinstance(written, Mistake):
        return [written]
    lines = {} if is_json else line_numbers(text)
    return scenario_from(written, lines)


def scenario_from(written: dict[str, Any], lines: dict[str, int]) -> ScenarioFile | list[Mistake]:
    """The scenario in a parsed file whose fields stand on these lines, or all mistakes in it."""
    mistakes = _between(written, lines)
    scenario = None
    try:
        scenario = ScenarioFile.model_validate(written)
    except ValidationError as error:
        mistakes += [_once(found) for found in mistakes_of(error, ScenarioFile, lines)]
    if mistakes or scenario is None:
        return sorted(set(mistakes), key=lambda found: (found.line or 0, found.path))
    return scenario


def load_scenario(path: Path) -> ScenarioFile | list[str]:
    """The scenario in a file, or a line for each mistake."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return [f"{path} cannot be read: {error}"]
    found = read_scenario(text, is_json=path.suffix == ".json")
    if isinstance(found, ScenarioFile):
        return found
    return [f"{path}: {mistake.text()}" for mistake in found]


def scenario_schema() -> str:
    """The format as a JSON schema, for editors and for programs that write scenarios."""
    schema = ScenarioFile.model_json_schema()
    head = {
        "$schema": SCHEMA_DIALECT,
        "title": "Tallygate scenario",
        "description": "Devices on the bench, what comes by them and what goes wrong.",
    }
    return json.dumps(head | {key: schema[key] for key in schema if key not in head}, indent=2)


def _once(mistake: Mistake) -> Mistake:
    """Without the value twice, where the reason begins with it."""
    problem = re.sub(r"^(['\"].*['\"]): (?=\1)", "", mistake.problem)
    return Mistake(path=mistake.path, line=mistake.line, problem=problem)


def _parse(text: str, *, is_json: bool) -> dict[str, Any] | Mistake:
    try:
        written = json.loads(text) if is_json else tomllib.loads(text)
    except json.JSONDecodeError as error:
        return Mistake(path="", line=error.lineno, problem=f"not JSON: {error.msg}")
    except tomllib.TOMLDecodeError as error:
        words = str(error)
        place = words.rpartition("at line ")[2].partition(",")[0]
        line = whole_number(place)
        return Mistake(path="", line=line, problem=f"not TOML: {words}")
    except ValueError:
        # Python reads no decimal number of more than 4,300 digits.
        return Mistake(path="", line=None, problem="a number with too many digits")
    except RecursionError:
        return Mistake(path="", line=None, problem="nested too deeply")
    if not isinstance(written, dict):
        return Mistake(path="", line=1, problem="must be a table (an object)")
    return written


def _between(written: dict[str, Any], lines: dict[str, int]) -> list[Mistake]:
    """What no table can see by itself: doubles, and options of other kinds."""
    listed = written.get("devices")
    tables = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    found: list[tuple[str, str]] = []
    ids = Counter(_word(table.get("id")) for table in tables)
    ports: dict[tuple[str, int], str] = {}
    for place, table in enumerate(tables):
        path = f"devices[{place}]"
        word = _word(table.get("id"))
        if ids[word] > 1 and word:
            found.append((f"{path}.id", f"{word!r} stands there more than once"))
        found += [(f"{path}.{name}", problem) for name, problem in _options(table)]
        port = table.get("port")
        kind = KINDS.get(_word(table.get("kind")))
        if kind and kind.link in LISTENS and isinstance(port, int) and port:
            address = _word(table.get("host", "127.0.0.1")), port
            if address in ports:
                found.append((f"{path}.port", f"{shown(port)} is already {ports[address]}'s"))
            ports.setdefault(address, word)
    return [
        Mistake(
            path=path, line=lines.get(path, lines.get(path.rpartition(".")[0])), problem=problem
        )
        for path, problem in found
    ]


def _word(value: object) -> str:
    """A text as it is; empty where something else stands."""
    return value if isinstance(value, str) else ""


def _options(table: dict[str, Any]) -> list[tuple[str, str]]:
    """Options that the device's link does not have."""
    kind = KINDS.get(_word(table.get("kind")))
    if kind is None:
        return []
    having = NEEDS[kind.link]
    all_options = frozenset[str]().union(*NEEDS.values())
    return [
        (name, f"a device of kind {kind.name} has {', '.join(sorted(having)) or 'no such option'}")
        for name in sorted((all_options - having) & table.keys())
    ]
