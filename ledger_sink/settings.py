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


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """Where heads are posted."""

    url: str
    """TALLYGATE_HEADS_WEBHOOK: https://..., or http:// on this machine. Each head is posted there,
    in order, until an answer from 200 to 299 comes."""
    token: str = ""
    """TALLYGATE_HEADS_WEBHOOK_TOKEN: sent as `Authorization: Bearer ...`."""
    authorities: str | None = None
    """TALLYGATE_HEADS_WEBHOOK_CA: file with the authorities that its certificate may come from;
    by default the machine's."""


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
    heads_mqtt: bool = True
    """TALLYGATE_HEADS_MQTT: `on` or `off`: heads go to the retained topic
    tallygate/v1/{site}/heads."""
    heads_webhook: Webhook | None = None
    """None: heads are posted nowhere."""
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
    heads_mqtt = environment.get("TALLYGATE_HEADS_MQTT", "on")
    if heads_mqtt not in {"on", "off"}:
        mistakes.append(f"TALLYGATE_HEADS_MQTT is on or off, not {heads_mqtt!r}")
    heads_webhook, problems = _webhook_from(environment)
    mistakes += problems
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
        heads_mqtt=heads_mqtt == "on",
        heads_webhook=heads_webhook,
        influx=_influx_from(environment),
        clock=clock,
    )


def _webhook_from(environment: Mapping[str, str]) -> tuple[Webhook | None, list[str]]:
    """The webhook, and what is wrong with it."""
    url = environment.get("TALLYGATE_HEADS_WEBHOOK", "")
    if not url:
        return None, []
    mistakes = []
    if not _is_safe(url):
        mistakes.append(
            f"TALLYGATE_HEADS_WEBHOOK is https://..., or http:// on this machine, not {url!r}"
        )
    authorities = environment.get("TALLYGATE_HEADS_WEBHOOK_CA") or None
    if authorities is not None and not os.path.isfile(authorities):  # noqa: PTH113 - as above.
        mistakes.append(f"TALLYGATE_HEADS_WEBHOOK_CA: there is no file {authorities}")
    token = environment.get("TALLYGATE_HEADS_WEBHOOK_TOKEN", "")
    if not (token.isascii() and token.isprintable()):
        mistakes.append("TALLYGATE_HEADS_WEBHOOK_TOKEN has characters that no header can carry")
    return Webhook(url=url, token=token, authorities=authorities), mistakes


def _is_safe(url: str) -> bool:
    """Whether nobody on the way reads what is posted there."""
    try:
        address = urlsplit(url)
        host = address.hostname
    except ValueError:
        return False
    if address.scheme == "http":
        return host in {"127.0.0.1", "::1", "localhost"}
    return address.scheme == "https" and bool(host)


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
