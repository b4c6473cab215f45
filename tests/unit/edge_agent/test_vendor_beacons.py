"""Gateways of beacons: a beacon has one identity, whoever heard it and however it was told."""

from __future__ import annotations

import vendor_payloads as recorded

from contracts.site_ble import BleTable
from contracts.site_mqtt import MqttTable
from edge_agent.core.ble.identities import beacon_identity
from edge_agent.core.ble.telemetry import telemetry_of
from edge_agent.core.vendors.ble_gateways import BleGatewayDecoder
from edge_agent.core.vendors.events import (
    Alive,
    BeaconHeard,
    Event,
    HealthTold,
    StateTold,
    Unusable,
)

BEACON = "ble:ibeacon:e2c56db5-dffb-48d2-b060-d0f5a71096e0"
TOPIC = "ruuvi/C8:25:2D:8E:9C:2C/AC:23:3F:26:4E:5B"


def decode(payload: bytes, topic: str = TOPIC, **table: object) -> list[Event]:
    return BleGatewayDecoder(MqttTable.model_validate(table)).decode(topic, payload, 0)


def identities(events: list[Event], table: BleTable | None = None) -> list[str | None]:
    heard = [one for one in events if isinstance(one, BeaconHeard)]
    return [beacon_identity(one.advert, one.address, table or BleTable()) for one in heard]


def test_minews_adverts_raw_and_taken_apart_have_one_kind_of_identity() -> None:
    events = decode(recorded.MINEW, "minew/g1")
    assert identities(events) == [f"{BEACON}:0:7", f"{BEACON}:0:8"]
    assert events[0] == HealthTold("load 0.03, memory free 89 %", at_us=1_770_596_033_668_000)
    heard = events[1]
    assert isinstance(heard, BeaconHeard)
    assert (heard.address, heard.rssi_dbm) == ("c3:00:00:25:ef:6a", -65)
    assert heard.at_us == 1_770_596_033_667_000


def test_minews_raw_format_knows_beacons_by_listed_addresses() -> None:
    listed = BleTable.model_validate({"addresses": ["AC:23:3F:*"]})
    assert identities(decode(recorded.MINEW_RAW, "m"), listed) == ["ble:address:ac:23:3f:26:4e:5b"]


def test_ruuvis_adverts_and_state() -> None:
    events = decode(recorded.RUUVI)
    assert identities(events) == [f"{BEACON}:0:9"]
    heard = events[0]
    assert isinstance(heard, BeaconHeard)
    assert (heard.address, heard.rssi_dbm) == ("ac:23:3f:26:4e:5b", -61)
    assert heard.at_us == 1_667_480_128_000_000
    assert [type(one) for one in decode(recorded.RUUVI_HTTP, "x")] == [BeaconHeard]
    status = "ruuvi/C8:25:2D:8E:9C:2C/gw_status"
    assert decode(b'{"state":"online"}', status) == [
        StateTold("reading", "the gateway is connected")
    ]
    assert decode(b'{"state":"offline"}', status)[0] == StateTold(
        "silent", "the gateway is offline"
    )


def test_zebras_ble_events_beside_its_tags() -> None:
    assert identities(decode(recorded.ZEBRA_IBEACON, "z")) == [f"{BEACON}:1:2"]
    heard = decode(recorded.ZEBRA_BLE, "z")[0]
    assert isinstance(heard, BeaconHeard)
    told = telemetry_of(heard.advert)
    assert told is not None
    assert (told.battery_mv, told.temperature_c) == (3_300, -5.0)
    assert decode(recorded.ZEBRA_INVENTORY, "z", format="zebra") == [Alive()]


def test_a_zebra_reader_is_known_without_its_format_by_what_it_sends_beside_beacons() -> None:
    tag, beacon = recorded.ZEBRA_INVENTORY, recorded.ZEBRA_IBEACON
    assert decode(tag, "zebra/door-2/data") == [Alive()]
    assert decode(recorded.ZEBRA_HEARTBEAT, "zebra/door-2/data") == [Alive()]
    for batch in ((tag, beacon), (beacon, tag)):
        events = decode(b"[" + b",".join(batch) + b"]", "zebra/door-2/data")
        assert identities(events) == [f"{BEACON}:1:2"]
        assert not any(isinstance(one, Unusable) for one in events)


def test_only_the_named_gateway_counts() -> None:
    for payload, own in ((recorded.MINEW, "AC233FC03641"), (recorded.RUUVI, "c8:25:2d:8e:9c:2c")):
        assert identities(decode(payload, sender=own))
        assert not identities(decode(payload, sender="AC:23:3F:00:00:01"))


def test_what_does_not_hold_together_is_refused_alone() -> None:
    wrong = recorded.MINEW.replace(b'"ibeaconMajor":0', b'"ibeaconMajor":70000')
    events = decode(wrong, "m")
    assert [type(one) for one in events] == [HealthTold, Unusable, BeaconHeard]
    assert [type(one) for one in decode(recorded.MINEW.replace(b"0201061A", b"zz"), "m")] == [
        HealthTold,
        BeaconHeard,
        Unusable,
    ]
    assert isinstance(decode(b'{"type":5}', "z", format="zebra")[0], Alive | Unusable)
    assert isinstance(decode(recorded.RUUVI.replace(b'"0201', b'"0x'))[0], Unusable)
