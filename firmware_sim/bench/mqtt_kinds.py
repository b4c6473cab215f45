"""Readers and gateways on the bench that publish to an MQTT broker by themselves.

Each behaves as its maker's does, with what surprises a client: Impinj's status is plain text and
retained, Zebra's batches come as an array or as objects one behind the other, a handheld's last
will has no time, Ruuvi's times are whole seconds written as text, and a Sparkplug node sends names
only once and aliases from then on.
"""

from __future__ import annotations

from firmware_sim.bench.beacon_gateway_source import MinewSource, RuuviSource
from firmware_sim.bench.kinds import DeviceKind, Frame, Passing, Scene
from firmware_sim.bench.publishing import PublishingSource
from firmware_sim.bench.sparkplug_source import SparkplugSource
from firmware_sim.core.vendors import impinj, zebra

SECOND = 1_000_000
HEARTBEAT_US = 3 * SECOND
BATCH_US = SECOND // 2
HANDHELD_BATCH_US = SECOND
HANDHELD_TAGS_MAX = 20
"""A handheld's message has at most 6,144 bytes."""
TENANT = "zebra"
PLACED_ANTENNAS = (1, 2, 3, 4)
LARGER_FIXED = 8
"""Antenna sockets of an FX9600; those without an antenna are told as disconnected."""
CENTIBELS = 100


class ImpinjSource(PublishingSource):
    """An R700: one event a message."""

    def begin(self) -> list[Frame]:
        """It begins to read."""
        return [self._event(self.start_us, impinj.inventory_status("running", self.now_us()))]

    def say(self, passing: Passing) -> list[Frame]:
        """One tag."""
        if passing.antenna in self.lost or not passing.epc:
            return []
        told_us = self.clock.tell(passing.at_us)
        told = impinj.tag_inventory(
            passing.epc,
            antenna=passing.antenna or 1,
            rssi_cdbm=passing.rssi_cdbm,
            seen_us=told_us,
            told_us=told_us,
        )
        return [self._event(passing.at_us, told)]

    def antenna(self, number: int, *, connected: bool) -> list[Frame]:
        """It tells of an antenna at once."""
        told = impinj.antenna_event(number, self.now_us(), connected=connected)
        return [self._event(self.at_us, told)]

    def will(self) -> Frame | None:
        """Plain text, and retained, so that whoever comes later knows it, too."""
        return self._status(b"connection lost", self.at_us)

    def connected(self, at_us: int) -> list[Frame]:
        """It takes the will back."""
        return [self._status(b"connected", at_us)]

    def _event(self, at_us: int, payload: bytes) -> Frame:
        return Frame(at_us, payload, f"impinj/{self.device}/events")

    def _status(self, text: bytes, at_us: int) -> Frame:
        return Frame(at_us, text, f"impinj/{self.device}/status", retain=True)


class ZebraSource(PublishingSource):
    """An FX9600: batches of tag events, heartbeats and inputs."""

    every_us = BATCH_US

    def __init__(self, scene: Scene, mode: str = "INVENTORY") -> None:
        super().__init__(scene)
        self._mode = mode
        self._number = 0
        self._batches = 0
        self._heartbeat_us = scene.start_us
        self._events: list[bytes] = []
        self._reads: dict[int, int] = {}

    def say(self, passing: Passing) -> list[Frame]:
        """A tag waits for the batch."""
        if passing.antenna in self.lost or not passing.epc:
            return []
        antenna = passing.antenna or 1
        self._reads[antenna] = self._reads.get(antenna, 0) + 1
        self._number += 1
        self._events.append(
            zebra.tag_event(
                passing.epc,
                mode=self._mode,
                number=self._number,
                told_us=self.clock.tell(passing.at_us),
                antenna=antenna,
                rssi_dbm=round(passing.rssi_cdbm / CENTIBELS),
            )
        )
        return []

    def beat(self, at_us: int) -> list[Frame]:
        """The batch, in one of three forms in which readers send it; now and then a heartbeat."""
        frames = []
        if events := self._events:
            self._events = []
            self._batches += 1
            forms = (b"".join(events), b"[" + b",".join(events) + b"]", b"\n".join(events))
            payload = forms[self._batches % len(forms)]
            frames.append(Frame(at_us, payload, f"zebra/{self.device}/data"))
        if at_us >= self._heartbeat_us:
            self._heartbeat_us = at_us + HEARTBEAT_US
            frames.append(self._heartbeat(at_us))
        return frames

    def antenna(self, number: int, *, connected: bool) -> list[Frame]:
        """The next heartbeat tells it, which comes soon then."""
        del number, connected
        return [self._heartbeat(self.at_us)]

    def _heartbeat(self, at_us: int) -> Frame:
        self._number += 1
        placed = set(PLACED_ANTENNAS) - self.lost
        payload = zebra.heartbeat(
            self._number,
            self.clock.tell(at_us),
            antennas={port: port in placed for port in range(1, LARGER_FIXED + 1)},
            reads=self._reads,
            inputs={1: True, 2: True, 3: True, 4: True},
            temperature_c=38,
        )
        return Frame(at_us, payload, f"zebra/{self.device}/events")


