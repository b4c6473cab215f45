"""Devices on the bench that publish by themselves: what they say, and what goes wrong in them."""

from __future__ import annotations

import json

import pytest

from firmware_sim.bench.kinds import Frame, Passing, Publisher, Scene, Source, Subscriber
from firmware_sim.bench.mqtt_kinds import KINDS
from firmware_sim.bench.scene import thing_of

SECOND = 1_000_000
START_US = 1_795_514_400 * SECOND
UNIT = thing_of("https://id.gs1.org/01/09506000134352/21/4711")
BEACON = "ble:ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:7:11"
BY_NAME = {kind.name: kind for kind in KINDS}


def source(name: str, *, passings: int = 20) -> Source:
    """A device with a thing that comes by ten times a second at antenna 2."""
    identity = BEACON if name.startswith("ble") else UNIT.identity
    told = tuple(
        Passing(START_US + place * SECOND // 10, identity, UNIT.epc, UNIT.code, 2, -5_800)
        for place in range(passings)
    )
    make = BY_NAME[name].source
    assert make is not None
    return make(Scene("d", 1, START_US, told))


def texts(frames: list[Frame], words: str) -> list[str]:
    return [frame.payload.decode() for frame in frames if words in frame.topic]


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_the_same_scene_gives_the_same_messages_in_order_of_time(name: str) -> None:
    frames = source(name).frames(START_US + 10 * SECOND)
    assert frames == source(name).frames(START_US + 10 * SECOND)
    times = [frame.at_us for frame in frames]
    assert times == sorted(times)
    steps = source(name)
    at_once = [steps.frames(START_US + part * SECOND // 4) for part in range(1, 41)]
    if name != "ble_gateway_ruuvi":  # Its messages carry when they are sent.
        assert [frame.payload for part in at_once for frame in part] == [
            frame.payload for frame in frames
        ]


@pytest.mark.parametrize("name", sorted(set(BY_NAME) - {"sparkplug"}))
def test_a_wrong_clock_shows_in_the_messages(name: str) -> None:
    device = source(name)
    assert device.fault("clock_offset_s", 86_400.0)
    said = b"".join(frame.payload for frame in device.frames(START_US + 3 * SECOND))
    if name == "ble_gateway_ruuvi":
        assert f'"ts":"{START_US // SECOND + 86_400}"'.encode() in said
    else:
        assert b"2026-11-25T10:00:0" in said
    assert not device.fault("teleport", 1.0)


def test_an_impinj_tells_of_its_antenna_and_hears_nothing_by_it() -> None:
    device = source("impinj")
    assert len(device.frames(START_US + SECOND // 2)) == 7
    assert device.fault("antenna_lost", 2)
    later = texts(device.frames(START_US + SECOND), "events")
    assert [json.loads(one)["eventType"] for one in later] == ["antennaDisconnected"]
    assert device.fault("antenna_back", 2)
    later = texts(device.frames(START_US + 2 * SECOND), "events")
    assert json.loads(later[0])["eventType"] == "antennaConnected"
    assert len(later) > 5


def test_a_zebra_sends_batches_in_all_forms_and_heartbeats() -> None:
    frames = source("zebra").frames(START_US + 5 * SECOND)
    fronts = {text[0] + ("}{" if "}{" in text else "") for text in texts(frames, "data")}
    assert {"[", "{}{"} <= fronts
    beats = texts(frames, "events")
    assert json.loads(beats[0])["data"]["radio_control"]["antennas"]["8"] == "disconnected"


def test_a_handhelds_messages_stay_small() -> None:
    frames = source("zebra_handheld", passings=400).frames(START_US + 60 * SECOND)
    assert max(len(frame.payload) for frame in frames) <= 6_144
    codes = [one for one in texts(frames, "data1event") if "barcodeData" in one]
    assert "0109506000134352214711" in codes[0]


def test_a_sparkplug_node_is_born_with_each_connection_and_when_asked() -> None:
    node = source("sparkplug")
    assert isinstance(node, Subscriber)
    first, second = node.will(), node.will()
    assert first is not None
    assert second is not None
    assert first.payload != second.payload
    born = node.connected(START_US)
    assert [frame.topic.split("/")[2] for frame in born] == ["NBIRTH", "DBIRTH"]
    data = node.frames(START_US + 4 * SECOND)
    assert [frame.topic.split("/")[2] for frame in data] == ["NDATA", "DDATA"] * 2
    node.told(node.topics()[0], b"...Node Control/Rebirth...")
    again = node.frames(START_US + 5 * SECOND)
    assert [frame.topic.split("/")[2] for frame in again] == ["NBIRTH", "DBIRTH"]


@pytest.mark.parametrize(
    ("name", "will", "greeting"),
    [
        ("impinj", b"connection lost", b"connected"),
        ("ble_gateway_ruuvi", b'{"state":"offline"}', b'{"state":"online"}'),
    ],
)
def test_states_are_retained(name: str, will: bytes, greeting: bytes) -> None:
    device = source(name)
    assert isinstance(device, Publisher)
    told = device.will()
    assert told is not None
    assert (told.payload, told.retain) == (will, True)
    hello = device.connected(START_US)[0]
    assert (hello.payload, hello.topic, hello.retain) == (greeting, told.topic, True)
