"""Where the sink finds its servers and keeps its files: the environment, read once."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from contracts.broker_files import BrokerFiles, broker_files
from contracts.clock import REAL_TIME, ClockSetting, clock_from_text
from contracts.topics import is_name


class SinkError(Exception):
    """The program cannot go on; the message says why and, where somebody can help, what to do."""


class Influx(msgspec.Struct, frozen=True, kw_only=True):
    """Where metrics go. For InfluxDB 1: token `user:password`, bucket `database/policy`."""

    url: str
    """TALLYGATE_INFLUX_URL."""
    token: str = ""
    """TALLYGATE_INFLUX_TOKEN."""
    bucket: str = "tallygate"
    """TALLYGATE_INFLUX_BUCKET."""
    organisation: str = "-"
    """TALLYGATE_INFLUX_ORG; InfluxDB 1 has none."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The environment, checked."""

    site: str = "demo"
    """TALLYGATE_SITE."""
    mqtt_url: str = "mqtt://127.0.0.1:1883"
    """TALLYGATE_MQTT_URL: mqtt:// or mqtts://, with user:password@ where the broker asks."""
    mqtt_files: BrokerFiles = BrokerFiles()
    """TALLYGATE_MQTT_CA, TALLYGATE_MQTT_CERTIFICATE, TALLYGATE_MQTT_KEY."""
    kafka: str = "127.0.0.1:9092"
    """TALLYGATE_KAFKA: bootstrap servers, host:port, separated by commas."""
    postgres_url: str = "postgresql://127.0.0.1/tallygate"
    """TALLYGATE_POSTGRES_URL."""
    data: Path = Path("tallygate-data")
    """TALLYGATE_DATA: the stack's folder; the sink's own files are in `ledger/` below it."""
    heads_every_s: float = 5.0
    """TALLYGATE_HEADS_EVERY_S: how often the chain's head is signed and published, wall time."""
    influx: Influx | None = None
    """None: metrics are not kept."""
    clock: ClockSetting = REAL_TIME
    """TALLYGATE_CLOCK."""

    def domain_us(self) -> int:
        """Domain time now."""
        return self.clock.domain_us(time.time_ns() // 1000)

    @property
    def folder(self) -> Path:
        """Where key and published heads are kept."""
        return self.data / "ledger"


DEFAULTS = Settings()
"""What counts where the environment says nothing."""
INFLUX_DEFAULTS = Influx(url="")
"""The same for InfluxDB."""


def settings_from(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the environment. Raises SinkError that names all that is wrong in it."""
    mistakes: list[str] = []
    site = environment.get("TALLYGATE_SITE", DEFAULTS.site)
    if not is_name(site):
        mistakes.append(f"TALLYGATE_SITE is letters, digits, - and _, at most 64, not {site!r}")
    mqtt_url = environment.get("TALLYGATE_MQTT_URL", DEFAULTS.mqtt_url)
    if urlsplit(mqtt_url).scheme not in {"mqtt", "mqtts"} or not urlsplit(mqtt_url).hostname:
        mistakes.append(f"TALLYGATE_MQTT_URL is mqtt://host:port or mqtts://..., not {mqtt_url!r}")
    mqtt_files, problems = broker_files(environment, os.path.isfile)
    mistakes += problems
    clock, heads_every_s = REAL_TIME, DEFAULTS.heads_every_s
    try:
        clock = clock_from_text(environment.get("TALLYGATE_CLOCK", ""))
    except ValueError as error:
        mistakes.append(f"TALLYGATE_CLOCK: {error}")
    every = environment.get("TALLYGATE_HEADS_EVERY_S", str(heads_every_s))
    try:
        heads_every_s = float(every)
    except ValueError:
        heads_every_s = 0.0
    if not 0.1 <= heads_every_s <= 86_400:  # noqa: PLR2004 - a day at the most.
        mistakes.append(f"TALLYGATE_HEADS_EVERY_S is 0.1 to 86400 seconds, not {every!r}")
    if mistakes:
        raise SinkError("; ".join(mistakes))
    return Settings(
        site=site,
        mqtt_url=mqtt_url,
        mqtt_files=mqtt_files,
        kafka=environment.get("TALLYGATE_KAFKA", DEFAULTS.kafka),
        postgres_url=environment.get("TALLYGATE_POSTGRES_URL", DEFAULTS.postgres_url),
        data=Path(environment.get("TALLYGATE_DATA", str(DEFAULTS.data))),
        heads_every_s=heads_every_s,
        influx=_influx_from(environment),
        clock=clock,
    )


def _influx_from(environment: Mapping[str, str]) -> Influx | None:
    url = environment.get("TALLYGATE_INFLUX_URL", "")
    if not url:
        return None
    return Influx(
        url=url,
        token=environment.get("TALLYGATE_INFLUX_TOKEN", ""),
        bucket=environment.get("TALLYGATE_INFLUX_BUCKET", INFLUX_DEFAULTS.bucket),
        organisation=environment.get("TALLYGATE_INFLUX_ORG", INFLUX_DEFAULTS.organisation),
    )
