"""An LLRP reader without sockets: bytes and times go in, bytes come out.

`connect`, then `receive` for what the client sends, `advance` for the world's time, `output` for
what is to be sent; `disconnect` when the client is gone. It speaks LLRP 1.0.1 and, where its
nature allows, 1.1. Times are microseconds of the shift; what it writes follows its own clock.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import msgspec

from firmware_sim.core import llrp_answers
from firmware_sim.core.llrp_answers import Configuration
from firmware_sim.core.llrp_antenna import Abilities, AntennaWish, read_antenna
from firmware_sim.core.llrp_events import EVENT_OF, event_of
from firmware_sim.core.llrp_makers import IMPINJ, MAKERS
from firmware_sim.core.llrp_radio import Noticed, Radio
from firmware_sim.core.llrp_reports import ReportWriter
from firmware_sim.core.llrp_specs import RoSpec, read_report, read_rospec
from firmware_sim.core.llrp_wire import (
    Frame,
    Frames,
    Kind,
    MessageType,
    Refused,
    Status,
    fields,
    message,
    parameters,
    status,
    tlv,
)
from firmware_sim.core.tracks import SECOND
from firmware_sim.parameters import ReaderParameters, SignalParameters

VERSION_1_0_1 = 1
ACCEPTED, CLIENT_CONNECTED, ANOTHER_TRIED = 0, 2, 4
"""ConnectionAttemptEvent: accepted; refused for another client; another client was refused."""
ENABLE_EXTENSIONS, ENABLE_EXTENSIONS_RESPONSE = 21, 22
BOOT_BEFORE_US = 3_600 * SECOND
"""The reader was started so long before the shift."""
_CONFIGURABLE = (
    Kind.ANTENNA_PROPERTIES,
    Kind.ANTENNA_CONFIGURATION,
    Kind.CONFIGURATION_STATE,
    Kind.GPO_WRITE_DATA,
    Kind.KEEPALIVE_SPEC,
    Kind.GPI_PORT_CURRENT_STATE,
    Kind.EVENTS_AND_REPORTS,
    Kind.RO_REPORT_SPEC,
    Kind.ACCESS_REPORT_SPEC,
    Kind.READER_EVENT_NOTIFICATION_SPEC,
)
"""Parameters that SET_READER_CONFIG takes; those of vendors are refused, as real readers do."""
KEEPALIVE_MS_MIN = 100
"""More frequent keepalives are nobody's wish."""


_ANSWERS = {
    MessageType.GET_SUPPORTED_VERSION: MessageType.GET_SUPPORTED_VERSION_RESPONSE,
    MessageType.SET_PROTOCOL_VERSION: MessageType.SET_PROTOCOL_VERSION_RESPONSE,
    MessageType.CLOSE_CONNECTION: MessageType.CLOSE_CONNECTION_RESPONSE,
} | {kind: kind + 10 for kind in (1, 2, 3, 20, 21, 22, 23, 24, 25, 26, 41, 44)}
"""Which message answers: most with their own number plus ten."""


class LightChange(NamedTuple):
    """An output was switched; time in microseconds of the shift."""

    at_us: int
    port: int
    on: bool


