"""`docker-compose.yml` fits the programs and files that it names; that needs no engine."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_agent.settings import broker_settings
from ledger_sink.migrate import migrate
from ledger_sink.settings import settings_from as sink_settings
from stream_processors.settings import settings_from as stream_settings
from tallygate.servers.postgres_embedded import EmbeddedPostgres
from tests.support.round_trips import postgres_rows

ROOT = Path(__file__).parents[3]
SERVERS = {"mosquitto", "kafka", "postgres", "influxdb", "grafana"}
PROGRAMS = {"migrate", "sink", "bridge", "worker", "agent"}
VARIABLE = re.compile(r"\$\{([A-Z_]+):\?[^}]*\}")


def made_env() -> dict[str, str]:
    """What `docker/make_env.sh` prints."""
    said = subprocess.run(
        ["sh", str(ROOT / "docker" / "make_env.sh")], capture_output=True, text=True, check=True
    ).stdout
    lines = (line.partition("=") for line in said.splitlines())
    return {name: value for name, equals, value in lines if equals and not name.startswith("#")}


@pytest.fixture(scope="module")
def env() -> dict[str, str]:
    return made_env()


@pytest.fixture(scope="module")
def services(env: dict[str, str]) -> dict[str, Any]:
    """The services, with the variables that stand in them replaced as Compose does it."""
    text = VARIABLE.sub(lambda match: env[match[1]], (ROOT / "docker-compose.yml").read_text())
    assert "${" not in text
    loaded: dict[str, Any] = yaml.safe_load(text)["services"]
    return loaded


def test_the_five_servers_and_our_programs_are_there(services: dict[str, Any]) -> None:
    assert set(services) == SERVERS | PROGRAMS


def test_every_server_has_a_pinned_image_and_starts_again(services: dict[str, Any]) -> None:
    for name in SERVERS:
        assert re.fullmatch(r"[a-z/-]+:\d+(\.\d+)*", services[name]["image"]), name
        assert services[name]["restart"] == "unless-stopped"


def test_ports_are_published_on_this_machine_only(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_a_program_waits_for_servers_that_can_tell_that_they_are_ready(
    services: dict[str, Any],
) -> None:
    for service in services.values():
        for name, wait in service.get("depends_on", {}).items():
            if wait["condition"] == "service_healthy":
                assert "healthcheck" in services[name], name
            else:
                assert name == "migrate"


def test_every_mounted_file_is_there_and_every_volume_declared(services: dict[str, Any]) -> None:
    declared = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["volumes"]
    for service in services.values():
        for mount in service.get("volumes", []):
            source, colon, _ = mount.partition(":")
            if source == "./site.toml" or not colon:
                continue  # The site's own file, and a folder that dies with its container.
            assert source in declared or (ROOT / source).exists(), mount


def test_what_must_survive_a_container_is_in_a_volume(services: dict[str, Any]) -> None:
    """The agent's spool, and the sink's key and published heads."""
    assert "agent:/data" in services["agent"]["volumes"]
    assert "sink:/data" in services["sink"]["volumes"]
    assert services["sink"]["environment"]["TALLYGATE_DATA"] == "/data"


def test_the_programs_understand_their_environment(services: dict[str, Any]) -> None:
    for name in ("bridge", "worker"):
        settings = stream_settings(services[name]["environment"])
        assert settings.kafka == "kafka:9092"
        assert settings.postgres_url.startswith(f"postgresql://{name}:")
    sink = sink_settings(services["sink"]["environment"])
    assert sink.influx is not None
    assert sink.influx.url == "http://influxdb:8086"
    assert broker_settings(services["agent"]["environment"]).host == "mosquitto"


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_the_programs_understand_their_command(name: str, services: dict[str, Any]) -> None:
    """Each option is one of the command's own."""
    command = services[name]["command"]
    said = subprocess.run(
        [sys.executable, "-m", *command[:2], "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"},
    ).stdout
    for option in (word for word in command if word.startswith("--")):
        assert option in said


def test_grafana_gets_every_variable_that_its_data_sources_name(services: dict[str, Any]) -> None:
    text = (ROOT / "grafana" / "provisioning" / "datasources" / "tallygate.yaml").read_text()
    named = set(re.findall(r"\$([A-Z_]+)", text))
    assert named
    assert named <= set(services["grafana"]["environment"])


def test_kafka_takes_records_as_large_as_our_local_one(services: dict[str, Any]) -> None:
    assert services["kafka"]["environment"]["KAFKA_MESSAGE_MAX_BYTES"] == "4194304"
    assert services["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_the_image_copies_every_package_that_a_program_imports() -> None:
    text = (ROOT / "docker" / "Dockerfile").read_text()
    copied = set(re.findall(r"^COPY (\S+) /app/", text, re.MULTILINE))
    assert all((ROOT / source).exists() for source in copied)
    assert {"contracts", "edge_agent", "stream_processors", "ledger_sink", "tallygate"} <= copied


def test_secrets_are_long_and_made_anew_each_time(env: dict[str, str]) -> None:
    again = made_env()
    secrets = [name for name in env if name.endswith(("_PASSWORD", "_TOKEN"))]
    assert len(secrets) == 8
    for name in secrets:
        assert re.fullmatch(r"[0-9a-f]{48}", env[name])
        assert env[name] != again[name]


RIGHTS = """
select has_schema_privilege('ledger', 'usage'), has_schema_privilege('ledger', 'create'),
       bool_or(has_table_privilege(format('ledger.%I', tablename), 'insert, update, delete'))
from pg_tables where schemaname = 'ledger'
"""


def test_each_login_has_the_rights_of_its_program_and_no_others(
    env: dict[str, str], tmp_path: Path
) -> None:
    """The image runs the file by psql before the migrations; so does this test."""
    with EmbeddedPostgres(tmp_path, durable=False) as server:
        psql = [str(server.programs() / "psql"), "--set", "ON_ERROR_STOP=1", server.url]
        subprocess.run(
            [*psql, "--file", str(ROOT / "docker" / "postgres_logins.sql")],
            env={**os.environ, **env},
            check=True,
            capture_output=True,
        )
        migrate(server.url)
        address = server.url.partition("@")[2]
        for login in ("bridge", "worker", "sink", "reader"):
            password = env[f"TALLYGATE_{login.upper()}_PASSWORD"]
            url = f"postgresql://{login}:{password}@{address}"
            assert postgres_rows(url, RIGHTS) == [(True, False, False)], login
