"""Finding LLRP readers on given addresses: who is there, what it is, and what to write for it.

    python -m edge_agent discover 10.0.0.0/28 10.0.1.7 --port 5084

Only the addresses that are named are asked, some at a time. A reader is asked for its capabilities
and its identification and told goodbye; nothing of it is changed. One that serves another client
says so and is listed, too.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, NamedTuple

from contracts.site_base import ANTENNA_MAX
from edge_agent.core.llrp import messages
from edge_agent.core.llrp.capabilities import ReaderCapabilities, read_capabilities
from edge_agent.core.llrp.codec import Message
from edge_agent.core.llrp.layout import octets_of
from edge_agent.core.llrp.notifications import (
    CONNECTION_ACCEPTED,
    ConnectionAttempted,
    read_notification,
)
from edge_agent.core.llrp.profiles import AUTO, profile_of
from edge_agent.core.llrp.wire import Connection, Ended, NeedData

ADDRESSES_MAX: Final = 65_536
"""More than a site's network of devices has; a mistyped prefix shall not probe a continent."""
AT_ONCE: Final = 64
"""Probes at a time: enough for a network within seconds, too few to trouble it."""
TIMEOUT_S: Final = 3.0
READ_BYTES: Final = 65_536
MAC_BYTES: Final = 6
ID_BYTES: Final = 3
"""A reader is named by the end of its MAC address, as on its label."""
_IDENTIFICATION: Final = 1
_MAC: Final = 0
_ALL: Final = 0
_DIALOGUE: Final = (
    Message(messages.GET_READER_CAPABILITIES, {"ReaderCapabilitiesRequestedData": _ALL}),
    Message(messages.GET_READER_CONFIG, {"RequestedData": _IDENTIFICATION}),
)


class AddressError(ValueError):
    """An address, a name or a network that cannot be understood."""


class Found(NamedTuple):
    """One reader."""

    host: str
    port: int
    capabilities: ReaderCapabilities | None
    """None: it serves another client, or says no more."""
    identification: bytes
    """Its MAC address as EUI-64, or its EPC; empty where it does not say."""
    is_mac: bool
    note: str
    """What it said instead, in words."""

    @property
    def profile(self) -> str:
        """Whose habits it has."""
        return profile_of(AUTO, self.capabilities).name if self.capabilities else ""

    @property
    def id(self) -> str:
        """A name for it in the site file."""
        maker = self.profile or "reader"
        if self.identification:
            return f"{maker}-{self.identification[-ID_BYTES:].hex()}"
        return f"{maker}-{self.host.replace('.', '-').replace(':', '-')}"

    def toml(self) -> str:
        """Its table in the site file; the locations are to be filled in."""
        antennas = min(self.capabilities.antennas_max, ANTENNA_MAX) if self.capabilities else 0
        head = (
            f'[[devices]]\nid = "{self.id}"\ngateway = "GATEWAY"\nkind = "llrp"\n'
            f'host = "{self.host}"\nport = {self.port}\n'
        )
        return head + "".join(
            f'[[devices.antennas]]\nnumber = {number}\nlocation = "ZONE OR GATE"\n'
            for number in range(1, antennas + 1)
        )


def addresses_of(words: Iterable[str]) -> list[str]:
    """Every address in a list of addresses, names and networks. Raises AddressError."""
    found: dict[str, None] = {}
    for word in words:
        try:
            network = ipaddress.ip_network(word, strict=False)
        except ValueError:
            if "/" in word or not word:
                raise AddressError(f"{word!r} is no address and no network") from None
            found[word] = None
            continue
        if network.num_addresses + len(found) > ADDRESSES_MAX:
            raise AddressError(f"{word!r}: more than {ADDRESSES_MAX} addresses")
        hosts = network.hosts() if network.num_addresses > 1 else iter([network.network_address])
        found |= dict.fromkeys(str(host) for host in hosts)
    return list(found)


async def discover(
    hosts: Iterable[str], port: int, *, at_once: int = AT_ONCE, timeout_s: float = TIMEOUT_S
) -> list[Found]:
    """The readers at these addresses, in their order."""
    room = asyncio.Semaphore(at_once)

    async def probe_one(host: str) -> Found | None:
        async with room:
            return await probe(host, port, timeout_s=timeout_s)

    found = await asyncio.gather(*(probe_one(host) for host in hosts))
    return [reader for reader in found if reader is not None]