class LlrpReader:
    """One reader."""

    def __init__(
        self,
        radio: Radio,
        nature: ReaderParameters,
        signal: SignalParameters,
        *,
        antennas: tuple[int, ...],
        start_us: int,
    ) -> None:
        self.radio = radio
        self.lights: list[LightChange] = []
        self.refused_requests = 0
        self.wants_close = False
        """The client was told goodbye, or the power went: close the connection."""
        self._nature = nature
        self._signal = signal
        self._antennas = antennas
        self._start_us = start_us
        self._boot_us = -BOOT_BEFORE_US
        self._version = VERSION_1_0_1
        self._maker = MAKERS[nature.maker]
        self._extended = False
        self._frames = Frames()
        self._writer: ReportWriter | None = None
        self._held = False
        self._out = bytearray()
        self._message_id = 0
        self._config = self._factory()
        self._handlers: dict[int, Callable[[Frame], bytes]] = {
            MessageType.GET_SUPPORTED_VERSION: self._get_version,
            MessageType.SET_PROTOCOL_VERSION: self._set_version,
            MessageType.GET_READER_CAPABILITIES: self._get_capabilities,
            MessageType.GET_READER_CONFIG: self._get_config,
            MessageType.SET_READER_CONFIG: self._set_config,
            MessageType.ADD_ROSPEC: self._add_rospec,
            MessageType.DELETE_ROSPEC: self._delete_rospec,
            MessageType.START_ROSPEC: self._start_rospec,
            MessageType.STOP_ROSPEC: self._stop_rospec,
            MessageType.ENABLE_ROSPEC: self._enable_rospec,
            MessageType.DISABLE_ROSPEC: self._disable_rospec,
            MessageType.GET_ROSPECS: self._get_rospecs,
            MessageType.DELETE_ACCESSSPEC: self._accessspecs,
            MessageType.GET_ACCESSSPECS: self._accessspecs,
            MessageType.CLOSE_CONNECTION: self._close,
            MessageType.GET_REPORT: self._get_report,
            MessageType.ENABLE_EVENTS_AND_REPORTS: self._enable_events,
        }
        if self._maker.number == IMPINJ:
            self._handlers[MessageType.CUSTOM_MESSAGE] = self._custom

    @property
    def _protocol(self) -> int:
        """The highest version that it speaks."""
        return min(self._nature.protocol, self._maker.protocol)

    @property
    def connected(self) -> bool:
        """Whether a client is there."""
        return self._writer is not None

    @property
    def keepalive_ms(self) -> int:
        """How often a keepalive is due, in wall time; 0 for never."""
        return self._config.keepalive_ms if self.connected else 0

    def connect(self) -> None:
        """A client came, and is the only one."""
        assert self._writer is None, "one client at a time"
        self._frames = Frames()
        self._out.clear()
        self._version = VERSION_1_0_1
        self._extended = not self._maker.extensions_first
        self.wants_close = False
        nature = self._nature
        self._writer = ReportWriter(utc=nature.utc_clock, omit_unchanged=nature.omit_unchanged)
        self._held = self._config.hold
        self.radio.keeps_reports = True
        self._notify(tlv(Kind.CONNECTION_ATTEMPT_EVENT, struct.pack(">H", ACCEPTED)))

    def another_tried(self) -> bytes:
        """What a second client is told before it is sent away; the first hears of it."""
        self._notify(tlv(Kind.CONNECTION_ATTEMPT_EVENT, struct.pack(">H", ANOTHER_TRIED)))
        return self._notification(
            tlv(Kind.CONNECTION_ATTEMPT_EVENT, struct.pack(">H", CLIENT_CONNECTED))
        )

    def disconnect(self) -> None:
        """The client is gone; ROSpecs go on, and reports are kept if that was asked for."""
        self._writer = None
        self._out.clear()
        self.radio.keeps_reports = self._config.hold
        if not self._config.hold:
            self.radio.forget_reports()

    def receive(self, data: bytes) -> None:
        """Take bytes from the client. Raises NotLlrp."""
        for frame in self._frames.receive(data):
            self._handle(frame)

    def advance(self, until_us: int) -> None:
        """Let the shift's time move on."""
        self.radio.advance(until_us)
        noticed, self.radio.noticed = self.radio.noticed, []
        for notice in noticed:
            if notice.kind == "reboot":
                self._reboot(notice.at_us)
            elif self.connected:
                self._tell(notice)

    def fault(self, name: str, value: float) -> bool:
        """Take a fault that a reader itself can have; False: there is no such thing here."""
        nature = self._nature
        match name:
            case "clock_offset_s":
                offset_us = nature.clock_offset_us + round(value * SECOND)
                self._nature = msgspec.structs.replace(nature, clock_offset_us=offset_us)
            case "clock_drift_ppm":
                # What it has gained until now stays: a clock that drifts does not jump.
                age_us = self.radio.at_us - self._boot_us
                offset_us = nature.clock_offset_us
                offset_us += round(age_us * (nature.drift_ppm - value) / SECOND)
                self._nature = msgspec.structs.replace(
                    nature, drift_ppm=value, clock_offset_us=offset_us
                )
            case "antenna_lost" | "antenna_back" if value in self._antennas:
                self.radio.plug(int(value), connected=name == "antenna_back")
            case _:
                return False
        return True

    def keepalive(self) -> None:
        """A keepalive is due."""
        self._send(MessageType.KEEPALIVE)

    def output(self, room: int) -> bytes:
        """What is to be sent now: all answers, and reports for about so many bytes."""
        writer = self._writer
        if writer is None:
            return b""
        while not self._held and len(self._out) < room:
            report = self.radio.take_report()
            if report is None:
                break
            body = b"".join(
                writer.tag_report(
                    entry,
                    report.content,
                    self._own_clock(entry.first_us),
                    self._own_clock(entry.last_us),
                    partial(self.radio.air, entry),
                )
                for entry in report.entries
            )
            self._send(MessageType.RO_ACCESS_REPORT, body)
        data = bytes(self._out)
        self._out.clear()
        return data

    # What the client asks.

    def _handle(self, frame: Frame) -> None:
        if frame.kind in (MessageType.KEEPALIVE_ACK, MessageType.ERROR_MESSAGE):
            return
        supported = max(self._protocol, VERSION_1_0_1)
        if frame.version > supported:
            self._error(frame, Status.UNSUPPORTED_VERSION, f"version {frame.version} is too new")
            return
        handler = self._handlers.get(frame.kind)
        negotiation = frame.kind in (
            MessageType.GET_SUPPORTED_VERSION,
            MessageType.SET_PROTOCOL_VERSION,
        )
        if handler is None or (negotiation and supported == VERSION_1_0_1):
            self._error(frame, Status.UNSUPPORTED_MESSAGE, f"message {frame.kind} is unknown")
            return
        answer = _ANSWERS.get(frame.kind)
        try:
            body = handler(frame)
        except Refused as refused:
            if answer is None:
                self._error(frame, refused.status, refused.text)
                return
            self.refused_requests += 1
            body = status(refused.status, refused.text)
        if answer is not None:
            self._answer(frame, answer, body or status(Status.SUCCESS))

    def _get_version(self, frame: Frame) -> bytes:
        del frame
        return bytes([self._version, self._protocol]) + status(Status.SUCCESS)

    def _set_version(self, frame: Frame) -> bytes:
        (wanted,) = fields("B", frame.body, "SET_PROTOCOL_VERSION")
        if not VERSION_1_0_1 <= wanted <= self._protocol:
            raise Refused(Status.UNSUPPORTED_VERSION, f"version {wanted} is not spoken here")
        self._version = wanted
        return status(Status.SUCCESS)

    def _get_capabilities(self, frame: Frame) -> bytes:
        (asked,) = fields("B", frame.body, "GET_READER_CAPABILITIES")
        utc = self._nature.utc_clock
        return llrp_answers.capabilities(asked, self._abilities(), utc_clock=utc)

    def _get_config(self, frame: Frame) -> bytes:
        antenna, asked, _, _ = fields("HBHH", frame.body, "GET_READER_CONFIG")
        if antenna and antenna not in self._antennas:
            raise Refused(Status.OUT_OF_RANGE, f"there is no antenna {antenna}")
        return llrp_answers.configuration(
            asked, antenna, self._config, self._abilities(), self.radio.inputs
        )

    def _set_config(self, frame: Frame) -> bytes:
        (flags,) = fields("B", frame.body, "SET_READER_CONFIG")
        wanted = parameters(frame.body, 1)
        for part in wanted:
            if part.kind not in _CONFIGURABLE:
                status_ = Status.UNSUPPORTED_PARAMETER
                raise Refused(status_, f"parameter {part.kind} is not supported")
        if flags & 0x80:
            self._config = self._factory()
        for part in wanted:
            self._set(part.kind, part.body)
        self._config.changes += 1
        return status(Status.SUCCESS)

    def _set(self, kind: int, body: bytes) -> None:
        config = self._config
        if kind == Kind.ANTENNA_CONFIGURATION:
            config.wishes.update(read_antenna(body, self._abilities(), config.wishes))
        elif kind == Kind.RO_REPORT_SPEC:
            config.report = self.radio.default_report = read_report(body, self._abilities())
        elif kind == Kind.READER_EVENT_NOTIFICATION_SPEC:
            for state in parameters(body):
                event, on = fields("HB", state.body, "EventNotificationState")
                config.events[event] = bool(on & 0x80)
        elif kind == Kind.KEEPALIVE_SPEC:
            trigger, period_ms = fields("BI", body, "KeepaliveSpec")
            config.keepalive_ms = max(period_ms, KEEPALIVE_MS_MIN) if trigger else 0
        elif kind == Kind.GPI_PORT_CURRENT_STATE:
            port, on, _ = fields("HBB", body, "GPIPortCurrentState")
            self._port(port, config.inputs)
            config.inputs[port] = bool(on & 0x80)
        elif kind == Kind.GPO_WRITE_DATA:
            port, on = fields("HB", body, "GPOWriteData")
            self._port(port, config.outputs)
            config.outputs[port] = bool(on & 0x80)
            self.lights.append(LightChange(self.radio.at_us, port, bool(on & 0x80)))
        elif kind == Kind.EVENTS_AND_REPORTS:
            (on,) = fields("B", body, "EventsAndReports")
            config.hold = bool(on & 0x80)

    def _port(self, port: int, known: dict[int, bool]) -> None:
        if port not in known:
            raise Refused(Status.OUT_OF_RANGE, f"there is no port {port}")

    def _add_rospec(self, frame: Frame) -> bytes:
        wanted = parameters(frame.body)
        if len(wanted) != 1 or wanted[0].kind != Kind.RO_SPEC:
            raise Refused(Status.MISSING_PARAMETER, "ROSpec is missing")
        rospec = read_rospec(wanted[0].body, self._abilities())
        if rospec.id in self.radio.rospecs:
            raise Refused(Status.FIELD_ERROR, f"there is a ROSpec {rospec.id} already")
        if len(self.radio.rospecs) >= self._maker.rospecs_max:
            raise Refused(Status.OVERFLOW_PARAMETER, "no room for another ROSpec")
        self.radio.rospecs[rospec.id] = rospec
        return b""

    def _delete_rospec(self, frame: Frame) -> bytes:
        for rospec in self._named(frame):
            self.radio.delete(rospec)
        return b""

    def _enable_rospec(self, frame: Frame) -> bytes:
        for rospec in self._named(frame):
            self.radio.enable(rospec)
        return b""

    def _disable_rospec(self, frame: Frame) -> bytes:
        for rospec in self._named(frame):
            self.radio.disable(rospec)
        return b""

    def _start_rospec(self, frame: Frame) -> bytes:
        for rospec in self._named(frame, zero=False):
            if rospec.state == 0:
                raise Refused(Status.UNEXPECTED_MESSAGE, f"ROSpec {rospec.id} is disabled")
            if not self.radio.start(rospec):
                raise Refused(Status.UNEXPECTED_MESSAGE, "another ROSpec is active")
        return b""

    def _stop_rospec(self, frame: Frame) -> bytes:
        for rospec in self._named(frame, zero=False):
            self.radio.stop(rospec)
        return b""

    def _get_rospecs(self, frame: Frame) -> bytes:
        del frame
        specs = b"".join(rospec.encoded() for rospec in self.radio.rospecs.values())
        return status(Status.SUCCESS) + specs

    def _accessspecs(self, frame: Frame) -> bytes:
        """There are none: this reader only reads."""
        del frame
        return status(Status.SUCCESS)

    def _close(self, frame: Frame) -> bytes:
        del frame
        self.wants_close = True
        return status(Status.SUCCESS)

    def _get_report(self, frame: Frame) -> bytes:
        del frame
        self.radio.flush()
        return b""

    def _enable_events(self, frame: Frame) -> bytes:
        del frame
        self._held = False
        return b""

    def _custom(self, frame: Frame) -> bytes:
        """Impinj's message that switches its extensions on."""
        vendor, subtype = fields("IB", frame.body, "CUSTOM_MESSAGE")
        if (vendor, subtype) != (IMPINJ, ENABLE_EXTENSIONS):
            raise Refused(Status.UNSUPPORTED_MESSAGE, f"message {subtype} of {vendor} is unknown")
        self._extended = True
        answer = struct.pack(">IB", IMPINJ, ENABLE_EXTENSIONS_RESPONSE)
        self._answer(frame, MessageType.CUSTOM_MESSAGE, answer + status(Status.SUCCESS))
        return b""

    def _named(self, frame: Frame, *, zero: bool = True) -> list[RoSpec]:
        (number,) = fields("I", frame.body, "ROSpecID")
        if number == 0 and zero:
            return list(self.radio.rospecs.values())
        if number not in self.radio.rospecs:
            raise Refused(Status.FIELD_ERROR, f"there is no ROSpec {number}")
        return [self.radio.rospecs[number]]

    # What the reader says.

    def _tell(self, notice: Noticed) -> None:
        kind = EVENT_OF.get(notice.kind)
        if kind is not None and not self._config.events.get(kind, False):
            return
        if notice.kind == "input" and not self._config.inputs.get(notice.number, False):
            return
        self._notify(event_of(notice), notice.at_us)

    def _notify(self, event: bytes, at_us: int | None = None) -> None:
        if self._writer is not None:
            self._out += self._notification(event, at_us)

    def _notification(self, event: bytes, at_us: int | None = None) -> bytes:
        moment = self._own_clock(self.radio.at_us if at_us is None else at_us)
        kind = Kind.UTC_TIMESTAMP if self._nature.utc_clock else Kind.UPTIME
        data = tlv(
            Kind.READER_EVENT_NOTIFICATION_DATA, tlv(kind, struct.pack(">Q", max(0, moment))), event
        )
        return message(self._version, MessageType.READER_EVENT_NOTIFICATION, self._next_id(), data)

    def _answer(self, frame: Frame, kind: int, body: bytes) -> None:
        version = self._version
        if kind in (
            MessageType.GET_SUPPORTED_VERSION_RESPONSE,
            MessageType.SET_PROTOCOL_VERSION_RESPONSE,
        ):
            version = frame.version  # These two are LLRP 1.1 whatever is spoken yet.
        self._out += message(version, kind, frame.id, body)

    def _error(self, frame: Frame, code: Status, words: str) -> None:
        self.refused_requests += 1
        self._out += message(
            self._version, MessageType.ERROR_MESSAGE, frame.id, status(code, words)
        )

    def _send(self, kind: MessageType, body: bytes = b"") -> None:
        self._out += message(self._version, kind, self._next_id(), body)

    def _next_id(self) -> int:
        self._message_id += 1
        return self._message_id

    def _own_clock(self, at_us: int) -> int:
        """A time of the shift by this reader's own clock: UTC, or since its start."""
        nature = self._nature
        gained_us = int((at_us - self._boot_us) * nature.drift_ppm / 1_000_000)
        if nature.utc_clock:
            return self._start_us + at_us + nature.clock_offset_us + gained_us
        return at_us - self._boot_us + gained_us

    def _reboot(self, at_us: int) -> None:
        self.radio.reboot()
        self._boot_us = at_us
        self._config = self._factory()
        self.wants_close = True
        self._out.clear()

    def _factory(self) -> Configuration:
        power = self._signal.power_max_dbm
        return Configuration({antenna: AntennaWish(power, 1, 32) for antenna in self._antennas})

    def _abilities(self) -> Abilities:
        return Abilities(
            antennas=self._antennas,
            inputs=llrp_answers.INPUTS,
            version=self._version,
            power_min_dbm=self._signal.power_min_dbm,
            power_max_dbm=self._signal.power_max_dbm,
            wishes=self._config.wishes,
            maker=self._maker,
            extended=self._extended,
        )
