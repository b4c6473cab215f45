"""Zebra's handheld readers RFD40 and RFD90 over MQTT: dataEVT, heartBeatEVT, alerts, mqttConnEVT.

No event names its kind, so each is told by its members. A `dataEVT` carries lists of tags and of
barcodes; a tag has the fields that the operating mode's settings ask for, times among them in
milliseconds, else the event's time holds for all. `mqttConnEVT` tells a time of day only.
"""

from __future__ import annotations

import msgspec

from contracts.codec import UNDECODABLE
from contracts.site_mqtt import MqttTable
from edge_agent.core.vendors.device_times import milliseconds_us, time_us
from edge_agent.core.vendors.events import (
    NUMBER_MAX,
    UNTOLD,
    Alive,
    CodeSeen,
    Event,
    HealthTold,
    Noticed,
    StateTold,
    TagSeen,
    Unusable,
    centi,
    hexadecimal,
    phase,
    told,
)
from edge_agent.core.vendors.json_stream import values_in
from edge_agent.core.vendors.zebra import is_sender

DETAIL_CHARACTERS_MAX = 200
CODE_CHARACTERS_MAX = 4_096
QUIET = frozenset({"CLEAR"})
"""States of an alert that is over."""


class _Tag(msgspec.Struct):
    """Names are the maker's: `EPCid` is the identifier, `EPC` the whole memory bank where asked."""

    EPCid: str | None = None
    idHex: str | None = None  # noqa: N815
    EPC: str | None = None
    peakRssi: float | None = None  # noqa: N815
    phase: float | None = None
    seenCount: int = 1  # noqa: N815
    firstSeenTime: float | None = None  # noqa: N815
    lastSeenTime: float | None = None  # noqa: N815
    MAC: str | None = None
    HOSTNAME: str | None = None


class _Code(msgspec.Struct):
    decodedBarcode: str | None = None  # noqa: N815


class _Data(msgspec.Struct):
    tagData: list[msgspec.Raw] = []  # noqa: N815
    barcodeData: list[msgspec.Raw] = []  # noqa: N815
    inventoryStatus: msgspec.Raw = UNTOLD  # noqa: N815
    batteryAlert: msgspec.Raw = UNTOLD  # noqa: N815


class _Event(msgspec.Struct):
    type: str | None = None
    timestamp: str | None = None
    data: _Data | None = None
    eventName: str | None = None  # noqa: N815
    connectionState: str | None = None  # noqa: N815
    deviceSerialNo: str | None = None  # noqa: N815
    id: str | None = None
    state: str | None = None
    priority: str | None = None
    alertDetails: msgspec.Raw = UNTOLD  # noqa: N815
    description: str | None = None
    response: msgspec.Raw = UNTOLD
    """An answer to a command has it."""


class _Inventory(msgspec.Struct):
    rfidStatus: str = ""  # noqa: N815


class _Battery(msgspec.Struct):
    status: str = ""
    chargePercentage: int | None = None  # noqa: N815


_event = msgspec.json.Decoder(_Event, strict=False)
_tag = msgspec.json.Decoder(_Tag, strict=False)
_code = msgspec.json.Decoder(_Code)
_inventory = msgspec.json.Decoder(_Inventory, strict=False)
_battery = msgspec.json.Decoder(_Battery, strict=False)


