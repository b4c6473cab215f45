"""A handheld (PDA) as a simulated person uses it: scans, is offline, comes back, sends again.

It signs its person in, sends what was scanned, and keeps each scan until the agent said that it is
safe. What was cut, or answered with anything else, is sent again with the same ids and the clock's
time of then. Its clock is its own. Pure: bytes and times are arguments; HTTP is written here by
hand, so that no mistake of a library that the agent uses is on both sides.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from firmware_sim.bench.kinds import Frame, Scene
from firmware_sim.core.dice import key_of

SCANS_MAX = 50
"""So many scans go with one request."""
SECOND_US = 1_000_000
RETRY_US = 1_000_000
"""After an answer that is no success, where the agent does not say how long to wait."""
ANSWER_US_MAX = 30_000_000
"""A request that was not answered by then is sent again."""
ANSWER_BYTES_MAX = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ENDING = b"\r\n\r\n"


class Credentials(NamedTuple):
    """Who the handheld is, and who uses it."""

    client: str
    secret: str
    person: str
    pin: str


class Reply(NamedTuple):
    """An answer of HTTP."""

    status: int
    retry_after_s: float
    body: dict[str, object]


class Replies:
    """Answers out of bytes in any cuts."""

    def __init__(self) -> None:
        self._data = bytearray()

    def receive(self, data: bytes) -> list[Reply]:
        """Take bytes; the answers that are whole now. Raises ValueError where they are none."""
        self._data += data
        if len(self._data) > ANSWER_BYTES_MAX:
            raise ValueError("an answer without end")
        found = []
        while (end := self._data.find(ENDING)) >= 0:
            lines = self._data[:end].decode("ascii").split("\r\n")
            headers = {
                name.strip().lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines[1:])
            }
            size = int(headers.get("content-length", "0"))
            if not lines[0].startswith("HTTP/1.1 ") or size < 0:
                raise ValueError("no answer of HTTP")
            whole = end + len(ENDING) + size
            if len(self._data) < whole:
                break
            body = json.loads(self._data[end + len(ENDING) : whole] or b"{}")
            retry_s = float(headers.get("retry-after", "0"))
            if not isinstance(body, dict):
                raise ValueError("an answer that is no object")  # noqa: TRY004 - as all of these.
            found.append(Reply(int(lines[0].split(" ")[1]), retry_s, body))
            del self._data[:whole]
        return found


class Handheld:
    """One handheld with one person, before the agent's HTTP interface."""

    def __init__(self, scene: Scene, credentials: Credentials) -> None:
        self.scanned = 0
        """How many scans were made."""
        self.already = 0
        """How many the agent said to have known."""
        self.refused: list[str] = []
        """Why scans were refused."""
        self._scene = scene
        self._who = credentials
        self._next = 0
        self._now_us = scene.start_us
        self._offset_us = 0
        self._drift_ppm = 0.0
        self._drifts_since_us = scene.start_us
        self._waiting: OrderedDict[str, dict[str, str]] = OrderedDict()
        self._token = ""
        self._connected = False
        self._asked_us: int | None = None
        self._not_before_us = 0
        self._replies = Replies()

    @property
    def waiting(self) -> int:
        """How many scans are not safe yet."""
        return len(self._waiting)

    # -- what its person and its clock do ----------------------------------------------------------

    def frames(self, upto_us: int) -> list[Frame]:
        """Scan what comes by until then; the request that is due, if one is."""
        while self._next < len(self._scene.passings):
            passing = self._scene.passings[self._next]
            if passing.at_us > upto_us:
                break
            self._next += 1
            if passing.code or passing.epc:
                self._scan(passing.at_us, passing.code, passing.epc)
        self._now_us = max(self._now_us, upto_us)
        if self._asked_us is not None and self._now_us - self._asked_us > ANSWER_US_MAX:
            self._asked_us = None
        if not self._connected or self._asked_us is not None or self._now_us < self._not_before_us:
            return []
        if not self._token:
            request = self._request("/v1/sign-in", self._who._asdict())
        elif self._waiting:
            scans = list(self._waiting.values())[:SCANS_MAX]
            request = self._request(
                "/v1/scans", {"sent_at": self._clock_text(self._now_us), "scans": scans}
            )
        else:
            return []
        self._asked_us = self._now_us
        return [Frame(at_us=self._now_us, payload=request)]

    def fault(self, name: str, value: float) -> bool:
        """Its clock jumps or drifts; it has no antennas to lose."""
        if name == "clock_offset_s":
            self._offset_us += round(value * SECOND_US)
            return True
        if name == "clock_drift_ppm":
            self._offset_us = self._clock_us(self._now_us) - self._now_us
            self._drifts_since_us, self._drift_ppm = self._now_us, value
            return True
        return False

    def _scan(self, at_us: int, code: str, epc: bytes) -> None:
        scene = self._scene
        words = (scene.device, scene.seed, scene.start_us, self.scanned)
        bits = key_of("scan", *words) << 60 | key_of("id", *words)
        name = str(UUID(int=bits, version=4))
        scan = {"id": name, "scanned_at": self._clock_text(at_us)}
        if code:
            scan["code"] = code
        else:
            scan["epc"] = epc.hex()
        self._waiting[name] = scan
        self.scanned += 1

    def _clock_us(self, at_us: int) -> int:
        gained_us = (at_us - self._drifts_since_us) * self._drift_ppm / SECOND_US
        return at_us + self._offset_us + round(gained_us)

    def _clock_text(self, at_us: int) -> str:
        return (EPOCH + timedelta(microseconds=self._clock_us(at_us))).isoformat()

    # -- the conversation --------------------------------------------------------------------------

    def came(self) -> None:
        """There is a connection: what was asked on the last one is asked again."""
        self._connected = True
        self._asked_us = None
        self._replies = Replies()

    def gone(self) -> None:
        """There is none."""
        self._connected = False

    def heard(self, data: bytes) -> bool:
        """Bytes of an answer."""
        try:
            for reply in self._replies.receive(data):
                self._take(reply)
        except ValueError:
            return False
        return True

    def refusal(self) -> bytes:
        """Nobody connects to a handheld."""
        return b""

    def wants_to_part(self) -> bool:
        """It keeps its connection."""
        return False

    def _take(self, reply: Reply) -> None:
        self._asked_us = None
        results = reply.body.get("scans")
        for result in results if isinstance(results, list) else []:
            if not isinstance(result, dict) or result.get("kept") is not True:
                continue
            if self._waiting.pop(str(result.get("id")), None) is None:
                continue
            self.already += result.get("already") is True
            if result.get("taken") is not True and not result.get("already"):
                self.refused.append(str(result.get("reason")))
        token = reply.body.get("token")
        if isinstance(token, str):
            self._token = token
        elif reply.status == 401:  # noqa: PLR2004 - HTTP's number.
            self._token = ""
        if reply.status != 200:  # noqa: PLR2004 - as above.
            self._not_before_us = self._now_us + max(
                RETRY_US, round(reply.retry_after_s * SECOND_US)
            )

    def _request(self, path: str, body: dict[str, object]) -> bytes:
        raw = json.dumps(body).encode()
        lines = [
            f"POST {path} HTTP/1.1",
            "Host: agent",
            "Content-Type: application/json",
            f"Content-Length: {len(raw)}",
        ]
        if self._token:
            lines.append(f"Authorization: Bearer {self._token}")
        return "\r\n".join(lines).encode() + ENDING + raw