async def probe(host: str, port: int, *, timeout_s: float = TIMEOUT_S) -> Found | None:
    """The reader at an address; None where there is none."""
    dialogue = _Dialogue(host, port)
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, port, limit=READ_BYTES)
    except OSError:  # TimeoutError is one of them.
        return None
    try:
        async with asyncio.timeout(timeout_s):
            while not dialogue.is_over:
                dialogue.receive(await reader.read(READ_BYTES))
                writer.write(dialogue.to_send())
                await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await writer.wait_closed()
        writer.transport.abort()
    return dialogue.found()


class _Dialogue:
    """What is said to one reader: its greeting, two questions, goodbye."""

    def __init__(self, host: str, port: int) -> None:
        self.is_over = False
        self._address = host, port
        self._connection = Connection()
        self._asked = 0
        self._greeted = False
        self._to_send = bytearray()
        self._capabilities: ReaderCapabilities | None = None
        self._identification = b""
        self._is_mac = False
        self._note = ""

    def to_send(self) -> bytes:
        """The bytes to send now, and forget them."""
        data = bytes(self._to_send)
        self._to_send.clear()
        return data

    def receive(self, data: bytes) -> None:
        """Take bytes; none: it has closed."""
        self._connection.receive_data(data)
        while not self.is_over:
            event = self._connection.next_event()
            if isinstance(event, NeedData):
                return
            if isinstance(event, Ended):
                self.is_over = True
            elif isinstance(event, Message):
                self._take(event)

    def found(self) -> Found | None:
        """The reader, if what is there is one."""
        if not self._greeted:
            return None
        note = self._note or ("" if self._capabilities else "it says no more")
        return Found(*self._address, self._capabilities, self._identification, self._is_mac, note)

    def _take(self, message: Message) -> None:
        if message.number == messages.READER_EVENT_NOTIFICATION and not self._greeted:
            attempts = [
                one
                for one in read_notification(message) or []
                if isinstance(one, ConnectionAttempted)
            ]
            self._greeted = bool(attempts)
            if attempts and attempts[0].code == CONNECTION_ACCEPTED:
                self._ask()
            else:
                self._note = attempts[0].reason if attempts else ""
                self.is_over = True
        elif message.number == messages.KEEPALIVE:
            self._send(Message(messages.KEEPALIVE_ACK))
        elif message.number == messages.GET_READER_CAPABILITIES_RESPONSE:
            self._capabilities = read_capabilities(message)
            self._ask()
        elif message.number == messages.GET_READER_CONFIG_RESPONSE:
            if identification := message.first("Identification"):
                self._identification = octets_of(identification.fields, "ReaderID")
                self._is_mac = identification.integer("IDType") == _MAC
            self._ask()
        elif message.number == messages.ERROR_MESSAGE:
            self._ask()
        elif message.number == messages.CLOSE_CONNECTION_RESPONSE:
            self.is_over = True

    def _ask(self) -> None:
        """The next question, at last the goodbye."""
        if self._asked < len(_DIALOGUE):
            self._send(_DIALOGUE[self._asked])
        elif self._asked == len(_DIALOGUE):
            self._send(Message(messages.CLOSE_CONNECTION))
        self._asked += 1

    def _send(self, message: Message) -> None:
        numbered = Message(message.number, message.fields, message.parameters, self._asked + 1)
        self._to_send += self._connection.send(numbered)


def table(found: list[Found]) -> str:
    """The readers for a person, one a line."""
    lines = [f"{'address':<22} {'maker':<11} {'model':>8}  {'firmware':<16} {'antennas':>8}  id"]
    for reader in found:
        address = f"{reader.host}:{reader.port}"
        able = reader.capabilities
        if able is None:
            lines.append(f"{address:<22} {reader.note}")
            continue
        number = reader.identification.hex("-" if reader.is_mac else ":", 1) or "-"
        lines.append(
            f"{address:<22} {reader.profile:<11} {able.model:>8}  {able.firmware[:16]:<16}"
            f" {able.antennas_max:>8}  {number}"
        )
    return "\n".join(lines)
