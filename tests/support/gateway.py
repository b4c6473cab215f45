"""A gateway for tests: a spool in memory that keeps the protocol's promises over MQTT."""

from __future__ import annotations

import secrets
import threading
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from contracts.codec import decode, decode_with, encode
from contracts.commands import COMMAND, Acknowledgement, BridgeRun, SendAgain
from contracts.reads import ReadBatch, Reject, SpooledBatch
from contracts.topics import mqtt_bridge_topic, mqtt_topic
from tests.support.programs import wait_until


class Gateway:
    """Sends batches in order, and again when it is asked or a new run of the bridge begins."""

    def __init__(self, mqtt_url: str, site: str, name: str) -> None:
        self.name = name
        self.site = site
        self.spool = secrets.token_hex(16)
        self.sequence = 0
        self.acknowledged = 0
        self.runs: list[int] = []
        self.sent = 0
        self._held: dict[int, bytes] = {}
        self._lock = threading.RLock()
        address = urlsplit(mqtt_url)
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"test-{name}")
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        self._client.connect_async(address.hostname or "", address.port or 1883)
        self._client.loop_start()

    def send(self, batch: ReadBatch) -> int:
        """Spool a batch and send it; gives its sequence."""
        with self._lock:
            self.sequence += 1
            self._held[self.sequence] = encode(batch)
            self._publish(self.sequence)
            return self.sequence

    def send_all(self, first: int = 0) -> None:
        """Send again all that is held, from a sequence on."""
        with self._lock:
            for sequence in sorted(self._held):
                if sequence >= first:
                    self._publish(sequence)

    def publish_raw(self, payload: bytes) -> None:
        """Bytes that are no batch, on the topic of batches."""
        self._client.publish(mqtt_topic(self.site, self.name, "reads"), payload, qos=1)

    def wait_for_run(self, seconds: float = 30.0, count: int = 1) -> None:
        """Until so many runs of the bridge were told."""
        assert wait_until(lambda: len(self.runs) >= count, seconds), f"runs {self.runs}"

    def wait_acknowledged(self, seconds: float = 60.0) -> None:
        """Until the ledger has acknowledged all that was sent."""
        assert wait_until(lambda: self.acknowledged >= self.sequence, seconds), (
            f"{self.name}: {self.acknowledged} of {self.sequence} batches were acknowledged"
        )

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def _publish(self, sequence: int) -> None:
        self.sent += 1
        message = SpooledBatch(
            spool=self.spool,
            sequence=sequence,
            lowest=min(self._held),
            payload=self._held[sequence],
        )
        self._client.publish(mqtt_topic(self.site, self.name, "reads"), encode(message), qos=1)

    def _on_connect(self, client: paho.Client, *_: object) -> None:
        for topic in (
            mqtt_bridge_topic(self.site),
            mqtt_topic(self.site, self.name, "ack"),
            mqtt_topic(self.site, self.name, "cmd"),
        ):
            client.subscribe(topic, qos=1)

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        if message.topic.endswith("/bridge"):
            told = decode(BridgeRun, message.payload, source="test", at_us=0)
            assert not isinstance(told, Reject)
            if told.run not in self.runs:
                self.runs.append(told.run)
                self.send_all()
        elif message.topic.endswith("/ack"):
            said = decode(Acknowledgement, message.payload, source="test", at_us=0)
            assert not isinstance(said, Reject)
            if said.spool == self.spool:
                with self._lock:
                    self.acknowledged = max(self.acknowledged, said.sequence)
                    for sequence in [each for each in self._held if each <= said.sequence]:
                        del self._held[sequence]
        else:
            command = decode_with(COMMAND, message.payload, source="test", at_us=0)
            if isinstance(command, SendAgain) and command.spool == self.spool:
                self.send_all(command.sequence)
