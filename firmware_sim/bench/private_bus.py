"""A D-Bus message bus of our own: enough of one to put a Bluetooth stack's double behind a client.

It knows names, passes calls and replies on, and gives every signal to everybody, which a client may
not mind: match rules only save traffic. Where `dbus-daemon` is installed the double runs on that
just as well; this one needs nothing but Python.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from firmware_sim.core import dbus_wire as wire
from firmware_sim.core.dbus_wire import Message

BUS = "org.freedesktop.DBus"
BUS_PATH = "/org/freedesktop/DBus"
LINE_BYTES_MAX = 1_024
"""Of the handshake."""
WAITING_BYTES_MAX = 4 << 20
"""A client that takes nothing is let go rather than stored for."""
OWNER = 1
"""The answer to a request for a name: it is yours."""
_ERRORS = "org.freedesktop.DBus.Error."


class _Client:
    """One connection."""

    def __init__(self, bus: PrivateBus, name: str, writer: asyncio.StreamWriter) -> None:
        self._bus = bus
        self.name = name
        self.writer = writer
        self.names: set[str] = set()

    def send(self, message: Message) -> None:
        transport = self.writer.transport
        if transport.get_write_buffer_size() > WAITING_BYTES_MAX:
            transport.abort()
            return
        raw = message.encode()
        left = self._bus.left_of(self.name, len(raw))
        if not transport.is_closing():
            self.writer.write(raw[:left])
            if left < len(raw):
                self.writer.close()  # What was written before still goes out.


class PrivateBus:
    """The bus, on a socket in a folder; `async with`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "bus"
        self._server: asyncio.Server | None = None
        self._clients: dict[str, _Client] = {}
        self._owners: dict[str, _Client] = {}
        self._numbers = itertools.count(1)
        self._serials = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._spared: set[str] = set()
        self._drops: deque[int] = deque()
        self.bytes_sent = 0
        """To clients that are not spared."""

    def spare(self, name: str) -> None:
        """The owner of a name is part of the bench: its link is never cut."""
        self._spared.add(self._owners[name].name)

    def drop(self, *, after_bytes: int) -> None:
        """Cut the link to a client, so many bytes from now, be it in the middle of a message.

        Where a cut is still to come, these bytes are counted from there.
        """
        self._drops.append(after_bytes)

    @property
    def is_to_drop(self) -> bool:
        """Whether a cut is still to come."""
        return bool(self._drops)

    def left_of(self, client: str, size: int) -> int:
        """How much of a message of a size may still go to a client."""
        if client in self._spared:
            return size
        self.bytes_sent += size
        if not self._drops:
            return size
        left = min(size, self._drops[0])
        if left < size:
            self._drops.popleft()
        else:
            self._drops[0] -= left
        return left

    @property
    def address(self) -> str:
        """What `DBUS_SYSTEM_BUS_ADDRESS` is set to."""
        return f"unix:path={self._path}"

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_unix_server(self._serve, self._path)

    async def stop(self) -> None:
        """Cut all and listen no more."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for client in list(self._clients.values()):
            client.writer.transport.abort()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._path.unlink(missing_ok=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        client = _Client(self, f":1.{next(self._numbers)}", writer)
        try:
            if not await _greet(reader, writer):
                return
            self._clients[client.name] = client
            while True:
                head = await reader.readexactly(wire.FIXED_BYTES)
                rest = await reader.readexactly(wire.length_of(head) - wire.FIXED_BYTES)
                self._route(client, wire.message_of(head + rest))
        except (wire.WireError, OSError, EOFError, ValueError):
            return  # It is gone, or talks what we do not: either way it is let go.
        finally:
            self._leave(client)
            writer.transport.abort()
            self._tasks.discard(task)

    def _route(self, client: _Client, message: Message) -> None:
        signed = message._replace(fields={**message.fields, wire.SENDER: client.name})
        target = message.text(wire.DESTINATION)
        if target == BUS:
            self._answer(client, message)
        elif not target:
            for other in list(self._clients.values()):
                if other is not client:
                    other.send(signed)
        elif found := self._find(target):
            found.send(signed)
        elif message.kind == wire.CALL and not message.flags & wire.NO_REPLY:
            self._fail(client, message, "ServiceUnknown", f"nobody is called {target}")

    def _find(self, name: str) -> _Client | None:
        return self._clients.get(name) or self._owners.get(name)

    def _answer(self, client: _Client, message: Message) -> None:
        """A call to the bus itself."""
        answer = ANSWERS.get(message.text(wire.MEMBER))
        if answer is None:
            self._fail(client, message, "UnknownMethod", "this bus does not know that")
            return
        answer(self, client, message)

    def hello(self, client: _Client, message: Message) -> None:
        """A client asks for its name."""
        self._reply(client, message, "s", wire.texts(client.name))
        self._owner_changed(client.name, "", client.name)

    def request_name(self, client: _Client, message: Message) -> None:
        """A client wants a name; the newest has it."""
        name = wire.first_text(message.body)
        before = self._owners.get(name)
        if before is not None:
            before.names.discard(name)
        self._owners[name] = client
        client.names.add(name)
        self._reply(client, message, "u", wire.number(OWNER))
        self._owner_changed(name, before.name if before else "", client.name)

    def release_name(self, client: _Client, message: Message) -> None:
        """A client gives a name back."""
        self._release(client, wire.first_text(message.body))
        self._reply(client, message, "u", wire.number(1))

    def name_owner(self, client: _Client, message: Message) -> None:
        """Who has a name."""
        found = self._find(wire.first_text(message.body))
        if found is None:
            self._fail(client, message, "NameHasNoOwner", "nobody has this name")
        else:
            self._reply(client, message, "s", wire.texts(found.name))

    def has_owner(self, client: _Client, message: Message) -> None:
        """Whether anybody has a name."""
        found = self._find(wire.first_text(message.body))
        self._reply(client, message, "b", wire.number(int(found is not None)))

    def match(self, client: _Client, message: Message) -> None:
        """A match rule comes or goes: everybody hears everything."""
        self._reply(client, message)

    def _reply(
        self, client: _Client, message: Message, signature: str = "", body: bytes = b""
    ) -> None:
        fields: dict[int, wire.Value] = {
            wire.REPLY_SERIAL: message.serial,
            wire.SENDER: BUS,
            wire.DESTINATION: client.name,
        }
        if signature:
            fields[wire.SIGNATURE] = signature
        client.send(Message(wire.RETURN, next(self._serials), fields, body))

    def _fail(self, client: _Client, message: Message, error: str, text: str) -> None:
        fields: dict[int, wire.Value] = {
            wire.ERROR_NAME: _ERRORS + error,
            wire.REPLY_SERIAL: message.serial,
            wire.SENDER: BUS,
            wire.DESTINATION: client.name,
            wire.SIGNATURE: "s",
        }
        client.send(Message(wire.ERROR, next(self._serials), fields, wire.texts(text)))

    def _owner_changed(self, name: str, before: str, now: str) -> None:
        fields: dict[int, wire.Value] = {
            wire.PATH: BUS_PATH,
            wire.INTERFACE: BUS,
            wire.MEMBER: "NameOwnerChanged",
            wire.SENDER: BUS,
            wire.SIGNATURE: "sss",
        }
        told = Message(wire.SIGNAL, next(self._serials), fields, wire.texts(name, before, now))
        for other in list(self._clients.values()):
            other.send(told)

    def _release(self, client: _Client, name: str) -> None:
        if self._owners.get(name) is client:
            del self._owners[name]
            client.names.discard(name)
            self._owner_changed(name, client.name, "")

    def _leave(self, client: _Client) -> None:
        if self._clients.pop(client.name, None) is None:
            return
        for name in list(client.names):
            self._release(client, name)
        self._owner_changed(client.name, client.name, "")


ANSWERS: Mapping[str, Callable[[PrivateBus, _Client, Message], None]] = {
    "Hello": PrivateBus.hello,
    "RequestName": PrivateBus.request_name,
    "ReleaseName": PrivateBus.release_name,
    "GetNameOwner": PrivateBus.name_owner,
    "NameHasOwner": PrivateBus.has_owner,
    "AddMatch": PrivateBus.match,
    "RemoveMatch": PrivateBus.match,
}
"""What the bus itself can be asked, by the member's name."""


async def _greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """The handshake: whoever can open the socket may come in."""
    await reader.readexactly(1)  # A zero byte, which carries credentials where they are wanted.
    guid = secrets.token_hex(16)
    for _ in range(8):
        line = await reader.readuntil(b"\r\n")
        if len(line) > LINE_BYTES_MAX:
            return False
        word, _, rest = line.decode("ascii").strip().partition(" ")
        if word == "BEGIN":
            return True
        if word == "DATA" or (word == "AUTH" and rest.startswith("EXTERNAL ")):
            answer = f"OK {guid}"
        elif word == "AUTH":
            answer = "DATA" if rest == "EXTERNAL" else "REJECTED EXTERNAL"
        else:
            answer = "ERROR"
        writer.write(answer.encode() + b"\r\n")
    return False
