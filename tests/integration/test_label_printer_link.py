"""A printer at the other end of a link: its troubles are waited for, told, and never guessed at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from firmware_sim.core.printer import Printer
from firmware_sim.printer_server import PrinterServer
from tallygate.labels import printer as link
from tallygate.labels.printer import Address, PrinterError, printer_address, zpl_printer

EPC = bytes.fromhex("3074257BF7194E4000001A85")
LABEL = (
    "^XA^RS8,,,2,N^RFW,H,,,A^FD" + EPC.hex() + "^FS^RFR,H,2,12,1^FN1^FS"
    "^FH_^HV1,24,EPC=,_0D_0A,L^FS^FO1,1^A0N,9^FDx^FS^XZ"
).encode()
PLAIN = b"^XA^FO1,1^A0N,9^FDx^FS^XZ"


@asynccontextmanager
async def serving(printer: Printer) -> AsyncIterator[tuple[PrinterServer, Address]]:
    """The printer on a port."""
    server = PrinterServer(printer)
    port = await server.listen("127.0.0.1", 0)
    try:
        yield server, Address("127.0.0.1", port)
    finally:
        await server.close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody shall wait ten seconds for a printer that never answers."""
    for name in ("ANSWER_S", "STATUS_S"):
        monkeypatch.setattr(link, name, 0.5)
    monkeypatch.setattr(link, "CONNECT_PAUSE_S", 0.01)


async def test_a_printer_with_a_problem_is_waited_for_and_the_problem_told_once() -> None:
    printer, told = Printer(labels_left=1), []
    async with serving(printer) as (server, address):

        def tell(problem: str) -> None:
            told.append(problem)
            asyncio.get_running_loop().call_later(0.05, server.mend, 5)

        async with zpl_printer(address, patience_s=10, tell=tell) as connection:
            for _ in range(3):
                await connection.print(LABEL, EPC)
    assert told == ["the printer is out of paper"]
    assert printer.tags() == [EPC] * 3


async def test_a_label_that_waits_in_the_printer_comes_out_once_when_it_is_mended() -> None:
    """The head is opened between the question whether it is ready and the label."""
    printer, told = Printer(), []
    async with serving(printer) as (server, address):

        def tell(problem: str) -> None:
            told.append(problem)
            server.mend(5)

        async with zpl_printer(address, patience_s=10, tell=tell) as connection:
            await connection.ready()
            printer.head_open = True
            await connection._send(LABEL)
            assert await connection._answer() == EPC.hex().upper()
    assert told == ["the printer has its head open"]
    assert printer.tags() == [EPC]


async def test_a_label_of_which_nothing_is_heard_is_not_sent_twice() -> None:
    printer = Printer(has_rfid=False)
    async with (
        serving(printer) as (_, address),
        zpl_printer(address, patience_s=0, tell=print) as connection,
    ):
        with pytest.raises(PrinterError, match="says nothing of the last label"):
            await connection.print(LABEL, EPC)
    assert len(printer.labels) == 1


async def test_a_printer_without_tags_prints_labels_without_tags() -> None:
    printer = Printer(has_rfid=False)
    async with (
        serving(printer) as (_, address),
        zpl_printer(address, patience_s=0, tell=print) as connection,
    ):
        await connection.print(PLAIN, None)
    assert [label.texts for label in printer.labels] == [["x"]]


@pytest.mark.parametrize("answer", [b"", b"hello\r\n", b"\x02a,b\x03\r\n" * 3, b"x" * 10_000])
async def test_what_is_no_printer_is_told(answer: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(answer)
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    address = Address(*server.sockets[0].getsockname()[:2])
    async with server, zpl_printer(address, patience_s=0, tell=print) as connection:
        with pytest.raises(PrinterError, match=r"does not say|no sense|ended the connection"):
            await connection.ready()


@pytest.mark.parametrize("url", ["usb:1", "tcp://", "tcp://h:x", "tcp://h:1/q", "h:9100", ""])
def test_an_address_that_is_none_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(PrinterError, match="tcp://printer-1:9100"):
        printer_address(url)


def test_the_port_of_raw_printing_need_not_be_named() -> None:
    assert printer_address("tcp://printer-1") == Address("printer-1", 9100)
