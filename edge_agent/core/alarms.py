"""Alarms that know working hours: each is raised once, cleared once, and never raised at night.

    alarms = Alarms(places_of(site_file, "dock"), standing=())
    changes = alarms.look(agent, devices, at_us=now)   # every few seconds; entries for the ledger

What began at night and still holds in the morning is raised when work begins; what is mended at
night is cleared at once. A figure must come back well below its limit before its alarm is cleared,
so that one on the brink is told once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from contracts.reads import DeviceChange
from contracts.site import SiteFile
from contracts.site_hours import AlarmsTable
from edge_agent.core.working_hours import WorkingHours

MICROSECONDS = 1_000_000
MINUTE_US = 60 * MICROSECONDS
MEGABYTE = 1_000_000
SIBLING_READS_MIN = 20
"""So many reads of its siblings, and none of its own, before an antenna is called dark: one pallet
that only one side of a gate hears proves nothing."""
CALM_SHARE = 0.8
"""An alarm is over when its figure is below this share of the limit."""

Key = tuple[str, str]
"""Device (or gateway) and the alarm's name."""


class AntennaLook(NamedTuple):
    """One antenna's figures."""

    reads: int
    last_read_us: int | None


class DeviceLook(NamedTuple):
    """One device's figures."""

    device: str
    state: str
    watched_us: int
    """Since when it is watched."""
    reading_us: int
    """When it last came to the state `reading`."""
    last_read_us: int | None
    skew_us: int | None
    temperature_c: float | None
    antennas: Mapping[int, AntennaLook]


class AgentLook(NamedTuple):
    """The agent's own figures; None: not known."""

    gateway: str
    disk_free_bytes: int | None
    spool_share: float
    """0 to 1."""
    temperature_c: float | None
    certificate_days: float | None
    """Until the agent's own certificate ends."""


class Places(NamedTuple):
    """Where devices and antennas are, and when somebody works there."""

    limits: AlarmsTable
    site: WorkingHours
    devices: Mapping[str, WorkingHours]
    antennas: Mapping[tuple[str, int], tuple[str, WorkingHours]]
    """By device and number: the location and its hours."""


def places_of(site_file: SiteFile, gateway: str) -> Places:
    """What alarms need to know of a site for one of its gateways."""
    timezone = (site_file.hours.timezone if site_file.hours else None) or "UTC"
    usual = WorkingHours(site_file.hours, timezone=timezone)
    hours = {zone.id: zone.hours for zone in site_file.zones}
    hours |= {gate.id: gate.hours for gate in site_file.gates}
    own = {
        place: WorkingHours(table, timezone=timezone)
        for place, table in hours.items()
        if table is not None
    }
    devices: dict[str, WorkingHours] = {}
    antennas: dict[tuple[str, int], tuple[str, WorkingHours]] = {}
    for device in site_file.devices:
        if device.gateway != gateway:
            continue
        places = [antenna.location for antenna in device.antennas]
        devices[device.id] = own.get(device.location or next(iter(places), ""), usual)
        for antenna in device.antennas:
            place = (antenna.location, own.get(antenna.location, usual))
            antennas[device.id, antenna.number] = place
    return Places(site_file.alarms, usual, devices, antennas)


