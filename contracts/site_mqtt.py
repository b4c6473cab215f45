"""The site file's table `[devices.mqtt]`: a device that publishes to MQTT by itself."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field

from contracts.site_base import Table

TOPIC_BYTES_MAX = 65_535
"""What MQTT can carry."""


def is_filter(text: str) -> bool:
    """Whether a text is a topic, or a filter with whole levels `+` and a last level `#`."""
    levels = text.split("/")
    return (
        0 < len(text.encode("utf-8", "replace")) <= TOPIC_BYTES_MAX
        and "\0" not in text
        and all(level in {"+", "#"} or not {"+", "#"} & set(level) for level in levels)
        and "#" not in levels[:-1]
    )


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a topic is one that a filter means; what begins with `$` only where it is named."""
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in {"+", "#"}:
        return False
    for place, level in enumerate(wanted):
        if level == "#":
            return True
        if place >= len(levels) or level not in {"+", levels[place]}:
            return False
    return len(wanted) == len(levels)


def _filter(value: object) -> object:
    if isinstance(value, str) and value and not is_filter(value):
        raise ValueError(
            "must be a topic such as readers/door-1, with + for one whole level or # for all that"
            " follow"
        )
    return value


def _broker(value: object) -> object:
    if not isinstance(value, str):
        return value
    problem = "must be mqtt://user:password@host:port or mqtts://..., user and password as needed"
    try:
        address = urlsplit(value)
        port = address.port
    except ValueError:
        raise ValueError(problem) from None
    if address.scheme not in {"mqtt", "mqtts"} or not address.hostname or port == 0:
        raise ValueError(problem)
    return value


TopicFilter = Annotated[str, BeforeValidator(_filter)]
BrokerUrl = Annotated[str, BeforeValidator(_broker), Field(max_length=2_000)]
Text = Annotated[str, Field(max_length=1_000)]

BleGatewayFormat = Literal["auto", "minew", "ruuvi", "zebra"]


class MqttTable(Table):
    """Where such a device publishes, and how its payloads are understood."""

    topic: TopicFilter = ""
    """The topic, or filter with `+` and `#`, on which its reads come."""
    status_topic: TopicFilter = ""
    """Where it tells of itself (last will, heartbeats, alerts), if `topic` does not cover that."""
    qos: Literal[0, 1] = 1
    """1: a message is acknowledged when what it says is on the disk."""
    session: bool = True
    """The broker keeps messages (with QoS 1) for an agent that is away."""
    shared: bool = False
    """Devices at one broker that say true share one connection, where a broker limits those. Each
    else has its own, and with it its own share of what the broker keeps and has under way."""
    broker: BrokerUrl | None = None
    """`mqtt://user:password@host:port` or `mqtts://...`; left out: the agent's own broker."""
    authority: Annotated[str, Field(min_length=1, max_length=4_096)] | None = None
    """File with the certificate of who signs that broker, if not the system's."""
    sender: Text = ""
    """Where several devices share the topic: only messages that carry this name (the reader's host
    name or hardware address, the gateway's address, the handheld's serial number) count."""
    clock: Literal["utc", "uptime", "none"] = "utc"
    """What its times are: UTC; counted from its start or from 1970; or not to be used."""
    clock_off_s: Annotated[float, Field(ge=0, le=86_400)] = 5.0
    """A clock that is further off is told; 0: never."""
    silent_s_max: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    """The device is `silent` after so long without any message; 0: never."""
    connected: Text = "connected"
    """For `impinj`: the text that it publishes when it has connected."""
    lost: Text = "connection lost"
    """For `impinj`: its last will's text."""
    disconnected: Text = ""
    """For `impinj`: the text that it publishes before it disconnects; empty: it says none."""
    input_active: Literal["low", "high"] = "low"
    """The level at which an input counts as active."""
    format: BleGatewayFormat = "auto"
    """For `ble_gateway`: the maker's format; `auto`: told by its shape."""
    host_id: Annotated[str, Field(pattern=r"^[^/+#\x00]*$", max_length=200)] = ""
    """For `sparkplug`: the agent tells under this id that it is there (STATE), for edge nodes that
    wait for their host; empty: it tells nothing."""
    temperature: Text = "temperature"
    """For `sparkplug`: the metric, or the last part of its name, that is its temperature."""
    shown: Annotated[list[Text], Field(max_length=20)] = ["cpu", "memory", "battery"]
    """For `sparkplug`: metrics, or the last parts of their names, that its state shows."""

    def filters(self) -> tuple[str, ...]:
        """All that is subscribed to."""
        return tuple(dict.fromkeys(one for one in (self.topic, self.status_topic) if one))
