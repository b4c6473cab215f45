"""The embedded MQTT broker behaves as a real one where our programs depend on it."""

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallygate.servers.child import LOOPBACK
from tallygate.servers.mqtt_embedded import EmbeddedMqtt
from tests.support.round_trips import SECONDS_MAX, MqttClient

CONNACK = b"\x20\x02\x00\x00"
WILL_RETAINED_QOS_1 = 0x04 | 0x08 | 0x20
CLEAN_SESSION = 0x02


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedMqtt]:
    with EmbeddedMqtt(tmp_path) as server:
        yield server


@pytest.fixture
def listener(broker: EmbeddedMqtt) -> Iterator[MqttClient]:
    client = MqttClient(broker.url, "listener")
    client.subscribe("status/#")
    yield client
    client.close()


def silent_client(
    broker: EmbeddedMqtt, name: bytes, *, keepalive_s: int, will: bytes
) -> socket.socket:
    """A client that connects with a last will, and then never sends a byte."""
    body = (
        _text(b"MQTT")
        + bytes([4, CLEAN_SESSION | WILL_RETAINED_QOS_1])
        + struct.pack("!H", keepalive_s)
        + _text(name)
        + _text(b"status/" + name)
        + _text(will)
    )
    connection = socket.create_connection((LOOPBACK, broker.port), SECONDS_MAX)
    connection.sendall(bytes([0x10, len(body)]) + body)
    assert connection.recv(4, socket.MSG_WAITALL) == CONNACK
    return connection


def _text(value: bytes) -> bytes:
    return struct.pack("!H", len(value)) + value


def test_a_cut_connection_tells_its_last_will(broker: EmbeddedMqtt, listener: MqttClient) -> None:
    silent_client(broker, b"cut", keepalive_s=60, will=b"offline").close()
    assert listener.next_payload() == b"offline"


def test_a_client_that_falls_silent_is_ended_and_its_last_will_told(
    broker: EmbeddedMqtt, listener: MqttClient
) -> None:
    """A stopped process keeps its connection open; amqtt alone would wait for ever."""
    with silent_client(broker, b"silent", keepalive_s=1, will=b"offline") as connection:
        assert listener.next_payload() == b"offline"
        assert connection.recv(1) == b""


def test_a_client_that_connects_twice_ends_its_first_connection(
    broker: EmbeddedMqtt, listener: MqttClient
) -> None:
    """Else the first one's will, told late, would overwrite what the second one said."""
    with silent_client(broker, b"twice", keepalive_s=60, will=b"offline") as first:
        second = MqttClient(broker.url, "twice")
        second.publish("status/twice", b"online", retain=True)
        assert first.recv(1) == b""
    assert [listener.next_payload(), listener.next_payload()] == [b"offline", b"online"]
    late = MqttClient(broker.url, "late")
    late.subscribe("status/twice")
    assert late.next_payload() == b"online"
    late.close()
    second.close()


def test_a_client_gets_only_the_retained_messages_that_it_subscribed_to(
    broker: EmbeddedMqtt, listener: MqttClient
) -> None:
    """Left alone, amqtt would send it whatever any other client is subscribed to."""
    listener.publish("status/other", b"retained", retain=True)
    assert listener.next_payload() == b"retained"
    newcomer = MqttClient(broker.url, "newcomer")
    newcomer.subscribe("mine")
    newcomer.publish("mine", b"live")
    assert newcomer.next_payload() == b"live"
    newcomer.close()


def test_messages_arrive_in_the_order_of_their_publishing(broker: EmbeddedMqtt) -> None:
    subscriber, publisher = MqttClient(broker.url, "in"), MqttClient(broker.url, "out")
    subscriber.subscribe("order")
    expected = [b"%d" % number for number in range(500)]
    for payload in expected:
        publisher.paho.publish("order", payload, qos=1)
    assert [subscriber.next_payload() for _ in expected] == expected
    publisher.close()
    subscriber.close()


def test_many_clients_connect_at_once_and_all_are_heard(broker: EmbeddedMqtt) -> None:
    """Left alone, amqtt drops some: it walks through a table that the others are changing."""
    holder = MqttClient(broker.url, "holder")
    for number in range(20):
        holder.publish(f"many/{number}", b"retained", retain=True)
    clients = [MqttClient(broker.url, f"many-{number}") for number in range(20)]
    for number, client in enumerate(clients):
        client.paho.subscribe(f"many/{number}", qos=1)
    assert [client.next_payload() for client in clients] == [b"retained"] * 20
    for client in [*clients, holder]:
        client.close()
