"""All topics, in one table.

| wire | topic | carries | kept |
|---|---|---|---|
| MQTT | tallygate/v1/{site}/{gateway}/reads | SpooledBatch | no, QoS 1 |
| MQTT | tallygate/v1/{site}/{gateway}/status | AgentStatus | retained, last will |
| MQTT | tallygate/v1/{site}/{gateway}/health | AgentHealth | no |
| MQTT | tallygate/v1/{site}/{gateway}/ack | Acknowledgement | retained |
| MQTT | tallygate/v1/{site}/{gateway}/cmd | Command: SendAgain, SetLight, ... | no, QoS 1 |
| MQTT | tallygate/v1/{site}/{gateway}/config | ConfigurationPushed | retained, QoS 1 |
| MQTT | tallygate/v1/{site}/{gateway}/config_state | ConfigurationState | retained, QoS 1 |
| MQTT | tallygate/v1/{site}/bridge | BridgeRun | retained |
| MQTT | tallygate/v1/{site}/heads | a signed head, as `heads.jsonl` holds it | retained, QoS 1 |
| Kafka | tallygate.{site}.reads.{log} | Part, Tick | the log |
| Kafka | tallygate.{site}.events.{log} | Output | the log |
| Kafka | tallygate.{site}.reference.{log} | ReferenceChange | compacted, one partition |
"""

from __future__ import annotations

import re

MQTT_ROOT = "tallygate/v1"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")
"""What a site, gateway or device may be called: it becomes part of topics and of ids."""


def is_name(text: str) -> bool:
    """Whether a site, gateway or device may be called so."""
    return NAME.match(text) is not None


def mqtt_topic(site: str, gateway: str, kind: str) -> str:
    """A gateway's topic; `kind` is its last part in the table above. `+` is every gateway."""
    return f"{MQTT_ROOT}/{site}/{gateway}/{kind}"


def mqtt_bridge_topic(site: str) -> str:
    """Where the bridge tells its run."""
    return f"{MQTT_ROOT}/{site}/bridge"


def mqtt_heads_topic(site: str) -> str:
    """Where the sink publishes the signed heads of the ledger's chain."""
    return f"{MQTT_ROOT}/{site}/heads"


def mqtt_gateway_of(topic: str) -> str | None:
    """The gateway in a gateway's topic, or None where the topic is none of ours."""
    parts = topic.split("/")
    if len(parts) != 5 or "/".join(parts[:2]) != MQTT_ROOT or not is_name(parts[3]):  # noqa: PLR2004
        return None
    return parts[3]


def kafka_topic(site: str, kind: str, log: str) -> str:
    """A log's topic; `kind` is reads, events or reference."""
    return f"tallygate.{site}.{kind}.{log}"
