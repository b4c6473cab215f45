"""Heads on a broker with access lists: all may keep them, the sink alone makes them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from contracts.topics import mqtt_heads_topic
from ledger_sink.heads_mqtt import HeadsTopic
from ledger_sink.mqtt_outbox import MqttOutbox
from ledger_sink.settings import settings_from
from tests.support.programs import wait_until
from tests.support.secure_broker import SITE, SecureBroker
from tests.support.servers import SessionServers

TOPIC = mqtt_heads_topic(SITE)
WAIT_S = 60


@pytest.fixture
def broker(real_servers: SessionServers, tmp_path: Path) -> Iterator[SecureBroker]:
    """A broker of the test's own; `real_servers` says that there is one."""
    del real_servers
    with SecureBroker(tmp_path / "broker") as made:
        yield made


def listen(client: paho.Client) -> list[bytes]:
    """What a connected client hears of the heads, from when it subscribed."""
    heard: list[bytes] = []
    subscribed = threading.Event()
    client.on_message = lambda _client, _data, message: heard.append(bytes(message.payload))
    client.on_subscribe = lambda *_: subscribed.set()
    client.subscribe(TOPIC, 1)
    assert subscribed.wait(WAIT_S)
    return heard


def test_the_sink_alone_publishes_heads_and_everybody_hears_them(broker: SecureBroker) -> None:
    clients = [broker.connect_program("console"), broker.connect_program("bridge")]
    clients.append(broker.connect_device("impinj-1"))
    heard = [listen(client) for client in clients]
    outbox = MqttOutbox(settings_from(broker.program_environment("sink")), 1)
    assert wait_until(outbox.came_back, WAIT_S)
    way = HeadsTopic(outbox, SITE)
    assert way.send(b"one\n") is None
    for client in clients:
        client.publish(TOPIC, b"forged", qos=1, retain=True)
    assert wait_until(lambda: len(broker.refusals()) == len(clients), WAIT_S), broker.refusals()
    assert way.send(b"two\n") is None
    assert wait_until(lambda: heard == [[b"one", b"two"]] * 3, WAIT_S), heard
    late = broker.connect_program("watch")
    newest = listen(late)
    assert wait_until(lambda: newest == [b"two"], WAIT_S)
    outbox.close()
    for client in (*clients, late):
        client.disconnect()
        client.loop_stop()


def test_without_a_broker_a_head_waits(broker: SecureBroker) -> None:
    environment = broker.program_environment("sink")
    outbox = MqttOutbox(settings_from(environment), 1)
    assert wait_until(outbox.came_back, WAIT_S)
    broker.stop()
    way = HeadsTopic(outbox, SITE)
    assert wait_until(lambda: way.send(b"one\n") is not None, WAIT_S)
    broker.start()
    assert wait_until(lambda: way.send(b"one\n") is None, WAIT_S)
    outbox.close()
