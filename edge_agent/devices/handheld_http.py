"""The agent's HTTP interface for handhelds: listens, reads requests within limits, answers JSON.

What is asked is done by `handheld_desk`. Nothing here is for browsers: there is no CORS, and a body
must say that it is JSON, so no page of another site can post one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import sqlite3
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from contracts.site_devices import DeviceTable
from contracts.site_handheld import HandheldTable
from edge_agent import journal
from edge_agent.back_off import BackOff
from edge_agent.core.handheld import moment_text
from edge_agent.devices.device_intake import DeviceIntake
from edge_agent.devices.handheld_desk import Answer, HandheldDesk, refusal
from edge_agent.devices.handheld_memory import HandheldMemory, HandheldMemoryError
from edge_agent.intake import steady_us

BODY_BYTES_MAX = 512_000
"""A request of 500 scans with long codes is half of it."""
BODY_S_MAX = 20.0
"""A body takes no longer to arrive, over the worst of networks; else the handheld tries again."""
IDLE_US_MAX = 75_000_000
"""A connection on which nothing is asked for so long is closed: nobody holds them for nothing."""
FIRST_US_MAX = 15_000_000
"""One that never asked anything is closed earlier."""
LOOK_S = 2.0
CONNECTIONS_MAX = 200
"""Of all handhelds of one interface."""
RETRY_S_MAX = 30.0
STOP_S = 2.0
BEARER = "bearer "

Route = Callable[[web.BaseRequest, bytes], Awaitable[Answer]]


class HandheldHttp:
    """One interface; `run` until cancelled."""

    def __init__(
        self,
        device: DeviceTable,
        *,
        locations: tuple[str, ...],
        data: Path,
        intake: DeviceIntake,
        dice: random.Random,
    ) -> None:
        """`data`: the folder of the agent's spool, where the interface keeps a file of its own."""
        self._device = device
        self._locations = locations
        self._file = data / f"handheld-{device.id}.sqlite3"
        self._intake = intake
        self._back_off = BackOff(RETRY_S_MAX, dice)
        self._asked_us: dict[object, int] = {}
        """By connection, when something was last asked."""

    async def run(self) -> None:
        """Serve for ever."""
        while True:
            try:
                problem = await self._serve()
            except (OSError, ssl.SSLError, HandheldMemoryError) as error:
                problem = str(error)
            wait_s = self._back_off.wait_s()
            await self._intake.enter("retrying", f"{problem}; trying again in {wait_s:.1f} s")
            await asyncio.sleep(wait_s)

    async def _serve(self) -> str:
        """Serve until that is no longer possible; why."""
        tls = _tls(self._device.handheld)
        desk = HandheldDesk(
            self._device,
            locations=self._locations,
            intake=self._intake,
            memory=await asyncio.to_thread(HandheldMemory, self._file),
        )
        routes = _routes(desk, self._intake)

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            self._asked_us[request.protocol] = steady_us()
            answer = await _answer(request, routes)
            self._asked_us[request.protocol] = steady_us()
            return _response(answer)

        server = web.Server(
            handle, access_log=None, logger=_logger(), auto_decompress=False, lingering_time=STOP_S
        )
        try:
            host, port = self._device.host, self._device.port
            assert port is not None
            listener = await asyncio.get_running_loop().create_server(
                lambda: self._connected(server), host, port, ssl=tls, reuse_address=True
            )
            try:
                self._back_off.succeeded()
                scheme = "http" if tls is None else "https"
                await self._intake.enter("reading", f"{scheme}://{host or '*'}:{port}")
                return await self._watch(server, tls)
            finally:
                listener.close()
        finally:
            await server.shutdown(STOP_S)
            await desk.close()

    def _connected(self, server: web.Server) -> asyncio.Protocol:
        if len(server.connections) >= CONNECTIONS_MAX:
            return _Full()
        handler = server()
        self._asked_us[handler] = steady_us() - IDLE_US_MAX + FIRST_US_MAX
        return handler

    async def _watch(self, server: web.Server, tls: ssl.SSLContext | None) -> str:
        """Close what is idle and renew the certificate, for ever."""
        table = self._device.handheld
        seen = _changed_ns(table)
        while True:
            await asyncio.sleep(LOOK_S)
            oldest_us = steady_us() - IDLE_US_MAX
            there: dict[object, int] = {}
            for connection in server.connections:
                there[connection] = self._asked_us.get(connection, 0)
                if there[connection] < oldest_us:
                    connection.force_close()
            self._asked_us = there
            now = _changed_ns(table)
            if tls is not None and now != seen:
                seen = now
                try:
                    tls.load_cert_chain(table.certificate or "", table.key)
                    journal.write("a certificate was renewed", device=self._device.id)
                except OSError as error:  # The old one is used on.
                    await self._intake.complain(f"the new certificate cannot be used: {error}")


