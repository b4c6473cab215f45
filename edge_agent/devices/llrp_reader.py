"""One LLRP reader over TCP: connects, reads on, and comes back after every cut, silence or refusal.

All decisions are in `edge_agent.core.llrp.session`; this moves bytes, keeps time and waits. It
awaits its sink before it reads on, so a slow sink slows the reader through TCP and nothing piles up
here. Waits are bounded by `asyncio.timeout`, never `wait_for`, which before Python 3.12 can swallow
a cancellation.
"""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

import msgspec

from edge_agent.core.llrp.events import (
    Agreed,
    AntennaChanged,
    ClockShown,
    GpiChanged,
    MessageDone,
    OutputSwitched,
    ReaderNoticed,
    ReadingStarted,
    Refused,
    RequestFailed,
    SessionEnded,
    SessionEvent,
    Signal,
    TagsReported,
)
from edge_agent.core.llrp.reports import Reject, TagReport
from edge_agent.core.llrp.rospec import ReaderSettings
from edge_agent.core.llrp.session import Session
from edge_agent.core.llrp.states import State
from edge_agent.core.llrp.wire import NeedData

READ_BYTES: Final = 64 * 1024
"""How much is read at once; the stream's own buffer holds at most twice as much."""
GOODBYE_S_MAX: Final = 1.0
"""How long closing may take; the reader may be gone."""
NO_SETBACKS: Final = (State.DELETING_ROSPECS, State.DELETING_ACCESSSPECS)
"""Some readers say no when there is nothing to delete."""
SETBACKS_MAX: Final = 8
"""So many refusals of one connection are told together; there are not that many steps."""
DOUBLINGS_MAX: Final = 16
"""Back-off doubles no more often than this, whatever its limits, so that numbers stay small."""


class ReaderSink(Protocol):
    """Who takes what a reader tells, in its order; each call is awaited before the next."""

    async def on_reports(self, reports: list[TagReport], received_wall_s: float) -> None:
        """Take the tag reports of one message and the Unix time in seconds at which it arrived."""

    async def on_reject(self, reason: str, raw: bytes) -> None:
        """Take bytes that could not be used."""

    async def on_status(self, state: str, detail: str) -> None:
        """Take one of `connecting`, `reading`, `refused`, `silent`, `retrying`, and why."""

    async def on_signal(self, signal: Signal) -> None:
        """Take a change of an input or antenna, or what the reader says about itself."""

    async def on_clock(self, clock: ClockShown) -> None:
        """Take the time that the reader shows when it is connected to."""

    async def on_progress(self) -> None:
        """Note that one more message is handed over whole; see `LlrpReader.last_message_at`."""


class Reconnecting(msgspec.Struct, frozen=True, kw_only=True):
    """How long to try and to wait between tries, in seconds."""

    connect_timeout_s: float = 5.0
    wait_s_min: float = 0.5
    wait_s_max: float = 30.0

    def wait_s(self, failures: int, dice: random.Random) -> float:
        """Return how long to wait after so many tries in a row that did not come to reading."""
        doubled = self.wait_s_min * (1 << min(failures, DOUBLINGS_MAX))
        return min(doubled, self.wait_s_max) * dice.uniform(0.5, 1.0)


