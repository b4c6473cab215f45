"""Which fields of the site file's `[[devices]]` each kind of device has, and which it needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class KindFields(NamedTuple):
    """One kind of device, as the site file knows it."""

    fields: frozenset[str]
    """The fields that it has beside `id`, `gateway` and `kind`."""
    needed: Mapping[str, str] = {}
    """Field to what is said where it is missing."""


_ADDRESS = {"host": "is missing: where the device listens", "port": "is missing: its TCP port"}
_LISTENS = {"port": "is missing: the TCP port to listen on"}
_ANTENNAS = {"antennas": "are missing: [[devices.antennas]]"}
_TOPIC = {"mqtt.topic": "is missing: the MQTT topic of its reads"}
_READER = ("antennas", "inputs", "mqtt")

KINDS: Mapping[str, KindFields] = {
    "llrp": KindFields(
        frozenset({"host", "port", "antennas", "inputs", "llrp"}), _ADDRESS | _ANTENNAS
    ),
    "scanner": KindFields(
        frozenset({"host", "port", "location", "side", "scanner"}),
        {"location": "is missing: a scanner stands in a zone or gate"},
    ),
    "impinj": KindFields(frozenset(_READER), _ANTENNAS | _TOPIC),
    "zebra": KindFields(frozenset({*_READER, "location", "side"}), _TOPIC),
    "zebra_handheld": KindFields(frozenset({"mqtt", "location"}), _TOPIC),
    "ble_gateway": KindFields(
        frozenset({"mqtt", "ble", "location"}),
        {**_TOPIC, "location": "is missing: a gateway hears one zone"},
    ),
    "sparkplug": KindFields(frozenset({"mqtt"}), _TOPIC),
    "ble": KindFields(
        frozenset({"ble", "location"}), {"location": "is missing: a radio hears one zone"}
    ),
    "handheld": KindFields(frozenset({"host", "port", "handheld", "location"}), _LISTENS),
}
"""All kinds. A dot leads into a table."""

SCANNER_NEEDED: Mapping[str, Mapping[str, str]] = {
    "client": _ADDRESS,
    "server": _LISTENS,
    "serial": {"scanner.serial": "is missing: the serial port, such as /dev/ttyUSB0"},
}
"""What a scanner needs more, by `scanner.connection`."""

WITH_OUTPUTS = frozenset({"llrp"})
"""Kinds that a stack light can be wired to."""
