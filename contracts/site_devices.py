"""The site file's `[[devices]]`: what every kind of device has, around the tables of each kind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.site_base import ANTENNA_MAX, PORT_MAX, Host, Name, Port, Table
from contracts.site_ble import BleTable
from contracts.site_handheld import HandheldTable
from contracts.site_llrp import LlrpTable
from contracts.site_mqtt import MqttTable
from contracts.site_scanner import ScannerTable

Kind = Literal[
    "llrp",
    "scanner",
    "impinj",
    "zebra",
    "zebra_handheld",
    "ble_gateway",
    "sparkplug",
    "ble",
    "handheld",
]
"""A device's protocol."""


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
    """A reader, scanner, radio or interface; `contracts.device_kinds` tells what each kind has."""

    id: Name
    gateway: str
    kind: Kind
    host: Host | None = None
    """Where the device listens, or, where it connects to us, the address that we listen on."""
    port: Port | None = None
    location: str | None = None
    """The device's own place, a zone or a gate, where it has no antennas."""
    side: Literal["inner", "outer", "both"] = "both"
    reads_per_s_max: Annotated[float, Field(ge=0, le=1_000_000)] = 5_000.0
    """A device that brings more is slowed down and told of; 0: no limit."""
    llrp: LlrpTable = LlrpTable()
    scanner: ScannerTable = ScannerTable()
    mqtt: MqttTable = MqttTable()
    ble: BleTable = BleTable()
    handheld: HandheldTable = HandheldTable()
    antennas: list[AntennaTable] = []
    inputs: list[InputTable] = []
