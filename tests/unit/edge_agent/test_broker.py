"""What the environment says of the broker, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.broker import Broker, BrokerError, broker_from, files_as_they_are, read_password


def test_a_plain_broker_on_this_machine_is_the_default() -> None:
    assert broker_from({}) == Broker(host="127.0.0.1", port=1883)


def test_an_encrypted_broker_has_another_port_and_the_newer_protocol() -> None:
    broker = broker_from({"TALLYGATE_MQTT_URL": "mqtts://broker.example"})
    assert (broker.port, broker.is_encrypted, broker.is_mqtt_5) == (8883, True, True)
    older = {"TALLYGATE_MQTT_URL": "mqtts://b", "TALLYGATE_MQTT_PROTOCOL": "3.1.1"}
    assert not broker_from(older).is_mqtt_5


def test_the_password_may_be_in_a_file_that_is_read_each_time(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("first\nnever read\n")
    broker = broker_from(
        {
            "TALLYGATE_MQTT_URL": "mqtt://b",
            "TALLYGATE_MQTT_USERNAME": "dock",
            "TALLYGATE_MQTT_PASSWORD_FILE": str(path),
        }
    )
    assert (broker.username, broker.password) == ("dock", "first")
    before = files_as_they_are(broker)
    path.write_text("second\r\n")
    assert broker.current_password() == "second"
    assert files_as_they_are(broker) != before
    path.unlink()
    assert files_as_they_are(broker) == ((0, 0, 0),)
    with pytest.raises(OSError, match="No such file"):
        broker.current_password()


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe\n", b"x" * 70_000])
def test_a_file_without_a_password_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    with pytest.raises(OSError, match=str(path)):
        read_password(str(path))
    with pytest.raises(BrokerError, match="TALLYGATE_MQTT_PASSWORD_FILE"):
        broker_from({"TALLYGATE_MQTT_PASSWORD_FILE": str(path)})


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"URL": "http://b"}, "is mqtt://host:port"),
        ({"URL": "mqtts://"}, "is mqtt://host:port"),
        ({"URL": "mqtt://b:port"}, "is mqtt://host:port"),
        ({"URL": "mqtt://b", "CA": __file__}, "TALLYGATE_MQTT_CA needs TALLYGATE_MQTT_URL mqtts"),
        ({"URL": "mqtts://b", "CERTIFICATE": "/nowhere"}, "there is no file /nowhere"),
        ({"URL": "mqtts://b", "KEY": __file__}, "_KEY needs TALLYGATE_MQTT_CERTIFICATE"),
        ({"URL": "mqtt://u:p@b", "PASSWORD_FILE": __file__}, "take one of them"),
        ({"URL": "mqtts://b", "PROTOCOL": "4"}, "is 5 or 3.1.1"),
    ],
)
def test_what_contradicts_itself_is_refused(environment: dict[str, str], words: str) -> None:
    named = {f"TALLYGATE_MQTT_{name}": value for name, value in environment.items()}
    with pytest.raises(BrokerError, match=words.replace(".", r"\.")):
        broker_from(named)
