"""Gateways that hear Bluetooth beacons and publish them as JSON: Minew, Ruuvi, Zebra FXR90.

- Minew (G1, MG3, ...), formats JSON-LONG and JSON-RAW: an array whose first element is the gateway
  itself; then one element an advert, raw (`rawData`) or with an iBeacon taken apart.
- Ruuvi Gateway: one object an advert, raw in `data`, on the topic `ruuvi/GATEWAY/BEACON`; its state
  and last will on `ruuvi/GATEWAY/gw_status`. Its HTTP form (`data.tags`) is understood alike.
- Zebra FXR90: `BLE_DATA` events among the tag events, with fields named as BlueZ names them.

Raw adverts go through the same decoding as those of a radio of ours. What a gateway took apart is
put together again first, so a beacon has one identity whoever heard it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec

from contracts.codec import UNDECODABLE
from contracts.site_mqtt import MqttTable
from edge_agent.core.ble.adverts import Advert, advert_of
from edge_agent.core.ble.identities import APPLE, EDDYSTONE, IBEACON
from edge_agent.core.vendors.device_times import seconds_us, time_us
from edge_agent.core.vendors.events import (
    UNTOLD,
    Alive,
    BeaconHeard,
    Event,
    HealthTold,
    StateTold,
    Unusable,
    hexadecimal,
    told,
)
from edge_agent.core.vendors.json_stream import values_in

_ADDRESS = re.compile(r"[0-9a-fA-F]{12}")
RSSI_DBM_MAX = 127
PORT_MAX = 0xFFFF
GATEWAY_TYPES = frozenset({"Gateway", "gateway"})
UID_NAMESPACE_BYTES, UID_INSTANCE_BYTES, ALTBEACON_ID_BYTES = 10, 6, 20


class _Minew(msgspec.Struct, rename="camel"):
    """An element of Minew's array; the first one is the gateway's."""

    timestamp: str | None = None
    type: str | None = None
    mac: str | None = None
    gateway: str | None = None
    rssi: int | None = None
    raw_data: str | None = None
    ibeacon_uuid: str | None = None
    ibeacon_major: int = 0
    ibeacon_minor: int = 0
    ibeacon_tx_power: int = -59
    gateway_free: float | None = None
    gateway_load: float | None = None


class _Ruuvi(msgspec.Struct):
    """A message of Ruuvi's gateway."""

    gw_mac: str | None = None
    rssi: int | None = None
    ts: float | None = None
    data: msgspec.Raw = UNTOLD
    state: str | None = None


class _RuuviTag(msgspec.Struct):
    rssi: int | None = None
    timestamp: float | None = None
    data: str = ""


class _RuuviTags(msgspec.Struct):
    gw_mac: str | None = None
    tags: dict[str, _RuuviTag] = {}


class _IBeacon(msgspec.Struct):
    uuid: str
    major: int
    minor: int
    txPower: int = -59  # noqa: N815


class _AltBeacon(msgspec.Struct):
    beaconId: str  # noqa: N815
    mfgId: int = APPLE  # noqa: N815
    major: int | None = None
    minor: int | None = None
    refRssi: int = -59  # noqa: N815


class _Eddystone(msgspec.Struct):
    frameType: str = ""  # noqa: N815
    namespace: str = ""
    instance: str = ""
    batteryVoltage: int = 0  # noqa: N815
    temperature: float = -128.0


class _ZebraBeacon(msgspec.Struct):
    """Fields of a BLE_DATA event, named as BlueZ names them."""

    Address: str = ""
    RSSI: int | None = None
    beaconType: str = ""  # noqa: N815
    iBeacon: _IBeacon | None = None  # noqa: N815
    altBeacon: _AltBeacon | None = None  # noqa: N815
    eddystone: _Eddystone | None = None


class _Zebra(msgspec.Struct):
    type: str | None = None
    timestamp: str | None = None
    data: msgspec.Raw = UNTOLD


class _Shape(msgspec.Struct):
    """What tells one maker's values from another's."""

    type: str | None = None
    mac: str | None = None
    gateway: str | None = None
    data: msgspec.Raw = UNTOLD


_shape = msgspec.json.Decoder(_Shape)
_minew = msgspec.json.Decoder(_Minew, strict=False)
_ruuvi = msgspec.json.Decoder(_Ruuvi, strict=False)
_text = msgspec.json.Decoder(str)
_tags = msgspec.json.Decoder(_RuuviTags, strict=False)
_zebra = msgspec.json.Decoder(_Zebra, strict=False)
_zebra_beacon = msgspec.json.Decoder(_ZebraBeacon, strict=False)


