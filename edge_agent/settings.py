"""What an agent is started with: its command line, its environment and the site file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from contracts.clock import ClockSetting, clock_from_text
from contracts.site import GatewayTable, SiteFile, read_site
from contracts.site_devices import DeviceTable
from edge_agent import journal
from edge_agent.broker import Broker, BrokerError, broker_from
from edge_agent.configuration import ConfigurationStore, wall_us
from edge_agent.core.configuration import Refusal, Start, at_start, devices_of

MEGABYTE = 1_000_000


class SettingsError(Exception):
    """The agent cannot start as it was told to; the message names each mistake."""


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
    start: Start
    """The site file in force, and what is to be kept of it before the devices start."""
    locations: tuple[str, ...] = ()
    """Ids of the site's zones and gates, for devices that are told where they are."""


def load_site(path: Path) -> SiteFile:
    """The site file. Raises SettingsError that names every mistake in it."""
    site_file = read_site(load_text(path))
    if isinstance(site_file, SiteFile):
        return site_file
    raise _error(path, Refusal(tuple(mistake.text() for mistake in site_file)))


def load_text(path: Path) -> str:
    """A site file as it was written. Raises SettingsError."""
    text = _text_in(path)
    if isinstance(text, Refusal):
        raise _error(path, text)
    return text


def log_level(environment: Mapping[str, str]) -> str:
    """How much the log tells. Raises SettingsError."""
    level = environment.get("TALLYGATE_LOG_LEVEL") or "info"
    if level not in journal.LEVELS:
        raise SettingsError(f"TALLYGATE_LOG_LEVEL is {', '.join(journal.LEVELS)}, not {level!r}")
    return level


def agent_settings(
    *,
    site_path: Path,
    gateway: str,
    data: Path,
    keep_acknowledged: bool,
    environment: Mapping[str, str],
) -> AgentSettings:
    """Everything together. Raises SettingsError."""
    store = ConfigurationStore(data)
    start = at_start(
        _text_in(site_path), store.read(), store.text_of, gateway=gateway, at_us=wall_us()
    )
    if isinstance(start, Refusal):
        raise _error(site_path, start)
    site_file = start.site_file
    table = gateway_in(site_file, gateway)
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
        devices=devices_of(site_file, gateway),
        data=data,
        broker=broker_settings(environment),
        clock=clock,
        spool_bytes_max=table.spool_mb * MEGABYTE,
        keep_acknowledged=keep_acknowledged or table.keep_acknowledged,
        start=start,
        locations=locations_of(site_file),
    )


def with_site(settings: AgentSettings, site_file: SiteFile) -> AgentSettings:
    """The settings with the devices and places of another site file.

    Bounds of the spool count from the next start on.
    """
    return msgspec.structs.replace(
        settings,
        devices=devices_of(site_file, settings.gateway),
        locations=locations_of(site_file),
    )


def gateway_in(site_file: SiteFile, gateway: str) -> GatewayTable:
    """The table of a gateway that is there."""
    return next(table for table in site_file.gateways if table.id == gateway)


def locations_of(site_file: SiteFile) -> tuple[str, ...]:
    """Ids of the site's zones and gates."""
    zones = tuple(zone.id for zone in site_file.zones)
    return (*zones, *(gate.id for gate in site_file.gates))


def _text_in(path: Path) -> str | Refusal:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return Refusal((f"cannot be read: {error}",))


def _error(path: Path, refusal: Refusal) -> SettingsError:
    return SettingsError("\n".join(f"{path}: {reason}" for reason in refusal.reasons))


def broker_settings(environment: Mapping[str, str]) -> Broker:
    """The broker as the environment says it. Raises SettingsError."""
    try:
        return broker_from(environment)
    except BrokerError as error:
        raise SettingsError(str(error)) from error
