"""One LLRP connection from the reader's greeting to reading, led by the table in `states`.

A session lives as long as its TCP connection; after a cut a new one starts clean. It holds no clock
and no socket: the caller brings bytes and the time in monotonic seconds, takes events with
`next_event` and bytes to send with `data_to_send`, and calls `tick` no later than `deadline_s`.

The reader speaks first (READER_EVENT_NOTIFICATION with a ConnectionAttemptEvent). Then each state
sends one request and waits for its answer; `TRANSITIONS` says where each outcome leads.
"""

from collections import deque
from collections.abc import Callable
from typing import ClassVar, Final

from edge_agent.core.llrp import messages
from edge_agent.core.llrp.capabilities import ReaderCapabilities, read_capabilities
from edge_agent.core.llrp.codec import (
    Message,
    Parameter,
    decode_body,
    encode_body,
    parameter,
    status_text,
)
from edge_agent.core.llrp.events import (
    Agreed,
    ClockShown,
    MessageDone,
    OutputSwitched,
    ReaderNoticed,
    ReadingStarted,
    Refused,
    RequestFailed,
    SessionEnded,
    SessionEvent,
    TagsReported,
)
from edge_agent.core.llrp.layout import Fields, Malformed, octets_of
from edge_agent.core.llrp.notifications import (
    CONNECTION_ACCEPTED,
    ROSPEC_ENDED,
    ConnectionAttempted,
    ConnectionClosing,
    RospecChanged,
    read_notification,
)
from edge_agent.core.llrp.profiles import GENERIC, corrected, profile_of
from edge_agent.core.llrp.reports import Reject
from edge_agent.core.llrp.rospec import (
    Extent,
    ReaderSettings,
    Reading,
    add_rospec,
    keepalive_config,
    output_config,
    reader_config,
)
from edge_agent.core.llrp.states import ANSWERS, EXTENTS, TRANSITIONS, Outcome, State
from edge_agent.core.llrp.vendors import (
    IMPINJ,
    IMPINJ_ENABLE_EXTENSIONS_RESPONSE,
    enable_extensions,
)
from edge_agent.core.llrp.wire import NEED_DATA, Connection, Ended, NeedData, TagReports

_NEGOTIATION: Final = (State.ASKING_VERSION, State.SETTING_VERSION)
_OUTPUT_ANSWERS: Final = (messages.SET_READER_CONFIG_RESPONSE, messages.ERROR_MESSAGE)
_ROSPEC_INACTIVE: Final = 1
_ROSPEC_ACTIVE: Final = 2
_ALL: Final = 0
LAST_CHANCE_S: Final = 0.25
"""How long an overdue reader is listened to once more: perhaps it was we who were suspended or
busy, and what it said in time still waits in the socket."""
OUTPUTS_WAITING_MAX: Final = 64
"""How many switchings of outputs may wait for the reader's answer; older ones are given up."""


