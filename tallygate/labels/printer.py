"""A ZPL printer over TCP: sends labels one by one and waits until each is out and its tag right.

The printer says how it is when asked (`~HS`), and with each label what it read back from the tag.
A tag that came out wrong is void, so its label is sent again, a few times. A label of which nothing
is heard may be out or not: it is never sent twice, because two tags with one EPC are worse than a
label too few; the person is told which one it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple
from urllib.parse import urlsplit

from tallygate.labels.zpl import ANSWER

PORT = 9100
"""Raw printing's usual port."""
CONNECT_S = 5.0
CONNECT_ATTEMPTS = 3
CONNECT_PAUSE_S = 1.0
ANSWER_S = 10.0
"""A label with its tag is out in two seconds; so long the printer is believed."""
STATUS_S = 5.0
LABEL_ATTEMPTS = 3
"""So often a label is sent whose tag came out wrong."""
LINE_BYTES_MAX = 4_096
_STX, _ETX = b"\x02", b"\x03"
_STATUS_LINES = 3
_STATUS_FIELDS = 12
"""Of the first line; the second has 11."""
_STATUS_FIELDS_SECOND = 11


class PrinterError(Exception):
    """The printer cannot go on; the message says why and what to do."""


class Status(NamedTuple):
    """What a printer says of itself."""

    problem: str
    """Why it does not print, in words; empty: it does."""
    waiting: int
    """Labels that it has received and not printed."""


class Address(NamedTuple):
    """Where a printer listens."""

    host: str
    port: int


