"""Zebra's fixed readers (FX7500, FX9600, FXR90, ATR7000) over MQTT: the IoT Connector.

A message is an object, an array of them (batching) or objects one behind the other. A tag event is
named after the operating mode; which fields it carries depends on mode and settings: SIMPLE and
CUSTOM tell neither antenna nor signal, CONVEYOR the antenna, INVENTORY both and a count. What the
reader tells of itself (heartbeat, inputs, errors) has the same envelope, on a topic of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from contracts.codec import UNDECODABLE
from contracts.site_mqtt import MqttTable
from edge_agent.core.vendors.device_times import time_us
from edge_agent.core.vendors.events import (
    ANTENNA_MAX,
    NUMBER_MAX,
    UNTOLD,
    Alive,
    AntennaTold,
    Event,
    HealthTold,
    InputChanged,
    Noticed,
    TagSeen,
    Unusable,
    centi,
    hexadecimal,
    phase,
    told,
)
from edge_agent.core.vendors.json_stream import values_in

TAG_TYPES = frozenset(
    {"SIMPLE", "INVENTORY", "PORTAL", "CONVEYOR", "CUSTOM", "DIRECTIONALITY", "DIRECTIONALITY_RAW"}
    | {"RAW_DIRECTIONALITY", "ADVANCED"}
)
"""Operating modes: what the type of a tag event names."""
OTHERS = frozenset({"gpo", "BLE_DATA"})
"""Known events that change nothing here; BLE_DATA is for a device of kind `ble_gateway`."""
PORTS_MAX = 64
"""Antennas or inputs of one heartbeat."""
DETAIL_CHARACTERS_MAX = 200


PartOf = TypeVar("PartOf", bound=msgspec.Struct)


class _Envelope(msgspec.Struct):
    type: str | None = None
    timestamp: str | None = None
    data: msgspec.Raw = UNTOLD
    command: str | None = None
    """A reader's answer to a command has this and `response`."""
    idHex: str | None = None  # noqa: N815 - a tag without its envelope.


class _Tag(msgspec.Struct):
    idHex: str | None = None  # noqa: N815 - the maker's names.
    antenna: int = 0
    peakRssi: float | None = None  # noqa: N815
    rssi: float | None = None
    reads: int = 1
    phase: float | None = None
    hostName: str | None = None  # noqa: N815
    MAC: str | None = None


class _Input(msgspec.Struct):
    pin: int
    state: str


class _Message(msgspec.Struct):
    message: str = ""


class _Radio(msgspec.Struct, rename="camel"):
    antennas: dict[str, str] = {}
    num_errors: int | None = None
    radio_activity: str = ""
    radio_connection: str = ""


class _DataPath(msgspec.Struct, rename="camel"):
    num_data_messages_dropped: int = 0


class _Gateway(msgspec.Struct, rename="camel"):
    data_path_statistics: list[_DataPath] = []
    num_data_messages_dropped: int = 0


class _System(msgspec.Struct):
    GPI: dict[str, str] = {}
    cpu: dict[str, float] = {}
    ram: dict[str, float] = {}
    temperature: dict[str, float] = {}
    ntp: dict[str, float] = {}
    hostName: str | None = None  # noqa: N815
    macAddress: str | None = None  # noqa: N815


class _Heartbeat(msgspec.Struct):
    """What is looked at; fields that a firmware sends as null stay at their defaults."""

    radio_control: msgspec.Raw = UNTOLD
    reader_gateway: msgspec.Raw = UNTOLD
    system: msgspec.Raw = UNTOLD


_envelope = msgspec.json.Decoder(_Envelope, strict=False)
_tag = msgspec.json.Decoder(_Tag, strict=False)
_input = msgspec.json.Decoder(_Input, strict=False)
_message = msgspec.json.Decoder(_Message, strict=False)
_heartbeat = msgspec.json.Decoder(_Heartbeat, strict=False)
_radio = msgspec.json.Decoder(_Radio, strict=False)
_gateway = msgspec.json.Decoder(_Gateway, strict=False)
_system = msgspec.json.Decoder(_System, strict=False)