def _logger() -> logging.Logger:
    """Where faults of ours are told. Bytes that are no HTTP are answered with 400, and no news."""
    logger = logging.getLogger("edge_agent.handheld")
    if not logger.filters:
        logger.addFilter(_is_ours)
    return logger


def _is_ours(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


class _Full(asyncio.Protocol):
    """What a connection too many meets."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def _routes(desk: HandheldDesk, intake: DeviceIntake) -> Mapping[tuple[str, str], Route]:
    async def sign_in(request: web.BaseRequest, raw: bytes) -> Answer:
        return await desk.sign_in(raw, request.remote or "")

    async def sign_out(request: web.BaseRequest, _: bytes) -> Answer:
        return await desk.sign_out(_token(request), request.remote or "")

    async def scans(request: web.BaseRequest, raw: bytes) -> Answer:
        return await desk.scans(_token(request), raw, request.remote or "")

    async def health(_: web.BaseRequest, __: bytes) -> Answer:
        state = "full" if intake.intake.is_held() else "ok"
        return Answer(200, {"state": state, "time": moment_text(intake.now_us())})

    return {
        ("POST", "/v1/sign-in"): sign_in,
        ("POST", "/v1/sign-out"): sign_out,
        ("POST", "/v1/scans"): scans,
        ("GET", "/v1/health"): health,
    }


async def _answer(request: web.BaseRequest, routes: Mapping[tuple[str, str], Route]) -> Answer:
    route = routes.get((request.method, request.path))
    if route is None:
        methods = [method for method, path in routes if path == request.path]
        if methods:
            return refusal(405, "method", f"{request.path} is asked with {methods[0]}")
        paths = ", ".join(f"{method} {path}" for method, path in routes)
        return refusal(404, "path", f"there is no such path; there are {paths}")
    raw = b""
    if request.method == "POST":
        body = await _body(request)
        if isinstance(body, Answer):
            return body
        raw = body
    try:
        return await route(request, raw)
    except (HandheldMemoryError, sqlite3.Error) as error:
        journal.write("a handheld's request could not be served", problem=str(error))
        return refusal(
            503,
            "disk",
            "the agent's disk takes nothing: keep the scans and send them again",
            retry_after_s=30,
        )


async def _body(request: web.BaseRequest) -> bytes | Answer:
    """The whole body, or why it is not read."""
    if request.headers.get("Content-Encoding", "identity") != "identity":
        return refusal(415, "encoding", "send the body as it is, without Content-Encoding")
    if request.can_read_body and request.content_type != "application/json":
        return refusal(415, "content_type", "send Content-Type: application/json")
    raw = bytearray()
    try:
        async with asyncio.timeout(BODY_S_MAX):
            async for chunk in request.content.iter_any():
                raw += chunk
                if len(raw) > BODY_BYTES_MAX:
                    message = f"a body has at most {BODY_BYTES_MAX} bytes: send fewer scans at once"
                    return refusal(413, "too_large", message)
    except TimeoutError:
        return refusal(408, "slow", "the body did not arrive in time: send it again")
    return bytes(raw)


def _token(request: web.BaseRequest) -> str:
    header = request.headers.get("Authorization", "")
    return header[len(BEARER) :].strip() if header.lower().startswith(BEARER) else ""


def _response(answer: Answer) -> web.Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if answer.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, -int(-answer.retry_after_s // 1)))
    if answer.status == 401:  # noqa: PLR2004 - HTTP's number.
        headers["WWW-Authenticate"] = "Bearer"
    response = web.Response(
        status=answer.status,
        body=json.dumps(answer.body, ensure_ascii=False).encode(),
        content_type="application/json",
        headers=headers,
    )
    if answer.status in {408, 413, 415}:
        response.force_close()  # The rest of its body is not waited for.
    return response


def _tls(table: HandheldTable) -> ssl.SSLContext | None:
    """How to encrypt, if at all. Raises OSError where the certificate cannot be used."""
    if table.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(table.certificate, table.key)
    except (OSError, ssl.SSLError) as error:
        raise OSError(f"the certificate {table.certificate} cannot be used: {error}") from error
    return context


def _changed_ns(table: HandheldTable) -> tuple[int, ...]:
    """When certificate and key were last written."""
    found = []
    for name in (table.certificate, table.key):
        with suppress(OSError):
            found.append(Path(name or "").stat().st_mtime_ns)
    return tuple(found)
