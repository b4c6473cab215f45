"""Puts the simulated label printer on a TCP port: `python -m firmware_sim.printer_server`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from contextlib import suppress
from pathlib import Path

from firmware_sim.core.printer import PrintedLabel, Printer
from firmware_sim.log import log

PORT = 9100
READ_BYTES = 65_536
LABEL_S = 0.0
"""Wall time that a label takes, unless told otherwise: none."""


class PrinterServer:
    """One printer's port; clients take turns as they come."""

    def __init__(self, printer: Printer, *, label_s: float = LABEL_S) -> None:
        self.printer = printer
        self.served = 0
        self.cut_after_labels: int | None = None
        """After so many labels the connection ends before the label is answered for: a fault."""
        self._label_s = label_s
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._keep: Path | None = None
        self._kept = 0

    async def listen(self, host: str, port: int, keep: Path | None = None) -> int:
        """Open the port; its number, chosen by the system where `port` is 0.

        `keep`: a file that gets a line of JSON for each label.
        """
        self._keep = keep
        self._server = await asyncio.start_server(self._serve, host, port)
        number: int = self._server.sockets[0].getsockname()[1]
        return number

    def mend(self, labels: int) -> None:
        """Load a new roll, close the head, go on; whoever is connected is told what comes out."""
        printer = self.printer
        printer.labels_left, printer.head_open, printer.paused = labels, False, False
        said = printer.go_on()
        for writer in self._writers:
            writer.write(said)

    async def close(self) -> None:
        """Let clients go and close the port."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.close()
        if self._server is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._server.wait_closed(), 1.0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.served += 1
        self._writers.add(writer)
        log("client_connected", device="printer")
        try:
            while data := await reader.read(READ_BYTES):
                before = len(self.printer.labels)
                said = self.printer.receive(data)
                fresh = len(self.printer.labels) - before
                self._write_down()
                if fresh:
                    await asyncio.sleep(self._label_s * fresh)
                if self._is_cut():
                    break
                writer.write(said)
                await writer.drain()
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()
            log("client_gone", device="printer")

    def _is_cut(self) -> bool:
        cut = self.cut_after_labels
        if cut is None or len(self.printer.labels) < cut:
            return False
        self.cut_after_labels = None
        return True

    def _write_down(self) -> None:
        if self._keep is None:
            return
        with self._keep.open("a", encoding="utf-8") as file:
            for label in self.printer.labels[self._kept :]:
                file.write(line_of(label) + "\n")
        self._kept = len(self.printer.labels)


def line_of(label: PrintedLabel) -> str:
    """A label as a line of JSON."""
    return json.dumps(
        {
            "epc": label.epc.hex(),
            "void": label.void,
            "codes": label.codes,
            "texts": label.texts,
        },
        ensure_ascii=False,
    )


async def _run(options: argparse.Namespace) -> None:
    server = PrinterServer(Printer(options.labels), label_s=options.label_s)
    port = await server.listen(options.host, options.port, options.keep)
    sys.stdout.write(f"printer at tcp://{options.host}:{port}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def main(arguments: list[str] | None = None) -> int:
    """Be a printer until Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m firmware_sim.printer_server",
        description="Be a label printer: ZPL over TCP, RFID tags included.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT, help="0: a free one")
    parser.add_argument("--labels", type=int, default=10_000, help="on the roll")
    parser.add_argument("--label-s", type=float, default=LABEL_S, help="seconds a label takes")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="a line of JSON for each label")
    with suppress(KeyboardInterrupt):
        asyncio.run(_run(parser.parse_args(arguments)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
