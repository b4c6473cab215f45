"""Publishes to the gateways: acknowledgements (retained) and commands; and the ledger's heads.

Nothing waits for the broker. What is lost while it is away, or with its memory, is published
again by the caller: at each new connection, and every now and then.
"""

from __future__ import annotations

import ssl
import threading
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from contracts.codec import encode
from contracts.topics import mqtt_topic
from ledger_sink import journal
from ledger_sink.settings import Settings

KEEPALIVE_SECONDS = 30
RECONNECT_SECONDS_MAX = 5
"""A broker that is back is found soon."""
QUEUED_MAX = 10_000
"""Messages that wait in the client; more are dropped, the next round has them again."""


class Sent:
    """A message that was handed to the client."""

    def __init__(self, info: paho.MQTTMessageInfo) -> None:
        """What the client says of it."""
        self._info = info

    def has_arrived(self, seconds: float) -> bool:
        """Whether the broker has it; waits for that so long at most."""
        try:
            self._info.wait_for_publish(seconds)
            return self._info.is_published()
        except (ValueError, RuntimeError):  # The client's queue is full, or it has no connection.
            return False


class MqttOutbox:
    """A connection that reconnects by itself."""

    def __init__(self, settings: Settings, run: int) -> None:
        """Begin to connect."""
        self._site = site = settings.site
        self._fresh = threading.Event()
        address = urlsplit(settings.mqtt_url)
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"tallygate-sink-{site}-{run}",
            clean_session=True,
        )
        if address.username:
            client.username_pw_set(unquote(address.username), unquote(address.password or ""))
        if address.scheme == "mqtts":
            client.tls_set(*settings.mqtt_files, cert_reqs=ssl.CERT_REQUIRED)
        client.reconnect_delay_set(1, RECONNECT_SECONDS_MAX)
        client.max_queued_messages_set(QUEUED_MAX)
        client.on_connect = self._on_connect
        default_port = 8883 if address.scheme == "mqtts" else 1883
        client.connect_async(
            address.hostname or "", address.port or default_port, keepalive=KEEPALIVE_SECONDS
        )
        client.loop_start()
        self._client = client

    def came_back(self) -> bool:
        """Whether a connection was made since the last call: publish everything again."""
        if not self._fresh.is_set():
            return False
        self._fresh.clear()
        return True

    def publish(
        self, gateway: str, kind: str, message: msgspec.Struct, *, retain: bool = False
    ) -> None:
        """Send with QoS 1 on a gateway's topic; nothing where there is no connection."""
        if self._client.is_connected():
            topic = mqtt_topic(self._site, gateway, kind)
            self._client.publish(topic, encode(message), qos=1, retain=retain)

    def publish_line(self, topic: str, line: bytes) -> Sent | None:
        """Send bytes retained, with QoS 1; None where there is no connection."""
        if not self._client.is_connected():
            return None
        return Sent(self._client.publish(topic, line, qos=1, retain=True))

    def close(self) -> None:
        """Disconnect and end the thread."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(
        self, _client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if reason.is_failure:
            journal.write("the MQTT broker refuses the sink", reason=str(reason))
            return
        self._fresh.set()