class BleGatewayDecoder:
    """One gateway."""

    def __init__(self, table: MqttTable) -> None:
        self._format = table.format
        self._sender = _address(table.sender) or table.sender.lower()

    def decode(self, topic: str, payload: bytes, at_us: int) -> list[Event]:
        """What a message says; never raises."""
        del at_us
        values = list(values_in(payload))
        if not values:
            return [Alive()]
        form = self._format if self._format != "auto" else _form_of(topic, values)
        if form == "minew":
            return self._minew(values)
        one = self._ruuvi if form == "ruuvi" else self._zebra
        events: list[Event] = []
        for value in values:
            if not isinstance(value, bytes):
                events.append(value)
                continue
            try:
                events += one(topic, value)
            except UNDECODABLE as error:
                events.append(Unusable(f"no message of a {form} gateway: {error}", value))
        return events

    def _other(self, gateway: str | None) -> bool:
        """Whether a message is of another gateway on the same topic."""
        return bool(self._sender and gateway and _address(gateway) != self._sender)

    def _minew(self, values: list[bytes | Unusable]) -> list[Event]:
        events: list[Event] = []
        for value in values:
            if not isinstance(value, bytes):
                events.append(value)
                continue
            try:
                element = _minew.decode(value)
            except UNDECODABLE as error:
                events.append(Unusable(f"no element of a Minew gateway: {error}", value))
                continue
            if element.type in GATEWAY_TYPES or element.gateway is not None:
                if self._other(element.mac or element.gateway):
                    return []
                events.append(_minew_health(element))
            else:
                events.append(_minew_advert(element, value))
        return events

    def _ruuvi(self, topic: str, raw: bytes) -> list[Event]:
        """One message. Raises what decoding raises."""
        message = _ruuvi.decode(raw)
        levels = topic.split("/")
        gateway = message.gw_mac or (levels[-2] if len(levels) > 1 else None)
        if self._other(gateway):
            return []
        if message.state is not None:
            return [_ruuvi_state(message.state)]
        data = told(message.data)
        if data.startswith(b'"'):
            tag = _RuuviTag(message.rssi, message.ts, _text.decode(data))
            return [_ruuvi_advert(levels[-1], tag, raw)]
        if not data:
            return [Unusable("a message of a Ruuvi gateway without data", raw)]
        history = _tags.decode(data)
        return [
            _ruuvi_advert(address, tag, raw)
            for address, tag in history.tags.items()
            if not self._other(history.gw_mac)
        ]

    def _zebra(self, topic: str, raw: bytes) -> list[Event]:
        """One event. Raises what decoding raises."""
        del topic
        event = _zebra.decode(raw)
        if event.type != "BLE_DATA":
            # Tag events and heartbeats come on the same topics and are for a device of kind zebra.
            known = event.type is not None
            return [Alive()] if known else [Unusable("neither BLE_DATA nor another event", raw)]
        if not (data := told(event.data)):
            return [Unusable("BLE_DATA without its data", raw)]
        beacon = _zebra_beacon.decode(data)
        address = _address(beacon.Address)
        if not address:
            return [Unusable("a beacon without its address", raw)]
        advert = _taken_apart(beacon)
        if advert is None:
            return [Unusable(f"an {beacon.beaconType[:50]} that does not hold together", raw)]
        return [BeaconHeard(advert, address, _rssi(beacon.RSSI), time_us(event.timestamp))]


def _form_of(topic: str, values: list[bytes | Unusable]) -> str:
    """The maker, told by the shape of the first value that only one maker sends."""
    if topic.endswith("/gw_status"):
        return "ruuvi"
    forms = (_form_of_value(value) for value in values if isinstance(value, bytes))
    return next((form for form in forms if form), "minew")


def _form_of_value(value: bytes) -> str:
    """Zebra's tag events beside its beacons have a type and data, too, but no address."""
    if b'"gw_mac"' in value:
        return "ruuvi"
    if b'"BLE_DATA"' in value:
        return "zebra"
    try:
        shape = _shape.decode(value)
    except UNDECODABLE:
        return ""
    if shape.mac is not None or shape.gateway is not None:
        return "minew"
    return "zebra" if shape.type is not None and told(shape.data) else ""


def _address(text: str) -> str:
    """An address, lower case with colons; empty for what is none."""
    plain = text.replace(":", "").replace("-", "").strip()
    if not _ADDRESS.fullmatch(plain):
        return ""
    return ":".join(re.findall("..", plain.lower()))


def _rssi(value: int | None) -> int | None:
    return value if value is not None and -RSSI_DBM_MAX <= value < RSSI_DBM_MAX else None


def _minew_health(element: _Minew) -> Event:
    parts = []
    if element.gateway_load is not None:
        parts.append(f"load {element.gateway_load:.2f}")
    if element.gateway_free is not None:
        parts.append(f"memory free {element.gateway_free:.0f} %")
    return HealthTold(", ".join(parts), at_us=time_us(element.timestamp))


