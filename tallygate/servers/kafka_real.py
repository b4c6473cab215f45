"""Apache Kafka in KRaft mode: one node, broker and controller in one, run from a folder of jars."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import ClassVar

from tallygate.servers.child import (
    LOOPBACK,
    ChildServer,
    ServerError,
    ServerNotFoundError,
    free_port,
)
from tallygate.servers.kafka_protocol import broker_answers

HOME_VARIABLE = "TALLYGATE_KAFKA_HOME"
"""Names the folder whose `libs` holds Kafka's jars: an unpacked release, or what
scripts/real_servers.sh fetched."""

HEAP = "768m"

FORMAT_SECONDS_MAX = 60.0

CLUSTER_ID = "tallygate-local-kafka-"
"""A Kafka cluster id is 22 characters of base64; it only has to differ between clusters that
could meet."""

LOG4J = """\
Configuration:
  Appenders:
    Console: {name: console, target: SYSTEM_OUT, PatternLayout: {pattern: "%d %p %c{1}: %m%n"}}
  Loggers:
    Root: {level: warn, AppenderRef: {ref: console}}
"""


class LocalKafka(ChildServer):
    """Apache Kafka on a loopback port, with its log in the folder."""

    name: ClassVar[str] = "Kafka (Apache)"
    start_seconds_max: ClassVar[float] = 60.0
    stop_seconds_max: ClassVar[float] = 30.0

    def prepare(self) -> None:
        """Fails early where there is no Java or no jar."""
        find_java()
        find_jars()

    def environment(self) -> dict[str, str]:
        """Ours, without options that other Java programs were meant to get."""
        return {name: value for name, value in os.environ.items() if name != "JAVA_TOOL_OPTIONS"}

    def command(self) -> list[str]:
        """One node; formats its folder the first time."""
        properties = self.folder / "server.properties"
        properties.write_text(self._properties(controller_port=self._controller_port()))
        (self.folder / "log4j2.yaml").write_text(LOG4J)
        if not (self.folder / "log" / "meta.properties").exists():
            self._format(properties)
        return [*self._java(f"-Xmx{HEAP}"), "kafka.Kafka", str(properties)]

    def answers(self) -> bool:
        """Whether it serves requests."""
        return broker_answers(self.port)

    @property
    def url(self) -> str:
        """The bootstrap address, `host:port`."""
        return f"{LOOPBACK}:{self.port}"

    def _java(self, *options: str) -> list[str]:
        # A release logs by log4j, jars fetched by Maven by slf4j-simple; each ignores the other's
        # option.
        logging = [
            f"-Dlog4j2.configurationFile={self.folder / 'log4j2.yaml'}",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
        ]
        return [find_java(), *options, *logging, "-cp", f"{find_jars()}/*"]

    def _controller_port(self) -> int:
        """Always the same: the first start writes it into the cluster's own data."""
        path = self.folder / "controller_port"
        if not path.exists():
            path.write_text(str(free_port()))
        return int(path.read_text())

    def _properties(self, *, controller_port: int) -> str:
        values = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.bootstrap.servers": f"{LOOPBACK}:{controller_port}",
            "listeners": f"PLAINTEXT://{LOOPBACK}:{self.port},CONTROLLER://{LOOPBACK}:{controller_port}",
            "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            # A broker that was killed may come back only when its last session ended: not after
            # nine seconds.
            "broker.heartbeat.interval.ms": "500",
            "broker.session.timeout.ms": "2500",
            "log.dirs": str(self.folder / "log"),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "auto.create.topics.enable": "false",
            "message.max.bytes": "4194304",
        }
        return "".join(f"{name}={value}\n" for name, value in values.items())

    def _format(self, properties: Path) -> None:
        tool = [*self._java("-XX:TieredStopAtLevel=1"), "kafka.tools.StorageTool"]
        done = subprocess.run(
            [*tool, "format", "-t", CLUSTER_ID, "-c", str(properties), "--standalone"],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=FORMAT_SECONDS_MAX,
            check=False,
        )
        if done.returncode != 0:
            message = (done.stderr or done.stdout).strip()
            raise ServerError(f"{self.name} could not format its folder {self.folder}:\n{message}")


def find_java() -> str:
    """The Java runtime: JAVA_HOME, else PATH."""
    home = os.environ.get("JAVA_HOME")
    candidate = (
        shutil.which("java") if home is None else shutil.which(str(Path(home) / "bin" / "java"))
    )
    if candidate is None:
        raise ServerNotFoundError(
            "Kafka needs Java 17 or newer: install a Java runtime, or set TALLYGATE_KAFKA."
        )
    return candidate


def find_jars() -> Path:
    """The folder of Kafka's jars."""
    home = os.environ.get(HOME_VARIABLE)
    if home is not None:
        jars = Path(home) / "libs"
        if any(jars.glob("kafka_*.jar")):
            return jars
        raise ServerNotFoundError(
            f"{HOME_VARIABLE}={home} has no libs/kafka_*.jar; scripts/real_servers.sh makes it."
        )
    raise ServerNotFoundError(
        f"Apache Kafka is not known here: scripts/real_servers.sh fetches it, then set "
        f"{HOME_VARIABLE}; or set TALLYGATE_KAFKA to a broker's address."
    )


def jars_version() -> str:
    """The version in the jars' names, as in `kafka_2.13-4.0.0.jar`."""
    names = sorted(path.stem for path in find_jars().glob("kafka_*.jar"))
    return names[0].partition("-")[2]
