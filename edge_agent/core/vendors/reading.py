"""What a device said, as reads, rejects, signals and changes for the spool.

One object a device. It knows what the device said before (levels of inputs, antennas), brings the
device's clock to UTC and tells once when that clock is off. It decides; the adapter only waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from contracts.codec import reject
from contracts.reads import DeviceChange, GateSignal, Read, Reject
from contracts.site_base import PORT_MAX
from contracts.site_devices import DeviceTable
from contracts.site_mqtt import MqttTable
from edge_agent.core.ble.pool import BeaconPool, Heard
from edge_agent.core.device_time import ClockLimit, DeviceTime
from edge_agent.core.device_watch import DeviceWatch
from edge_agent.core.identity import identity_of_code, identity_of_epc
from edge_agent.core.vendors.ble_gateways import BleGatewayDecoder
from edge_agent.core.vendors.events import (
    AntennaTold,
    Ask,
    BeaconHeard,
    CodeSeen,
    Decoder,
    Event,
    HealthTold,
    InputChanged,
    Noticed,
    StateTold,
    TagSeen,
    Unusable,
)
from edge_agent.core.vendors.handheld_events import HandheldDecoder
from edge_agent.core.vendors.impinj import ImpinjDecoder
from edge_agent.core.vendors.sparkplug import SparkplugDecoder
from edge_agent.core.vendors.zebra import ZebraDecoder

MICROSECONDS = 1_000_000
DECODERS: Mapping[str, Callable[[MqttTable], Decoder]] = {
    "impinj": ImpinjDecoder,
    "zebra": ZebraDecoder,
    "zebra_handheld": HandheldDecoder,
    "ble_gateway": BleGatewayDecoder,
    "sparkplug": SparkplugDecoder,
}
"""By the site file's `kind`."""
EPC_BYTES_MAX = 62
"""Gen2's length field counts 31 words of 16 bits."""
CODE_BYTES_MAX = 4_096
"""As of fixed scanners: the largest QR code holds 2,953 bytes."""
ANTENNAS_MAX = 256
RETAINED_MAX = 100
CATCH_UP_US = 60_000_000
"""Domain time after a connection in which a clock is not told to be behind."""
NOTICES_MAX = 20
"""Complaints of one message; the device's watch tells one in ten seconds anyway."""


class Said(NamedTuple):
    """What one message led to."""

    reads: tuple[Read, ...] = ()
    rejects: tuple[Reject, ...] = ()
    signals: tuple[GateSignal, ...] = ()
    changes: tuple[DeviceChange, ...] = ()
    notices: tuple[str, ...] = ()
    """Complaints, told at a bounded rate."""
    state: StateTold | None = None
    """The newest word of the device about itself."""
    asks: tuple[Ask, ...] = ()


class _Gathering:
    """What a message's events lead to, one after the other."""

    def __init__(self) -> None:
        self.reads: list[Read] = []
        self.rejects: list[Reject] = []
        self.signals: list[GateSignal] = []
        self.changes: list[DeviceChange] = []
        self._notices: list[str] = []
        self._asks: list[Ask] = []
        self._state: StateTold | None = None

    def take(self, event: Event) -> None:
        """What the adapter is to know as it is."""
        match event:
            case Noticed():
                self._notices.append(event.detail)
            case StateTold():
                self._state = event
            case Ask():
                self._asks.append(event)
            case _:
                return

    def said(self) -> Said:
        """All of it."""
        return Said(
            reads=tuple(self.reads),
            rejects=tuple(self.rejects),
            signals=tuple(self.signals),
            changes=tuple(self.changes),
            notices=tuple(self._notices[:NOTICES_MAX]),
            state=self._state,
            asks=tuple(self._asks),
        )