def _minew_advert(element: _Minew, raw: bytes) -> Event:
    address = _address(element.mac or "")
    if not address:
        return Unusable("an advert without the beacon's address", raw)
    if element.raw_data:
        payload = hexadecimal(element.raw_data)
        if payload is None:
            return Unusable("an advert whose rawData is not hexadecimal", raw)
        advert = advert_of(payload)
    elif element.ibeacon_uuid:
        found = ibeacon_advert(
            element.ibeacon_uuid,
            element.ibeacon_major,
            element.ibeacon_minor,
            element.ibeacon_tx_power,
        )
        if found is None:
            return Unusable("an iBeacon that does not hold together", raw)
        advert = found
    else:
        advert = Advert()  # Known by its address, where that is listed.
    return BeaconHeard(advert, address, _rssi(element.rssi), time_us(element.timestamp))


def _ruuvi_state(state: str) -> Event:
    if state.lower() == "online":
        return StateTold("reading", "the gateway is connected")
    return StateTold("silent", f"the gateway is {state[:50]}")


def _ruuvi_advert(beacon: str, tag: _RuuviTag, raw: bytes) -> Event:
    address = _address(beacon)
    payload = hexadecimal(tag.data)
    if not address or payload is None:
        return Unusable("a beacon without its address, or with data that is not hexadecimal", raw)
    return BeaconHeard(advert_of(payload), address, _rssi(tag.rssi), seconds_us(tag.timestamp))


def ibeacon_advert(uuid: str, major: int, minor: int, power_dbm: int) -> Advert | None:
    """The advert of an iBeacon that somebody took apart; None where it does not hold together."""
    digits = hexadecimal(uuid.replace("-", ""))
    if digits is None or len(digits) != 16:  # noqa: PLR2004 - a UUID.
        return None
    if not (0 <= major <= PORT_MAX and 0 <= minor <= PORT_MAX):
        return None
    numbers = major.to_bytes(2, "big") + minor.to_bytes(2, "big")
    return Advert(manufacturer=((APPLE, IBEACON + digits + numbers + _power(power_dbm)),))


def _power(dbm: int) -> bytes:
    return max(-128, min(127, dbm)).to_bytes(1, "big", signed=True)


def _taken_apart(beacon: _ZebraBeacon) -> Advert | None:
    """The advert that the reader took apart; without identity where it names nobody."""
    build = PARTS.get(beacon.beaconType)
    return Advert() if build is None else build(beacon)


def _zebra_ibeacon(beacon: _ZebraBeacon) -> Advert | None:
    parts = beacon.iBeacon
    return (
        None
        if parts is None
        else ibeacon_advert(parts.uuid, parts.major, parts.minor, parts.txPower)
    )


def _zebra_altbeacon(beacon: _ZebraBeacon) -> Advert | None:
    parts = beacon.altBeacon
    if parts is None or not 0 <= parts.mfgId <= PORT_MAX:
        return None
    code = hexadecimal(parts.beaconId.replace("-", ""))
    if code is not None and len(code) == 16 and parts.major is not None and parts.minor is not None:  # noqa: PLR2004
        if not (0 <= parts.major <= PORT_MAX and 0 <= parts.minor <= PORT_MAX):
            return None
        code += parts.major.to_bytes(2, "big") + parts.minor.to_bytes(2, "big")
    if code is None or len(code) != ALTBEACON_ID_BYTES:
        return None
    return Advert(manufacturer=((parts.mfgId, b"\xbe\xac" + code + _power(parts.refRssi)),))


def _zebra_uid(beacon: _ZebraBeacon) -> Advert | None:
    parts = beacon.eddystone or _Eddystone()
    namespace, instance = hexadecimal(parts.namespace), hexadecimal(parts.instance)
    if namespace is None or instance is None:
        return None
    if (len(namespace), len(instance)) != (UID_NAMESPACE_BYTES, UID_INSTANCE_BYTES):
        return None
    return Advert(service_data=((EDDYSTONE, b"\x00\x00" + namespace + instance),))


def _zebra_tlm(beacon: _ZebraBeacon) -> Advert | None:
    parts = beacon.eddystone or _Eddystone()
    if not 0 <= parts.batteryVoltage <= PORT_MAX or not -128 <= parts.temperature < 128:  # noqa: PLR2004
        return None
    temperature = min(round(parts.temperature * 256), 0x7FFF)
    figures = parts.batteryVoltage.to_bytes(2, "big") + temperature.to_bytes(2, "big", signed=True)
    return Advert(service_data=((EDDYSTONE, b"\x20\x00" + figures + bytes(8)),))


PARTS: Mapping[str, Callable[[_ZebraBeacon], Advert | None]] = {
    "IBEACON": _zebra_ibeacon,
    "ALTBEACON": _zebra_altbeacon,
    "EDDYSTONE_UID": _zebra_uid,
    "EDDYSTONE_TLM": _zebra_tlm,
}
"""By the reader's word for the beacon's type; others name nobody."""