class SimpleZebraSource(ZebraSource):
    """The same in the operating mode SIMPLE, in which it tells no antenna."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene, "SIMPLE")


class HandheldSource(PublishingSource):
    """An RFD40: every third thing is scanned by its label, the others by their tags."""

    every_us = HANDHELD_BATCH_US

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self.serial = f"RFD40-{scene.device}"
        self._number = 0
        self._things = 0
        self._tags: list[tuple[bytes, int, int]] = []
        self._codes: list[str] = []
        self._heartbeat_us = scene.start_us

    def say(self, passing: Passing) -> list[Frame]:
        """A tag or a code waits for the batch."""
        self._things += 1
        if passing.code and (self._things % 3 == 0 or not passing.epc):
            self._codes.append(passing.code[3:])  # Without the symbology identifier.
        elif passing.epc:
            seen_us = self.clock.tell(passing.at_us)
            self._tags.append((passing.epc, round(passing.rssi_cdbm / CENTIBELS), seen_us))
        is_full = len(self._tags) + len(self._codes) >= HANDHELD_TAGS_MAX
        return self._batch(passing.at_us) if is_full else []

    def beat(self, at_us: int) -> list[Frame]:
        """What was read meanwhile, and a heartbeat."""
        frames = self._batch(at_us)
        if at_us >= self._heartbeat_us:
            self._heartbeat_us = at_us + HEARTBEAT_US
            self._number += 1
            told = zebra.handheld_heartbeat(
                self._number, self.clock.tell(at_us), tags=self._things, charge=85
            )
            frames.append(self._management("event", at_us, told))
        return frames

    def _batch(self, at_us: int) -> list[Frame]:
        if not self._tags and not self._codes:
            return []
        tags, self._tags = self._tags, []
        codes, self._codes = self._codes, []
        payload = zebra.handheld_data(
            self.clock.tell(at_us), tags, codes, first_number=self._number + 1
        )
        self._number += len(tags)
        return [Frame(at_us, payload, f"{TENANT}/DATA/clients/data1event/{self.serial}")]

    def will(self) -> Frame | None:
        """The broker says that it has left."""
        told = zebra.handheld_connection(0, self.serial, connected=False)
        return self._management("rfid", self.at_us, told)

    def connected(self, at_us: int) -> list[Frame]:
        """It says that it is there."""
        told_us = self.clock.tell(at_us)
        told = zebra.handheld_connection(told_us, self.serial, connected=True)
        return [self._management("rfid", at_us, told)]

    def _management(self, kind: str, at_us: int, payload: bytes) -> Frame:
        return Frame(at_us, payload, f"{TENANT}/MGMT/clients/{kind}/{self.serial}")


_HEAD = '[[devices]]\nid = "{device}"\ngateway = "bench"\n'
_ANTENNAS = "".join(
    f'[[devices.antennas]]\nnumber = {number}\nlocation = "door-1"\nside = "{side}"\n'
    for number, side in zip(PLACED_ANTENNAS, ("outer", "outer", "inner", "inner"), strict=True)
)

KINDS: tuple[DeviceKind, ...] = (
    DeviceKind(
        name="impinj",
        format="Impinj IoT device interface, API 1.7 (R700, R720): JSON events over MQTT",
        link="mqtt",
        source=ImpinjSource,
        site=_HEAD
        + 'kind = "impinj"\n[devices.mqtt]\ntopic = "impinj/{device}/events"\n'
        + 'status_topic = "impinj/{device}/status"\n'
        + _ANTENNAS,
    ),
    DeviceKind(
        name="zebra",
        format="Zebra IoT Connector (FX7500, FX9600, FXR90), mode INVENTORY, batches over MQTT",
        link="mqtt",
        source=ZebraSource,
        site=_HEAD
        + 'kind = "zebra"\n[devices.mqtt]\ntopic = "zebra/{device}/data"\n'
        + 'status_topic = "zebra/{device}/events"\n'
        + _ANTENNAS,
    ),
    DeviceKind(
        name="zebra_simple",
        format="Zebra IoT Connector, mode SIMPLE: tags without antenna over MQTT",
        link="mqtt",
        source=SimpleZebraSource,
        site=_HEAD
        + 'kind = "zebra"\nlocation = "stage"\n[devices.mqtt]\ntopic = "zebra/{device}/data"\n'
        + 'status_topic = "zebra/{device}/events"\n',
    ),
    DeviceKind(
        name="zebra_handheld",
        format="Zebra RFD40/RFD90 MQTT API 1.1: dataEVT, heartBeatEVT, mqttConnEVT",
        link="mqtt",
        source=HandheldSource,
        site=_HEAD
        + 'kind = "zebra_handheld"\nlocation = "stage"\n[devices.mqtt]\n'
        + 'topic = "zebra/DATA/clients/data1event/RFD40-{device}"\n'
        + 'status_topic = "zebra/MGMT/clients/+/RFD40-{device}"\n',
    ),
    DeviceKind(
        name="ble_gateway_minew",
        format="Minew G1/MG3 gateway, JSON-LONG: adverts of beacons over MQTT",
        link="mqtt",
        source=MinewSource,
        site=_HEAD
        + 'kind = "ble_gateway"\nlocation = "stage"\n[devices.mqtt]\n'
        + 'topic = "minew/{device}/data"\nformat = "minew"\n',
    ),
    DeviceKind(
        name="ble_gateway_ruuvi",
        format="Ruuvi Gateway: an advert a message over MQTT",
        link="mqtt",
        source=RuuviSource,
        site=_HEAD
        + 'kind = "ble_gateway"\nlocation = "stage"\n[devices.mqtt]\n'
        + 'topic = "ruuvi/{device}/+"\nformat = "ruuvi"\n',
    ),
    DeviceKind(
        name="sparkplug",
        format="Sparkplug B 3.0 (spBv1.0): births, deaths and figures of an edge node, no reads",
        link="mqtt",
        source=SparkplugSource,
        site=_HEAD
        + 'kind = "sparkplug"\n[devices.mqtt]\ntopic = "spBv1.0/bench/+/{device}/#"\n'
        + 'shown = ["cpu", "total"]\n',
    ),
)
"""What this file offers."""
