"""How the machine and this process do: processor, memory, disk, temperature, certificate."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import NamedTuple

import psutil

from edge_agent.broker import Broker, certificate_until_us

EVERY_S = 2.0
"""Figures are taken at most this often: whoever asks more often gets the same ones again."""
CERTIFICATE_S = 60.0
"""The certificate is looked at this often."""


class SystemFigures(NamedTuple):
    """None: not known on this machine."""

    uptime_s: float
    cpu_percent: float
    """Of one core, since the figures before."""
    memory_bytes: int
    disk_free_bytes: int | None
    temperature_c: float | None
    """The hottest sensor."""
    certificate_until_us: int | None


class SystemHealth:
    """Takes the figures."""

    def __init__(self, data: Path, broker: Broker) -> None:
        self._data = data
        self._broker = broker
        self._process = psutil.Process()
        self._process.cpu_percent()
        self._started_s = self._certificate_s = time.monotonic()
        self._until_us = certificate_until_us(broker)
        self._figures: SystemFigures | None = None
        self._taken_s = 0.0

    def figures(self) -> SystemFigures:
        """The figures now, or a moment ago."""
        now_s = time.monotonic()
        if self._figures is None or now_s - self._taken_s >= EVERY_S:
            if now_s - self._certificate_s >= CERTIFICATE_S:
                self._certificate_s = now_s
                self._until_us = certificate_until_us(self._broker)
            self._taken_s = now_s
            self._figures = SystemFigures(
                uptime_s=round(now_s - self._started_s, 1),
                cpu_percent=self._process.cpu_percent(),
                memory_bytes=self._process.memory_info().rss,
                disk_free_bytes=_disk_free(self._data),
                temperature_c=_temperature(),
                certificate_until_us=self._until_us,
            )
        return self._figures._replace(uptime_s=round(now_s - self._started_s, 1))


def _disk_free(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _temperature() -> float | None:
    """None where the system tells none."""
    try:
        sensors = psutil.sensors_temperatures()
    except (AttributeError, OSError, ValueError):
        return None
    found = [float(sensor.current) for chip in sensors.values() for sensor in chip]
    return max(found, default=None)
