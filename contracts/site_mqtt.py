"""The site file's table `[devices.mqtt]`: a device that publishes to MQTT by itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.site_base import Table


class MqttTable(Table):
    """Where such a device publishes, and how its payloads are understood."""

    topic: Annotated[str, Field(max_length=512)] = ""
    """The topic, or filter with `+` and `#`, on which its reads come."""
