"""The bench's beacons: their formats, the radio's events, the D-Bus between, and the kind `ble`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.site import SiteFile, read_site
from firmware_sim.bench.ble_kinds import BURST, KINDS, BeaconAdverts, RadioSource, beacon_of
from firmware_sim.bench.kinds import Passing, Scene
from firmware_sim.core import ble, dbus_wire
from firmware_sim.core.ble_rooms import ROOMS, Air, walk

START = 1_772_416_800_000_000
SECOND = 1_000_000
UUID = "fda50693-a4e2-4fb1-afcf-c6eb07647825"


def scene(*identities: str, seed: int = 3) -> Scene:
    return Scene(
        device="radio",
        seed=seed,
        start_us=START,
        passings=tuple(
            Passing(START + number * SECOND, identity, b"", "", 0, -6_000)
            for number, identity in enumerate(identities)
        ),
    )


def test_formats_are_as_their_makers_write_them() -> None:
    """Literal bytes from the formats' own documents."""
    assert ble.ibeacon("f7826da6-4fa2-4e98-8024-bc5b71e0893e", 1, 2, -59).hex() == (
        "0201061aff4c000215f7826da64fa24e988024bc5b71e0893e00010002c5"
    )
    assert ble.eddystone_uid(bytes(range(10)), bytes(range(6)), -25).hex() == (
        "0201060303aafe1716aafe00e7000102030405060708090001020304050000"
    )
    assert ble.eddystone_url("https://goo.gl/x", -21).hex() == (
        "0201060303aafe0e16aafe10eb03676f6f2e676c2f78"
    )
    assert ble.eddystone_tlm(3_000, 21.5, adverts=256, uptime_s=0.2).hex() == (
        "0201060303aafe1116aafe20000bb815800000010000000002"
    )
    for advert in (
        ble.altbeacon(0x118, bytes(20)),
        ble.eddystone_url("http://www.gs1.org/12345678"),
    ):
        assert len(advert) <= ble.LEGACY_BYTES_MAX
    with pytest.raises(ValueError, match="no such scheme"):
        ble.eddystone_url("ftp://x")


@given(
    st.binary(min_size=6, max_size=6), st.booleans(), st.binary(max_size=31), st.integers(-127, 20)
)
def test_an_event_comes_back_as_it_was(
    address: bytes, is_random: bool, data: bytes, dbm: int
) -> None:
    text = ":".join(f"{octet:02X}" for octet in address)
    report = ble.Report(text, is_random=is_random, data=data, rssi_dbm=dbm)
    event = report.encode()
    assert ble.report_of(event) == report
    assert all(ble.report_of(event[:length]) is None for length in range(len(event)))


@given(st.binary(max_size=60))
def test_any_bytes_are_an_event_or_none(raw: bytes) -> None:
    report = ble.report_of(raw)
    assert report is None or report.encode()[7:] == raw[7:]
    ble.structures(raw)


@given(st.binary(max_size=120))
def test_any_bytes_are_a_message_of_the_bus_or_refused(raw: bytes) -> None:
    try:
        if len(raw) >= dbus_wire.FIXED_BYTES:
            dbus_wire.length_of(raw)
        dbus_wire.message_of(raw)
    except dbus_wire.WireError:
        return


FIELDS: st.SearchStrategy[dict[int, str | int]] = st.fixed_dictionaries(
    {},
    optional={
        dbus_wire.PATH: st.just("/org/bluez/hci0"),
        dbus_wire.INTERFACE: st.text("abc.", min_size=1, max_size=9),
        dbus_wire.MEMBER: st.text("abc", min_size=1, max_size=9),
        dbus_wire.REPLY_SERIAL: st.integers(1, 2**32 - 1),
        dbus_wire.DESTINATION: st.text("abc.", min_size=1, max_size=9),
        dbus_wire.SIGNATURE: st.sampled_from(["s", "a{sv}", "oa{sa{sv}}"]),
    },
)


@given(st.integers(1, 4), st.integers(1, 2**32 - 1), FIELDS, st.binary(max_size=40))
def test_a_message_of_the_bus_comes_back_as_it_was(
    kind: int, serial: int, fields: dict[int, str | int], body: bytes
) -> None:
    message = dbus_wire.Message(kind, serial, fields, body)
    raw = message.encode()
    assert dbus_wire.length_of(raw) == len(raw)
    assert dbus_wire.message_of(raw) == message


