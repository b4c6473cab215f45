"""Heads on a retained topic: whoever subscribes has the newest at once, and keeps what follows.

`mosquitto_sub -t tallygate/v1/{site}/heads >> copy.jsonl` makes a file that `tallygate verify
--heads` takes.
"""

from __future__ import annotations

from contracts.topics import mqtt_heads_topic
from ledger_sink.mqtt_outbox import MqttOutbox, Sent

ARRIVE_S = 5.0
"""How long the broker may take to confirm one head."""


class HeadsTopic:
    """Publishes on the site's topic."""

    name = "mqtt"

    def __init__(self, outbox: MqttOutbox, site: str) -> None:
        """The sink's own connection serves."""
        self._outbox = outbox
        self._topic = mqtt_heads_topic(site)
        self._sent: tuple[bytes, Sent] | None = None

    def send(self, line: bytes) -> str | None:
        """Publish a head and wait until the broker has it."""
        # What the client holds already goes out with the next connection: a second copy would
        # arrive behind the heads that follow.
        if self._sent is None or self._sent[0] != line:
            sent = self._outbox.publish_line(self._topic, line.rstrip(b"\n"))
            if sent is None:
                return "no connection to the MQTT broker"
            self._sent = (line, sent)
        if not self._sent[1].has_arrived(ARRIVE_S):
            return "the MQTT broker has not confirmed it"
        self._sent = None
        return None
