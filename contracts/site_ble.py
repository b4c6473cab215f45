"""The site file's table `[devices.ble]`: Bluetooth beacons that a radio hears."""

from __future__ import annotations

from contracts.site_base import Table


class BleTable(Table):
    """Which adverts count, and how."""
