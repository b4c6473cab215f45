"""What an agent is started with: its command line, its environment and the site file."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from contracts.clock import ClockSetting, clock_from_text
from contracts.site import GatewayTable, SiteFile, read_site
from contracts.site_devices import DeviceTable

MQTT_PORT = 1883
MQTTS_PORT = 8883
MEGABYTE = 1_000_000


class SettingsError(Exception):
    """The agent cannot start as it was told to; the message names each mistake."""


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    """Where the MQTT broker is and who we are to it."""

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    is_encrypted: bool = False
    authority: str | None = None
    """File with the certificate of who signs brokers, if not the system's."""

    def tls(self) -> ssl.SSLContext | None:
        """How to encrypt, if at all. Raises OSError where the certificate cannot be read."""
        return ssl.create_default_context(cafile=self.authority) if self.is_encrypted else None


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, checked."""

    site: str
    gateway: str
    devices: tuple[DeviceTable, ...]
    data: Path
    broker: Broker
    clock: ClockSetting
    spool_bytes_max: int
    keep_acknowledged: bool


def load_site(path: Path) -> SiteFile:
    """The site file. Raises SettingsError that names every mistake in it."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    site_file = read_site(text)
    if isinstance(site_file, SiteFile):
        return site_file
    raise SettingsError("\n".join(f"{path}: {mistake.text()}" for mistake in site_file))


def agent_settings(
    *,
    site_path: Path,
    gateway: str,
    data: Path,
    keep_acknowledged: bool,
    environment: Mapping[str, str],
) -> AgentSettings:
    """Everything together. Raises SettingsError."""
    site_file = load_site(site_path)
    table = _gateway_in(site_file, gateway, site_path)
    wanted = environment.get("TALLYGATE_SITE") or site_file.site
    if wanted != site_file.site:
        raise SettingsError(
            f"TALLYGATE_SITE is {wanted!r}, but {site_path} describes {site_file.site!r}"
        )
    try:
        clock = clock_from_text(environment.get("TALLYGATE_CLOCK", ""))
    except ValueError as error:
        raise SettingsError(f"TALLYGATE_CLOCK: {error}") from error
    return AgentSettings(
        site=site_file.site,
        gateway=gateway,
        devices=tuple(device for device in site_file.devices if device.gateway == gateway),
        data=data,
        broker=_broker(environment),
        clock=clock,
        spool_bytes_max=table.spool_mb * MEGABYTE,
        keep_acknowledged=keep_acknowledged or table.keep_acknowledged,
    )


def _gateway_in(site_file: SiteFile, gateway: str, path: Path) -> GatewayTable:
    for table in site_file.gateways:
        if table.id == gateway:
            return table
    known = ", ".join(table.id for table in site_file.gateways)
    raise SettingsError(f"{path} has no gateway {gateway!r}; it has {known}")


def _broker(environment: Mapping[str, str]) -> Broker:
    url = environment.get("TALLYGATE_MQTT_URL") or f"mqtt://127.0.0.1:{MQTT_PORT}"
    problem = f"TALLYGATE_MQTT_URL is mqtt://host:port or mqtts://host:port, not {url!r}"
    try:
        address = urlsplit(url)
        port = address.port
    except ValueError as error:
        raise SettingsError(problem) from error
    if address.scheme not in {"mqtt", "mqtts"} or not address.hostname:
        raise SettingsError(problem)
    is_encrypted = address.scheme == "mqtts"
    return Broker(
        host=address.hostname,
        port=port or (MQTTS_PORT if is_encrypted else MQTT_PORT),
        username=unquote(address.username) if address.username else None,
        password=unquote(address.password) if address.password else None,
        is_encrypted=is_encrypted,
        authority=environment.get("TALLYGATE_MQTT_CA") or None,
    )
