"""A simulated reader and the other end of its line, without sockets."""

import struct

from firmware_sim.core.inventory import Inventory
from firmware_sim.core.layout import DOOR_1, Reader
from firmware_sim.core.llrp_radio import Radio
from firmware_sim.core.llrp_reader import LlrpReader
from firmware_sim.core.llrp_wire import (
    Frame,
    Frames,
    MessageType,
    Parameter,
    message,
    parameters,
    tlv,
)
from firmware_sim.core.shift import Shift, shift_of
from firmware_sim.core.signals import eye_changes
from firmware_sim.core.tracks import SECOND
from firmware_sim.offline import ORDINARY, right_settings
from firmware_sim.parameters import DEFAULT, ReaderParameters

SEED = 3
START_US = 1_772_438_400_000_000
ROOM = 1 << 30
BUSY_US = 600 * SECOND
"""Long enough for several loads."""


def shift() -> Shift:
    """A fresh shift: readers count in it."""
    return shift_of(SEED, DEFAULT)


def reader_over(
    world: Shift, layout: Reader = DOOR_1, nature: ReaderParameters = ORDINARY
) -> LlrpReader:
    """A reader in a shift."""
    inventory = Inventory(reader=layout, tracks=world.tracks, signal=DEFAULT.signal, seed=SEED)
    radio = Radio(
        inventory,
        eyes=eye_changes(layout, world.tracks),
        right=right_settings(layout, DEFAULT),
        dead=nature.dead_antennas,
        reboots_s=nature.reboots_s,
        reports_max=nature.buffer_reports_max,
    )
    antennas = tuple(antenna.number for antenna in layout.antennas)
    return LlrpReader(radio, nature, DEFAULT.signal, antennas=antennas, start_us=START_US)


class Client:
    """The other end, without a socket."""

    def __init__(self, reader: LlrpReader, version: int = 1) -> None:
        self.reader = reader
        self.version = version
        self.number = 100
        self.frames = Frames()
        reader.connect()
        self.greeting = self.hear()

    def hear(self) -> list[Frame]:
        """What the reader says now."""
        return list(self.frames.receive(self.reader.output(ROOM)))

    def ask(self, kind: int, body: bytes = b"", version: int | None = None) -> Frame:
        """One request; its answer."""
        self.number += 1
        spoken = self.version if version is None else version
        self.reader.receive(message(spoken, kind, self.number, body))
        return next(frame for frame in self.hear() if frame.id == self.number)

    def code(self, kind: int, body: bytes = b"", version: int | None = None) -> int:
        """One request; the status in its answer."""
        return status_of(self.ask(kind, body, version))

    def advance(self, until_us: int) -> list[Frame]:
        """Let time pass; what the reader says meanwhile."""
        self.reader.advance(until_us)
        return self.hear()


def status_of(frame: Frame) -> int:
    skip = 2 if frame.kind == MessageType.GET_SUPPORTED_VERSION_RESPONSE else 0
    return int.from_bytes(parameters(frame.body, skip)[0].body[:2], "big")


def rospec(
    *,
    number: int = 1,
    antennas: tuple[int, ...] = (1, 2, 3, 4),
    power_index: int = 81,
    session: int = 0,
    start: bytes = b"\x01",
    stop: bytes = b"\x00\x00\x00\x00\x00",
    inventory_ms: int = 0,
    report: tuple[int, int] = (2, 1),
    content: int = 0x9F80,
    copies: int = 1,
) -> bytes:
    """A ROSpec parameter."""
    boundary = tlv(178, tlv(179, start), tlv(182, stop))
    antenna = tlv(
        222,
        struct.pack(">H", 0),
        tlv(224, struct.pack(">HHH", 1, 0, power_index)),
        tlv(330, b"\0", tlv(336, struct.pack(">BHI", session << 6, 64, 0))),
    )
    inventory = tlv(
        183,
        struct.pack(f">H{len(antennas)}H", len(antennas), *antennas),
        tlv(184, struct.pack(">BI", inventory_ms > 0, inventory_ms)),
        tlv(186, struct.pack(">HB", 1, 1), antenna),
    )
    reports = tlv(237, struct.pack(">BH", *report), tlv(238, struct.pack(">H", content)))
    return tlv(177, struct.pack(">IBB", number, 0, 0), boundary, inventory * copies, reports)


def started(client: Client, **wishes: object) -> Client:
    """With a ROSpec that reads."""
    assert client.code(MessageType.ADD_ROSPEC, rospec(**wishes)) == 0  # type: ignore[arg-type]
    assert client.code(MessageType.ENABLE_ROSPEC, number(1)) == 0
    return client


def number(value: int) -> bytes:
    return struct.pack(">I", value)


def tags_in(frames: list[Frame]) -> list[list[Parameter]]:
    """All TagReportData of some frames."""
    return [
        parameters(part.body)
        for frame in frames
        if frame.kind == MessageType.RO_ACCESS_REPORT
        for part in parameters(frame.body)
    ]


def events_in(frames: list[Frame]) -> list[Parameter]:
    """All events of some frames, without their time."""
    return [
        part
        for frame in frames
        if frame.kind == MessageType.READER_EVENT_NOTIFICATION
        for part in parameters(parameters(frame.body)[0].body)[1:]
    ]


def switch_on(client: Client, *kinds: int) -> None:
    """Ask for events."""
    states = [tlv(245, struct.pack(">HB", kind, 0x80)) for kind in kinds]
    assert client.code(MessageType.SET_READER_CONFIG, b"\0" + tlv(244, *states)) == 0


def states_of(client: Client) -> dict[int, int]:
    """ROSpecs and their states as GET_ROSPECS tells them."""
    specs = parameters(client.ask(MessageType.GET_ROSPECS).body)[1:]
    return {int.from_bytes(spec.body[:4], "big"): spec.body[5] for spec in specs}
