"""Adverts to reads: what is pooled, smoothed, bounded and told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.reads import Read
from contracts.site_ble import BleTable
from edge_agent.core.ble import pool as pool_module
from edge_agent.core.ble.adverts import Advert, advert_of
from edge_agent.core.ble.pool import KNOWN_US, BeaconPool, Heard
from firmware_sim.core import ble

SECOND = 1_000_000
START = 1_772_416_800_000_000
UUID = "fda50693-a4e2-4fb1-afcf-c6eb07647825"
BADGE = f"ble:ibeacon:{UUID}:1:7"
CART = "ble:eddystone:00112233445566778899:aabbccddeeff"
IBEACON = advert_of(ble.ibeacon(UUID, 1, 7))
UID = advert_of(ble.eddystone_uid(bytes.fromhex(CART[14:34]), bytes.fromhex(CART[35:])))
PHONE = advert_of(ble.flags(0x1A) + ble.manufacturer(ble.APPLE, b"\x10\x05\x01"))
ONE = "c0:00:00:00:00:01"
OTHER = "c0:00:00:00:00:02"


def at(seconds: float) -> int:
    return START + round(seconds * SECOND)


def heard(
    seconds: float, rssi_dbm: int | None = -60, advert: Advert = IBEACON, address: str = ONE
) -> Heard:
    return Heard(advert, address, rssi_dbm, at(seconds))


def pool(**fields: object) -> BeaconPool:
    return BeaconPool("radio", BleTable.model_validate(fields))


def taken(adverts: Sequence[Heard], **fields: object) -> BeaconPool:
    found = pool(**fields)
    for one in adverts:
        found.take(one)
    return found


def counts(reads: Sequence[Read]) -> Counter[str]:
    found: Counter[str] = Counter()
    for read in reads:
        found[read.identity] += read.count
    return found


def test_a_beacon_s_adverts_are_one_read_a_second() -> None:
    radio = taken([heard(0.0, -60), heard(0.3, -90), heard(0.7, -64), heard(0.9, -62)])
    assert radio.due(at(0.99)) == ()
    (read,) = radio.due(at(1.0))
    assert read == Read(
        identity=BADGE,
        device="radio",
        antenna=0,
        first_us=at(0.0),
        last_us=at(0.9),
        received_us=at(1.0),
        count=4,
        rssi_cdbm=-6100,
        evidence=ble.ibeacon(UUID, 1, 7)[5:],
    )
    assert radio.due(at(5.0)) == ()


@pytest.mark.parametrize(
    ("signal", "offset_db", "expected"),
    [
        ("upper", 0.0, -6100),
        ("mean", 0.0, -6900),
        ("strongest", 0.0, -6000),
        ("strongest", -3.5, -6350),
    ],
)
def test_a_read_s_signal_is_as_the_site_file_wants_it(
    signal: str, offset_db: float, expected: int
) -> None:
    adverts = [heard(0.1 * turn, dbm) for turn, dbm in enumerate((-60, -90, -64, -62))]
    radio = taken(adverts, signal=signal, signal_offset_db=offset_db)
    assert [read.rssi_cdbm for read in radio.all(at(1))] == [expected]


def test_a_signal_that_is_not_known_is_none() -> None:
    adverts = [heard(0.0, None), heard(0.1, 127), heard(0.2, -127)]
    (read,) = taken(adverts).all(at(1))
    assert (read.count, read.rssi_cdbm) == (3, None)
    (read,) = taken([*adverts, heard(0.3, -70)]).all(at(1))
    assert (read.count, read.rssi_cdbm) == (4, -7000)


def test_two_beacons_with_one_identity_are_two_reads_of_it() -> None:
    radio = taken([heard(0.0), heard(0.1, address=OTHER), heard(0.2)])
    assert sorted(read.count for read in radio.all(at(1))) == [1, 2]


def test_phones_are_counted_and_not_told() -> None:
    radio = taken([heard(0.1 * turn, advert=PHONE, address=OTHER) for turn in range(7)])
    assert radio.all(at(1)) == ()
    assert radio.summary(at(1)) == "hears 0 beacons; 7 adverts of others"


def test_a_beacon_that_sends_several_formats_has_its_best_identity() -> None:
    radio = taken([heard(0.0, advert=UID), heard(0.1), heard(0.2, advert=UID)])
    assert counts(radio.all(at(1))) == {BADGE: 3}
    radio.take(heard(1.5, advert=UID))
    assert counts(radio.all(at(2))) == {BADGE: 1}
    radio.take(heard(1.5 + KNOWN_US / SECOND + 1, advert=UID))
    assert counts(radio.all(at(9_999))) == {CART: 1}, "an address is not remembered for ever"


def test_a_low_battery_is_said_once_and_again_when_it_is_lower() -> None:
    radio = taken([heard(0.0, advert=UID)])
    for turn, battery_mv in enumerate((3_000, 2_190, 2_190, 2_150, 2_080, 2_900, 2_190)):
        advert = advert_of(ble.eddystone_tlm(battery_mv, 21.5))
        radio.take(heard(0.1 * turn, advert=advert))
    said = radio.complaints()
    assert [words.partition("low: ")[2] for words in said] == [
        "2.19 V at 21.5 degrees Celsius",
        "2.08 V at 21.5 degrees Celsius",
        "2.19 V at 21.5 degrees Celsius",
    ]
    assert all(CART in words for words in said)
    assert radio.complaints() == []
    quiet = taken([heard(0.0, advert=UID)], battery_low_mv=0)
    quiet.take(heard(0.1, advert=advert_of(ble.eddystone_tlm(1, 0))))
    assert quiet.complaints() == []


def test_a_stranger_s_telemetry_is_nobody_s() -> None:
    radio = taken([heard(0.0, advert=advert_of(ble.eddystone_tlm(1_000, 0)), address=OTHER)])
    assert radio.complaints() == []
    assert radio.others == 1


def test_kinds_of_tag_are_shown() -> None:
    tags = [
        {"match": f"ble:ibeacon:{UUID}:1:*", "kind": "badge"},
        {"match": CART, "kind": "asset"},
        {"match": "ble:*", "kind": "logistic_unit"},
    ]
    third = advert_of(ble.ibeacon(UUID, 2, 1))
    adverts = [
        heard(0.0),
        heard(0.0, advert=UID, address=OTHER),
        heard(0.0, advert=third, address="c0:00:00:00:00:03"),
    ]
    radio = taken(adverts, tags=tags)
    assert radio.summary(at(1)) == "hears 3 beacons (1 asset, 1 badge, 1 logistic unit)"
    assert radio.summary(at(100)) == "hears 0 beacons"


def test_a_clock_that_was_set_back_keeps_nothing() -> None:
    radio = taken([heard(1_000.0)])
    assert counts(radio.due(at(10.0))) == {BADGE: 1}


def test_a_crowd_is_bounded_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "BEACONS_MAX", 10)
    monkeypatch.setattr(pool_module, "KNOWN_MAX", 20)
    radio = taken([heard(0.0, address=f"c0:00:00:00:01:{turn:02x}") for turn in range(50)])
    assert len(radio._known) == 20
    assert radio.crowded == 40
    assert len(radio.all(at(1))) == 10
    assert "40 adverts not counted: more than 10 beacons" in radio.summary(at(1))


ADVERTS = st.lists(
    st.builds(
        heard,
        st.floats(0, 0.9),
        st.sampled_from([-95, -70, -60, -59, None]),
        st.sampled_from([IBEACON, PHONE]),
        st.sampled_from([ONE, OTHER]),
    ),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(ADVERTS, st.data())
def test_the_order_of_adverts_does_not_matter(adverts: list[Heard], data: st.DataObject) -> None:
    """Once a radio knows its beacons: a phone's frame from an unknown address is nobody's."""
    known = [heard(0.0), heard(0.0, address=OTHER)]
    first = taken([*known, *adverts]).all(at(1))
    again = taken([*known, *data.draw(st.permutations(adverts))]).all(at(1))
    assert sorted(map(repr, first)) == sorted(map(repr, again))
    assert counts(first).total() == len(adverts) + 2


@settings(max_examples=100, deadline=None)
@given(ADVERTS)
def test_adverts_that_come_twice_count_twice_and_change_no_signal(adverts: list[Heard]) -> None:
    named = [one for one in adverts if one.advert is IBEACON]
    once, twice = taken(named).all(at(1)), taken(named + named).all(at(1))
    assert [2 * read.count for read in once] == [read.count for read in twice]
    for signal in ("mean", "strongest"):
        levels = [
            [read.rssi_cdbm for read in taken(some, signal=signal).all(at(1))]
            for some in (named, named + named)
        ]
        assert levels[0] == levels[1]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=31), st.integers(-200, 200)), max_size=30))
def test_any_adverts_are_read_or_counted(adverts: list[tuple[bytes, int]]) -> None:
    radio = pool(patterns=[{"name": "x", "company": 0, "id_at": 0, "id_bytes": 1}])
    reads: list[Read] = []
    for turn, (payload, rssi_dbm) in enumerate(adverts):
        radio.take(heard(turn * 0.4, rssi_dbm, advert_of(payload), f"{turn % 3}"))
        reads += radio.due(at(turn * 0.4))
    reads += radio.all(at(100))
    assert counts(reads).total() + radio.others == len(adverts)
    assert all(read.first_us <= read.last_us <= read.received_us for read in reads)
