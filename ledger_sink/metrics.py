"""Sends metrics to InfluxDB from a thread of its own: the ledger never waits for it.

While InfluxDB is away, lines wait in a bounded queue; when it is full new ones are dropped and
counted. Metrics are figures of what the ledger holds, so nothing is lost with them.
"""

from __future__ import annotations

import queue
import threading
from typing import Any

from influxdb_client import InfluxDBClient, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS

from ledger_sink import journal
from ledger_sink.settings import Influx

QUEUE_MAX = 600
"""Drains that wait: about ten minutes, one a second."""
TIMEOUT_MS = 5_000
RETRY_SECONDS = 2.0
"""Between two tries while InfluxDB does not take anything."""


class Metrics:
    """A queue and the thread that empties it; without InfluxDB it takes and forgets."""

    def __init__(self, influx: Influx | None) -> None:
        self.dropped = 0
        """Lines given up because InfluxDB was away too long."""
        self._influx = influx
        self._queue: queue.Queue[list[str]] = queue.Queue(QUEUE_MAX)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        if influx is not None:
            self._thread = threading.Thread(target=self._work, args=(influx,), daemon=True)
            self._thread.start()

    def put(self, lines: list[str]) -> None:
        """Hand over lines; never waits."""
        if self._thread is None or not lines:
            return
        try:
            self._queue.put_nowait(lines)
        except queue.Full:
            self.dropped += len(lines)

    def close(self, seconds: float = 2.0) -> None:
        """Give what waits a last chance, then end."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _work(self, influx: Influx) -> None:
        client = InfluxDBClient(
            url=influx.url, token=influx.token, org=influx.organisation, timeout=TIMEOUT_MS
        )
        writer = client.write_api(write_options=SYNCHRONOUS)
        told = False
        while True:
            try:
                lines = self._queue.get(timeout=0.2)
            except queue.Empty:
                if self._stop.is_set():
                    break
                continue
            while not self._send(writer, influx, lines):
                if not told:
                    journal.write("InfluxDB does not take metrics; they wait", url=influx.url)
                    told = True
                if self._stop.wait(RETRY_SECONDS):
                    break
            else:
                told = False
                continue
            break
        client.close()

    @staticmethod
    def _send(writer: Any, influx: Influx, lines: list[str]) -> bool:
        try:
            writer.write(bucket=influx.bucket, record=lines, write_precision=WritePrecision.US)
        except Exception:  # noqa: BLE001 - whatever it is, the ledger goes on without.
            return False
        return True