class Alarms:
    """Which alarms stand."""

    def __init__(self, places: Places, *, standing: Mapping[Key, str]) -> None:
        """`standing`: what stood when the agent ended, so that it is not raised again."""
        self.places = places
        """May be replaced when the site file was."""
        self.standing = dict(standing)
        """Key to reason."""
        self._marks: dict[tuple[str, int], tuple[int, int]] = {}
        """Per antenna: its reads when it was last heard, and its siblings' reads then."""
        self._changes: list[DeviceChange] = []
        self._at_us = 0

    def look(
        self, agent: AgentLook, devices: tuple[DeviceLook, ...], *, at_us: int
    ) -> tuple[DeviceChange, ...]:
        """What is to be told now. `at_us`: domain time."""
        self._changes = []
        self._at_us = at_us
        known = {agent.gateway, *(device.device for device in devices)}
        for device, name in [key for key in self.standing if key[0] not in known]:
            self._clear((device, name), "the device is no longer in the site file")
        self._look_at_agent(agent)
        for look in devices:
            self._look_at_device(look)
        return tuple(self._changes)

    def of(self, device: str) -> tuple[str, ...]:
        """The alarms of a device, or of the gateway, that stand: name and reason."""
        return tuple(
            f"{name}: {reason}"
            for (other, name), reason in self.standing.items()
            if other == device
        )

    def _look_at_agent(self, agent: AgentLook) -> None:
        limits, hours, gateway = self.places.limits, self.places.site, agent.gateway
        if agent.disk_free_bytes is not None:
            free = agent.disk_free_bytes / MEGABYTE
            self._low((gateway, "disk"), free, limits.disk_free_mb, "{:.0f} MB are left", hours)
        if agent.certificate_days is not None:
            left, text = agent.certificate_days, "the agent's certificate ends in {:.1f} days"
            self._low((gateway, "certificate"), left, limits.certificate_days, text, hours)
        filled = 100 * agent.spool_share
        self._high((gateway, "spool"), filled, limits.spool_percent, "{:.0f} % full", hours)
        self._heat(gateway, agent.temperature_c, hours)

    def _look_at_device(self, look: DeviceLook) -> None:
        limits = self.places.limits
        hours = self.places.devices.get(look.device, self.places.site)
        self._heat(look.device, look.temperature_c, hours)
        if look.skew_us is not None:
            off_s = abs(look.skew_us) / MICROSECONDS
            text = "the device's clock is off by {:.1f} s"
            self._high((look.device, "clock_off"), off_s, limits.clock_off_s, text, hours)
        self._silence(look, hours)
        self._dark(look)

    def _heat(self, device: str, temperature_c: float | None, hours: WorkingHours) -> None:
        if temperature_c is not None:
            limit = self.places.limits.temperature_c
            self._high((device, "temperature"), temperature_c, limit, "{:.0f} °C", hours)

    def _silence(self, look: DeviceLook, hours: WorkingHours) -> None:
        key = (look.device, "silent_device")
        if not (hours.known and self.places.limits.silent_device_min):
            self._clear(key, "it is no longer watched for")
            return
        limit_us = round(self.places.limits.silent_device_min * MINUTE_US)
        from_us = max(look.watched_us, look.last_read_us or 0)
        if hours.worked_us(from_us, self._at_us, at_most_us=limit_us) >= limit_us:
            minutes = self.places.limits.silent_device_min
            self._raise(key, f"nothing for {minutes:g} working minutes", hours)
        elif look.last_read_us is not None:  # Else the agent was just started and knows nothing.
            self._clear(key, "it brings reads again")

    def _dark(self, look: DeviceLook) -> None:
        """Antennas that hear nothing while others at the same place do."""
        for number, figures in look.antennas.items():
            place = self.places.antennas.get((look.device, number))
            key = (look.device, f"dark_antenna {number}")
            if place is None or not self.places.limits.dark_antenna_min:
                self._clear(key, "it is no longer watched for")
                continue
            siblings = [
                look.antennas[other]
                for other in look.antennas
                if other != number
                and self.places.antennas.get((look.device, other), ("",))[0] == place[0]
            ]
            self._dark_antenna(look, number, figures, siblings, place[1])

    def _dark_antenna(
        self,
        look: DeviceLook,
        number: int,
        figures: AntennaLook,
        siblings: list[AntennaLook],
        hours: WorkingHours,
    ) -> None:
        key = (look.device, f"dark_antenna {number}")
        heard = sum(sibling.reads for sibling in siblings)
        mark = self._marks.get((look.device, number))
        if mark is None or figures.reads != mark[0] or heard < mark[1]:
            self._marks[look.device, number] = (figures.reads, heard)
            if mark is not None and figures.reads > mark[0]:
                self._clear(key, "it hears again")
            return
        newest_us = max((sibling.last_read_us or 0 for sibling in siblings), default=0)
        if heard - mark[1] < SIBLING_READS_MIN or look.state != "reading":
            return
        limit_us = round(self.places.limits.dark_antenna_min * MINUTE_US)
        from_us = max(look.reading_us, figures.last_read_us or 0)
        if hours.worked_us(from_us, newest_us, at_most_us=limit_us) >= limit_us:
            minutes = self.places.limits.dark_antenna_min
            reason = f"silent for {minutes:g} working minutes while its siblings read"
            self._raise(key, reason, hours)

    def _high(self, key: Key, figure: float, limit: float, text: str, hours: WorkingHours) -> None:
        if limit and figure >= limit:
            self._raise(key, text.format(figure), hours)
        elif not limit or figure < limit * CALM_SHARE:
            self._clear(key, text.format(figure))

    def _low(self, key: Key, figure: float, limit: float, text: str, hours: WorkingHours) -> None:
        if figure < limit:
            self._raise(key, text.format(figure), hours)
        elif figure * CALM_SHARE >= limit:
            self._clear(key, text.format(figure))

    def _raise(self, key: Key, reason: str, hours: WorkingHours) -> None:
        if key not in self.standing and hours.is_open(self._at_us):
            self.standing[key] = reason
            self._tell(key, "alarm", reason)

    def _clear(self, key: Key, reason: str) -> None:
        if self.standing.pop(key, None) is not None:
            self._tell(key, "alarm_over", reason)

    def _tell(self, key: Key, state: str, reason: str) -> None:
        device, name = key
        change = DeviceChange(
            device=device, state=state, detail=f"{name}: {reason}", at_us=self._at_us
        )
        self._changes.append(change)
