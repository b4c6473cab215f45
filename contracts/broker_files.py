"""Files with which a program of the site knows the MQTT broker, and shows who it is itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple


class BrokerFiles(NamedTuple):
    """For `mqtts://`; None: the system's authorities, and no certificate of our own."""

    authority: str | None = None
    """TALLYGATE_MQTT_CA: certificate of who signs the broker."""
    certificate: str | None = None
    """TALLYGATE_MQTT_CERTIFICATE: our own."""
    key: str | None = None
    """TALLYGATE_MQTT_KEY: its key."""


def broker_files(
    environment: Mapping[str, str], is_file: Callable[[str], bool]
) -> tuple[BrokerFiles, list[str]]:
    """The files that an environment names, and what is wrong with that."""
    names = {
        "TALLYGATE_MQTT_CA": environment.get("TALLYGATE_MQTT_CA") or None,
        "TALLYGATE_MQTT_CERTIFICATE": environment.get("TALLYGATE_MQTT_CERTIFICATE") or None,
        "TALLYGATE_MQTT_KEY": environment.get("TALLYGATE_MQTT_KEY") or None,
    }
    mistakes = [
        f"{name}: there is no file {path!r}"
        for name, path in names.items()
        if path is not None and not is_file(path)
    ]
    files = BrokerFiles(*names.values())
    if (files.certificate is None) != (files.key is None):
        mistakes.append("TALLYGATE_MQTT_CERTIFICATE and TALLYGATE_MQTT_KEY go together")
    return files, mistakes
