"""Every kind of device, from its bytes to the ledger's entries, on one embedded stack.

The devices are the bench's, which have encoders of their own; the agent, the bridge, the worker and
the sink are the real programs.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.device_stack import Device, DeviceStack, devices_on_the_bench
from tests.support.servers import SessionServers

DEVICES = devices_on_the_bench()


@pytest.fixture(scope="module", name="stack")
def fixture_stack(
    embedded_servers: SessionServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DeviceStack]:
    """One start for all kinds."""
    with embedded_servers.fresh() as fresh:
        stack = DeviceStack(fresh, tmp_path_factory.mktemp("devices"), DEVICES)
        try:
            stack.start()
            yield stack
        finally:
            stack.close()


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.id)
def test_what_a_device_sees_is_entered_once(stack: DeviceStack, device: Device) -> None:
    stack.check_entered(device)


def test_who_scanned_by_hand_is_named_and_nobody_else_is(stack: DeviceStack) -> None:
    stack.check_persons()
