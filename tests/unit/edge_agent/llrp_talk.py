"""A session and a reader that answers it, for tests of what is said between them."""

from edge_agent.core.llrp.events import ClockShown, MessageDone, SessionEnded, SessionEvent
from edge_agent.core.llrp.rospec import ReaderSettings
from edge_agent.core.llrp.session import LAST_CHANCE_S, Session, State
from edge_agent.core.llrp.wire import NeedData
from tests.unit.edge_agent.llrp_bytes import answers, greeting, split

SETTINGS = ReaderSettings(
    antennas=(1, 2),
    transmit_power_cdbm=2500,
    session=2,
    tag_population=60,
    gpi_ports=(1,),
    keepalive_ms=1000,
    step_timeout_s=5.0,
)
IDLE = (NeedData, SessionEnded)


def wait(session: Session, until_s: float) -> None:
    """Let a deadline pass, and the last chance after it."""
    session.tick(until_s)
    session.tick(until_s + LAST_CHANCE_S)


def drain(session: Session) -> list[SessionEvent]:
    """Return all events up to now, without the marks between messages and the clock."""
    events: list[SessionEvent] = []
    while not isinstance(told := session.next_event(), IDLE):
        if not isinstance(told, MessageDone | ClockShown):
            events.append(told)
    return events + ([told] if isinstance(told, SessionEnded) else [])


class Talk:
    """A session and the reader that answers it."""

    def __init__(
        self,
        asked: ReaderSettings = SETTINGS,
        changed: dict[int, tuple[int, bytes]] | None = None,
    ) -> None:
        self.session = Session(asked, 0.0)
        self.changed = changed
        self.asked: list[tuple[int, int, int, bytes]] = []
        self.events: list[SessionEvent] = []

    def hear(self, data: bytes, now_s: float = 0.0) -> list[SessionEvent]:
        """Let the reader say something and answer whatever it is asked then."""
        before = len(self.events)
        while data:
            self.session.receive_data(data, now_s)
            self.events += drain(self.session)
            sent = self.session.data_to_send()
            self.asked += split(sent)
            data = answers(sent, self.changed)
        return self.events[before:]

    def to_reading(self) -> "Talk":
        """Come to reading."""
        self.hear(greeting())
        assert self.session.state is State.READING, self.events
        return self

    @property
    def numbers(self) -> list[int]:
        """The message types that the session sent."""
        return [number for _, number, _, _ in self.asked]
