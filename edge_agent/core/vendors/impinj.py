"""Impinj readers (R700, R720) over MQTT: the events of the IoT device interface, API 1.7.

One event is one message; an array of them, as the reader's webhooks send it, is understood alike,
and an empty one only shows life. Which fields come is a matter of the reader's settings: as
delivered there is `epc` in base64 but no `epcHex`, and neither `lastSeenTime` nor a host name.
That the reader is connected, or was lost, it or its last will says in plain words.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping

import msgspec

from contracts.codec import UNDECODABLE
from contracts.site_mqtt import MqttTable
from edge_agent.core.vendors.device_times import time_us
from edge_agent.core.vendors.events import (
    ANTENNA_MAX,
    UNTOLD,
    Alive,
    AntennaTold,
    Event,
    HealthTold,
    InputChanged,
    Noticed,
    StateTold,
    TagSeen,
    Unusable,
    hexadecimal,
    phase,
    told,
)
from edge_agent.core.vendors.json_stream import values_in

WORDS_BYTES_MAX = 1_000
"""Of a will's text."""
RSSI_CDBM_MAX = 20_000


class _Tag(msgspec.Struct, rename="camel"):
    epc: str | None = None
    epc_hex: str | None = None
    antenna_port: int = 0
    peak_rssi_cdbm: float | None = None
    phase_angle: float | None = None
    last_seen_time: str | None = None


class _Antenna(msgspec.Struct, rename="camel"):
    antenna_port: int


class _Inventory(msgspec.Struct, rename="camel"):
    status: str | None = None
    inventory_status: str | None = None


class _Input(msgspec.Struct, rename="camel"):
    gpi: int
    transition: str = ""
    state: str = ""


class _Event(msgspec.Struct, rename="camel"):
    """All that is looked at; what else an event carries stays unread."""

    event_type: str | None = None
    timestamp: str | None = None
    hostname: str | None = None
    tag_inventory_event: _Tag | None = None
    antenna_connected_event: _Antenna | None = None
    antenna_disconnected_event: _Antenna | None = None
    inventory_status_event: _Inventory | None = None
    gpi_transition_event: _Input | None = None
    overflow_event: msgspec.Raw = UNTOLD


_decoder = msgspec.json.Decoder(_Event, strict=False)
SILENT_KINDS = frozenset({"antennaActivation", "readerIdle"})
"""Known events that change nothing here."""


class ImpinjDecoder:
    """One reader."""

    def __init__(self, table: MqttTable) -> None:
        self._sender = table.sender
        self._words: dict[bytes, StateTold] = {
            text.encode(): StateTold(state, detail)
            for text, state, detail in (
                (table.disconnected, "silent", "the reader has disconnected"),
                (table.lost, "silent", "the reader's connection to the broker was lost"),
                (table.connected, "reading", "the reader is connected"),
            )
            if text
        }

    def decode(self, topic: str, payload: bytes, at_us: int) -> list[Event]:
        """What a message says; never raises."""
        del topic, at_us
        words = payload.strip()
        if not words:
            return [Alive()]
        if words in self._words:
            return [self._words[words]]
        if not words.startswith((b"{", b"[", b"\xef\xbb\xbf")):
            return [Unusable("neither an event nor a known status text", payload)]
        events: list[Event] = []
        for value in values_in(payload):
            events += self._decode(value) if isinstance(value, bytes) else [value]
        return events or [Alive()]

    def _decode(self, raw: bytes) -> list[Event]:
        try:
            event = _decoder.decode(raw)
        except UNDECODABLE as error:
            return [Unusable(f"no event of an Impinj reader: {error}", raw)]
        if self._sender and event.hostname not in {None, self._sender}:
            return []
        kind = event.event_type or _kind_by_content(event)
        if kind in KINDS:
            return KINDS[kind](event, raw)
        if kind in SILENT_KINDS:
            return [Alive()]
        return [Unusable(f"an event of the unknown type {kind[:100]!r}", raw)]


def _kind_by_content(event: _Event) -> str:
    """Older firmware leaves the type out."""
    return "tagInventory" if event.tag_inventory_event is not None else ""


def _tag(event: _Event, raw: bytes) -> list[Event]:
    tag = event.tag_inventory_event
    if tag is None:
        return [Unusable("a tag event without its tag", raw)]
    epc = _epc(tag)
    if not epc:
        what = "whose EPC cannot be read" if tag.epc or tag.epc_hex else "without EPC"
        return [Unusable(f"a tag {what}: the reader must report epc or epcHex", raw)]
    if not 0 <= tag.antenna_port <= ANTENNA_MAX:
        return [Unusable(f"no antenna has the number {tag.antenna_port}", raw)]
    at_us = time_us(tag.last_seen_time)
    if at_us is None:
        at_us = time_us(event.timestamp)
    rssi = tag.peak_rssi_cdbm
    known = rssi is not None and -RSSI_CDBM_MAX < rssi < RSSI_CDBM_MAX
    return [
        TagSeen(
            epc=epc,
            antenna=tag.antenna_port,
            last_us=at_us,
            rssi_cdbm=round(rssi) if rssi is not None and known else None,
            phase_cdeg=phase(tag.phase_angle),
        )
    ]


def _epc(tag: _Tag) -> bytes | None:
    if tag.epc_hex:
        return hexadecimal(tag.epc_hex)
    if not tag.epc:
        return None
    # Both alphabets of base64, with or without the padding.
    text = tag.epc.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except ValueError:
        return None


def _antenna(event: _Event, raw: bytes) -> list[Event]:
    antenna = event.antenna_connected_event or event.antenna_disconnected_event
    if antenna is None or not 0 < antenna.antenna_port <= ANTENNA_MAX:
        return [Unusable("an antenna's event without its antenna", raw)]
    return [AntennaTold(antenna.antenna_port, event.antenna_connected_event is not None)]


def _inventory(event: _Event, raw: bytes) -> list[Event]:
    inventory = event.inventory_status_event
    status = (inventory.status or inventory.inventory_status) if inventory else None
    if not status:
        return [Unusable("an inventory status without its status", raw)]
    return [HealthTold(f"inventory {status[:100]}", at_us=time_us(event.timestamp))]


def _input(event: _Event, raw: bytes) -> list[Event]:
    change = event.gpi_transition_event
    level = (change.transition or change.state).lower() if change else ""
    if change is None or not level.endswith(("high", "low")):
        return [Unusable("an input's event without its input or level", raw)]
    return [InputChanged(change.gpi, level.endswith("high"), time_us(event.timestamp))]


def _overflow(event: _Event, raw: bytes) -> list[Event]:
    """The reader gave up events: they are gone, so what it says of them is kept."""
    words = told(event.overflow_event).decode("utf-8", "replace")[:200]
    reason = "the reader's buffer overflowed: it has given up events"
    return [Noticed(f"{reason} {words}".strip()), Unusable(reason, raw)]


KINDS: Mapping[str, Callable[[_Event, bytes], list[Event]]] = {
    "tagInventory": _tag,
    "antennaConnected": _antenna,
    "antennaDisconnected": _antenna,
    "inventoryStatus": _inventory,
    "gpiTransition": _input,
    "overflow": _overflow,
}
