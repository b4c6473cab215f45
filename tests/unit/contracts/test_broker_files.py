"""The files of a connection to the broker are named whole, or what is missing is told."""

from __future__ import annotations

from contracts.broker_files import BrokerFiles, broker_files


def test_what_is_named_and_there_is_taken() -> None:
    environment = {
        "TALLYGATE_MQTT_CA": "ca",
        "TALLYGATE_MQTT_CERTIFICATE": "own",
        "TALLYGATE_MQTT_KEY": "key",
    }
    assert broker_files(environment, lambda _: True) == (BrokerFiles("ca", "own", "key"), [])
    assert broker_files({"TALLYGATE_MQTT_CA": ""}, lambda _: False) == (BrokerFiles(), [])


def test_all_that_is_wrong_is_told_at_once() -> None:
    environment = {"TALLYGATE_MQTT_CA": "ca", "TALLYGATE_MQTT_KEY": "key"}
    _, mistakes = broker_files(environment, lambda path: path == "key")
    assert mistakes == [
        "TALLYGATE_MQTT_CA: there is no file 'ca'",
        "TALLYGATE_MQTT_CERTIFICATE and TALLYGATE_MQTT_KEY go together",
    ]