class HandheldDecoder:
    """One handheld."""

    def __init__(self, table: MqttTable) -> None:
        self._sender = table.sender

    def decode(self, topic: str, payload: bytes, at_us: int) -> list[Event]:
        """What a message says; never raises."""
        del at_us
        if self._sender and not self._is_ours(topic):
            return []
        events: list[Event] = []
        for value in values_in(payload):
            events += self._decode(value) if isinstance(value, bytes) else [value]
        return events or [Alive()]

    def _is_ours(self, topic: str) -> bool:
        """Topics end in the serial number, as the maker lays them out; others leave it open."""
        last = topic.rpartition("/")[2].upper()
        return not last.startswith("RFD") or last == self._sender.upper()

    def _decode(self, raw: bytes) -> list[Event]:
        try:
            event = _event.decode(raw)
            if self._sender and not is_sender(self._sender, event.deviceSerialNo):
                return []
            if event.eventName == "heartbeat":
                return [_heartbeat(event)]
        except UNDECODABLE as error:
            return [Unusable(f"no event of a Zebra handheld: {error}", raw)]
        if event.data is not None:
            return self._reads(event, event.data)
        return [_about_itself(event, raw)]

    def _reads(self, event: _Event, data: _Data) -> list[Event]:
        at_us = time_us(event.timestamp)
        events: list[Event] = []
        for raw in data.tagData:
            events += self._tag(bytes(raw), at_us)
        events += [_scanned(bytes(raw), at_us) for raw in data.barcodeData]
        return events or [Alive()]

    def _tag(self, raw: bytes, at_us: int | None) -> list[Event]:
        try:
            tag = _tag.decode(raw)
        except UNDECODABLE as error:
            return [Unusable(f"no tag of a Zebra handheld: {error}", raw)]
        if self._sender and not is_sender(self._sender, tag.HOSTNAME, tag.MAC):
            return []
        epc = hexadecimal(tag.EPCid or tag.idHex or tag.EPC or "")
        if not epc:
            return [Unusable("a tag without EPCid or EPC in hexadecimal", raw)]
        last_us = milliseconds_us(tag.lastSeenTime)
        return [
            TagSeen(
                epc=epc,
                first_us=milliseconds_us(tag.firstSeenTime),
                last_us=at_us if last_us is None else last_us,
                seen=min(max(tag.seenCount, 1), NUMBER_MAX),
                rssi_cdbm=centi(tag.peakRssi),
                phase_cdeg=phase(tag.phase),
            )
        ]


def _scanned(raw: bytes, at_us: int | None) -> Event:
    try:
        code = _code.decode(raw).decodedBarcode
    except UNDECODABLE as error:
        return Unusable(f"no barcode of a Zebra handheld: {error}", raw)
    if not code or len(code) > CODE_CHARACTERS_MAX:
        return Unusable("a barcode without its text, or with too much of it", raw)
    return CodeSeen(code.encode("utf-8", "replace"), at_us)


def _heartbeat(event: _Event) -> Event:
    """Battery and inventory. Raises msgspec's errors."""
    data = event.data or _Data()
    parts = []
    if inventory := told(data.inventoryStatus):
        status = _inventory.decode(inventory).rfidStatus
        parts.append(f"inventory {status.lower()}" if status else "")
    if alert := told(data.batteryAlert):
        battery = _battery.decode(alert)
        charge = "" if battery.chargePercentage is None else f" {battery.chargePercentage} %"
        parts.append(f"battery {battery.status.lower()}{charge}".replace("  ", " "))
    detail = ", ".join(part for part in parts if part)
    return HealthTold(detail[:DETAIL_CHARACTERS_MAX], at_us=time_us(event.timestamp))


def _about_itself(event: _Event, raw: bytes) -> Event:
    if event.connectionState is not None:
        return _connection(event.connectionState)
    if event.id is not None and event.priority is not None:
        return _alert(event)
    if told(event.response):
        return Alive()
    return Unusable("neither reads nor a heartbeat, an alert or a connection's state", raw)


def _connection(state: str) -> Event:
    if state.upper() == "CONNECTED":
        return StateTold("reading", "the handheld is connected")
    return StateTold("silent", "the handheld has left the broker")


def _alert(event: _Event) -> Event:
    if event.state in QUIET:
        return Alive()
    details = told(event.alertDetails).decode("utf-8", "replace")
    words = f"{event.priority} {event.id}: {event.description or details}".removesuffix(": ")
    return Noticed(words[:DETAIL_CHARACTERS_MAX])
