"""Adverts: AD structures, who a beacon is, its telemetry, and what a passive scan asks for."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.site_ble import BleTable
from edge_agent.core.ble.adverts import Advert, advert_of, advert_of_parts
from edge_agent.core.ble.identities import beacon_identity, identified
from edge_agent.core.ble.monitor import Wanted, wanted
from edge_agent.core.ble.telemetry import Telemetry, telemetry_of
from firmware_sim.core import ble

# As captured: an iBeacon, Eddystone's UID, URL (example.com) and TLM, an AltBeacon, a phone, and
# the service data of a Minew sensor.
IBEACON = bytes.fromhex("0201061aff4c000215fda50693a4e24fb1afcfc6eb0764782527114cb9c5")
UID = bytes.fromhex("0201060303aafe1516aafe00e700112233445566778899aabbccddeeff")
URL = bytes.fromhex("0201060303aafe0e16aafe10eb026578616d706c6507")
TLM = bytes.fromhex("0201060303aafe1116aafe20000bb8158000000100000020d0")
ALTBEACON = bytes.fromhex("1bff1801beac000102030405060708090a0b0c0d0e0f0001000200c500")
PHONE = bytes.fromhex("02011a020a0c0aff4c00100503191ec86a")
MINEW = bytes.fromhex("0201060303e1ff1016e1ffa10164191a2b3cac233f010203")

UUID = "fda50693-a4e2-4fb1-afcf-c6eb07647825"
IBEACON_IDENTITY = f"ble:ibeacon:{UUID}:10001:19641"
UID_IDENTITY = "ble:eddystone:00112233445566778899:aabbccddeeff"
ADDRESS = "AC:23:3F:01:02:03"
MINEW_PATTERN = {"name": "minew", "service": "ffe1", "prefix": "a1", "id_at": 7, "id_bytes": 6}
ALL_FORMATS = ["ibeacon", "eddystone_uid", "eddystone_url", "altbeacon"]


def table(**fields: object) -> BleTable:
    return BleTable.model_validate(fields)


WIDE = table(
    formats=ALL_FORMATS,
    patterns=[
        MINEW_PATTERN,
        {"name": "any", "company": 0x4C, "id_at": 0, "id_bytes": 1},
        {
            "name": "deep",
            "company": 0xFFFF,
            "prefix": "0b",
            "prefix_at": 3,
            "id_at": 4,
            "id_bytes": 2,
        },
    ],
    addresses=["00:11:22:*"],
)


def test_structures_are_taken_apart() -> None:
    assert advert_of(UID) == Advert(
        service_data=(("0000feaa-0000-1000-8000-00805f9b34fb", UID[11:]),),
        services=("0000feaa-0000-1000-8000-00805f9b34fb",),
        flags=6,
    )
    phone = advert_of(PHONE)
    assert phone.tx_power_dbm == 12
    assert phone.manufacturer == ((0x4C, bytes.fromhex("100503191ec86a")),)
    named = advert_of(ble.name("cart 7") + ble.structure(0x08, b"ca"))
    assert named.name == "cart 7"
    long = advert_of(ble.service_data_128("f7826da6-4fa2-4e98-8024-bc5b71e0893e", b"\x01"))
    assert long.service_data == (("f7826da6-4fa2-4e98-8024-bc5b71e0893e", b"\x01"),)


def test_what_is_not_understood_is_kept() -> None:
    advert = advert_of(bytes.fromhex("02ff01" + "03990102" + "0516aa" + "fe"))
    assert advert.other == ((0xFF, b"\x01"), (0x99, b"\x01\x02"))
    assert advert.rest == bytes.fromhex("0516aafe")
    assert advert_of(b"\x02\x01\x06\x00\x00\x00").rest == b"", "padding is nothing"
    assert advert_of(b"\x02\x01\x06\x00\x01").rest == b"\x00\x01"


@pytest.mark.parametrize(
    ("payload", "identity"),
    [
        (IBEACON, IBEACON_IDENTITY),
        (UID, UID_IDENTITY),
        (URL, "ble:eddystone-url:http://example.com"),
        (ALTBEACON, "ble:altbeacon:000102030405060708090a0b0c0d0e0f00010002"),
        (MINEW, "ble:minew:ac233f010203"),
        (TLM, None),
        (PHONE, "ble:any:10"),
    ],
)
def test_a_beacon_is_known_by_what_it_says(payload: bytes, identity: str | None) -> None:
    assert beacon_identity(advert_of(payload), ADDRESS, WIDE) == identity


def test_an_address_names_a_beacon_only_where_it_is_listed() -> None:
    advert = advert_of(PHONE)
    assert beacon_identity(advert, ADDRESS, table()) is None
    assert beacon_identity(advert, ADDRESS, table(addresses=["AC:23:3F:*"])) == (
        "ble:address:ac:23:3f:01:02:03"
    )
    listed = table(addresses=[ADDRESS])
    assert beacon_identity(advert_of(IBEACON), ADDRESS, listed) == "ble:address:ac:23:3f:01:02:03"
    assert beacon_identity(advert_of(IBEACON), "AC:23:3F:01:02:04", listed) == IBEACON_IDENTITY


def test_only_allowed_identities_count() -> None:
    allowed = table(allow=[f"ble:ibeacon:{UUID}:10001:*"])
    assert beacon_identity(advert_of(IBEACON), ADDRESS, allowed) == IBEACON_IDENTITY
    assert beacon_identity(advert_of(ble.ibeacon(UUID, 2, 1)), ADDRESS, allowed) is None
    assert beacon_identity(advert_of(UID), ADDRESS, allowed) is None
    assert (
        beacon_identity(advert_of(IBEACON), ADDRESS, table(allow=[IBEACON_IDENTITY[:-1]])) is None
    )


def test_formats_come_in_the_order_of_the_site_file() -> None:
    both = advert_of(IBEACON + UID)
    assert beacon_identity(both, ADDRESS, table()) == IBEACON_IDENTITY
    other = table(formats=["eddystone_uid", "ibeacon"])
    assert beacon_identity(both, ADDRESS, other) == UID_IDENTITY
    found = identified(both, ADDRESS, other)
    assert found is not None
    assert found.evidence == UID[9:]


def test_what_a_system_has_taken_apart_is_the_same_beacon() -> None:
    raw = advert_of(IBEACON)
    parts = advert_of_parts(manufacturer=dict(raw.manufacturer), service_data={})
    assert identified(parts, ADDRESS, WIDE) == identified(raw, ADDRESS, WIDE)
    raw = advert_of(UID)
    upper = {uuid.upper(): data for uuid, data in raw.service_data}
    parts = advert_of_parts(manufacturer={}, service_data=upper)
    assert identified(parts, ADDRESS, WIDE) == identified(raw, ADDRESS, WIDE)


@pytest.mark.parametrize(
    "address", ["https://www.gs1.org/", "http://www.a.com/b", "https://x.info", "http://10.0.0.1/7"]
)
def test_a_url_comes_back_as_it_was_shortened(address: str) -> None:
    advert = advert_of(ble.eddystone_url(address))
    assert beacon_identity(advert, ADDRESS, WIDE) == f"ble:eddystone-url:{address}"


def test_telemetry_is_battery_and_temperature() -> None:
    assert telemetry_of(advert_of(TLM)) == Telemetry(battery_mv=3000, temperature_c=21.5)
    assert telemetry_of(advert_of(ble.eddystone_tlm(2_750, -10.25))) == Telemetry(2750, -10.25)
    unknown = bytes.fromhex("1116aafe200000008000000000010000000a")
    assert telemetry_of(advert_of(unknown)) == Telemetry(None, None)
    assert telemetry_of(advert_of(UID)) is None


def test_a_passive_scan_asks_for_what_the_site_file_wants() -> None:
    assert wanted(table(battery_low_mv=0)) == (
        Wanted(0, 0xFF, bytes.fromhex("4c000215")),
        Wanted(2, 0xFF, bytes.fromhex("beac")),
        Wanted(0, 0x16, bytes.fromhex("aafe")),
    )
    assert wanted(table(formats=["ibeacon"]))[1] == Wanted(0, 0x16, bytes.fromhex("aafe2000"))
    assert wanted(table(formats=[])) == ()
    assert wanted(table(formats=[], patterns=[MINEW_PATTERN])) == (
        Wanted(0, 0x16, bytes.fromhex("e1ffa1")),
    )
    assert Wanted(0, 0xFF, b"\xff\xff") in wanted(WIDE), "a prefix further behind is not asked for"
    long = {
        "name": "l",
        "service": "f7826da6-4fa2-4e98-8024-bc5b71e0893e",
        "id_at": 0,
        "id_bytes": 1,
    }
    (asked,) = wanted(table(formats=[], patterns=[long]))
    assert asked == Wanted(0, 0x21, bytes.fromhex("f7826da64fa24e988024bc5b71e0893e")[::-1])
    middle = {"name": "m", "service": "12345678", "id_at": 0, "id_bytes": 1}
    (asked,) = wanted(table(formats=[], patterns=[middle]))
    assert asked == Wanted(0, 0x20, bytes.fromhex("78563412"))


@pytest.mark.parametrize("payload", [IBEACON, UID, URL, TLM, ALTBEACON, MINEW])
def test_what_is_heard_was_asked_for(payload: bytes) -> None:
    structures = ble.structures(payload)
    assert any(
        kind == one.kind and data[one.at : one.at + len(one.content)] == one.content
        for one in wanted(WIDE)
        for kind, data in structures
    )


@pytest.mark.parametrize("payload", [IBEACON, UID, URL, TLM, ALTBEACON, PHONE, MINEW])
def test_an_advert_cut_anywhere_names_its_beacon_or_nobody(payload: bytes) -> None:
    whole = beacon_identity(advert_of(payload), ADDRESS, table(formats=ALL_FORMATS))
    for length in range(len(payload)):
        advert = advert_of(payload[:length])
        assert beacon_identity(advert, ADDRESS, table(formats=ALL_FORMATS)) in {whole, None}
        telemetry_of(advert)


def check(payload: bytes) -> None:
    advert = advert_of(payload)
    kept = sum(len(data) + 2 for _, data in advert.other) + len(advert.rest)
    assert kept <= len(payload)
    found = identified(advert, ADDRESS, WIDE)
    assert found is None or (found.identity.startswith("ble:") and found.identity.isascii())
    assert found is None or len(found.identity) < 200
    telemetry_of(advert)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_give_an_advert(payload: bytes) -> None:
    check(payload)
    for length in range(len(payload)):
        advert_of(payload[:length])


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([IBEACON, UID, URL, TLM, ALTBEACON, MINEW]),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 255)), max_size=4),
)
def test_a_spoilt_advert_is_harmless(payload: bytes, spoilt: list[tuple[int, int]]) -> None:
    mutated = bytearray(payload)
    for at, value in spoilt:
        mutated[at % len(mutated)] = value
    check(bytes(mutated))


@given(st.permutations([IBEACON[3:], UID[7:], ble.flags(), ble.name("x")]), st.data())
def test_the_order_of_structures_does_not_matter(parts: list[bytes], data: st.DataObject) -> None:
    twice = data.draw(st.sampled_from(parts))
    assert beacon_identity(advert_of(b"".join(parts) + twice), ADDRESS, WIDE) == IBEACON_IDENTITY


def test_a_huge_payload_is_bounded() -> None:
    dice = random.Random(4)
    payload = b"".join(ble.structure(0x99, dice.randbytes(20)) for _ in range(10_000))
    advert = advert_of(payload)
    assert len(advert.other) < 100
    assert len(advert.rest) > 200_000
