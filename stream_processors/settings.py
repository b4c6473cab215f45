"""Where the programs of this package find their servers: the environment, read once."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from contracts.broker_files import BrokerFiles, broker_files
from contracts.clock import REAL_TIME, ClockSetting, clock_from_text
from contracts.topics import is_name

MQTT_URL = "mqtt://127.0.0.1:1883"
KAFKA = "127.0.0.1:9092"
POSTGRES_URL = "postgresql://127.0.0.1/tallygate"

PARTITIONS_MAX = 256
"""Each tick is a record in each partition; more partitions than this is surely a slip."""

RESTART = 75
"""Exit code (EX_TEMPFAIL): nothing is broken here, the program wants to be started again."""


class StreamError(Exception):
    """The program cannot go on; the message says why and, where somebody can help, what to do."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The environment, checked."""

    site: str = "demo"
    """TALLYGATE_SITE."""
    mqtt_url: str = MQTT_URL
    """TALLYGATE_MQTT_URL: mqtt:// or mqtts://, with user:password@ where the broker asks."""
    mqtt_files: BrokerFiles = BrokerFiles()
    """TALLYGATE_MQTT_CA, TALLYGATE_MQTT_CERTIFICATE, TALLYGATE_MQTT_KEY."""
    kafka: str = KAFKA
    """TALLYGATE_KAFKA: bootstrap servers, host:port, separated by commas."""
    postgres_url: str = POSTGRES_URL
    """TALLYGATE_POSTGRES_URL."""
    partitions: int = 4
    """TALLYGATE_PARTITIONS: of the topics; another number than the log's opens a new log."""
    clock: ClockSetting = REAL_TIME
    """TALLYGATE_CLOCK."""

    def domain_us(self) -> int:
        """Domain time now."""
        return self.clock.domain_us(time.time_ns() // 1000)


DEFAULTS = Settings()
"""What counts where the environment says nothing."""


def settings_from(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the environment. Raises StreamError that names all that is wrong in it."""
    mistakes: list[str] = []
    site = environment.get("TALLYGATE_SITE", "demo")
    if not is_name(site):
        mistakes.append(f"TALLYGATE_SITE is letters, digits, - and _, at most 64, not {site!r}")
    mqtt_url = environment.get("TALLYGATE_MQTT_URL", MQTT_URL)
    if urlsplit(mqtt_url).scheme not in {"mqtt", "mqtts"} or not urlsplit(mqtt_url).hostname:
        mistakes.append(f"TALLYGATE_MQTT_URL is mqtt://host:port or mqtts://..., not {mqtt_url!r}")
    mqtt_files, problems = broker_files(environment, os.path.isfile)
    mistakes += problems
    number = environment.get("TALLYGATE_PARTITIONS", "4")
    if not number.isascii() or not number.isdigit() or not 1 <= int(number) <= PARTITIONS_MAX:
        mistakes.append(f"TALLYGATE_PARTITIONS is 1 to {PARTITIONS_MAX}, not {number!r}")
        number = "4"
    clock = REAL_TIME
    try:
        clock = clock_from_text(environment.get("TALLYGATE_CLOCK", ""))
    except ValueError as error:
        mistakes.append(f"TALLYGATE_CLOCK: {error}")
    if mistakes:
        raise StreamError("; ".join(mistakes))
    return Settings(
        site=site,
        mqtt_url=mqtt_url,
        mqtt_files=mqtt_files,
        kafka=environment.get("TALLYGATE_KAFKA", KAFKA),
        postgres_url=environment.get("TALLYGATE_POSTGRES_URL", POSTGRES_URL),
        partitions=int(number),
        clock=clock,
    )
