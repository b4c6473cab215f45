"""What a session tells: past tense, one struct each."""

import msgspec

from edge_agent.core.llrp.capabilities import ReaderCapabilities
from edge_agent.core.llrp.reports import Reject, TagReport
from edge_agent.core.llrp.wire import NeedData


class Agreed(msgspec.Struct, frozen=True):
    """Version and capabilities are known."""

    version: int
    """1 is LLRP 1.0.1, 2 is 1.1."""
    capabilities: ReaderCapabilities
    profile: str
    """Whose habits are respected."""


class ClockShown(msgspec.Struct, frozen=True):
    """The reader told the time at this moment: unlike in reports, it was not kept for a while."""

    at_us: int
    """UTC microseconds, or microseconds since the reader's start."""
    uptime: bool
    """Whether `at_us` counts since the reader's start."""


class ReadingStarted(msgspec.Struct, frozen=True):
    """The reader reads as asked."""


class Refused(msgspec.Struct, frozen=True):
    """The reader did not take the connection; most often it has another client."""

    reason: str


class RequestFailed(msgspec.Struct, frozen=True):
    """The reader said no to a request; the session goes on where it can."""

    request: str
    """Which one, as the session's state is called; empty where the reader complained unasked."""
    code: int
    """LLRP status code."""
    reason: str
    """The reader's words."""


class TagsReported(msgspec.Struct, frozen=True):
    """Tag reports of one message, in order, unchanged values filled in."""

    reports: list[TagReport]


class OutputSwitched(msgspec.Struct, frozen=True):
    """The reader answered the switching of an output."""

    message_id: int
    """Which switching."""
    failure: str
    """Why it did not switch; empty where it did."""


class GpiChanged(msgspec.Struct, frozen=True):
    """An input of the reader changed."""

    port: int
    """From 1."""
    state: bool
    at_us: int
    """UTC microseconds, or microseconds since the reader's start."""
    uptime: bool
    """Whether `at_us` counts since the reader's start."""


class AntennaChanged(msgspec.Struct, frozen=True):
    """An antenna was plugged in or pulled."""

    antenna: int
    """From 1."""
    connected: bool
    at_us: int
    """UTC microseconds, or microseconds since the reader's start."""
    uptime: bool
    """Whether `at_us` counts since the reader's start."""


class ReaderNoticed(msgspec.Struct, frozen=True):
    """The reader told something about itself that a person should see."""

    kind: str
    """`exception`, `buffer_warning`, `buffer_overflow`, `rospec`, `connection_attempt`."""
    detail: str
    at_us: int
    """UTC microseconds, or microseconds since the reader's start."""
    uptime: bool
    """Whether `at_us` counts since the reader's start."""


class MessageDone(msgspec.Struct, frozen=True):
    """All that one message means has been told; anything heard later comes later."""


class SessionEnded(msgspec.Struct, frozen=True):
    """Nothing more will come over this connection: close it, connect anew with a new session."""

    reason: str
    silent: bool = False
    """Whether the reader stopped talking, in contrast to cut or refused."""
    negotiating: bool = False
    """Whether it ended over the version: the next session had better not ask."""


Signal = GpiChanged | AntennaChanged | ReaderNoticed
SessionEvent = (
    Agreed
    | ClockShown
    | ReadingStarted
    | Refused
    | RequestFailed
    | TagsReported
    | OutputSwitched
    | Signal
    | Reject
    | MessageDone
    | SessionEnded
    | NeedData
)
