"""The files that install an agent name what its program knows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import yaml
from typer.main import get_command

from edge_agent.__main__ import app

ROOT = Path(__file__).parents[3]
SYSTEMD = ROOT / "edge_agent" / "systemd"
SOURCES = [ROOT / "edge_agent" / name for name in ("broker.py", "settings.py")]
SPELLED = re.compile(r'"(TALLYGATE_[A-Z_]+)"')


def known_variables() -> set[str]:
    found = {name for path in SOURCES for name in SPELLED.findall(path.read_text())}
    parts = ("CA", "CERTIFICATE", "KEY", "USERNAME", "PASSWORD_FILE")
    return found | {f"TALLYGATE_MQTT_{part}" for part in parts}


def unit() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (SYSTEMD / "tallygate-agent.service").read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def test_the_service_starts_the_program_with_options_that_it_has() -> None:
    words = shlex.split(unit()["ExecStart"][0])
    assert words[1:4] == ["-m", "edge_agent", "run"]
    run = get_command(app).commands["run"]  # type: ignore[attr-defined]
    options = {option for parameter in run.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


def test_the_service_always_starts_again_and_is_closed_to_the_machine() -> None:
    found = unit()
    assert found["Restart"] == ["always"]
    assert found["StartLimitIntervalSec"] == ["0"]
    assert found["NoNewPrivileges"] == ["yes"]
    assert found["ProtectSystem"] == ["strict"]
    assert found["CapabilityBoundingSet"] == [""]


def test_every_variable_of_the_example_is_known() -> None:
    text = (SYSTEMD / "agent.env").read_text()
    named = set(re.findall(r"^#?(TALLYGATE_[A-Z_]+)=", text, re.MULTILINE))
    assert "TALLYGATE_MQTT_CERTIFICATE" in named
    assert named - {"TALLYGATE_GATEWAY"} <= known_variables()


def test_compose_for_production_changes_services_that_are_there() -> None:
    usual = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    changed = yaml.safe_load((ROOT / "docker-compose.production.yml").read_text())["services"]
    assert set(changed) == {"mosquitto", "sink", "bridge", "agent"}
    assert set(changed) <= set(usual)
    configuration = (ROOT / "mosquitto" / "production.conf").read_text()
    listeners = re.findall(r"^listener (\d+)$", configuration, re.MULTILINE)
    assert [port.rpartition(":")[2] for port in changed["mosquitto"]["ports"]] == listeners
    for name in ("sink", "bridge", "agent"):
        environment = changed[name]["environment"]
        assert set(environment) <= known_variables()
        assert environment["TALLYGATE_MQTT_URL"].rpartition(":")[2] in listeners
        mounted = {mount.split(":")[-2] for mount in changed[name]["volumes"]}
        assert {value for value in environment.values() if value.startswith("/")} <= mounted
