"""What an LLRP reader tells, as reads, rejects, signals and changes for the spool."""

from __future__ import annotations

from contracts.codec import reject
from contracts.reads import GateSignal, Read, Reject
from contracts.site_devices import DeviceTable
from edge_agent.core.batcher import Heard
from edge_agent.core.device_time import DeviceTime
from edge_agent.core.device_watch import DeviceWatch
from edge_agent.core.identity import identity_of_epc
from edge_agent.core.llrp.events import AntennaChanged, GpiChanged, ReaderNoticed, Signal
from edge_agent.core.llrp.reports import TagReport
from edge_agent.core.llrp.rospec import ReaderSettings
from edge_agent.devices.stack_light import StackLights
from edge_agent.door import Door
from edge_agent.intake import steady_us

CENTIBELS = 100
MILLISECONDS = 1_000


class LlrpIntake:
    """Takes what `LlrpReader` tells; each call returns when there was room for it."""

    def __init__(
        self, *, source: str, intake: Door, watch: DeviceWatch, lights: StackLights
    ) -> None:
        """`source` names the device in rejects: `{gateway}/{device}`."""
        self._source = source
        self._intake = intake
        self._watch = watch
        self._lights = lights
        self._time = DeviceTime()
        # It may have kept reports while this agent was not there.
        intake.device_left(watch.device)

    async def on_reports(self, reports: list[TagReport], received_wall_s: float) -> None:
        """Take the tag reports of one message."""
        received_us = self._intake.domain_us(received_wall_s)
        reads: list[Read] = []
        rejects: list[Reject] = []
        for report in reports:
            if report.epc_bits:
                reads.append(self._read_of(report, received_us))
            else:
                rejects.append(reject(self._source, "a tag without EPC", report.raw, received_us))
        self._watch.heard(reads=len(reads), rejects=len(rejects), received_us=received_us)
        self._watch.skew_us = self._time.skew_us
        heard = Heard(reads=tuple(reads), rejects=tuple(rejects))
        await self._intake.put(heard, received_us=received_us)

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

    def _read_of(self, report: TagReport, received_us: int) -> Read:
        first_us, last_us = self._time.utc_us(
            report.first_seen_us,
            report.last_seen_us,
            uptime=report.uptime,
            received_us=received_us,
        )
        return Read(
            identity=identity_of_epc(report.epc),
            device=self._watch.device,
            antenna=report.antenna or 0,
            first_us=first_us,
            last_us=last_us,
            received_us=received_us,
            count=report.seen_count or 1,
            rssi_cdbm=report.rssi_cdbm,
            evidence=report.epc,
        )


def reader_settings(device: DeviceTable) -> ReaderSettings:
    """How the reader shall read, from what the site file says of it."""
    llrp = device.llrp
    power = None if llrp.power_dbm is None else round(llrp.power_dbm * CENTIBELS)
    return ReaderSettings(
        antennas=tuple(antenna.number for antenna in device.antennas),
        transmit_power_cdbm=power,
        session=llrp.session,
        tag_population=llrp.tag_population,
        tag_transit_ms=round(llrp.tag_transit_s * MILLISECONDS),
        rf_mode=llrp.rf_mode,
        report_interval_ms=round(llrp.report_every_s * MILLISECONDS),
        report_tags=llrp.report_tags,
        gpi_ports=tuple(eye.port for eye in device.inputs),
        keepalive_ms=round(llrp.keepalive_s * MILLISECONDS),
        keepalives_missed_max=llrp.keepalives_missed_max,
        step_timeout_s=llrp.timeout_s,
        hold_reports=llrp.hold_reports,
    )
