"""A Bluetooth radio on a bus of our own: needs nothing but Python packages."""

from __future__ import annotations

from tests.support.ble_suite import BleSuite


class TestOnOurOwnBus(BleSuite):
    """The whole suite."""
