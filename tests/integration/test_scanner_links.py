"""A scanner's links: each is cut at every byte of a conversation, and read on afterwards."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
import serial
from serial import rfc2217

from edge_agent.devices.ascii_scanner import SCANNERS_MAX
from tests.support.scanner_rig import (
    WAIT_S,
    CallingScanner,
    ListeningScanner,
    SerialScanner,
    Way,
    adapter,
    device,
    until,
)

UNIT = "https://id.gs1.org/01/09506000134352/21/"
CONVERSATION = (
    (b"\x02]C1010950600013435221A1\x03\r\n", f"{UNIT}A1"),
    (b"\x02NOREAD\x03\r\n", "noread:belt"),
    (b"\x02HB\x03\r\n", ""),
    (b"\x02]d2010950600013435221A2\x1d10L\x03\r\n", f"{UNIT}A2"),
)
"""As a scanner sent it, and what each message names."""
ENDING = len(b"\r\n")
"""A message is whole before its CR LF came."""


def code(serial_number: object) -> bytes:
    return f"\x02]C1010950600013435221{serial_number}\x03\r\n".encode()


@asynccontextmanager
async def way_of(name: str, folder: Path, **scanner: object) -> AsyncIterator[Way]:
    way: Way
    with ExitStack() as stack:
        if name == "client":
            way = ListeningScanner(**scanner)
            await way.listen()
        elif name == "server":
            way = CallingScanner(**scanner)
        else:
            way = SerialScanner(folder, **scanner)
            stack.enter_context(way.watched())
        try:
            yield way
        finally:
            await way.close()


@pytest.mark.parametrize("name", ["client", "server", "serial"])
async def test_a_link_cut_at_every_byte_loses_nothing_that_was_whole(
    name: str, tmp_path: Path
) -> None:
    """After each cut it comes back by itself; half a message is told with its bytes."""
    raw = b"".join(sent for sent, _ in CONVERSATION)
    expected: list[str] = []
    async with way_of(name, tmp_path, heartbeat="HB") as way, adapter(way.table) as scanner:
        for cut in range(len(raw) + 1):
            await way.plug()
            await way.send(raw[:cut])
            await way.cut()
            end = 0
            for sent, named in CONVERSATION:
                end += len(sent)
                if named and end - ENDING <= cut:
                    expected.append(named)
            await way.plug()
            await way.send(code(cut))
            expected.append(f"{UNIT}{cut}")
            await scanner.read(expected[-1])
            await way.cut()
        assert scanner.identities() == expected
        reasons = {reject.reason for reject in scanner.rejects}
        assert reasons == {"the connection ended within a message"}
        halves = [reject.raw for reject in scanner.rejects]
        assert b"]C1010950600013435221A" in halves
        assert b"NOREA" in halves


@pytest.mark.parametrize("name", ["client", "server", "serial"])
async def test_a_scanner_that_falls_silent_is_connected_to_anew(name: str, tmp_path: Path) -> None:
    async with way_of(name, tmp_path, silent_s_max=0.05) as way, adapter(way.table) as scanner:
        await way.plug()
        await way.send(code(1) + b"\x02half")
        await scanner.told("silent: nothing heard for 0.05 s")
        await way.cut()
        await way.plug()
        await way.send(code(2))
        await scanner.read(f"{UNIT}2")
        assert [reject.raw for reject in scanner.rejects] == [b"half"]


async def test_a_scanner_that_shows_life_is_not_silent() -> None:
    way = ListeningScanner(silent_s_max=1.0, heartbeat="HB")
    await way.listen()
    async with adapter(way.table) as scanner:
        await way.plug()
        for _ in range(5):
            await way.send(b"HB\r\n")
            await asyncio.sleep(0.25)
        scanner.take()
        assert [change.state for change in scanner.changes] == ["reading"]
        assert not scanner.rejects
    await way.close()


@pytest.mark.parametrize("name", ["client", "serial"])
async def test_what_keeps_a_link_alive_is_sent_and_its_answer_is_no_code(
    name: str, tmp_path: Path
) -> None:
    lively = {"keepalive": "||>GET DEVICE.TYPE<CR><LF>", "keepalive_s": 0.1}
    async with (
        way_of(name, tmp_path, heartbeat="DM3*", silent_s_max=1, **lively) as way,
        adapter(way.table) as scanner,
    ):
        await way.plug()
        for number in range(3):
            if isinstance(way, ListeningScanner):
                assert way.reader is not None
                asked = await asyncio.wait_for(way.reader.readuntil(b"\r\n"), WAIT_S)
            else:
                assert isinstance(way, SerialScanner)
                asked = await until(way.received, "a command")
            assert asked == b"||>GET DEVICE.TYPE\r\n"
            await way.send(b"DM374\r\n" + code(number))
            await scanner.read(f"{UNIT}{number}")
        assert len(scanner.reads) == 3
        assert not scanner.rejects
        assert scanner.watch.state == "reading"


async def test_several_scanners_of_one_device_are_all_read_and_one_too_many_is_told() -> None:
    first, second, third = (CallingScanner(scanners=2) for _ in range(3))
    second.port = third.port = first.port
    async with adapter(first.table) as scanner:
        for number, way in enumerate((first, second)):
            await way.plug()
            await way.send(code(number))
            await scanner.read(f"{UNIT}{number}")
        assert not [change for change in scanner.changes if "one more" in change.detail]
        await third.plug()
        told = await scanner.told("one more scanner came, from 127.0.0.1:")
        assert told.state == "reading"
        for number, way in enumerate((first, second, third), 10):
            await way.send(code(number))
            await scanner.read(f"{UNIT}{number}")
        await first.cut()
        await third.cut()
        await second.send(code(20))
        await scanner.read(f"{UNIT}20")
        assert scanner.watch.state == "reading"
        await second.cut()
        await scanner.told("retrying: the scanner closed the connection; waiting for the scanner")


async def test_what_floods_the_port_with_connections_is_refused_and_told() -> None:
    way = CallingScanner(scanners=8)
    async with adapter(way.table) as scanner:
        ways = [CallingScanner() for _ in range(SCANNERS_MAX)]
        for one in ways:
            one.port = way.port
            await one.plug()
        await way.plug()
        await scanner.told("one more scanner came")
        await ways[0].send(code(1))
        await scanner.read(f"{UNIT}1")
        with pytest.raises(OSError):  # noqa: PT012, PT011 - whichever write meets the end.
            while True:
                await way.send(code(2))
                await asyncio.sleep(0.01)
        for one in ways:
            await one.close()


async def test_a_port_that_is_taken_is_told_and_waited_for() -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    way = CallingScanner()
    way.port = taken.getsockname()[1]
    table = device(connection="server", host="127.0.0.1", port=way.port)
    async with adapter(table) as scanner:
        await scanner.told("retrying: cannot listen at 127.0.0.1")
        taken.close()
        await way.plug()
        await way.send(code(1))
        await scanner.read(f"{UNIT}1")
        await way.close()


@pytest.mark.parametrize("name", ["server", "serial"])
async def test_an_adapter_that_is_started_anew_finds_its_port_free(
    name: str, tmp_path: Path
) -> None:
    """As when other settings come from afar."""
    async with way_of(name, tmp_path) as way:
        for number in range(5):
            async with adapter(way.table) as scanner:
                if name == "server" or not number:
                    await way.plug()
                await way.send(code(number))
                await scanner.read(f"{UNIT}{number}")
                assert [change.state for change in scanner.changes] == ["reading"]
            if name == "server":
                await way.cut()


async def test_a_serial_port_that_is_not_there_is_told_and_waited_for(tmp_path: Path) -> None:
    async with way_of("serial", tmp_path) as way, adapter(way.table) as scanner:
        await scanner.told("retrying: cannot be opened")
        await way.plug()
        await way.send(code(1))
        await scanner.read(f"{UNIT}1")


async def test_a_port_that_cannot_do_what_is_asked_is_told(tmp_path: Path) -> None:
    """A file is no serial port."""
    (tmp_path / "ttyUSB0").write_text("no port")
    table = device(connection="serial", serial=str(tmp_path / "ttyUSB0"))
    async with adapter(table) as scanner:
        await scanner.told("retrying: cannot be opened")


async def test_a_scanner_behind_a_device_server_is_read_by_socket_url() -> None:
    """`socket://`: pyserial's own TCP port."""
    way = ListeningScanner()
    await way.listen()
    table = device(connection="serial", serial=f"socket://127.0.0.1:{way.table.port}")
    async with adapter(table) as scanner:
        for number in range(3):
            await way.plug()
            await way.send(code(number) + b"\x02half")
            await scanner.read(f"{UNIT}{number}")
            await way.cut()
        await until(lambda: scanner.take() and len(scanner.rejects) == 3, "three halves")
        assert scanner.identities() == [f"{UNIT}{number}" for number in range(3)]
    await way.close()


