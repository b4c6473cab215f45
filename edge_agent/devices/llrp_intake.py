"""What an LLRP reader tells, as reads, rejects, signals and changes for the spool."""

from __future__ import annotations

from contracts.codec import reject
from contracts.reads import DeviceChange, GateSignal, Read, Reject
from contracts.site_devices import DeviceTable
from contracts.site_llrp import LlrpTable, TriggerTable
from edge_agent.core.batcher import Heard
from edge_agent.core.device_time import ClockLimit, DeviceTime
from edge_agent.core.device_watch import DeviceWatch
from edge_agent.core.identity import identity_of_epc
from edge_agent.core.llrp.events import (
    AntennaChanged,
    ClockShown,
    GpiChanged,
    ReaderNoticed,
    Signal,
)
from edge_agent.core.llrp.filters import EpcFilters
from edge_agent.core.llrp.profiles import BEHAVIOURS
from edge_agent.core.llrp.reports import TagReport
from edge_agent.core.llrp.rospec import InputTrigger, ReaderSettings
from edge_agent.devices.stack_light import StackLights
from edge_agent.door import Door
from edge_agent.intake import steady_us

CENTIBELS = 100
MILLISECONDS = 1_000


class LlrpIntake:
    """Takes what `LlrpReader` tells; each call returns when there was room for it."""

    def __init__(
        self,
        *,
        source: str,
        intake: Door,
        watch: DeviceWatch,
        lights: StackLights,
        filters: EpcFilters = EpcFilters(),  # noqa: B008 - a value: it cannot change.
        clock_off_us: int = 0,
    ) -> None:
        """`source` names the device in rejects: `{gateway}/{device}`.

        `clock_off_us`: a clock that is further off is told; 0: never.
        """
        self.filtered = 0
        """Tags that are not wanted and that the reader reported all the same."""
        self._source = source
        self._intake = intake
        self._watch = watch
        self._lights = lights
        self._filters = filters
        self._time = DeviceTime()
        self._limit = ClockLimit(clock_off_us)
        # It may have kept reports while this agent was not there.
        intake.device_left(watch.device)

    async def on_reports(self, reports: list[TagReport], received_wall_s: float) -> None:
        """Take the tag reports of one message."""
        received_us = self._intake.domain_us(received_wall_s)
        if self._filters:
            reports = self._wanted(reports)
        reads: list[Read] = []
        rejects: list[Reject] = []
        utc_us, device = self._time.utc_us, self._watch.device
        # Every tag of every reader passes here: local names, one loop.
        for report in reports:
            if not report.epc_bits:
                rejects.append(reject(self._source, "a tag without EPC", report.raw, received_us))
                continue
            first_us, last_us = utc_us(
                report.first_seen_us,
                report.last_seen_us,
                uptime=report.uptime,
                received_us=received_us,
            )
            reads.append(
                Read(
                    identity=identity_of_epc(report.epc),
                    device=device,
                    antenna=report.antenna or 0,
                    first_us=first_us,
                    last_us=last_us,
                    received_us=received_us,
                    count=report.seen_count or 1,
                    rssi_cdbm=report.rssi_cdbm,
                    evidence=report.epc,
                    phase_cdeg=report.phase_cdeg,
                    doppler_chz=report.doppler_chz,
                )
            )
        self._watch.heard(reads=len(reads), rejects=len(rejects), received_us=received_us)
        heard = Heard(
            reads=tuple(reads), rejects=tuple(rejects), changes=self._judge_clock(received_us)
        )
        await self._intake.put(heard, received_us=received_us)

    def _wanted(self, reports: list[TagReport]) -> list[TagReport]:
        """The reader is asked to leave out the others; not every reader can, or does."""
        wanted = [report for report in reports if self._filters.wants(report.epc)]
        self.filtered += len(reports) - len(wanted)
        return wanted

    def _judge_clock(self, at_us: int) -> tuple[DeviceChange, ...]:
        """Show how far the device's clock is off, and tell when that passes the limit."""
        skew_us = self._time.skew_us
        self._watch.skew_us = skew_us
        detail = self._limit.judge(skew_us)
        if not detail:
            return ()
        state = "clock_off" if self._limit.is_off else self._watch.state
        change = DeviceChange(device=self._watch.device, state=state, detail=detail, at_us=at_us)
        return (change,)

    async def on_reject(self, reason: str, raw: bytes) -> None:
        """Take bytes that could not be used."""
        now_us = self._intake.now_us()
        self._watch.heard(reads=0, rejects=1, received_us=now_us)
        heard = Heard(rejects=(reject(self._source, reason, raw, now_us),))
        await self._intake.put(heard, received_us=now_us)

    async def on_status(self, state: str, detail: str) -> None:
        """Take the device's state."""
        now_us = self._intake.now_us()
        if state == "reading":
            self._intake.device_came(self._watch.device)
        elif self._watch.state == "reading":
            self._intake.device_left(self._watch.device)
        if state == self._watch.state == "reading" and detail != self._watch.detail:
            changes = self._watch.complained(detail, at_us=now_us, steady_us=steady_us())
        else:
            changes = self._watch.entered(state, detail, at_us=now_us)
        if changes:
            await self._intake.put(Heard(changes=changes), received_us=now_us)
        if state == "reading":
            self._lights.came_back(self._watch.device)
        elif state != "connecting":
            # The next connection may be to a reader that was started anew.
            self._time = DeviceTime()

    async def on_signal(self, signal: Signal) -> None:
        """Take a change of an input or antenna, or what the reader says about itself."""
        now_us = self._intake.now_us()
        _, at_us = self._time.utc_us(None, signal.at_us, uptime=signal.uptime, received_us=now_us)
        device = self._watch.device
        match signal:
            case GpiChanged(port, state):
                change = GateSignal(
                    device=device, port=port, state=state, at_us=at_us, received_us=now_us
                )
                heard = Heard(signals=(change,))
            case AntennaChanged(antenna, connected):
                changes = self._watch.antenna(antenna, connected=connected, at_us=at_us)
                heard = Heard(changes=changes)
            case ReaderNoticed("rospec", detail) if detail.endswith("started"):
                return  # As it should be; the device's state says so already.
            case ReaderNoticed(kind, detail):
                changes = self._watch.complained(
                    f"{kind}: {detail}", at_us=at_us, steady_us=steady_us()
                )
                heard = Heard(changes=changes)
        await self._intake.put(heard, received_us=now_us)

    async def on_progress(self) -> None:
        """Nothing to note: gateway time needs no word of a single reader."""

    async def on_clock(self, clock: ClockShown) -> None:
        """Take the time that the reader shows when it is connected to."""
        if clock.uptime:
            return
        now_us = self._intake.now_us()
        self._time.shown(clock.at_us, received_us=now_us)
        if changes := self._judge_clock(now_us):
            await self._intake.put(Heard(changes=changes), received_us=now_us)


