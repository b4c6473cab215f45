"""The agent's LLRP session and the simulator's reader, face to face without sockets."""

from __future__ import annotations

from typing import NamedTuple

from edge_agent.core.llrp.events import MessageDone, SessionEvent, TagsReported
from edge_agent.core.llrp.reports import TagReport
from edge_agent.core.llrp.rospec import ReaderSettings
from edge_agent.core.llrp.session import Session
from edge_agent.core.llrp.wire import NeedData
from firmware_sim.bench.kinds import Passing
from firmware_sim.core.inventory import Settings
from firmware_sim.core.llrp_passings import Passings
from firmware_sim.core.llrp_radio import Radio
from firmware_sim.core.llrp_reader import LlrpReader
from firmware_sim.core.llrp_wire import Frame, Frames
from firmware_sim.parameters import ReaderParameters, SignalParameters

START_US = 1_772_438_400_000_000
SECOND_US = 1_000_000
ANTENNAS = (1, 2, 3, 4)
MAKERS = ("generic", "impinj", "zebra", "thingmagic")


class Chunk(NamedTuple):
    """What one side said at once."""

    from_reader: bool
    data: bytes


def epc(serial: int, head: str = "3034257bf7194e40") -> bytes:
    """An EPC-96 that ends in a serial."""
    return bytes.fromhex(head) + serial.to_bytes(4, "big")


def passing(
    serial: int,
    at_s: float,
    *,
    antenna: int = 1,
    rssi_dbm: float = -50.0,
    head: str = "3034257bf7194e40",
) -> Passing:
    """A tag that comes by, so many seconds after the beginning."""
    return Passing(
        at_us=START_US + round(at_s * SECOND_US),
        identity="",
        epc=epc(serial, head),
        code="",
        antenna=antenna,
        rssi_cdbm=round(rssi_dbm * 100),
    )


class Pair:
    """A session with a reader of a maker, before which tags pass."""

    def __init__(
        self, maker: str, *passings: Passing, settings: ReaderSettings | None = None
    ) -> None:
        signal = SignalParameters()
        nature = ReaderParameters(maker=maker)
        ear = Passings(passings, device=maker, antennas=ANTENNAS, start_us=START_US, signal=signal)
        right = Settings(antennas=ANTENNAS, power_dbm=(30.0,) * 4, session=0, population=32)
        radio = Radio(ear, eyes=[], right=right, reports_max=nature.buffer_reports_max)
        self.reader = LlrpReader(radio, nature, signal, antennas=ANTENNAS, start_us=START_US)
        self.settings = settings or ReaderSettings(antennas=ANTENNAS)
        self.events: list[SessionEvent] = []
        self.chunks: list[Chunk] = []
        """The conversation."""
        self.connect()

    def connect(self) -> None:
        """A new connection, and what is said until there is nothing more to say."""
        self.session = Session(self.settings, self.now_s)
        self.reader.connect()
        self.exchange()

    def cut(self) -> None:
        """The link is gone."""
        self.reader.disconnect()

    @property
    def now_s(self) -> float:
        """The session's monotonic seconds are those of the reader."""
        return self.reader.radio.at_us / SECOND_US

    def exchange(self) -> None:
        """Let both say what they have to say."""
        while said := self.reader.output(1 << 20):
            self.chunks.append(Chunk(True, said))
            self.session.receive_data(said, self.now_s)
            while not isinstance(event := self.session.next_event(), NeedData):
                if not isinstance(event, MessageDone):
                    self.events.append(event)
            if asked := self.session.data_to_send():
                self.chunks.append(Chunk(False, asked))
                self.reader.receive(asked)

    def advance(self, until_s: float, step_s: float = 0.1) -> None:
        """Let the reader's time go on."""
        while self.now_s < until_s:
            self.reader.advance(round(min(until_s, self.now_s + step_s) * SECOND_US))
            self.exchange()

    def asked(self, kind: int) -> list[Frame]:
        """The agent's messages of a type."""
        said = b"".join(chunk.data for chunk in self.chunks if not chunk.from_reader)
        return [frame for frame in Frames().receive(said) if frame.kind == kind]

    def reports(self) -> list[TagReport]:
        """All tags that were reported."""
        return [
            report
            for event in self.events
            if isinstance(event, TagsReported)
            for report in event.reports
        ]

    def serials(self) -> list[int]:
        """How the reported EPCs end."""
        return [int.from_bytes(report.epc[-4:], "big") for report in self.reports()]