class Session:
    """One connection to one reader, without IO."""

    def __init__(self, settings: ReaderSettings, now_s: float) -> None:
        self.settings = settings
        self.version = messages.VERSION_1_0_1
        self.capabilities: ReaderCapabilities | None = None
        self.profile = GENERIC
        self.state = State.GREETING
        self._refused_rospec: Message | None = None
        self._extent = Extent.WHOLE
        self._connection = Connection()
        self._now_s = now_s
        self._state_since_s = now_s
        self._heard_s = now_s
        self._last_chance_s: float | None = None
        self._checking = False
        self._message_id = 0
        self._events: deque[SessionEvent] = deque()
        self._to_send = bytearray()
        self._outputs: dict[int, int] = {}
        self._ended: SessionEnded | None = None

    # The caller's side.

    def receive_data(self, data: bytes, now_s: float) -> None:
        """Take bytes from the reader; empty bytes mean that it has closed.

        Drain `next_event` before the next call: only then is the memory bounded.
        """
        self._now_s = now_s
        self._connection.receive_data(data)

    def next_event(self) -> SessionEvent:
        """Return what the bytes and ticks so far mean, event by event; at last `SessionEnded`."""
        while not self._events:
            if self._ended is not None:
                return self._ended
            event = self._connection.next_event()
            if isinstance(event, NeedData):
                return NEED_DATA
            if isinstance(event, Ended):
                self._end(event.reason)
                continue
            self._heard_s = self._now_s
            self._last_chance_s = None
            match event:
                case TagReports(reports, rejects):
                    self._events.extend(rejects)
                    if reports:
                        self._events.append(TagsReported(reports))
                case Reject():
                    self._events.append(event)
                case Message():
                    self._handle(event)
            if self._ended is None:
                self._events.append(MessageDone())
        return self._events.popleft()

    def data_to_send(self) -> bytes:
        """Return the bytes to send now, and forget them."""
        data = bytes(self._to_send)
        self._to_send.clear()
        return data

    @property
    def deadline_s(self) -> float:
        """When `tick` is due if nothing is heard until then, in monotonic seconds."""
        if self._last_chance_s is not None:
            return self._last_chance_s
        if self.state is State.READING:
            return self._heard_s + self.silence_s_max
        return self._state_since_s + self.settings.step_timeout_s

    @property
    def silence_s_max(self) -> float:
        """How long a reading reader may say nothing, in seconds."""
        return self.settings.keepalive_ms * self.settings.keepalives_missed_max / 1000

    def tick(self, now_s: float) -> None:
        """Let time pass: end what has waited too long, after one last chance."""
        self._now_s = now_s
        if self._ended is not None or now_s < self.deadline_s:
            return
        if self._last_chance_s is None:
            self._last_chance_s = now_s + LAST_CHANCE_S
        elif self.state is State.READING:
            self._end(f"the reader said nothing for {self.silence_s_max:g} s", silent=True)
        else:
            self._advance(Outcome.SILENT)

    def excuse(self, paused_s: float) -> None:
        """Leave out of all waiting the seconds in which the caller itself did not listen."""
        self._heard_s += paused_s
        self._state_since_s += paused_s
        if self._last_chance_s is not None:
            self._last_chance_s += paused_s

    def send(self, message: Message) -> int:
        """Queue a message under a fresh id, which is returned."""
        self._message_id += 1
        numbered = Message(
            message.number, message.fields, message.parameters, self._message_id, self.version
        )
        self._to_send += self._connection.send(numbered)
        return self._message_id

    def switch_output(self, port: int, *, on: bool) -> int:
        """Queue the switching of an output; `OutputSwitched` with the returned id answers."""
        if len(self._outputs) >= OUTPUTS_WAITING_MAX:
            del self._outputs[next(iter(self._outputs))]
        message_id = self.send(output_config(port, on=on))
        self._outputs[message_id] = port
        return message_id

    def close(self) -> None:
        """Queue the polite goodbye; the caller sends what is queued and closes."""
        if self._ended is None:
            self.send(Message(messages.CLOSE_CONNECTION))
            self._end("closed by us")

    # The reader's side.

    def _handle(self, message: Message) -> None:
        if message.number == messages.KEEPALIVE:
            ack = Message(messages.KEEPALIVE_ACK, {}, (), message.id, self.version)
            self._to_send += self._connection.send(ack)
        elif message.number == messages.READER_EVENT_NOTIFICATION:
            self._handle_notification(message)
        elif message.id in self._outputs and message.number in _OUTPUT_ANSWERS:
            del self._outputs[message.id]
            status = message.first("LLRPStatus") or parameter("LLRPStatus")
            done = status.integer("Status") == messages.STATUS_SUCCESS
            self._events.append(OutputSwitched(message.id, "" if done else status_text(status)))
        elif message.number == messages.ERROR_MESSAGE:
            self._handle_error(message)
        elif message.number == messages.GET_ROSPECS_RESPONSE and self._checking:
            self._checking = False
            self._check_reading(message)
        elif message.number == messages.CUSTOM_MESSAGE:
            self._handle_custom(message)
        elif message.number == messages.START_ROSPEC_RESPONSE and self._begins_anew:
            self._handle_restart(message)
        elif message.number == ANSWERS.get(self.state):
            self._handle_answer(message)
        else:
            name = messages.MESSAGES[message.number].name
            reason = f"{name} is unexpected while {self.state}"
            self._events.append(Reject(reason, encode_body(message)))

    def _handle_answer(self, message: Message) -> None:
        status = message.first("LLRPStatus")
        if status is None:
            name = messages.MESSAGES[message.number].name
            self._events.append(Reject(f"{name} has no LLRPStatus", encode_body(message)))
            return
        if status.integer("Status") != messages.STATUS_SUCCESS:
            self._fail(status)
            return
        outcome = Outcome.DONE
        if self.state is State.ASKING_VERSION:
            outcome = self._compare_versions(message)
        elif self.state is State.SETTING_VERSION:
            self.version = messages.VERSION_1_1
        elif self.state is State.ASKING_CAPABILITIES:
            outcome = self._learn(message)
        self._advance(outcome)

    def _learn(self, message: Message) -> Outcome:
        """Take in the reader's capabilities, and whose habits it has."""
        capabilities = read_capabilities(message)
        self.profile = profile_of(self.settings.profile, capabilities)
        self.capabilities = corrected(capabilities, self.profile)
        self._events.append(Agreed(self.version, self.capabilities, self.profile.name))
        for shortcoming in self._reading().shortcomings():
            self._events.append(RequestFailed("reading as wished", 0, shortcoming))
        return Outcome.EXTENDED if self.profile.has_impinj_reports else Outcome.DONE

    def _handle_custom(self, message: Message) -> None:
        """Impinj's answer to the enabling of extensions; other makers' messages mean nothing."""
        ours = (message.integer("VendorID"), message.integer("MessageSubtype")) == (
            IMPINJ,
            IMPINJ_ENABLE_EXTENSIONS_RESPONSE,
        )
        if self.state is not State.ENABLING_EXTENSIONS or not ours:
            return
        try:
            # Such an answer holds what SET_READER_CONFIG_RESPONSE does: one LLRPStatus.
            answer = decode_body(
                messages.SET_READER_CONFIG_RESPONSE, octets_of(message.fields, "Data")
            )
        except Malformed as error:
            self._events.append(Reject(str(error), encode_body(message)))
            return
        self._handle_answer(answer)

    def _handle_restart(self, message: Message) -> None:
        status = message.first("LLRPStatus")
        if status is None or status.integer("Status") != messages.STATUS_SUCCESS:
            # Perhaps it began anew by itself: the reader itself knows.
            self._check()

    def _check(self) -> None:
        self.send(Message(messages.GET_ROSPECS))
        self._checking = True

    def _check_reading(self, message: Message) -> None:
        status = message.first("LLRPStatus")
        if status is None or status.integer("Status") != messages.STATUS_SUCCESS:
            code = status.integer("Status") if status else 0
            reason = status_text(status) if status else "no LLRPStatus"
            self._events.append(RequestFailed("asking for ROSpecs", code, reason))
            return
        ours = [
            spec
            for spec in message.all("ROSpec")
            if spec.integer("ROSpecID") == self.settings.rospec_id
            and spec.integer("ROSpecCurrentState") >= self._rospec_state_min
        ]
        if not ours:
            self._end("the reader stopped reading by itself")

    def _compare_versions(self, message: Message) -> Outcome:
        if message.integer("CurrentVersion") >= messages.VERSION_1_1:
            self.version = messages.VERSION_1_1
            return Outcome.OLDER
        if message.integer("MaxSupportedVersion") >= messages.VERSION_1_1:
            return Outcome.DONE
        return Outcome.OLDER

    def _handle_error(self, message: Message) -> None:
        status = message.first("LLRPStatus")
        if status is None:
            self._events.append(Reject("ErrorMessage has no LLRPStatus", encode_body(message)))
        elif self.state in ANSWERS:
            self._fail(status)
        else:
            code = status.integer("Status")
            self._events.append(RequestFailed("", code, status_text(status)))

    def _fail(self, status: Parameter) -> None:
        # A reader that does not know the question speaks 1.0.1: that is an answer, no failure.
        if self.state not in _NEGOTIATION:
            code = status.integer("Status")
            self._events.append(RequestFailed(self.state, code, status_text(status)))
        if self.state is State.ENABLING_EXTENSIONS:
            self.profile = GENERIC
        self._advance(Outcome.FAILED, status_text(status))

    def _handle_notification(self, message: Message) -> None:
        notifications = read_notification(message)
        if notifications is None:
            reason = "ReaderEventNotification holds no data"
            self._events.append(Reject(reason, encode_body(message)))
            return
        for notification in notifications:
            match notification:
                case ConnectionAttempted():
                    self._handle_attempt(notification)
                case ConnectionClosing():
                    self._end("the reader said goodbye")
                case RospecChanged():
                    self._handle_rospec(notification)
                case signal:
                    self._events.append(signal)

    def _handle_rospec(self, change: RospecChanged) -> None:
        ours = change.rospec == self.settings.rospec_id and self.state is State.READING
        as_it_should = self._extent < Extent.LEAST and self.settings.start is not None
        if not ours or not (as_it_should or self._begins_anew):
            self._events.append(change.notice)
        if not ours or change.code != ROSPEC_ENDED:
            return
        if self._begins_anew:
            self.send(Message(messages.START_ROSPEC, {"ROSpecID": self.settings.rospec_id}))
        else:
            # Perhaps an old event, held while we were away: the reader itself knows.
            self._check()

    @property
    def _begins_anew(self) -> bool:
        """Whether our ROSpec ends by itself after both ways, and is then started again."""
        return (
            self.version == messages.VERSION_1_0_1
            and self._extent < Extent.PLAIN
            and self.capabilities is not None
            and self._reading().goes_both_ways
        )

    @property
    def _rospec_state_min(self) -> int:
        """With an input as trigger, a ROSpec that waits is as good as one that reads."""
        waits = self.settings.start is not None and self._extent < Extent.LEAST
        return _ROSPEC_INACTIVE if waits else _ROSPEC_ACTIVE

    def _handle_attempt(self, attempt: ConnectionAttempted) -> None:
        self._events.append(ClockShown(attempt.at_us, attempt.uptime))
        if self.state is not State.GREETING:
            notice = ReaderNoticed(
                "connection_attempt", attempt.reason, attempt.at_us, attempt.uptime
            )
            self._events.append(notice)
        elif attempt.code == CONNECTION_ACCEPTED:
            newer = self.settings.version_max >= messages.VERSION_1_1
            self._advance(Outcome.DONE if newer else Outcome.OLDER)
        else:
            self._events.append(Refused(attempt.reason))
            self._end(f"the reader refused: {attempt.reason}")

    # The table's side.

    def _advance(self, outcome: Outcome, detail: str = "") -> None:
        following = TRANSITIONS.get((self.state, outcome))
        if following is None:
            reason = f"{outcome} while {self.state}"
            self._end(f"{reason}: {detail}" if detail else reason, silent=outcome is Outcome.SILENT)
            return
        self.state = following
        self._state_since_s = self._now_s
        request = self._REQUESTS.get(following)
        if request is not None:
            request(self)
        if following is State.READING:
            self._events.append(ReadingStarted())

    def _end(self, reason: str, *, silent: bool = False) -> None:
        negotiating = self.state in _NEGOTIATION
        self.state = State.ENDED
        if self._ended is None:
            self._ended = SessionEnded(reason, silent, negotiating)

    def _ask_version(self) -> None:
        # Asked in 1.1 itself: a 1.0.1 reader then says that it does not know this version.
        self._send_as(messages.VERSION_1_1, Message(messages.GET_SUPPORTED_VERSION))

    def _set_version(self) -> None:
        message = Message(messages.SET_PROTOCOL_VERSION, {"TargetVersion": messages.VERSION_1_1})
        self._send_as(messages.VERSION_1_1, message)

    def _send_as(self, version: int, message: Message) -> None:
        spoken, self.version = self.version, version
        self.send(message)
        self.version = spoken

    def _ask_capabilities(self) -> None:
        fields: Fields = {"ReaderCapabilitiesRequestedData": _ALL}
        self.send(Message(messages.GET_READER_CAPABILITIES, fields))

    def _reading(self) -> Reading:
        assert self.capabilities is not None, self.state
        return Reading(
            settings=self.settings,
            capabilities=self.capabilities,
            profile=self.profile,
            version=self.version,
        )

    def _enable_extensions(self) -> None:
        self.send(Message(messages.CUSTOM_MESSAGE, enable_extensions()))

    def _configure(self) -> None:
        self.send(reader_config(self.settings, self._reading().capabilities))

    def _configure_keepalives(self) -> None:
        self.send(keepalive_config(self.settings))

    def _delete_rospecs(self) -> None:
        self.send(Message(messages.DELETE_ROSPEC, {"ROSpecID": _ALL}))

    def _delete_accessspecs(self) -> None:
        self.send(Message(messages.DELETE_ACCESSSPEC, {"AccessSpecID": _ALL}))

    def _add_rospec(self) -> None:
        # What the reader leaves out from here on is unchanged since this ROSpec's reports.
        self._connection.report_decoder.forget()
        self._extent = EXTENTS[self.state]
        wanted = add_rospec(self._reading(), self._extent)
        if wanted == self._refused_rospec and self.state is not State.ADDING_LEAST_ROSPEC:
            self._advance(Outcome.FAILED)
            return
        self._refused_rospec = wanted
        self.send(wanted)

    def _enable_rospec(self) -> None:
        self.send(Message(messages.ENABLE_ROSPEC, {"ROSpecID": self.settings.rospec_id}))

    def _enable_reports(self) -> None:
        self.send(Message(messages.ENABLE_EVENTS_AND_REPORTS))

    _REQUESTS: ClassVar[dict[State, Callable[["Session"], None]]] = {
        State.ASKING_VERSION: _ask_version,
        State.SETTING_VERSION: _set_version,
        State.ASKING_CAPABILITIES: _ask_capabilities,
        State.ENABLING_EXTENSIONS: _enable_extensions,
        State.CONFIGURING: _configure,
        State.CONFIGURING_KEEPALIVES: _configure_keepalives,
        State.DELETING_ROSPECS: _delete_rospecs,
        State.DELETING_ACCESSSPECS: _delete_accessspecs,
        State.ADDING_WHOLE_ROSPEC: _add_rospec,
        State.ADDING_COUNTED_ROSPEC: _add_rospec,
        State.ADDING_PLAIN_ROSPEC: _add_rospec,
        State.ADDING_LEAST_ROSPEC: _add_rospec,
        State.ENABLING_ROSPEC: _enable_rospec,
        State.READING: _enable_reports,
    }
    """What is sent when a state begins."""