def reader_settings(device: DeviceTable) -> ReaderSettings:
    """How the reader shall read, from what the site file says of it."""
    llrp = device.llrp
    behaviour = BEHAVIOURS[llrp.behaviour]
    power = None if llrp.power_dbm is None else round(llrp.power_dbm * CENTIBELS)
    transit_ms = behaviour.tag_transit_ms
    if llrp.tag_transit_s is not None:
        transit_ms = round(llrp.tag_transit_s * MILLISECONDS)
    return ReaderSettings(
        profile=llrp.profile,
        antennas=tuple(antenna.number for antenna in device.antennas),
        transmit_power_cdbm=power,
        antenna_powers_cdbm=tuple(
            (int(number), round(dbm * CENTIBELS)) for number, dbm in llrp.antenna_power_dbm.items()
        ),
        channel=llrp.channel,
        session=behaviour.session if llrp.session is None else llrp.session,
        tag_population=llrp.tag_population or behaviour.tag_population,
        tag_transit_ms=transit_ms,
        search_mode=behaviour.search_mode if llrp.search_mode is None else llrp.search_mode,
        both_ways=behaviour.both_ways,
        rf_mode=llrp.rf_mode,
        readers_near=llrp.readers_near,
        phase=llrp.phase,
        doppler=llrp.doppler,
        start=_trigger(llrp.start),
        stop=_trigger(llrp.stop),
        stop_after_ms=round(llrp.stop_after_s * MILLISECONDS),
        filters=filters_of(llrp),
        report_interval_ms=round(llrp.report_every_s * MILLISECONDS),
        report_tags=llrp.report_tags,
        gpi_ports=tuple(eye.port for eye in device.inputs),
        keepalive_ms=round(llrp.keepalive_s * MILLISECONDS),
        keepalives_missed_max=llrp.keepalives_missed_max,
        step_timeout_s=llrp.timeout_s,
        hold_reports=llrp.hold_reports,
    )


def filters_of(llrp: LlrpTable) -> EpcFilters:
    """Which tags are wanted."""
    return EpcFilters(
        include=tuple(prefix.lower() for prefix in llrp.include),
        exclude=tuple(prefix.lower() for prefix in llrp.exclude),
    )


def _trigger(table: TriggerTable | None) -> InputTrigger | None:
    if table is None:
        return None
    return InputTrigger(
        port=table.input, state=table.active, timeout_ms=round(table.timeout_s * MILLISECONDS)
    )
