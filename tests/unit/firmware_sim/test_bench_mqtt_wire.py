"""The simulator's own MQTT 3.1.1, byte by byte after the standard."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.bench.links.base import LinkError
from firmware_sim.bench.links.mqtt import broker_address
from firmware_sim.core import mqtt_wire
from firmware_sim.core.mqtt_wire import NotMqttError, Packet, Packets, Will


def test_connect_is_as_the_standard_writes_it() -> None:
    assert mqtt_wire.connect("a", keepalive_s=15) == (
        b"\x10\x0d" + b"\x00\x04MQTT\x04" + b"\x02" + b"\x00\x0f" + b"\x00\x01a"
    )


def test_connect_carries_will_user_and_password_in_that_order() -> None:
    packet = mqtt_wire.connect(
        "a", keepalive_s=15, will=Will("w", b"gone", retain=True), username="u", password="p"
    )
    # User, password, will retained, will at QoS 1, will, clean session.
    assert packet[9] == 0x80 | 0x40 | 0x20 | 0x08 | 0x04 | 0x02
    assert packet[12:] == b"\x00\x01a" + b"\x00\x01w" + b"\x00\x04gone" + b"\x00\x01u\x00\x01p"


def test_publish_is_as_the_standard_writes_it() -> None:
    assert mqtt_wire.publish("a/b", b"hi", number=10, retain=False) == (
        b"\x32\x09\x00\x03a/b\x00\x0ahi"
    )
    assert mqtt_wire.publish("a/b", b"hi", number=10, retain=True, again=True)[0] == 0x3B


def test_lengths_above_127_take_more_bytes() -> None:
    packet = mqtt_wire.publish("t", bytes(321 - 5), number=1, retain=False)
    assert packet[1:3] == b"\xc1\x02"
    assert len(packet) == 3 + 321


@given(st.lists(st.binary(max_size=300), max_size=5), st.integers(1, 50))
def test_packets_come_whole_out_of_any_cuts(bodies: list[bytes], size: int) -> None:
    wire = b"".join(mqtt_wire.publish("t", body, number=1, retain=False) for body in bodies)
    packets = Packets()
    found = []
    for start in range(0, len(wire), size):
        found += list(packets.receive(wire[start : start + size]))
    assert [packet.body[5:] for packet in found] == bodies
    assert {packet.kind for packet in found} <= {mqtt_wire.PUBLISH}


@given(st.binary(max_size=100))
def test_any_bytes_are_packets_or_refused(data: bytes) -> None:
    packets = Packets()
    with suppress(NotMqttError):
        for byte in data:
            for packet in packets.receive(bytes([byte])):
                assert isinstance(packet, Packet)


def test_an_acknowledgement_names_its_message() -> None:
    assert mqtt_wire.acknowledged(Packet(mqtt_wire.PUBACK, b"\x01\x02")) == 258
    with pytest.raises(NotMqttError):
        mqtt_wire.acknowledged(Packet(mqtt_wire.PUBACK, b"\x01"))


def test_a_broker_is_named_by_its_url() -> None:
    broker = broker_address("mqtt://me:a%20b@host:1884")
    assert broker[:4] == ("host", 1884, "me", "a b")
    assert broker.tls is None
    assert broker_address("mqtt://host").port == 1883
    secure = broker_address("mqtts://host")
    assert secure.port == 8883
    assert secure.tls is not None


@pytest.mark.parametrize("url", ["host:1883", "http://host", "mqtt://", "mqtt://host:x", ""])
def test_what_is_no_broker_is_told(url: str) -> None:
    with pytest.raises(LinkError, match="a broker is mqtt://host:port or mqtts://host:port"):
        broker_address(url)


def test_a_certificate_that_is_missing_is_told() -> None:
    with pytest.raises(LinkError, match=r"no/such\.crt cannot be read"):
        broker_address("mqtts://host", "no/such.crt")