@pytest.mark.parametrize(
    ("identity", "data"),
    [
        (f"ble:ibeacon:{UUID}:1:7", ble.ibeacon(UUID, 1, 7)),
        ("ble:bench:0102030a", ble.flags() + ble.manufacturer(0xFFFF, bytes.fromhex("0b0102030a"))),
        ("ble:eddystone-url:https://a.info", ble.eddystone_url("https://a.info")),
        (f"ble:altbeacon:{bytes(20).hex()}", ble.altbeacon(0xFFFF, bytes(20))),
    ],
)
def test_a_beacon_says_the_identity_that_it_has(identity: str, data: bytes) -> None:
    assert beacon_of(identity).data == data


def test_a_thing_that_no_beacon_can_name_still_has_one_of_its_own() -> None:
    first, second = beacon_of("https://id.gs1.org/01/09506000134352/21/1"), beacon_of("raw:00")
    assert first != second
    assert first == beacon_of("https://id.gs1.org/01/09506000134352/21/1")
    assert int(first.address[:2], 16) >> 6 == 3, "a random address that stays as it is"
    assert beacon_of("ble:address:ac:23:3f:01:02:03").address == "AC:23:3F:01:02:03"


def test_a_passing_is_a_burst_and_the_same_seed_gives_the_same_air() -> None:
    heard = [
        BeaconAdverts(scene(f"ble:ibeacon:{UUID}:1:7")).adverts(START + 5 * SECOND)
        for _ in range(2)
    ]
    assert heard[0] == heard[1]
    ours = [one for one in heard[0] if one.report.data == ble.ibeacon(UUID, 1, 7)]
    assert [one.at_us - START for one in ours] == [0, 200_000, 400_000]
    assert len(heard[0]) - len(ours) == 6, "a phone a second"


def test_the_air_does_not_depend_on_how_it_is_asked() -> None:
    names = [f"ble:eddystone:{bytes(10).hex()}:{number:012x}" for number in range(20)]
    whole = BeaconAdverts(scene(*names)).adverts(START + 30 * SECOND)
    source = BeaconAdverts(scene(*names))
    parts = [one for step in range(1, 301) for one in source.adverts(START + step * SECOND // 10)]
    assert parts == whole
    telemetry = [one for one in whole if b"\xaa\xfe\x20\x00" in one.report.data]
    assert len(telemetry) == 2


def test_a_lost_antenna_hears_nothing_until_it_is_back() -> None:
    source = RadioSource(scene(*[f"ble:ibeacon:{UUID}:1:{number}" for number in range(6)]))
    assert not source.fault("clock_offset_s", 5.0)
    assert len(source.frames(START + 2 * SECOND - 1)) == 2 * BURST + 2
    assert source.fault("antenna_lost", 1)
    assert source.frames(START + 4 * SECOND - 1) == []
    assert source.fault("antenna_back", 1)
    assert len(source.frames(START + 6 * SECOND - 1)) == 2 * BURST + 2


def test_the_kind_s_site_file_is_right() -> None:
    (kind,) = KINDS
    tables = kind.site.format(device="radio", host="", port=0, serial="")
    places = '[[zones]]\nid = "stage"\n[[gateways]]\nid = "bench"\n'
    site_file = read_site(f'site = "demo"\n{places}{tables}')
    assert isinstance(site_file, SiteFile), site_file
    assert site_file.devices[0].ble.patterns[0].prefix == b"\x0b"


def test_a_walk_through_rooms_is_the_same_for_a_seed() -> None:
    ways = [walk(4, start_us=START, stays=4, stay_s=(20, 30), air=Air()) for _ in range(2)]
    assert ways[0] == ways[1]
    assert ways[0] != walk(5, start_us=START, stays=4, stay_s=(20, 30), air=Air())
    for before, leg in zip(ways[0].legs, ways[0].legs[1:], strict=False):
        assert abs(ROOMS.index(before.room) - ROOMS.index(leg.room)) == 1
    middle = ways[0].legs[1].since_us + 10 * SECOND
    assert ways[0].room_at(middle) == ways[0].legs[1].room
