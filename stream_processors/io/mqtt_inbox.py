"""The bridge's MQTT client: messages come out of a queue, each acknowledged by hand.

paho runs its network thread; what arrives goes into the caller's bounded queue. While the queue
is full that thread waits, so TCP holds the broker back; should it last past the keepalive the
broker cuts the connection, and what was not acknowledged is sent again by its agent.
"""

from __future__ import annotations

import queue
import ssl
import threading
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from contracts.topics import mqtt_gateway_of, mqtt_topic
from stream_processors.io import journal
from stream_processors.settings import Settings

KEEPALIVE_SECONDS = 30
RECONNECT_SECONDS_MAX = 5
"""Back-off between two tries to connect ends here: a broker that is back is found soon."""
TOPIC_CHARACTERS_MAX = 200
"""Of a topic that is no gateway's, so much is told."""
TOKENS_MAX = 100_000
"""Unacknowledged messages remembered; far beyond any window of a broker."""


class Arrived(NamedTuple):
    """A message on a gateway's topic `reads`."""

    gateway: str
    """Its name; the whole topic where no gateway can be called so."""
    payload: bytes
    token: int


class Subscribed(NamedTuple):
    """The subscription stands (again): from here on nothing that is sent is missed."""


class MqttInbox:
    """A connection that subscribes to all gateways' reads of a site and reconnects by itself."""

    def __init__(self, settings: Settings, run: int, inbox: queue.Queue[Any]) -> None:
        """Begin to connect; messages and `Subscribed` go to `inbox`."""
        self._inbox = inbox
        self._topic = mqtt_topic(settings.site, "+", "reads")
        self._lock = threading.Lock()
        self._token = 0
        self._tokens: dict[int, int] = {}
        address = urlsplit(settings.mqtt_url)
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"tallygate-bridge-{settings.site}-{run}",
            clean_session=True,
            manual_ack=True,
        )
        if address.username:
            client.username_pw_set(unquote(address.username), unquote(address.password or ""))
        if address.scheme == "mqtts":
            client.tls_set(*settings.mqtt_files, cert_reqs=ssl.CERT_REQUIRED)
        client.reconnect_delay_set(1, RECONNECT_SECONDS_MAX)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        default_port = 8883 if address.scheme == "mqtts" else 1883
        client.connect_async(
            address.hostname or "", address.port or default_port, keepalive=KEEPALIVE_SECONDS
        )
        client.loop_start()
        self._client = client

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Send with QoS 1; lost where there is no connection (the protocol repeats itself)."""
        if self._client.is_connected():
            self._client.publish(topic, payload, qos=1, retain=retain)

    def acknowledge(self, token: int) -> None:
        """Acknowledge a message, if the connection that it came on still stands."""
        with self._lock:
            number = self._tokens.pop(token, None)
        if number is not None:
            self._client.ack(number, 1)

    def close(self) -> None:
        """Disconnect and end the thread."""
        self._client.disconnect()
        # The thread may wait for room in the queue: make some.
        while True:
            try:
                self._inbox.get_nowait()
            except queue.Empty:
                break
        self._client.loop_stop()

    def _on_connect(
        self, client: paho.Client, _data: Any, _flags: Any, reason: Any, _p: Any
    ) -> None:
        if reason.is_failure:
            journal.write("the MQTT broker refuses the bridge", reason=str(reason))
            return
        with self._lock:
            # Numbers of the last connection mean nothing on this one.
            self._tokens.clear()
        client.subscribe(self._topic, qos=1)

    def _on_subscribe(
        self, _client: paho.Client, _data: Any, _mid: int, reasons: list[Any], _p: Any
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            journal.write("the MQTT broker refuses the subscription", topic=self._topic)
            return
        journal.write("subscribed", topic=self._topic)
        self._inbox.put(Subscribed())

    @staticmethod
    def _on_disconnect(_client: paho.Client, _data: Any, _flags: Any, reason: Any, _p: Any) -> None:
        journal.write("disconnected from the MQTT broker", reason=str(reason))

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        # Our subscription lets any word through in the gateway's place: the core rejects it.
        gateway = mqtt_gateway_of(message.topic) or message.topic[:TOPIC_CHARACTERS_MAX]
        with self._lock:
            self._token += 1
            token = self._token
            if message.qos == 1:
                self._tokens[token] = message.mid
                if len(self._tokens) > TOKENS_MAX:
                    self._tokens.pop(next(iter(self._tokens)))
        self._inbox.put(Arrived(gateway, bytes(message.payload), token))