class Redirector:
    """A device server that speaks RFC 2217, made of pyserial's own: a port for one client."""

    def __init__(self) -> None:
        self.port = serial.serial_for_url("loop://", timeout=0.01)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            with client:
                self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        class Connection:
            def write(self, data: bytes) -> None:
                client.sendall(data)

        client.settimeout(0.01)
        manager = rfc2217.PortManager(self.port, Connection())
        while not self._ended.is_set():
            try:
                asked = client.recv(1024)
                if not asked:
                    return
                for _ in manager.filter(asked):
                    """A scanner does not read."""
            except TimeoutError:
                pass
            said = self.port.read(self.port.in_waiting or 1)
            if said:
                client.sendall(b"".join(manager.escape(said)))

    def close(self) -> None:
        """Be gone; a second time changes nothing."""
        if self._ended.is_set():
            return
        self._ended.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(WAIT_S)
        self.port.close()


@pytest.mark.filterwarnings(r"ignore:set(Daemon|Name)\(:DeprecationWarning")  # pyserial's.
async def test_a_scanner_behind_a_device_server_is_read_by_rfc_2217() -> None:
    """Pyserial's own server: settings arrive there, and 0xFF in a label is no command."""
    server = Redirector()
    table = device(connection="serial", serial=f"rfc2217://{server.address}", baud=19200)
    try:
        async with adapter(table) as scanner:
            await scanner.is_in("reading")
            server.port.write(code(1) + b"\xff\xff\r\n")
            await scanner.read(f"{UNIT}1")
            await until(lambda: scanner.take() and scanner.rejects, "the bytes that are no text")
            assert scanner.rejects[0].raw == b"\xff\xff"
            assert server.port.baudrate == 19200
            server.close()
            await scanner.told("retrying: ")
    finally:
        server.close()
