"""The simulated site's places, as contracts know them and as a person would write them."""

from __future__ import annotations

from firmware_sim.core.layout import READERS, SCANNER, Reader

SITE = "demo"
GATEWAY = "dock"
ZONES = (
    ("stage", "Staging", "main", False),
    ("bulk", "Bulk storage", "main", False),
    ("pack", "Packing", "main", False),
    ("yard-1", "Yard at door 1", "main", True),
    ("yard-2", "Yard at door 2", "main", True),
)
"""Id, name, warehouse, whether it lies beyond the dock."""
GATE_ZONES = {
    "door-1": ("Dock door 1", "stage", "yard-1"),
    "door-2": ("Dock door 2", "stage", "yard-2"),
    "gate-3": ("Inner gate", "bulk", "stage"),
    "conveyor": ("Conveyor", "stage", "pack"),
}
"""Gate to name, inner zone and outer zone."""
DEVICES = (*(reader.device for reader in READERS), SCANNER)
"""All devices, in the order in which they are told of."""

READING = "session = 0\ntag_population = 64\nreport_every_s = 0.1\n"
"""How a portal reads best: session 0 lets a tag answer at every antenna, because the reader's hop
from antenna to antenna takes the power away for a moment and the flag falls; sessions 1 to 3 keep
tags silent just while they pass. Reports come often, because their order tells the direction."""


def site_toml(
    ports: dict[str, int], host: str = "127.0.0.1", readers: tuple[Reader, ...] = READERS
) -> str:
    """The site file, with the ports on which the devices listen."""
    parts = [f'site = "{SITE}"\n']
    parts += [
        f'[[zones]]\nid = "{zone}"\nname = "{name}"\nwarehouse = "{warehouse}"\n'
        f"outside = {str(outside).lower()}\n"
        for zone, name, warehouse, outside in ZONES
    ]
    for reader in readers:
        light = f'light = "{GATEWAY}/{reader.device}/{reader.light}"\n' if reader.light else ""
        parts.append(_gate(reader.gate, reader.geometry) + light)
    parts.append(_gate(SCANNER, "line") + 'direction = "in"\n')
    parts.append(f'[[gateways]]\nid = "{GATEWAY}"\n')
    for reader in readers:
        parts.append(_device(reader.device, "llrp", host, ports[reader.device]))
        parts.append("[devices.llrp]\n" + READING)
        for antenna in reader.antennas:
            parts.append(
                f"[[devices.antennas]]\nnumber = {antenna.number}\n"
                f'location = "{reader.gate}"\nside = "{antenna.side}"\n'
            )
        for port, side, _ in reader.eyes:
            parts.append(
                f'[[devices.inputs]]\nport = {port}\ngate = "{reader.gate}"\nside = "{side}"\n'
            )
    scanner = _device(SCANNER, "scanner", host, ports[SCANNER])
    parts.append(scanner + f'location = "{SCANNER}"\n')
    return "\n".join(parts)


def _gate(gate: str, geometry: str) -> str:
    name, inner, outer = GATE_ZONES[gate]
    return (
        f'[[gates]]\nid = "{gate}"\nname = "{name}"\ninner = "{inner}"\nouter = "{outer}"\n'
        f'geometry = "{geometry}"\n'
    )


def _device(device: str, kind: str, host: str, port: int) -> str:
    return (
        f'[[devices]]\nid = "{device}"\ngateway = "{GATEWAY}"\nkind = "{kind}"\n'
        f'host = "{host}"\nport = {port}\n'
    )
