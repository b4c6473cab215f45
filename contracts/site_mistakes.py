"""What is wrong with a site file, found all at once and said with field, line and what is allowed.

Two sources: the models' own complaints, and references between tables, which are looked at in the
text as it was parsed so that a mistake in one table hides none in another.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import get_args

from pydantic import BaseModel, ValidationError

from contracts.base import Record
from contracts.device_kinds import KINDS, SCANNER_NEEDED, WITH_OUTPUTS
from contracts.site_base import whole_number
from contracts.site_field_rules import field_mistakes

VALUE_CHARACTERS_MAX = 60
"""Of a wrong value, so much is shown."""
LIGHT_PARTS = 3
SECRET_FIELDS = (("secret",), ("pin",))
"""Never shown: somebody may have written the secret itself."""


class Mistake(Record, frozen=True, kw_only=True):
    """One mistake in a site file."""

    path: str
    """The field, such as `devices[2].antennas[0].number`; empty for the file as a whole."""
    line: int | None
    """Its line in the file, from 1, where it could be told."""
    problem: str
    """The value and what is allowed, in words."""

    def text(self) -> str:
        """The mistake as one line for a person."""
        where = "" if self.line is None else f"line {self.line}: "
        return f"{where}{self.path}: {self.problem}" if self.path else f"{where}{self.problem}"


_HEADER = re.compile(r"\s*(\[\[?)([^\]]+)\]\]?\s*(?:#.*)?$")
_FIELD = re.compile(r"\s*([A-Za-z0-9_\-.\"']+)\s*=")


def line_numbers(text: str) -> dict[str, int]:
    """Paths of tables and fields to their lines, as far as a reading line by line can tell.

    A field inside an inline table is found under the table that it is written in.
    """
    lines: dict[str, int] = {}
    counts: dict[str, int] = {}
    prefix = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            names = [name.strip().strip("\"'") for name in header[2].split(".")]
            prefix = _element(names, counts, new=header[1] == "[[")
            lines.setdefault(prefix, number)
        elif field := _FIELD.match(line):
            name = field[1].replace('"', "").replace("'", "")
            lines.setdefault(f"{prefix}.{name}" if prefix else name, number)
    return lines


def _element(names: list[str], counts: dict[str, int], *, new: bool) -> str:
    """The path that a header opens; arrays on the way stand for their newest element."""
    path = ""
    for depth, name in enumerate(names):
        path = f"{path}.{name}" if path else name
        if new and depth == len(names) - 1:
            counts[path] = counts.get(path, 0) + 1
        if path in counts:
            path = f"{path}[{counts[path] - 1}]"
    return path


def _line(lines: Mapping[str, int], path: str) -> int | None:
    """The line of a path, or of the nearest table around it."""
    while path:
        if path in lines:
            return lines[path]
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return None


def mistakes_of(
    error: ValidationError, model: type[BaseModel], lines: Mapping[str, int]
) -> list[Mistake]:
    """What the models complain of."""
    found = []
    for complaint in error.errors(include_url=False, include_context=False):
        path = _path(complaint["loc"])
        match complaint["type"]:
            case "extra_forbidden":
                fields = _model_at(model, complaint["loc"][:-1]).model_fields
                name = str(complaint["loc"][-1])
                problem = f"no such field; {_suggest(name, list(fields))}"
            case "missing":
                problem = "is missing"
            case _:
                reason = complaint["msg"].removeprefix("Value error, ")
                reason = re.sub(r"^(Input|String|List) should", "must", reason)
                hidden = complaint["loc"][-1:] in SECRET_FIELDS
                told = "what stands there" if hidden else shown(complaint["input"])
                problem = f"{told}: {reason}"
        found.append(Mistake(path=path, line=_line(lines, path), problem=problem))
    return found


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else part
    return path


def _model_at(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel]:
    """The model of the table at a location inside another model."""
    for part in location:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        inner = [annotation, *get_args(annotation)]
        model = next(
            kind for kind in inner if isinstance(kind, type) and issubclass(kind, BaseModel)
        )
    return model


def _suggest(name: str, known: list[str]) -> str:
    """The nearest allowed name, or all of them."""
    if near := difflib.get_close_matches(name, known, n=1):
        return f"did you mean {near[0]!r}?"
    return f"allowed: {', '.join(sorted(known)) or 'none, because none is defined'}"


def shown(value: object) -> str:
    """A value as a mistake shows it, whatever it is."""
    if isinstance(value, str):
        value = value[: VALUE_CHARACTERS_MAX + 1]
    try:
        text = repr(value)
    except ValueError:
        # Python writes no number of more than 4,300 digits in decimals.
        return "a number with too many digits"
    return text if len(text) <= VALUE_CHARACTERS_MAX else f"{text[:VALUE_CHARACTERS_MAX]}..."


def _word(value: object) -> str:
    """A text as it is; empty where something else stands."""
    return value if isinstance(value, str) else ""


class _Written:
    """The tables of a parsed file, as far as they are tables."""

    def __init__(self, written: Mapping[str, object], lines: Mapping[str, int]) -> None:
        self._written = written
        self._lines = lines
        self.mistakes: list[Mistake] = []

    def complain(self, path: str, problem: str) -> None:
        self.mistakes.append(Mistake(path=path, line=_line(self._lines, path), problem=problem))

    def tables(self, name: str) -> Iterator[tuple[str, dict[str, object]]]:
        yield from _tables(self._written, name, "")

    def ids(self, *names: str) -> list[str]:
        """The ids in these lists; one that comes twice is a mistake."""
        seen: dict[str, str] = {}
        for name in names:
            for path, table in self.tables(name):
                known = table.get("id")
                if not isinstance(known, str):
                    continue
                if known in seen:
                    self.complain(f"{path}.id", f"{known!r} is taken by {seen[known]}")
                seen.setdefault(known, path)
        return list(seen)

    def refers(self, path: str, value: object, known: list[str], kind: str) -> None:
        """A text field must name something known."""
        if isinstance(value, str) and value not in known:
            self.complain(path, f"{shown(value)} is no {kind}; {_suggest(value, known)}")


def _tables(
    table: Mapping[str, object], name: str, prefix: str
) -> Iterator[tuple[str, dict[str, object]]]:
    listed = table.get(name)
    for index, inner in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(inner, dict):
            yield f"{prefix}{name}[{index}]", inner


def cross_references(written: Mapping[str, object], lines: Mapping[str, int]) -> list[Mistake]:
    """Everything that no table can see by itself: doubles, unknown names, fields of other kinds."""
    site = _Written(written, lines)
    gateways = site.ids("gateways")
    locations = site.ids("zones", "gates")
    site.ids("devices")
    zones = [_word(table.get("id")) for _, table in site.tables("zones")]
    gates = [_word(table.get("id")) for _, table in site.tables("gates")]
    for path, gate in site.tables("gates"):
        _check_gate(site, path, gate, zones)
    ends: dict[tuple[str, str, object], str] = {}
    for path, device in site.tables("devices"):
        site.refers(f"{path}.gateway", device.get("gateway"), gateways, "gateway")
        _check_end(site, path, device, ends)
        _check_device(site, path, device, locations=locations, gates=gates)
    return site.mistakes


def _check_end(
    site: _Written, path: str, device: dict[str, object], ends: dict[tuple[str, str, object], str]
) -> None:
    """No two devices have one socket, one place to listen or one serial port."""
    kind, host, port = device.get("kind"), device.get("host"), device.get("port")
    connection = (_at(device, "scanner.connection") or "client") if kind == "scanner" else "client"
    gateway, serial = _word(device.get("gateway")), _word(_at(device, "scanner.serial"))
    end: tuple[str, str, object]
    if connection == "serial":
        field, where, end = "scanner.serial", "gateway", ("serial", gateway, serial)
        is_told = bool(serial)
    else:
        is_listening = kind == "handheld" or connection == "server"
        at = gateway if is_listening else _word(host).lower()
        where = "gateway" if is_listening else "host"
        field, end, is_told = "port", (where, at, port), bool(at) and isinstance(port, int)
    if not is_told:
        return
    if end in ends:
        site.complain(f"{path}.{field}", f"{shown(end[2])} at this {where} is already {ends[end]}")
    ends.setdefault(end, path)


def _check_gate(site: _Written, path: str, gate: dict[str, object], zones: list[str]) -> None:
    for end in ("inner", "outer"):
        site.refers(f"{path}.{end}", gate.get(end), zones, "zone")
    if gate.get("inner") is not None and gate.get("inner") == gate.get("outer"):
        site.complain(f"{path}.outer", f"{shown(gate['outer'])} is the inner zone too")
    is_line = gate.get("geometry") == "line"
    if is_line and gate.get("direction") is None:
        site.complain(f"{path}.direction", "is missing: a line runs 'in' or 'out'")
    if not is_line and gate.get("direction") is not None:
        site.complain(f"{path}.direction", "only a gate with geometry 'line' has one")
    if isinstance(gate.get("light"), str):
        _check_light(site, f"{path}.light", str(gate["light"]))


def _check_light(site: _Written, path: str, light: str) -> None:
    parts = light.split("/")
    if len(parts) != LIGHT_PARTS or not whole_number(parts[2]):
        site.complain(path, f"{shown(light)} must be written gateway/device/output")
        return
    readers = [
        f"{_word(table.get('gateway'))}/{_word(table.get('id'))}"
        for _, table in site.tables("devices")
        if _word(table.get("kind")) in WITH_OUTPUTS
    ]
    site.refers(path, f"{parts[0]}/{parts[1]}", readers, "reader with outputs")


def _check_device(
    site: _Written, path: str, device: dict[str, object], *, locations: list[str], gates: list[str]
) -> None:
    site.refers(f"{path}.location", device.get("location"), locations, "zone or gate")
    for list_name, number_name in (("antennas", "number"), ("inputs", "port")):
        seen: dict[int, str] = {}
        for inner, table in _tables(device, list_name, f"{path}."):
            site.refers(f"{inner}.location", table.get("location"), locations, "zone or gate")
            site.refers(f"{inner}.gate", table.get("gate"), gates, "gate")
            number = table.get(number_name)
            if not isinstance(number, int):
                continue
            if number in seen:
                problem = f"{shown(number)} is taken by {seen[number]}"
                site.complain(f"{inner}.{number_name}", problem)
            seen.setdefault(number, inner)
    if device.get("kind") == "zebra" and not (device.get("antennas") or device.get("location")):
        site.complain(f"{path}.location", "is missing: the reader has antennas or a location")
    if device.get("kind") == "handheld":
        _check_handheld(site, path, device, locations)
    if device.get("kind") == "llrp":
        _check_antenna_powers(site, path, device)
    for field, problem in field_mistakes(device):
        site.complain(f"{path}.{field}", problem)
    _check_kind(site, path, device)


def _check_antenna_powers(site: _Written, path: str, device: dict[str, object]) -> None:
    """A power for an antenna that nobody reads would be lost without a word."""
    powers = _at(device, "llrp.antenna_power_dbm")
    numbers = [shown(table.get("number")) for _, table in _tables(device, "antennas", "")]
    for number in powers if isinstance(powers, dict) else {}:
        site.refers(f"{path}.llrp.antenna_power_dbm", str(number), numbers, "antenna of the device")


def _check_handheld(
    site: _Written, path: str, device: dict[str, object], locations: list[str]
) -> None:
    """Places exist, and PINs never travel readable over a network unless that is asked for."""
    table = device.get("handheld")
    table = table if isinstance(table, dict) else {}
    for inner, place in _tables(table, "places", f"{path}.handheld."):
        site.refers(f"{inner}.location", place.get("location"), locations, "zone or gate")
    host = _word(device.get("host"))
    is_local = host in {"localhost", "::1"} or host.startswith("127.")
    if not (is_local or table.get("certificate") or table.get("plain") is True):
        site.complain(
            f"{path}.handheld.certificate",
            "is missing: PINs would travel readable; name certificate and key, listen at host"
            " '127.0.0.1' only, or set plain = true",
        )


def _check_kind(site: _Written, path: str, device: dict[str, object]) -> None:
    kind = device.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        return
    needed = dict(KINDS[kind].needed)
    if kind == "scanner":
        connection = _at(device, "scanner.connection") or "client"
        needed |= SCANNER_NEEDED.get(_word(connection), {})
    for name, problem in needed.items():
        if not _at(device, name):
            site.complain(f"{path}.{name}", problem)
    others = {name for one in KINDS.values() for name in one.fields} - KINDS[kind].fields
    for name in sorted(others & device.keys()):
        having = ", ".join(repr(one) for one, fields in KINDS.items() if name in fields.fields)
        site.complain(f"{path}.{name}", f"only a device of kind {having} has it")


def _at(device: Mapping[str, object], name: str) -> object:
    """A field of a device, with a dot into a table."""
    found: object = device
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found
