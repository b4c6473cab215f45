"""A Bluetooth radio on dbus-daemon, as every Linux has it."""

from __future__ import annotations

import shutil

import pytest

from tests.support.ble_suite import BleSuite


class TestOnDbusDaemon(BleSuite):
    """The whole suite."""

    ON_DAEMON = True

    @pytest.fixture(autouse=True)
    def _daemon(self, request: pytest.FixtureRequest) -> None:
        if shutil.which("dbus-daemon"):
            return
        advice = "dbus-daemon is not on PATH; scripts/real_servers.sh installs it"
        if request.config.getoption("--require-servers"):
            pytest.fail(advice)
        pytest.skip(advice)
