"""Every kind of device on real servers, and a real Mosquitto as a site runs it.

Everything to and from the broker is encrypted, agent and programs show certificates, each device
that publishes by itself has a password and may publish below its own name only; the handhelds'
interface has a certificate, too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import pytest

from firmware_sim.bench.registry import KINDS
from tests.support.certificates import self_signed
from tests.support.device_stack import (
    Device,
    DeviceStack,
    Surroundings,
    devices_on_the_bench,
)
from tests.support.programs import wait_until
from tests.support.secure_broker import SITE, SecureBroker
from tests.support.servers import SessionServers

DEVICES = tuple(devices_on_the_bench())


@pytest.fixture(scope="module", name="broker")
def fixture_broker(
    real_servers: SessionServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SecureBroker]:
    """A broker with the production configuration; `real_servers` says that there is one."""
    del real_servers
    with SecureBroker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture(scope="module", name="stack")
def fixture_stack(
    real_servers: SessionServers, broker: SecureBroker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DeviceStack]:
    folder = tmp_path_factory.mktemp("devices")

    def device_broker(device: str) -> str:
        password = broker.password(device)
        return f"mqtts://{device}:{password}@localhost:{broker.devices_port}"

    def environment(program: str) -> Mapping[str, str]:
        if program == "agent":
            return broker.agent_environment("bench")
        return broker.program_environment(program)

    around = Surroundings(
        devices=device_broker,
        authority=str(broker.keys / "authority.crt"),
        below=True,
        programs=environment,
        certificate=self_signed(folder, "agent"),
    )
    with real_servers.fresh() as fresh:
        stack = DeviceStack(dataclasses.replace(fresh, name=SITE), folder, DEVICES, around)
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


def test_a_device_that_publishes_under_anothers_topic_is_refused_and_it_is_seen(
    stack: DeviceStack, broker: SecureBroker
) -> None:
    """The broker names who did it; nothing of it reaches the ledger, and the others go on."""
    victims = [one for one in DEVICES if KINDS[one.kind].link == "mqtt"]
    intruder = broker.connect_device("intruder")
    for victim in victims:
        topic = f"devices/{victim.id}/{KINDS[victim.kind].name}/events"
        intruder.publish(topic, b"forged", qos=1).wait_for_publish(10)
    agents = f"tallygate/v1/{SITE}/bench/reads"
    intruder.publish(agents, b"forged", qos=1).wait_for_publish(10)

    def seen() -> bool:
        refusals = [line for line in broker.refusals() if "intruder" in line]
        topics = [f"devices/{victim.id}/" for victim in victims] + [agents]
        return all(any(topic in line for line in refusals) for topic in topics)

    assert wait_until(seen, 10), broker.log()[-3_000:]
    intruder.disconnect()
    intruder.loop_stop()
    assert stack.stream.ask(
        "select count(*) from ledger.rejects where position('forged'::bytea in raw) > 0"
    ) == [(0,)]