def printer_address(url: str) -> Address:
    """The address in `tcp://HOST:PORT`. Raises PrinterError."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORT
    except ValueError as error:
        raise PrinterError(f"printer {url!r}: {error}; such as tcp://printer-1:9100") from error
    if parts.scheme != "tcp" or not parts.hostname or parts.path not in ("", "/"):
        raise PrinterError(
            f"printer {url!r}: must be tcp://HOST:PORT, such as tcp://printer-1:9100"
        )
    return Address(parts.hostname, port)


@asynccontextmanager
async def zpl_printer(
    address: Address, *, patience_s: float, tell: Callable[[str], None]
) -> AsyncIterator[ZplPrinter]:
    """A connection to a printer. Raises PrinterError.

    `patience_s`: how long a printer with a problem is waited for; `tell` hears what the problem is.
    """
    for attempt in range(1, CONNECT_ATTEMPTS + 1):
        try:
            reader, writer = await asyncio.wait_for(
                asyncio.open_connection(*address, limit=LINE_BYTES_MAX), CONNECT_S
            )
            break
        except (OSError, TimeoutError) as error:
            if attempt == CONNECT_ATTEMPTS:
                why = str(error) or "no answer"
                raise PrinterError(
                    f"printer {address.host}:{address.port} cannot be reached: {why}."
                    " Is it on, and is raw printing (port 9100) switched on?"
                ) from error
            tell(f"the printer does not answer yet ({attempt} of {CONNECT_ATTEMPTS})")
            await asyncio.sleep(CONNECT_PAUSE_S)
    printer = ZplPrinter(reader, writer, patience_s=patience_s, tell=tell)
    try:
        yield printer
    finally:
        await printer.close()


class ZplPrinter:
    """One connection."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        patience_s: float,
        tell: Callable[[str], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._patience_s = patience_s
        self._tell = tell
        self._answers: asyncio.Queue[str] = asyncio.Queue()
        self._statuses: asyncio.Queue[str] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._listening = asyncio.create_task(self._listen())

    async def close(self) -> None:
        """Let it go."""
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        self._writer.close()
        with suppress(OSError, TimeoutError):
            await asyncio.wait_for(self._writer.wait_closed(), STATUS_S)

    async def status(self) -> Status:
        """How it is. Raises PrinterError."""
        while not self._statuses.empty():
            self._statuses.get_nowait()
        await self._send(b"~HS\n")
        lines = [await self._next(self._statuses, STATUS_S) for _ in range(_STATUS_LINES)]
        if any(line is None for line in lines):
            raise PrinterError("the printer does not say how it is: does it understand ZPL?")
        return status_of([line for line in lines if line is not None])

    async def ready(self) -> None:
        """Wait until it can print. Raises PrinterError where that takes longer than patience."""
        deadline = asyncio.get_running_loop().time() + self._patience_s
        told = ""
        while problem := (await self.status()).problem:
            if problem != told:
                self._tell(f"the printer {problem}")
                told = problem
            if asyncio.get_running_loop().time() >= deadline:
                raise PrinterError(f"the printer {problem}")
            await asyncio.sleep(CONNECT_PAUSE_S)

    async def print(self, label: bytes, epc: bytes | None) -> None:
        """Print a label; with an EPC: until its tag answers with it. Raises PrinterError."""
        await self.ready()
        if epc is None:
            await self._send(label)
            await self.ready()
            return
        wanted = epc.hex().upper()
        for attempt in range(1, LABEL_ATTEMPTS + 1):
            await self._send(label)
            answer = await self._answer()
            if answer == wanted:
                return
            self._tell(
                f"a tag could not be written, its labels are void ({attempt} of {LABEL_ATTEMPTS})"
            )
        raise PrinterError("tags cannot be written: are RFID labels loaded, and calibrated?")

    async def _answer(self) -> str:
        """What was read back from the tag of the label just sent."""
        while True:
            answer = await self._next(self._answers, ANSWER_S)
            if answer is not None:
                return answer
            if not (await self.status()).problem:
                raise PrinterError(
                    "the printer says nothing of the last label: look whether it came out."
                    " A printer that encodes no tags needs `rfid = false` in the template"
                )
            await self.ready()

    async def _send(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await asyncio.wait_for(self._writer.drain(), ANSWER_S)
        except (OSError, TimeoutError) as error:
            raise PrinterError("the printer takes nothing more: the connection is gone") from error

    async def _next(self, lines: asyncio.Queue[str], seconds: float) -> str | None:
        """The next line, or None where there is none in time. Raises PrinterError."""
        coming = asyncio.create_task(lines.get())
        gone = asyncio.create_task(self._gone.wait())
        try:
            await asyncio.wait({coming, gone}, timeout=seconds, return_when="FIRST_COMPLETED")
            if coming.done():
                return coming.result()
            if gone.done():
                raise PrinterError(
                    "the printer ended the connection: look whether the last label came out"
                )
            return None
        finally:
            coming.cancel()
            gone.cancel()

    async def _listen(self) -> None:
        """Sort what the printer says."""
        try:
            while line := await self._reader.readline():
                if line.startswith(_STX):
                    self._statuses.put_nowait(line.strip().strip(_STX + _ETX).decode("latin-1"))
                elif line.startswith(ANSWER.encode()):
                    text = line.decode("latin-1").strip().removeprefix(ANSWER)
                    self._answers.put_nowait(text.upper())
        except (OSError, ValueError):
            # ValueError: a line without end. It is no printer then.
            pass
        finally:
            self._gone.set()


def status_of(lines: list[str]) -> Status:
    """The status in the three lines that answer `~HS`. Raises PrinterError."""
    first, second = lines[0].split(","), lines[1].split(",")
    if len(first) < _STATUS_FIELDS or len(second) < _STATUS_FIELDS_SECOND:
        raise PrinterError(f"the printer's status makes no sense: {lines}")
    problems = {
        "is out of paper": first[1],
        "is paused": first[2],
        "has no room for more labels": first[5],
        "is too cold": first[10],
        "is too hot": first[11],
        "has its head open": second[2],
        "is out of ribbon": second[3],
    }
    found = [words for words, flag in problems.items() if flag.strip() == "1"]
    waiting = first[4].strip()
    return Status(" and ".join(found), int(waiting) if waiting.isdigit() else 0)
