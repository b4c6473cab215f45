"""The site file with which `edge_agent` connects to devices of the bench."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from firmware_sim.bench.kinds import DeviceKind

SITE = "bench"
GATEWAY = "bench"
"""One agent serves all that is on the bench."""
NEXT_ZONE = "yard"
"""The other side of gates."""

_GATEWAY = re.compile(r'^gateway *= *"[^"]*"', flags=re.MULTILINE)


class SiteDevice(NamedTuple):
    """A device as its site-file example wants to know it."""

    kind: DeviceKind
    device: str
    host: str
    port: int
    serial: str


def device_tables(one: SiteDevice) -> str:
    """A device's `[[devices]]` tables."""
    text = _GATEWAY.sub(f'gateway = "{GATEWAY}"', one.kind.site)
    for name, value in (
        ("host", one.host),
        ("port", str(one.port)),
        ("device", one.device),
        ("serial", one.serial),
    ):
        text = text.replace(f"{{{name}}}", value)
    return text.strip() + "\n"


def site_text(devices: Iterable[SiteDevice]) -> str:
    """A whole site file: the devices, and around them the places that they name."""
    devices = list(devices)
    return "\n".join([places_text(devices), *(device_tables(one) for one in devices)])


def places_text(devices: Iterable[SiteDevice]) -> str:
    """The part of a site file around the devices: site, zones, gates and the gateway."""
    written = [table for one in devices for table in tomllib.loads(device_tables(one))["devices"]]
    gates = _gates(written)
    locations = [str(table["location"]) for table in _with_location(written)]
    zones = _unique(place for place in locations if place not in gates)
    zones = zones or ["stage"]
    parts = [f'site = "{SITE}"\n']
    parts += [f'[[zones]]\nid = "{zone}"\n' for zone in zones]
    if gates:
        if NEXT_ZONE not in zones:
            parts.append(f'[[zones]]\nid = "{NEXT_ZONE}"\noutside = true\n')
        parts += [
            f'[[gates]]\nid = "{gate}"\ninner = "{zones[0]}"\nouter = "{NEXT_ZONE}"\n'
            for gate in gates
        ]
    parts.append(f'[[gateways]]\nid = "{GATEWAY}"\n')
    return "\n".join(parts)


def antennas_of(kind: DeviceKind) -> tuple[int, ...]:
    """The antennas that a kind's example has."""
    tables = _example(kind)
    return tuple(
        int(antenna["number"]) for table in tables for antenna in table.get("antennas", [])
    )


def agent_kind_of(kind: DeviceKind) -> str:
    """As which `kind` of the site file the agent knows it."""
    return str(_example(kind)[0]["kind"])


def _example(kind: DeviceKind) -> list[dict[str, Any]]:
    text = device_tables(SiteDevice(kind, "example", "127.0.0.1", 1, "/dev/ttyUSB0"))
    tables: list[dict[str, Any]] = tomllib.loads(text)["devices"]
    return tables


def _gates(written: list[dict[str, Any]]) -> list[str]:
    """What is named as a gate by an input, or stands at a side of something."""
    named = [str(eye["gate"]) for table in written for eye in table.get("inputs", [])]
    named += [str(table["location"]) for table in _with_location(written) if "side" in table]
    return _unique(named)


def _with_location(written: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
    places: list[Mapping[str, Any]] = []
    for table in written:
        places += [table, *table.get("antennas", [])]
        places += table.get("handheld", {}).get("places", [])
    return [place for place in places if "location" in place]


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
