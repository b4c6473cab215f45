"""Which devices share a connection, and under which name the broker knows it."""

from __future__ import annotations

import random
from pathlib import Path

import paho.mqtt.client as paho

from edge_agent.devices.mqtt_connections import (
    DeviceClient,
    DeviceMessage,
    MqttConnection,
    broker_of,
    connection_of,
    key_of,
)
from edge_agent.settings import AgentSettings, agent_settings

SITE = """
site = "demo"
[[zones]]
id = "stage"
[[gateways]]
id = "dock"
"""


def settings_of(folder: Path, *tables: str) -> AgentSettings:
    devices = "".join(
        f'[[devices]]\nid = "n-{number}"\ngateway = "dock"\nkind = "sparkplug"\n[devices.mqtt]\n'
        f'topic = "spBv1.0/x/+/n-{number}/#"\n{table}'
        for number, table in enumerate(tables)
    )
    path = folder / "site.toml"
    path.write_text(SITE + devices)
    return agent_settings(
        site_path=path, gateway="dock", data=folder, keep_acknowledged=False, environment={}
    )


def connections(settings: AgentSettings) -> list[MqttConnection]:
    """Of all devices; each is joined before the next asks, as adapters do."""
    found = []
    for device in settings.devices:
        connection = connection_of(device, settings, random.Random(1))
        connection._inboxes.append(object())  # type: ignore[arg-type]
        found.append(connection)
    return found


async def test_each_device_has_a_connection_of_its_own_under_its_name(tmp_path: Path) -> None:
    first, second = connections(settings_of(tmp_path, "", ""))
    assert first is not second
    assert first._identifier == "tallygate-demo-dock-device-n-0"
    assert second._identifier == "tallygate-demo-dock-device-n-1"


async def test_devices_that_share_do_so_at_one_broker_only(tmp_path: Path) -> None:
    other = 'shared = true\nbroker = "mqtts://user:p%40ss@broker.local"\n'
    found = connections(
        settings_of(
            tmp_path,
            *("shared = true\n", "shared = true\n", other, other.replace("p%40ss", "new")),
            'shared = true\nhost_id = "tallygate"\n',
        )
    )
    assert found[0] is found[1]
    assert found[0]._identifier == "tallygate-demo-dock-devices"
    names = [one._identifier for one in found]
    assert len(set(names[1:3] + names[4:])) == 3
    # Another password is another connection, but the same session at the broker.
    assert found[2] is not found[3]
    assert names[2] == names[3]


async def test_a_broker_of_its_own_is_taken_apart(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, 'broker = "mqtts://user:p%40ss@broker.local"\n')
    broker = broker_of(key_of(settings.devices[0]), settings.broker)
    assert (broker.host, broker.port, broker.is_encrypted) == ("broker.local", 8883, True)
    assert (broker.username, broker.password) == ("user", "p@ss")


async def test_a_connection_that_everybody_left_is_not_used_again(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "")
    before = connections(settings)[0]
    before._inboxes.clear()
    assert connections(settings)[0] is not before


async def test_a_message_says_whether_its_broker_sends_it_again(tmp_path: Path) -> None:
    broker = settings_of(tmp_path, "").broker
    client = DeviceClient(broker, identifier="agent", session=True, will=None)
    for again in (False, True):
        message = paho.MQTTMessage(mid=1, topic=b"impinj/r/status")
        message.dup = again
        client._on_message(client._client, None, message)
        told = client._queue.get_nowait()
        assert isinstance(told, DeviceMessage)
        assert told.is_again == again
