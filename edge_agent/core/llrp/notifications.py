"""What a reader tells of itself in READER_EVENT_NOTIFICATION, as events."""

from collections.abc import Callable
from typing import Final

import msgspec

from edge_agent.core.llrp.codec import Message, Parameter
from edge_agent.core.llrp.events import AntennaChanged, GpiChanged, ReaderNoticed, Signal
from edge_agent.core.llrp.parameters import PARAMETER_NUMBERS

CONNECTION_ACCEPTED: Final = 0
CONNECTION_REFUSALS: Final = {
    1: "a connection that the reader started exists already",
    2: "another client is connected",
    3: "the reader gives no reason",
    4: "another client tried to connect",
}
"""What a ConnectionAttemptEvent says by number."""
ROSPEC_ENDED: Final = 1

_ROSPEC_EVENTS: Final = {0: "started", ROSPEC_ENDED: "ended", 2: "was preempted"}


class ConnectionAttempted(msgspec.Struct, frozen=True):
    """The reader's greeting, or word of another client."""

    code: int
    reason: str
    at_us: int
    uptime: bool


class ConnectionClosing(msgspec.Struct, frozen=True):
    """The reader is about to hang up."""


class RospecChanged(msgspec.Struct, frozen=True):
    """The reader began or stopped to read."""

    rospec: int
    code: int
    notice: ReaderNoticed


Notification = Signal | ConnectionAttempted | ConnectionClosing | RospecChanged


def read_notification(message: Message) -> list[Notification] | None:
    """Return what a READER_EVENT_NOTIFICATION tells, in order; None where it holds no data."""
    data = message.first("ReaderEventNotificationData")
    if data is None:
        return None
    utc = data.first("UTCTimestamp")
    moment = utc or data.first("Uptime")
    at_us = moment.integer("Microseconds") if moment else 0
    return [
        _READERS[event.number](event, at_us, utc is None)
        for event in data.parameters
        if event.number in _READERS
    ]


def _connection_attempt(event: Parameter, at_us: int, uptime: bool) -> Notification:
    code = event.integer("Event")
    reason = CONNECTION_REFUSALS.get(code, f"reason {code}")
    return ConnectionAttempted(code, reason, at_us, uptime)


def _connection_close(event: Parameter, at_us: int, uptime: bool) -> Notification:
    del event, at_us, uptime
    return ConnectionClosing()


def _gpi(event: Parameter, at_us: int, uptime: bool) -> Notification:
    return GpiChanged(event.integer("Port"), bool(event.integer("Event")), at_us, uptime)


def _antenna(event: Parameter, at_us: int, uptime: bool) -> Notification:
    return AntennaChanged(event.integer("AntennaID"), bool(event.integer("Event")), at_us, uptime)


def _buffer_warning(event: Parameter, at_us: int, uptime: bool) -> Notification:
    detail = f"the reader's report buffer is {event.integer('PercentFull')} % full"
    return ReaderNoticed("buffer_warning", detail, at_us, uptime)


def _buffer_overflow(event: Parameter, at_us: int, uptime: bool) -> Notification:
    del event
    detail = "the reader's report buffer overflowed: reads were lost in the reader"
    return ReaderNoticed("buffer_overflow", detail, at_us, uptime)


def _exception(event: Parameter, at_us: int, uptime: bool) -> Notification:
    words = event.text("Message").encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return ReaderNoticed("exception", words, at_us, uptime)


def _rospec(event: Parameter, at_us: int, uptime: bool) -> Notification:
    code = event.integer("Event")
    rospec = event.integer("ROSpecID")
    detail = f"ROSpec {rospec} {_ROSPEC_EVENTS.get(code, f'had event {code}')}"
    return RospecChanged(rospec, code, ReaderNoticed("rospec", detail, at_us, uptime))


_READERS: Final[dict[int, Callable[[Parameter, int, bool], Notification]]] = {
    PARAMETER_NUMBERS["ConnectionAttemptEvent"]: _connection_attempt,
    PARAMETER_NUMBERS["ConnectionCloseEvent"]: _connection_close,
    PARAMETER_NUMBERS["GPIEvent"]: _gpi,
    PARAMETER_NUMBERS["AntennaEvent"]: _antenna,
    PARAMETER_NUMBERS["ReportBufferLevelWarningEvent"]: _buffer_warning,
    PARAMETER_NUMBERS["ReportBufferOverflowErrorEvent"]: _buffer_overflow,
    PARAMETER_NUMBERS["ReaderExceptionEvent"]: _exception,
    PARAMETER_NUMBERS["ROSpecEvent"]: _rospec,
}