class ZebraDecoder:
    """One reader."""

    def __init__(self, table: MqttTable) -> None:
        self._sender = table.sender
        self._dropped = 0

    def decode(self, topic: str, payload: bytes, at_us: int) -> list[Event]:
        """What a message says; never raises."""
        del topic, at_us
        events: list[Event] = []
        for value in values_in(payload):
            events += self._decode(value) if isinstance(value, bytes) else [value]
        return events or [Alive()]

    def _decode(self, raw: bytes) -> list[Event]:
        try:
            event = _envelope.decode(raw)
            kind = event.type or ("SIMPLE" if event.idHex is not None else "")
            data = raw if event.type is None else told(event.data)
            if kind in OTHERS or event.command is not None:
                return [Alive()]
            if kind not in TAG_TYPES and kind not in KINDS:
                return [Unusable(f"an event of the unknown type {kind[:100]!r}", raw)]
            if not data:
                return [Unusable(f"an event of the type {kind} without its data", raw)]
            if kind in TAG_TYPES:
                return self._tag(data, event.timestamp, raw)
            return KINDS[kind](self, event, data)
        except UNDECODABLE as error:
            return [Unusable(f"no event of a Zebra reader: {error}", raw)]

    def _tag(self, data: bytes, timestamp: str | None, raw: bytes) -> list[Event]:
        tag = _tag.decode(data)
        if self._sender and not is_sender(self._sender, tag.hostName, tag.MAC):
            return []
        epc = hexadecimal(tag.idHex or "")
        if not epc:
            return [Unusable("a tag without idHex in hexadecimal", raw)]
        if not 0 <= tag.antenna <= ANTENNA_MAX:
            return [Unusable(f"no antenna has the number {tag.antenna}", raw)]
        rssi = tag.peakRssi if tag.peakRssi is not None else tag.rssi
        return [
            TagSeen(
                epc=epc,
                antenna=tag.antenna,
                last_us=time_us(timestamp),
                seen=min(max(tag.reads, 1), NUMBER_MAX),
                rssi_cdbm=centi(rssi),
                phase_cdeg=phase(tag.phase),
            )
        ]

    def gpi(self, event: _Envelope, data: bytes) -> list[Event]:
        """An input changed."""
        found = _input.decode(data)
        return [InputChanged(found.pin, is_high(found.state), time_us(event.timestamp))]

    def trouble(self, event: _Envelope, data: bytes) -> list[Event]:
        """An error or a warning, in the reader's words."""
        text = _message.decode(data).message or data.decode("utf-8", "replace")
        return [Noticed(f"{event.type}: {text[:DETAIL_CHARACTERS_MAX]}")]

    def progress(self, event: _Envelope, data: bytes) -> list[Event]:
        """New firmware is loaded, or a program in the reader has something to say."""
        text = data.decode("utf-8", "replace")[:DETAIL_CHARACTERS_MAX]
        return [Noticed(f"{event.type}: {text}")]

    def heartbeat(self, event: _Envelope, data: bytes) -> list[Event]:
        """The reader's own figures. Parts that a firmware sends otherwise are left out."""
        beat = _heartbeat.decode(data)
        radio = _part(_radio, beat.radio_control) or _Radio()
        gateway = _part(_gateway, beat.reader_gateway) or _Gateway()
        system = _part(_system, beat.system) or _System()
        if self._sender and not is_sender(self._sender, system.hostName, system.macAddress):
            return []
        at_us = time_us(event.timestamp)
        degrees = [one for one in system.temperature.values() if abs(one) < NUMBER_MAX]
        events: list[Event] = [
            HealthTold(_detail(radio, system), max(degrees, default=None), at_us)
        ]
        for port, state in list(radio.antennas.items())[:PORTS_MAX]:
            if port.isdigit() and 0 < int(port[:6]) <= ANTENNA_MAX:
                events.append(AntennaTold(int(port), state.lower() == "connected"))
        for pin, state in list(system.GPI.items())[:PORTS_MAX]:
            if pin.isdigit():
                events.append(InputChanged(int(pin[:6]), is_high(state), at_us, is_change=False))
        return [*events, *self._drops(gateway)]

    def _drops(self, gateway: _Gateway) -> list[Event]:
        """The reader gave up messages: told when it has become more."""
        dropped = gateway.num_data_messages_dropped + sum(
            path.num_data_messages_dropped for path in gateway.data_path_statistics
        )
        more, self._dropped = dropped - self._dropped, dropped
        return [Noticed(f"the reader has dropped {more} messages")] if more > 0 else []


KINDS: Mapping[str, Callable[[ZebraDecoder, _Envelope, bytes], list[Event]]] = {
    "gpi": ZebraDecoder.gpi,
    "heartbeat": ZebraDecoder.heartbeat,
    "error": ZebraDecoder.trouble,
    "warning": ZebraDecoder.trouble,
    "firmwareUpdateProgress": ZebraDecoder.progress,
    "userapp": ZebraDecoder.progress,
}


def is_sender(wanted: str, *names: str | None) -> bool:
    """Whether a message is of a sender: it carries that name, or none at all."""
    carried = [name for name in names if name]
    plain = _plain(wanted)
    return not carried or any(_plain(name) == plain for name in carried)


def _plain(name: str) -> str:
    return name.lower().replace(":", "").replace("-", "")


def is_high(level: str) -> bool:
    """A level as the reader writes it."""
    return level.strip().upper() in {"HIGH", "1", "TRUE"}


def _part(decoder: msgspec.json.Decoder[PartOf], raw: msgspec.Raw) -> PartOf | None:
    try:
        return decoder.decode(part) if (part := told(raw)) else None
    except UNDECODABLE:
        return None


def _detail(radio: _Radio, system: _System) -> str:
    """The figures that a person wants to see."""
    parts = []
    if radio.radio_activity:
        parts.append(f"radio {radio.radio_activity}")
    if radio.radio_connection not in {"", "connected"}:
        parts.append(f"radio {radio.radio_connection}")
    if system.cpu:
        parts.append(f"CPU {sum(system.cpu.values()):g} %")
    if system.ram.get("total"):
        parts.append(f"memory {system.ram.get('used', 0) / system.ram['total']:.0%}")
    if "offset" in system.ntp:
        parts.append(f"NTP offset {system.ntp['offset']:g}")
    if radio.num_errors:
        parts.append(f"{radio.num_errors} errors")
    return ", ".join(parts)[:DETAIL_CHARACTERS_MAX]
