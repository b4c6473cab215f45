"""The environment of bridge and worker."""

from __future__ import annotations

import pytest

from stream_processors.settings import StreamError, settings_from


def test_an_empty_environment_has_defaults() -> None:
    settings = settings_from({})
    assert (settings.site, settings.partitions) == ("demo", 4)
    assert settings.mqtt_url == "mqtt://127.0.0.1:1883"
    assert settings.kafka == "127.0.0.1:9092"
    assert settings.postgres_url == "postgresql://127.0.0.1/tallygate"


def test_what_is_named_is_taken() -> None:
    settings = settings_from(
        {
            "TALLYGATE_SITE": "north",
            "TALLYGATE_MQTT_URL": "mqtts://user:word@broker:8883",
            "TALLYGATE_KAFKA": "a:1,b:2",
            "TALLYGATE_POSTGRES_URL": "postgresql://db/x",
            "TALLYGATE_PARTITIONS": "12",
            "TALLYGATE_CLOCK": "0:0:60",
        }
    )
    assert settings.partitions == 12
    assert settings.clock.speed == 60
    assert settings.kafka == "a:1,b:2"


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(StreamError) as caught:
        settings_from(
            {
                "TALLYGATE_SITE": "a/b",
                "TALLYGATE_MQTT_URL": "http://x",
                "TALLYGATE_PARTITIONS": "0",
                "TALLYGATE_CLOCK": "soon",
            }
        )
    for variable in ("SITE", "MQTT_URL", "PARTITIONS", "CLOCK"):
        assert f"TALLYGATE_{variable}" in str(caught.value)
