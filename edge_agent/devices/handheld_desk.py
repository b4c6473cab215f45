"""Signs people in at handhelds and takes their scans: everything but HTTP itself.

A request for scans is answered only when each of its scans is on the disk, or told to be known or
refused. Whoever hears nothing, or 503, sends the same scans again, as often as it takes.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, ParamSpec, TypeVar

from pydantic import JsonValue

from contracts.reads import Read, Reject
from contracts.site_devices import DeviceTable
from edge_agent.core.handheld import (
    SCANS_MAX,
    BodyMistake,
    Judged,
    Request,
    ScansBody,
    SignIn,
    SignInBody,
    judge_scan,
    microseconds,
    moment_text,
    other_content,
    read_body,
)
from edge_agent.core.limits import LockOut, Rate
from edge_agent.core.secret_hash import DUMMY, is_secret
from edge_agent.devices.device_intake import DeviceIntake
from edge_agent.devices.handheld_memory import (
    Found,
    HandheldMemory,
    Known,
    StoredSignIn,
)
from edge_agent.intake import steady_us
from edge_agent.tickets import Ticket

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

ANSWER_S_MAX = 15.0
"""A handheld hears this late at the latest; what is under way then goes on."""
HASHES_WAITING_MAX = 8
"""Secrets that may wait to be looked at: each costs a fifth of a second and 32 MB."""
STRANGER_PER_S = 0.5
STRANGER_BURST = 20
"""Wrong secrets and tokens of one network address."""
REQUEST_BURST_S = 5.0
SCANS_BURST = 20 * SCANS_MAX
"""What a handheld gathered in a day offline may come at once."""
CLOCK_OFF_US = 60_000_000
"""A clock that is further off is told, though its scans are set right."""
FULL = "the agent's spool is full: keep the scans and send them again"
DAY_US = 86_400_000_000
SECOND_US = 1_000_000


class Answer(NamedTuple):
    """What is answered: JSON, with a status of HTTP."""

    status: int
    body: Mapping[str, JsonValue]
    retry_after_s: float | None = None


def refusal(
    status: int,
    error: str,
    message: str,
    *,
    retry_after_s: float | None = None,
    mistakes: list[BodyMistake] | None = None,
) -> Answer:
    """An answer that says what to do."""
    body: dict[str, JsonValue] = {"error": error, "message": message}
    if mistakes is not None:
        body["mistakes"] = [one._asdict() for one in mistakes]
    return Answer(status, body, retry_after_s)


class HandheldDesk:
    """One interface's desk. Belongs to one event loop; `close` it."""

    def __init__(
        self,
        device: DeviceTable,
        *,
        locations: tuple[str, ...],
        intake: DeviceIntake,
        memory: HandheldMemory,
    ) -> None:
        """`locations`: ids of the site's zones and gates."""
        table = device.handheld
        self._device = device
        self._intake = intake
        self._memory = memory
        self._clients = {one.id: one.secret for one in table.clients}
        self._persons = {one.id: one.pin for one in table.persons}
        self._places = {name: name for name in locations}
        self._places |= {one.code: one.location for one in table.places}
        self._requests = Rate(table.requests_per_s, table.requests_per_s * REQUEST_BURST_S + 1)
        self._scans = Rate(table.scans_per_s, max(SCANS_BURST, table.scans_per_s))
        self._strangers = Rate(STRANGER_PER_S, STRANGER_BURST)
        self._locks = LockOut()
        self._tokens = {one.token: one for one in memory.sign_ins()}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="handheld")
        self._hashing = ThreadPoolExecutor(1, thread_name_prefix="handheld-pin")
        self._hashes_waiting = 0
        self._order = asyncio.Lock()
        self._under_way: dict[tuple[str, bytes], asyncio.Task[set[bytes]]] = {}

    # -- people ------------------------------------------------------------------------------------

    async def sign_in(self, raw: bytes, address: str) -> Answer:
        """`POST /v1/sign-in`."""
        if busy := self._slow_stranger(address):
            return busy
        body = read_body(SignInBody, raw)
        if not isinstance(body, SignInBody):
            return _mistaken(body)
        if self._hashes_waiting >= HASHES_WAITING_MAX:
            return refusal(429, "busy", "many sign in just now: try again", retry_after_s=2)
        return await self._refused(body, address) or await self._signed_in(body.client, body.person)

    async def _refused(self, body: SignInBody, address: str) -> Answer | None:
        """Why somebody may not sign in. A name that there is not takes as long as a wrong PIN."""
        is_client = await self._is(body.secret, self._clients.get(body.client))
        if not is_client or body.client not in self._clients:
            await self._intake.complain(f"a wrong client or secret came from {address}")
            message = (
                "client or secret is wrong: see [[devices.handheld.clients]] in the site file; a"
                " secret is shown once, when it is made"
            )
            return refusal(401, "wrong_client", message)
        # Only who has a handheld's secret gets so far as to lock a person out.
        if wait_s := self._locks.wait_s(body.person, steady_us()):
            message = "too many wrong PINs for this person: wait, then try again"
            return refusal(429, "locked", message, retry_after_s=wait_s)
        is_person = await self._is(body.pin, self._persons.get(body.person))
        if not is_person or body.person not in self._persons:
            if self._locks.is_locked(body.person, steady_us()):
                who = body.person if body.person in self._persons else "somebody unknown"
                await self._intake.complain(f"{who} is locked out at {body.client}: wrong PINs")
            return refusal(401, "wrong_person", "person or PIN is wrong")
        self._locks.right(body.person)
        return None

    async def sign_out(self, token: str, address: str) -> Answer:
        """`POST /v1/sign-out`: scans made from now on are not this person's."""
        stored = self._stored(token)
        if stored is None:
            return self._stranger(address)
        until_us = min(stored.sign_in.until_us, self._intake.now_us())
        await self._end(stored, until_us)
        return Answer(200, {"until": moment_text(until_us)})

    async def _signed_in(self, client: str, person: str) -> Answer:
        now_us = self._intake.now_us()
        for other in list(self._tokens.values()):
            if other.sign_in.client == client and other.sign_in.until_us > now_us:
                await self._end(other, now_us)
        token = secrets.token_urlsafe(32)
        until_us = now_us + round(self._device.handheld.sign_in_s * SECOND_US)
        stored = StoredSignIn(
            _hash(token),
            SignIn(client, person, now_us, until_us),
            self._credentials(client, person),
        )
        await self._remember(stored)
        return Answer(
            200,
            {
                "token": token,
                "client": client,
                "person": person,
                "from": moment_text(now_us),
                "until": moment_text(until_us),
            },
        )

    async def _end(self, stored: StoredSignIn, until_us: int) -> None:
        await self._remember(stored._replace(sign_in=stored.sign_in._replace(until_us=until_us)))

    async def _remember(self, stored: StoredSignIn) -> None:
        self._tokens[stored.token] = stored
        await self._do(self._memory.put_sign_in, stored)
        gone_us = self._oldest_us(self._intake.now_us())
        for token in [each for each, one in self._tokens.items() if one.sign_in.until_us < gone_us]:
            del self._tokens[token]

    def _stored(self, token: str) -> StoredSignIn | None:
        """The sign-in of a token, unless its client or person was given another secret since."""
        stored = self._tokens.get(_hash(token))
        if stored is None:
            return None
        sign_in = stored.sign_in
        current = self._credentials(sign_in.client, sign_in.person)
        return stored if stored.credentials == current else None

    def _credentials(self, client: str, person: str) -> bytes:
        return _hash(f"{self._clients.get(client)} {self._persons.get(person)}")

    async def _is(self, secret: str, line: str | None) -> bool:
        """Whether a secret is right; as slow for a name that there is not."""
        self._hashes_waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._hashing, is_secret, secret, line or DUMMY
            )
        finally:
            self._hashes_waiting -= 1

    def _slow_stranger(self, address: str) -> Answer | None:
        wait_s = self._strangers.wait_s(address, steady_us())
        if not wait_s:
            return None
        return refusal(
            429, "too_often", "too many attempts from this address: wait", retry_after_s=wait_s
        )

    def _stranger(self, address: str) -> Answer:
        return self._slow_stranger(address) or refusal(
            401,
            "sign_in",
            "this token is not known here (any more): sign in at /v1/sign-in,"
            " then send the same scans again with the new token",
        )

    # -- scans -------------------------------------------------------------------------------------

    async def scans(self, token: str, raw: bytes, address: str) -> Answer:
        """`POST /v1/scans`."""
        stored = self._stored(token)
        if stored is None:
            return self._stranger(address)
        client = stored.sign_in.client
        if wait_s := self._requests.wait_s(client, steady_us()):
            return await self._too_often(client, wait_s)
        if self._intake.intake.is_held():
            return refusal(503, "full", FULL, retry_after_s=30)
        return await self._hear(stored.sign_in, raw)

    async def _hear(self, sign_in: SignIn, raw: bytes) -> Answer:
        received_us = self._intake.now_us()
        body = read_body(ScansBody, raw)
        if not isinstance(body, ScansBody):
            await self._intake.refuse(f"{sign_in.client}: {_told(body)}", raw)
            return _mistaken(body)
        if wait_s := self._scans.wait_s(sign_in.client, steady_us(), count=len(body.scans)):
            return await self._too_often(sign_in.client, wait_s)
        request = self._request(sign_in, body, received_us)
        await self._note_clock(sign_in.client, request.skew_us)
        judged = [judge_scan(value, request) for value in body.scans]
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                return await self._take(request, body.scans, judged)
        except TimeoutError:
            message = "the scans are not safe yet: keep them and send them again"
            return refusal(503, "busy", message, retry_after_s=5)

    async def _take(
        self, request: Request, values: list[JsonValue], judged: list[Judged]
    ) -> Answer:
        client = request.sign_in.client
        async with self._order:
            # One request after the other: a scan in two of them at once shall go in once.
            found = await self._begin(client, judged, request)
            for place, one in enumerate(found):
                if one.known is Known.OTHER:
                    judged[place] = other_content(judged[place], request, values[place])
            others = [each for each, one in enumerate(found) if one.known is Known.OTHER]
            again = await self._begin(client, [judged[place] for place in others], request)
            for place, one in zip(others, again, strict=True):
                found[place] = one
            waits = await self._put(client, judged, found, request.received_us)
        kept: set[bytes] = set()
        for group in set(waits):
            kept |= await asyncio.shield(group)
        results = [_result(one, known, kept) for one, known in zip(judged, found, strict=True)]
        if all(result["kept"] for result in results):
            return Answer(200, {"scans": list[JsonValue](results)})
        answer = refusal(503, "full", FULL, retry_after_s=30)
        return answer._replace(body={**answer.body, "scans": list[JsonValue](results)})

    async def _begin(self, client: str, judged: list[Judged], request: Request) -> list[Found]:
        if not judged:
            return []
        found = await self._do(self._memory.begin, client, judged, request.received_us)
        await self._do(self._memory.prune, request.oldest_us)
        return found

    async def _put(
        self, client: str, judged: list[Judged], found: list[Found], received_us: int
    ) -> list[asyncio.Task[set[bytes]]]:
        """Put what is not kept yet into the spool; the tasks that will tell what is."""
        waits: list[asyncio.Task[set[bytes]]] = []
        tickets: dict[bytes, Ticket] = {}
        try:
            for scan, one in zip(judged, found, strict=True):
                if one.known is Known.KEPT or scan.key in tickets:
                    continue
                if under_way := self._under_way.get((client, scan.key)):
                    waits.append(under_way)
                    continue
                thing = one.thing
                tickets[scan.key] = await self._intake.take_with_ticket(
                    received_us=received_us,
                    reads=(thing,) if isinstance(thing, Read) else (),
                    rejects=(thing,) if isinstance(thing, Reject) else (),
                )
        finally:
            if tickets:
                group = asyncio.create_task(self._finish(client, tickets))
                self._under_way |= {(client, key): group for key in tickets}
                waits.append(group)
        return waits

    async def _finish(self, client: str, tickets: Mapping[bytes, Ticket]) -> set[bytes]:
        """Wait until scans are on the disk and note it; those that are."""
        try:
            await asyncio.wait(tickets.values())
            kept = {key for key, ticket in tickets.items() if ticket.result()}
            await self._do(self._memory.kept, client, kept)
            return kept
        finally:
            for key in tickets:
                self._under_way.pop((client, key), None)

    def _request(self, sign_in: SignIn, body: ScansBody, received_us: int) -> Request:
        return Request(
            source=self._intake.source,
            device=self._device.id,
            sign_in=sign_in,
            skew_us=received_us - microseconds(body.sent_at),
            received_us=received_us,
            oldest_us=self._oldest_us(received_us),
            places=self._places,
            has_place=self._device.location is not None,
        )

    async def _note_clock(self, client: str, skew_us: int) -> None:
        self._intake.watch.skew_us = -skew_us
        if abs(skew_us) > CLOCK_OFF_US:
            way = "behind" if skew_us > 0 else "ahead"
            seconds = abs(skew_us) // SECOND_US
            await self._intake.complain(f"the clock of {client} is {seconds} s {way}")

    async def _too_often(self, client: str, wait_s: float) -> Answer:
        await self._intake.complain(f"{client} sends more than it may: it is slowed down")
        message = "more than the site file allows this handheld: wait, then send the same again"
        return refusal(429, "too_often", message, retry_after_s=wait_s)

    def _oldest_us(self, now_us: int) -> int:
        return now_us - round(self._device.handheld.replay_days * DAY_US)

    async def _do(
        self,
        work: Callable[Arguments, Result],
        *arguments: Arguments.args,
        **_: Arguments.kwargs,
    ) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    async def close(self) -> None:
        """Let go of everything; scans under way are not answered any more."""
        groups = set(self._under_way.values())
        for group in groups:
            group.cancel()
        await asyncio.gather(*groups, return_exceptions=True)
        await self._do(self._memory.close)
        self._thread.shutdown()
        self._hashing.shutdown(wait=False, cancel_futures=True)


def _result(scan: Judged, found: Found, kept: set[bytes]) -> dict[str, JsonValue]:
    """One scan's line in the answer; who it was is told only the first time."""
    already = found.known is Known.KEPT
    thing = found.thing
    by_hand = thing.scan if isinstance(thing, Read) else None
    return {
        "id": scan.told_id,
        "kept": already or scan.key in kept,
        "already": already,
        "taken": isinstance(thing, Read),
        "person": None if already or by_hand is None else by_hand.person,
        "reason": scan.reason,
    }


def _mistaken(mistakes: list[BodyMistake]) -> Answer:
    message = "the body is not as it must be: each mistake is named"
    return refusal(422, "mistakes", message, mistakes=mistakes)


def _told(mistakes: list[BodyMistake]) -> str:
    return "; ".join(f"{one.field}: {one.problem}".removeprefix(": ") for one in mistakes[:10])


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