class LlrpReader:
    """The client of one reader; `run` until cancelled."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        settings: ReaderSettings,
        sink: ReaderSink,
        dice: random.Random,
        reconnecting: Reconnecting | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.host = host
        self.port = port
        self.settings = settings
        self.last_message_at: float | None = None
        """Unix time in seconds at which the last whole message arrived."""
        self._sink = sink
        self._dice = dice
        self._reconnecting = reconnecting or Reconnecting()
        self._monotonic = monotonic
        self._wall = wall
        self._came_to_reading = False
        self._refused = False
        self._setbacks: list[str] = []
        self._live: tuple[Session, asyncio.StreamWriter] | None = None
        self._switchings: dict[int, asyncio.Future[str]] = {}

    async def set_output(self, port: int, *, on: bool) -> None:
        """Switch an output, from 1; raises OSError where the reader is away or says no."""
        if self._live is None or not self._came_to_reading:
            raise ConnectionError(f"{self.host}:{self.port} is not reading")
        session, writer = self._live
        message_id = session.switch_output(port, on=on)
        answer = asyncio.get_running_loop().create_future()
        self._switchings[message_id] = answer
        try:
            writer.write(session.data_to_send())
            async with asyncio.timeout(self.settings.step_timeout_s):
                failure = await answer
        finally:
            self._switchings.pop(message_id, None)
        if failure:
            raise OSError(failure)

    async def run(self) -> None:
        """Read for ever."""
        failures = 0
        settings = self.settings
        while True:
            self._came_to_reading = False
            self._refused = False
            self._setbacks.clear()
            await self._sink.on_status("connecting", f"{self.host}:{self.port}")
            ended = await self._connect(settings)
            failures = 0 if self._came_to_reading else failures + 1
            # A reader that hung up or fell silent over the version is not asked for it at once.
            settings = self.settings
            if ended.negotiating:
                settings = msgspec.structs.replace(settings, version_max=1)
            wait_s = self._reconnecting.wait_s(failures, self._dice)
            state = "refused" if self._refused else "silent" if ended.silent else "retrying"
            await self._sink.on_status(state, f"{ended.reason}; trying again in {wait_s:.1f} s")
            await asyncio.sleep(wait_s)

    async def _connect(self, settings: ReaderSettings) -> SessionEnded:
        timeout_s = self._reconnecting.connect_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_connection(
                    self.host, self.port, limit=READ_BYTES
                )
        except TimeoutError:
            return SessionEnded(f"no connection within {timeout_s:g} s")
        except OSError as error:
            return SessionEnded(f"no connection: {error.strerror or error}")
        session = Session(settings, self._monotonic())
        self._live = session, writer
        try:
            return await self._converse(session, reader, writer)
        finally:
            self._live = None
            for answer in self._switchings.values():
                if not answer.done():
                    answer.set_result("the connection ended before the reader answered")
            session.close()
            await _say_goodbye(writer, session.data_to_send())

    async def _converse(
        self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> SessionEnded:
        while True:
            data = await self._read(reader, session.deadline_s)
            heard_s = self._monotonic()
            received_wall_s = self._wall()
            if data is not None:
                session.receive_data(data, heard_s)
            ended = await self._hand_over(session, received_wall_s)
            session.tick(heard_s)
            ended = ended or await self._hand_over(session, received_wall_s)
            if ended is not None:
                return ended
            if answer := session.data_to_send():
                writer.write(answer)
                try:
                    async with asyncio.timeout(session.settings.step_timeout_s):
                        await writer.drain()
                except TimeoutError:
                    return SessionEnded("the reader takes no bytes any more", silent=True)
                except OSError:
                    continue  # The next read says what is left and that the connection is gone.
            session.excuse(self._monotonic() - heard_s)

    async def _read(self, reader: asyncio.StreamReader, deadline_s: float) -> bytes | None:
        """Return what arrives before the deadline, else None; no bytes mean a lost link."""
        wait_s = max(deadline_s - self._monotonic(), 0.0)
        try:
            async with asyncio.timeout(wait_s):
                return await reader.read(READ_BYTES)
        except TimeoutError:
            return None
        except OSError:
            return b""

    async def _hand_over(self, session: Session, received_wall_s: float) -> SessionEnded | None:
        while True:
            match session.next_event():
                case NeedData():
                    return None
                case SessionEnded() as ended:
                    return ended
                case TagsReported(reports):
                    await self._sink.on_reports(reports, received_wall_s)
                case MessageDone():
                    self.last_message_at = received_wall_s
                    await self._sink.on_progress()
                case Reject(reason, raw):
                    await self._sink.on_reject(reason, raw)
                case GpiChanged() | AntennaChanged() | ReaderNoticed() as signal:
                    await self._sink.on_signal(signal)
                case ClockShown() as clock:
                    await self._sink.on_clock(clock)
                case OutputSwitched(message_id, failure):
                    self._answer_switching(message_id, failure)
                case event:
                    await self._tell_status(event)

    def _answer_switching(self, message_id: int, failure: str) -> None:
        answer = self._switchings.get(message_id)
        if answer is not None and not answer.done():
            answer.set_result(failure)

    async def _tell_status(self, event: SessionEvent) -> None:
        match event:
            case Agreed(version, capabilities, profile):
                detail = (
                    f"LLRP 1.{version - 1}, {profile}, firmware {capabilities.firmware},"
                    f" {capabilities.antennas_max} antennas"
                )
                await self._sink.on_status("connecting", detail)
            case ReadingStarted():
                self._came_to_reading = True
                await self._sink.on_status("reading", f"{self.host}:{self.port}")
                if self._setbacks:
                    # It reads, but not as it was wished: that outlasts the way there.
                    await self._sink.on_status("reading", "; ".join(self._setbacks))
            case Refused():
                self._refused = True
            case RequestFailed(request, _, reason):
                state = "reading" if self._came_to_reading else "connecting"
                detail = f"the reader says no to {request}: {reason}"
                if request not in NO_SETBACKS and len(self._setbacks) < SETBACKS_MAX:
                    self._setbacks.append(detail)
                await self._sink.on_status(state, detail)


async def _say_goodbye(writer: asyncio.StreamWriter, last_words: bytes) -> None:
    with suppress(OSError, TimeoutError):
        writer.write(last_words)
        writer.close()
        async with asyncio.timeout(GOODBYE_S_MAX):
            await writer.wait_closed()
    writer.transport.abort()
