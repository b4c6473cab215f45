"""The ways to a fixed scanner: a TCP connection, or a serial port here or on the network.

A link moves bytes and says why it ended; what bytes mean is decided elsewhere. Serial ports are
read by pyserial in a thread of their own, because a driver may block; so one port needs no more
than one thread, and a slow agent leaves the bytes with the driver.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol

import serial

try:
    import termios
except ImportError:  # Windows.
    TERMINAL_FAILURES: tuple[type[Exception], ...] = ()
else:
    TERMINAL_FAILURES = (termios.error,)

from contracts.control_text import control_bytes
from contracts.site_scanner import ScannerTable

READ_BYTES = 4096
"""So little at once bounds what one piece of input can lead to."""
UNSENT_BYTES_MAX = 65_536
"""A scanner that takes nothing of what we send is not there any more."""
KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""A dead link is found within 25 s, where the system lets us say so."""
POLL_S = 0.2
"""A wait for a serial port's next byte is looked at so often: it bounds how long closing takes."""
PARITIES = {
    "none": serial.PARITY_NONE,
    "even": serial.PARITY_EVEN,
    "odd": serial.PARITY_ODD,
    "mark": serial.PARITY_MARK,
    "space": serial.PARITY_SPACE,
}


FAILURES: tuple[type[Exception], ...] = (OSError, ValueError, *TERMINAL_FAILURES)
"""What pyserial raises where a port is not there, not ours, or gone."""


class LinkEndedError(Exception):
    """The link to the scanner is gone; the text says why."""


class Link(Protocol):
    """One connection to a scanner."""

    async def read(self) -> bytes:
        """The next bytes, at least one. May be cancelled and called again. LinkEndedError."""
        ...

    async def write(self, data: bytes) -> None:
        """Send bytes. Raises LinkEndedError."""
        ...

    async def close(self) -> None:
        """Let it go; somebody else may have it then. A second time changes nothing."""
        ...


class TcpLink:
    """A TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        _keep_alive(writer)

    async def read(self) -> bytes:
        """The next bytes."""
        try:
            data = await self._reader.read(READ_BYTES)
        except OSError as error:
            raise LinkEndedError(f"the connection broke: {error.strerror or error}") from error
        if not data:
            raise LinkEndedError("the scanner closed the connection")
        return data

    async def write(self, data: bytes) -> None:
        """Send bytes."""
        if self._writer.transport.get_write_buffer_size() > UNSENT_BYTES_MAX:
            raise LinkEndedError("the scanner takes nothing that is sent to it")
        self._writer.write(data)

    async def close(self) -> None:
        """End the connection."""
        self._writer.transport.abort()


async def connect_tcp(host: str, port: int, timeout_s: float) -> Link:
    """Connect to a scanner. Raises LinkEndedError."""
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, port, limit=READ_BYTES)
    except TimeoutError as error:
        raise LinkEndedError(f"no connection within {timeout_s:g} s") from error
    except OSError as error:
        raise LinkEndedError(f"no connection: {error.strerror or error}") from error
    return TcpLink(reader, writer)


class SerialLink:
    """A serial port: of this machine, or of a device server on the network."""

    def __init__(self, table: ScannerTable) -> None:
        assert table.serial is not None, "the site file's check asks for it"
        self._table = table
        self._port: serial.Serial | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="serial")
        self._reading: asyncio.Future[bytes] | None = None
        self._is_closed = False

    async def open(self) -> None:
        """Open the port. Raises LinkEndedError."""
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, self._open)
        except FAILURES as error:
            raise LinkEndedError(f"cannot be opened: {error}") from error

    async def read(self) -> bytes:
        """The next bytes."""
        loop = asyncio.get_running_loop()
        while not self._is_closed:
            if self._reading is None:
                self._reading = loop.run_in_executor(self._thread, self._read)
            try:
                # A caller that waits no longer must not lose what the thread reads meanwhile.
                data = await asyncio.shield(self._reading)
            except FAILURES as error:
                raise LinkEndedError(f"the port is gone: {error}") from error
            self._reading = None
            if data:
                return data
        raise LinkEndedError("the port was closed")

    async def write(self, data: bytes) -> None:
        """Send bytes."""
        if self._is_closed:
            return
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, self._write, data)
        except FAILURES as error:
            raise LinkEndedError(
                f"the scanner takes nothing that is sent to it: {error}"
            ) from error

    async def close(self) -> None:
        """Close the port."""
        closing = self.close_soon()
        if closing is not None:
            with suppress(*FAILURES):
                await asyncio.shield(asyncio.wrap_future(closing))

    def close_soon(self) -> Future[None] | None:
        """Close the port as soon as its thread is free, such as when it has been opened at last."""
        if self._is_closed:
            return None
        self._is_closed = True
        if self._reading is not None:
            self._reading.add_done_callback(_look_at)
        # A read that waits ends at once, where the system can do that; else within POLL_S.
        with suppress(AttributeError, *FAILURES):
            if self._port is not None:
                self._port.cancel_read()
        closing = self._thread.submit(self._close)
        closing.add_done_callback(_look_at)
        self._thread.shutdown(wait=False)
        return closing

    def _open(self) -> None:
        table = self._table
        url = table.serial or ""
        port = serial.serial_for_url(url, do_not_open=True)
        port.baudrate = table.baud
        port.bytesize = table.data_bits
        port.parity = PARITIES[table.parity]
        port.stopbits = table.stop_bits
        port.rtscts = table.flow == "rts_cts"
        port.xonxoff = table.flow == "xon_xoff"
        port.timeout = POLL_S
        if not url.startswith("rfc2217:"):  # pyserial knows no such thing there.
            port.write_timeout = POLL_S
        if "://" not in url:
            port.exclusive = True
        # pyserial throws away what has arrived by the time when the port is open.
        for name in ("reset_input_buffer", "_reset_input_buffer"):
            setattr(port, name, _keep)
        port.open()
        self._port = port

    def _read(self) -> bytes:
        assert self._port is not None, "open first"
        data = self._port.read(1)
        # A port that goes away now must not take with it what it already gave.
        with suppress(*FAILURES):
            if data and (more := min(self._port.in_waiting, READ_BYTES - 1)):
                data += self._port.read(more)
        return data

    def _write(self, data: bytes) -> None:
        assert self._port is not None, "open first"
        self._port.write(data)

    def _close(self) -> None:
        if self._port is not None:
            self._port.close()


async def open_serial(table: ScannerTable) -> Link:
    """Open a scanner's serial port. Raises LinkEndedError."""
    link = SerialLink(table)
    try:
        await link.open()
    except BaseException:
        link.close_soon()
        raise
    return link


async def send_keepalives(link: Link, table: ScannerTable) -> None:
    """Send what shows the scanner, and every switch between, that we are there."""
    data = control_bytes(table.keepalive)
    with suppress(LinkEndedError):
        while data:
            await asyncio.sleep(table.keepalive_s)
            await link.write(data)
        return
    # Who reads from the link learns of it there.
    await link.close()


def _keep() -> None:
    """Nothing is thrown away."""


def _look_at(done: Future[None] | asyncio.Future[bytes]) -> None:
    """A failure of a port that is being closed is of no interest."""
    if not done.cancelled():
        done.exception()


def _keep_alive(writer: asyncio.StreamWriter) -> None:
    """Let the system find out when the other side is gone without a word."""
    connection: socket.socket = writer.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEPALIVE.items():
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
