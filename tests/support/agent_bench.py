"""What the agent's integration tests need around it: a scanner, a subscriber and the process."""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from contracts.codec import decode, encode
from contracts.commands import Acknowledgement, BridgeRun
from contracts.reads import ReadBatch, SpooledBatch

ROOT = Path(__file__).parents[2]
WAIT_S_MAX = 60.0
"""A test that waits longer has failed."""
SITE = "demo"
GATEWAY = "dock"

Found = TypeVar("Found")


def wait_until(condition: Callable[[], Found | None], what: str) -> Found:
    """What a condition gives once it gives something."""
    deadline = time.monotonic() + WAIT_S_MAX
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError(f"not within {WAIT_S_MAX:g} s: {what}")


class TcpScanner:
    """A scanner's TCP server: takes one client at a time and sends what it is told to."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._clients: queue.Queue[socket.socket] = queue.Queue()
        self._client: socket.socket | None = None
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._clients.put(client)

    def wait_for_client(self) -> None:
        """Take the next client that connects, in place of the last one."""
        if self._client is not None:
            self._client.close()
        self._client = self._clients.get(timeout=WAIT_S_MAX)

    def send(self, raw: bytes) -> None:
        """Send bytes to the client."""
        assert self._client is not None, "nobody is connected"
        self._client.sendall(raw)

    def cut(self) -> None:
        """End the connection."""
        assert self._client is not None, "nobody is connected"
        self._client.close()
        self._client = None

    def close(self) -> None:
        """Stop listening."""
        # Closing alone leaves a thread waiting in `accept`.
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        if self._client is not None:
            self._client.close()
        self._thread.join(WAIT_S_MAX)
        while not self._clients.empty():
            self._clients.get_nowait().close()


class Listener:
    """Stands for the bridge: hears all that the agent publishes, and answers when told to."""

    def __init__(self, port: int) -> None:
        self.batches: list[SpooledBatch] = []
        """In order of arrival, repeated ones too."""
        self.said: list[tuple[str, bytes]] = []
        """Everything else: the last part of the topic, and the payload."""
        self._subscribed = threading.Event()
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.on_message = self._on_message
        client.on_connect = lambda client, *_: client.subscribe(f"tallygate/v1/{SITE}/#", 1)
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.reconnect_delay_set(1, 1)
        client.connect("127.0.0.1", port)
        client.loop_start()
        self._client = client
        assert self._subscribed.wait(WAIT_S_MAX)

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        kind = message.topic.rpartition("/")[2]
        if kind != "reads":
            self.said.append((kind, bytes(message.payload)))
            return
        batch = decode(SpooledBatch, bytes(message.payload), source="test", at_us=0)
        assert isinstance(batch, SpooledBatch)
        self.batches.append(batch)

    def tell(self, kind: str, message: msgspec.Struct | bytes, *, retain: bool = False) -> None:
        """Publish on one of the gateway's topics, or on the bridge's."""
        topic = f"tallygate/v1/{SITE}/" + (kind if kind == "bridge" else f"{GATEWAY}/{kind}")
        payload = message if isinstance(message, bytes) else encode(message)
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(WAIT_S_MAX)

    def acknowledge(self, batch: SpooledBatch) -> None:
        """Tell that the ledger has the batches up to one."""
        self.tell("ack", Acknowledgement(spool=batch.spool, sequence=batch.sequence), retain=True)

    def new_run(self, run: int) -> None:
        """Tell that a bridge began."""
        self.tell("bridge", BridgeRun(run=run, log="1"), retain=True)

    def contents(self) -> list[ReadBatch]:
        """What the batches carry, repeated ones once, in order of sequence."""
        by_sequence = {(batch.spool, batch.sequence): batch for batch in list(self.batches)}
        found = []
        for _, batch in sorted(by_sequence.items()):
            content = decode(ReadBatch, batch.payload, source="test", at_us=0)
            assert isinstance(content, ReadBatch)
            found.append(content)
        return found

    def identities(self) -> list[str]:
        """The identities of all reads, in order."""
        return [read.identity for batch in self.contents() for read in batch.reads]

    def reasons(self) -> list[str]:
        """Why something was rejected, in order."""
        return [reject.reason for batch in self.contents() for reject in batch.rejects]

    def states(self) -> list[str]:
        """The states of devices that were told, in order."""
        return [change.state for batch in self.contents() for change in batch.changes]

    def latest(self, kind: str) -> bytes | None:
        """The newest payload of a kind of message."""
        return next((payload for name, payload in reversed(self.said) if name == kind), None)

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


class AgentProcess:
    """An edge agent as a process of its own, on one scanner."""

    def __init__(
        self, folder: Path, *, scanner_port: int, mqtt_port: int, spool_mb: int = 8
    ) -> None:
        self.data = folder / "spool"
        self._site = folder / "site.toml"
        self._log = folder / "agent.log"
        self._mqtt = f"mqtt://127.0.0.1:{mqtt_port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._site.write_text(
            f"""
site = "{SITE}"
[[zones]]
id = "stage"
[[zones]]
id = "packing"
[[gates]]
id = "conveyor"
inner = "stage"
outer = "packing"
geometry = "line"
direction = "in"
[[gateways]]
id = "{GATEWAY}"
spool_mb = {spool_mb}
[[devices]]
id = "conveyor"
gateway = "{GATEWAY}"
kind = "scanner"
host = "127.0.0.1"
port = {scanner_port}
location = "conveyor"
[devices.scanner]
retry_s_max = 0.3
"""
        )

    def start(self, **environment: str) -> Self:
        """Start it; environment variables in capitals."""
        options = ["--site", str(self._site), "--gateway", GATEWAY, "--data", str(self.data)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edge_agent", "run", *options, "--keep-acknowledged"],
                cwd=ROOT,
                env={**os.environ, "TALLYGATE_MQTT_URL": self._mqtt, **environment},
                stderr=log,
            )
        return self

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running process."""
        assert self._process is not None, "not started"
        return self._process

    def kill(self) -> None:
        """As kill -9 does."""
        self.process.kill()
        self.process.wait(WAIT_S_MAX)

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WAIT_S_MAX)

    def ended(self) -> int:
        """Its exit code, once it ended by itself."""
        return self.process.wait(WAIT_S_MAX)

    def log(self) -> str:
        """All that it told."""
        return self._log.read_text()

    def close(self) -> None:
        """Make sure that it is gone."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