class VendorReading:
    """What one device says."""

    def __init__(self, device: DeviceTable, watch: DeviceWatch, *, source: str) -> None:
        """`source` names the device in rejects: `{gateway}/{device}`."""
        table = device.mqtt
        self._decoder: Decoder = DECODERS[device.kind](table)
        self._watch = watch
        self._source = source
        self._clock = table.clock
        self._time = DeviceTime()
        self._limit = ClockLimit(round(table.clock_off_s * MICROSECONDS))
        self._high_is_active = table.input_active == "high"
        self._antennas = {antenna.number for antenna in device.antennas}
        self._has_own_place = device.location is not None
        self._judge_from_us = 0
        self._retained: dict[str, bytes] = {}
        self._connected: dict[int, bool] = {}
        self._inputs: dict[int, bool] = {}
        self.pool = BeaconPool(device.id, device.ble)
        """For gateways of beacons: adverts wait here until they are told as reads."""
        self.health = ""
        """The device's newest figures, in words."""

    def receive(self, topic: str, payload: bytes, *, retained: bool, received_us: int) -> Said:
        """Take one message; never raises. `received_us`: domain time."""
        events = self._decoder.decode(topic, payload, received_us)
        if retained and any(isinstance(one, TagSeen | CodeSeen | BeaconHeard) for one in events):
            return self._refuse_retained(topic, payload, received_us)
        gathering = _Gathering()
        for event in events:
            self._take(event, gathering, retained=retained, received_us=received_us)
        gathering.changes += self._judge_clock(received_us)
        return gathering.said()

    def _take(
        self, event: Event, gathering: _Gathering, *, retained: bool, received_us: int
    ) -> None:
        match event:
            case TagSeen(epc=epc) if len(epc) > EPC_BYTES_MAX:
                reason = f"an EPC of {len(epc)} bytes: none has over {EPC_BYTES_MAX}"
                gathering.rejects.append(reject(self._source, reason, epc, received_us))
            case CodeSeen(content=code) if len(code) > CODE_BYTES_MAX:
                reason = f"a code of {len(code)} bytes: none has over {CODE_BYTES_MAX}"
                gathering.rejects.append(reject(self._source, reason, code, received_us))
            case TagSeen() | CodeSeen():
                gathering.reads.append(self._read(event, received_us))
            case BeaconHeard():
                self._hear(event, received_us)
            case Unusable():
                refused = reject(self._source, event.reason, event.raw, received_us)
                gathering.rejects.append(refused)
            case InputChanged():
                gathering.signals += self._signal(event, received_us)
            case AntennaTold():
                gathering.changes += self._antenna(
                    event.antenna, connected=event.connected, at_us=received_us
                )
            case HealthTold():
                self._take_health(event, retained=retained, received_us=received_us)
            case _:
                gathering.take(event)

    def reconnected(self, at_us: int) -> None:
        """What comes now may be of a device that was started anew, or what the broker kept."""
        self._judge_from_us = at_us + CATCH_UP_US
        if self._clock == "uptime":
            self._time = DeviceTime()

    def _refuse_retained(self, topic: str, payload: bytes, received_us: int) -> Said:
        """It comes with every subscription: once is enough."""
        if self._retained.get(topic) == payload:
            return Said()
        if len(self._retained) >= RETAINED_MAX:
            self._retained.clear()
        self._retained[topic] = payload
        reason = "a retained message: nobody knows when it was read; do not retain reads"
        return Said(rejects=(reject(self._source, reason, payload, received_us),))

    def _times(
        self, first_us: int | None, last_us: int | None, received_us: int
    ) -> tuple[int, int]:
        if self._clock == "none":
            return received_us, received_us
        return self._time.utc_us(
            first_us, last_us, uptime=self._clock == "uptime", received_us=received_us
        )

    def _read(self, event: TagSeen | CodeSeen, received_us: int) -> Read:
        if isinstance(event, CodeSeen):
            first_us, last_us = self._times(None, event.at_us, received_us)
            return Read(
                identity=identity_of_code(event.content),
                device=self._watch.device,
                antenna=0,
                first_us=first_us,
                last_us=last_us,
                received_us=received_us,
                count=1,
                evidence=event.content,
            )
        first_us, last_us = self._times(event.first_us, event.last_us, received_us)
        return Read(
            identity=identity_of_epc(event.epc),
            device=self._watch.device,
            antenna=self._place_of(event.antenna),
            first_us=first_us,
            last_us=last_us,
            received_us=received_us,
            count=event.seen,
            rssi_cdbm=event.rssi_cdbm,
            evidence=event.epc,
            phase_cdeg=event.phase_cdeg,
        )

    def _place_of(self, antenna: int) -> int:
        """A device with a place of its own has that wherever an antenna has none."""
        if self._has_own_place and antenna not in self._antennas:
            return 0
        return antenna

    def _hear(self, event: BeaconHeard, received_us: int) -> None:
        _, at_us = self._times(None, event.at_us, received_us)
        self.pool.take(Heard(event.advert, event.address, event.rssi_dbm, at_us))

    def _signal(self, event: InputChanged, received_us: int) -> list[GateSignal]:
        """A change; what a heartbeat tells counts only where it contradicts what was known."""
        if not 1 <= event.port <= PORT_MAX:
            return []
        before = self._inputs.get(event.port)
        self._inputs[event.port] = event.high
        if not event.is_change and before in {None, event.high}:
            return []
        at_us = received_us
        if event.is_change:
            _, at_us = self._times(None, event.at_us, received_us)
        return [
            GateSignal(
                device=self._watch.device,
                port=event.port,
                state=event.high == self._high_is_active,
                at_us=at_us,
                received_us=received_us,
            )
        ]

    def _antenna(self, number: int, *, connected: bool, at_us: int) -> tuple[DeviceChange, ...]:
        """Only changes are told; a socket that never had an antenna is no lost one."""
        before = self._connected.get(number)
        if before is None and len(self._connected) >= ANTENNAS_MAX:
            return ()
        self._connected[number] = connected
        changes = self._watch.antenna(number, connected=connected, at_us=at_us)
        if before is None:
            before = number in self._antennas or connected
        return changes if connected != before else ()

    def _take_health(self, event: HealthTold, *, retained: bool, received_us: int) -> None:
        self.health = event.detail or self.health
        if event.temperature_c is not None:
            self._watch.temperature_c = event.temperature_c
        if event.at_us is not None and self._clock == "utc" and not retained:
            self._time.shown(event.at_us, received_us=received_us)

    def _judge_clock(self, at_us: int) -> tuple[DeviceChange, ...]:
        """Show how far the clock is off, and tell when that passes the limit."""
        if self._clock != "utc":
            return ()
        skew_us = self._watch.skew_us = self._time.skew_us
        if skew_us is not None and skew_us < 0 and at_us < self._judge_from_us:
            return ()  # What the broker kept for a while looks like a clock that is behind.
        detail = self._limit.judge(skew_us)
        if not detail:
            return ()
        state = "clock_off" if self._limit.is_off else self._watch.state
        return (DeviceChange(device=self._watch.device, state=state, detail=detail, at_us=at_us),)
