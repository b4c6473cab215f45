"""The simulated label printer on a port, on a loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from firmware_sim.core.printer import Printer
from firmware_sim.printer_server import PrinterServer

WAIT_S = 60.0


class PrinterThread:
    """One printer; `do` reaches into it between two of its steps."""

    def __init__(self, printer: Printer) -> None:
        self.printer = printer
        self.server = PrinterServer(printer)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        port = asyncio.run_coroutine_threadsafe(self.server.listen("127.0.0.1", 0), self._loop)
        self.url = f"tcp://127.0.0.1:{port.result(WAIT_S)}"

    def do(self, work: Callable[[], object]) -> None:
        """Do something on the printer's loop."""
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (work(), done.set()))
        assert done.wait(WAIT_S)

    def close(self) -> None:
        """Switch it off."""
        asyncio.run_coroutine_threadsafe(self.server.close(), self._loop).result(WAIT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_S)
        self._loop.close()


@contextmanager
def label_printer(printer: Printer | None = None) -> Iterator[PrinterThread]:
    """A printer as long as the block lasts."""
    running = PrinterThread(printer or Printer())
    try:
        yield running
    finally:
        running.close()
