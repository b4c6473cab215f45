"""What comes by a device on the bench."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.site import SiteFile, read_site
from firmware_sim.bench.kinds import Scene
from firmware_sim.bench.registry import KINDS, UnknownKindError, kind_named, usual_port
from firmware_sim.bench.scene import (
    PASSINGS_MAX,
    Traffic,
    UnknownIdentityError,
    scene_of,
    thing_of,
)
from firmware_sim.bench.site import SiteDevice, antennas_of, site_text

START_US = 1_772_438_400_000_000


def scene(seed: int = 1, device: str = "conveyor", **more: object) -> Scene:
    traffic = Traffic(seconds=10.0)._replace(**more)
    return scene_of(device, seed=seed, start_us=START_US, traffic=traffic)


def test_the_same_seed_gives_the_same_scene() -> None:
    assert scene() == scene()
    assert scene() != scene(seed=2)
    assert scene().passings != scene(device="other").passings


def test_passings_come_in_order_at_their_rate_from_the_beginning() -> None:
    found = scene(rate_per_s=25.0).passings
    assert len(found) == 250
    times = [passing.at_us for passing in found]
    assert times == sorted(times)
    assert times[0] >= START_US
    assert times[-1] < START_US + 10_000_000


def test_things_come_again_when_all_have_come() -> None:
    found = scene(things=20, rate_per_s=10.0).passings
    assert len({passing.identity for passing in found}) == 20
    assert [one.identity for one in found[:20]] == [one.identity for one in found[20:40]]


def test_antennas_and_labels_that_cannot_be_read_are_as_wanted() -> None:
    found = scene(antennas=(2, 4), no_read_share=0.5, rate_per_s=100.0).passings
    assert {passing.antenna for passing in found} == {2, 4}
    assert 400 < sum(not passing.code for passing in found) < 600
    assert all(passing.epc for passing in found)
    assert {passing.antenna for passing in scene().passings} == {0}


def test_beacons_carry_neither_tag_nor_label() -> None:
    found = scene(beacons=True).passings
    assert all(one.identity.startswith("ble:ibeacon:") for one in found)
    assert not any(one.epc or one.code for one in found)


def test_a_scene_without_end_has_an_end() -> None:
    assert len(scene(rate_per_s=1e9).passings) == PASSINGS_MAX


@pytest.mark.parametrize(
    ("identity", "header", "length", "code"),
    [
        (
            "https://id.gs1.org/01/09506000134352/21/6789",
            "30",
            12,
            "]d20109506000134352216789",
        ),
        ("https://id.gs1.org/00/306141411234567891", "31", 12, "]C100306141411234567891"),
        ("raw:e2801160600002054f2b9d1c", "e2", 12, ""),
        ("ble:ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:2", "", 0, ""),
        ("", "", 0, ""),
    ],
)
def test_an_identity_becomes_a_thing(identity: str, header: str, length: int, code: str) -> None:
    thing = thing_of(identity)
    assert (thing.identity, thing.code) == (identity, code)
    assert (thing.epc.hex()[:2], len(thing.epc)) == (header, length)


def test_a_serial_with_letters_needs_a_longer_tag() -> None:
    assert len(thing_of("https://id.gs1.org/01/09506000134352/21/LOT7-1").epc) == 26
    assert len(thing_of("https://id.gs1.org/01/09506000134352/21/007").epc) == 26


@pytest.mark.parametrize(
    ("identity", "told"),
    [
        ("https://id.gs1.org/01/09506000134353/21/1", "its check digit is 3, but must be 2"),
        ("https://id.gs1.org/00/306141411234567898", "its check digit is 8, but must be 1"),
        ("raw:e28", "must be https://id.gs1.org/01/GTIN/21/SERIAL"),
        ("a box", "must be https://id.gs1.org/01/GTIN/21/SERIAL"),
        ("https://id.gs1.org/01/09506000134352/21/箱", "letters of ASCII only"),
    ],
)
def test_a_wrong_identity_is_told(identity: str, told: str) -> None:
    with pytest.raises(UnknownIdentityError) as caught:
        thing_of(identity)
    assert told in str(caught.value)


@given(st.text() | st.from_regex(r"https://id\.gs1\.org/0[01]/\d{14,18}(/21/.{0,25})?"))
def test_any_text_is_a_thing_or_is_refused(text: str) -> None:
    with suppress(UnknownIdentityError):
        assert thing_of(text).identity == text


@pytest.mark.parametrize("name", list(KINDS))
def test_the_agent_understands_the_site_file_of_each_kind(name: str) -> None:
    kind = KINDS[name]
    text = site_text([SiteDevice(kind, "door-7", "10.0.0.7", 4711, "/dev/ttyUSB0")])
    site = read_site(text)
    assert isinstance(site, SiteFile), [mistake.text() for mistake in site]
    assert [(device.id, device.gateway) for device in site.devices] == [("door-7", "bench")]
    assert antennas_of(kind) == tuple(one.number for one in site.devices[0].antennas)


def test_a_site_file_has_all_devices_and_each_place_once() -> None:
    devices = [
        SiteDevice(kind, f"d{n}", "h", n + 1, f"p{n}") for n, kind in enumerate(KINDS.values())
    ]
    site = read_site(site_text(devices))
    assert isinstance(site, SiteFile), [mistake.text() for mistake in site]
    assert len(site.devices) == len(KINDS)


def test_kinds_that_listen_have_ports_of_their_own() -> None:
    ports = [port for kind in KINDS.values() if (port := usual_port(kind))]
    assert len(ports) == len(set(ports))
    assert usual_port(next(kind for kind in KINDS.values() if kind.link == "llrp")) == 5084


def test_a_kind_that_does_not_exist_is_told_with_those_that_do() -> None:
    with pytest.raises(UnknownKindError, match="'scaner' is no kind of device; did you mean"):
        kind_named("scaner")
    with pytest.raises(UnknownKindError, match="there are scanner, "):
        kind_named("toaster oven")


@pytest.mark.parametrize("name", list(KINDS))
def test_hyphens_and_underscores_are_alike(name: str) -> None:
    assert kind_named(name.replace("-", "_")) is kind_named(name.replace("_", "-"))
