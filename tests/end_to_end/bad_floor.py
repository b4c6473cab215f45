"""A floor whose devices the test plays byte by byte, before the real programs of one stack.

The devices are raw TCP servers: they say whatever a test wants, in order or not.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import paho.mqtt.client as paho
from confluent_kafka import Producer
from paho.mqtt.enums import CallbackAPIVersion

from contracts.codec import decode, encode
from contracts.reads import ReadBatch, Reject
from contracts.site import SiteFile, read_site, site_map
from contracts.topics import kafka_topic
from edge_agent.spool import kept_batches
from tests.support.programs import Program, wait_until
from tests.support.servers import Fresh
from tests.support.stream import Stream
from tests.unit.edge_agent.llrp_bytes import answers, greeting, report, split, tag_data

WAIT_S = 60.0
"""A claim that is not true by then is false: everything here takes a second or two."""
ENABLE_EVENTS_AND_REPORTS = 64
ITEM = "https://id.gs1.org/01/80614141123458/21/"
"""What the EPCs of `llrp_bytes.tag_data` name, before the serial."""
CARTON = "https://id.gs1.org/01/09506000134352/21/"
"""What `code` scans, before the serial."""

SITE = """
site = "{site}"
[[zones]]
id = "stage"
[[zones]]
id = "yard"
outside = true
[[gates]]
id = "belt"
inner = "stage"
outer = "yard"
geometry = "line"
direction = "in"
[[gateways]]
id = "dock"
keep_acknowledged = true
[[devices]]
id = "scanner"
gateway = "dock"
kind = "scanner"
host = "127.0.0.1"
port = {scanner}
location = "belt"
[devices.scanner]
retry_s_max = 0.3
"""
READER = """
[[devices]]
id = "{id}"
gateway = "dock"
kind = "llrp"
host = "127.0.0.1"
port = {port}
[devices.llrp]
keepalive_s = 100
retry_s_max = 0.3
[[devices.antennas]]
number = 1
location = "belt"
"""
READERS = ("reader", "old", "mad")
"""Readers of the floor: one for bytes that are none of LLRP's, two with clocks of their own."""


def now_us() -> int:
    """UTC microseconds by this machine's clock."""
    return time.time_ns() // 1_000


class Device:
    """A TCP server that serves one client after the other in a thread."""

    def __init__(self) -> None:
        self.sessions = 0
        """How many clients came so far as to be ready."""
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._client: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def send(self, raw: bytes) -> None:
        """Send bytes to the client, once it is ready."""
        assert wait_until(lambda: self._client is not None, WAIT_S), "nobody is connected"
        client = self._client
        assert client is not None
        with contextlib.suppress(OSError):  # Who was told nonsense may hang up meanwhile.
            client.sendall(raw)

    def cut(self) -> None:
        """End the connection."""
        client = self._client
        assert client is not None
        client.shutdown(socket.SHUT_RDWR)

    def wait_for_session(self, number: int) -> None:
        """Until so many clients have been ready, and the last one is."""
        assert wait_until(lambda: self.sessions >= number and self._client is not None, WAIT_S)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        if self._client is not None:
            self.cut()
        self._thread.join(WAIT_S)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                self._talk(client)
            self._client = None

    def _talk(self, client: socket.socket) -> None:
        self._ready(client)
        while client.recv(4096):
            pass

    def _ready(self, client: socket.socket) -> None:
        self._client = client
        self.sessions += 1


class Reader(Device):
    """An LLRP reader that obliges until its client listens to reports."""

    def tags(self, *serials: int, at_us: int | None = None) -> list[str]:
        """Report tags, seen now or at a time of the reader's own; gives their identities."""
        moment_us = now_us() if at_us is None else at_us
        tags = [tag_data(serial, first_us=moment_us, last_us=moment_us) for serial in serials]
        self.send(report(*tags))
        return [f"{ITEM}{serial}" for serial in serials]

    def _talk(self, client: socket.socket) -> None:
        client.sendall(greeting())
        waiting = b""
        while heard := client.recv(4096):
            waiting += heard
            while len(waiting) >= 10 and len(waiting) >= (size := int.from_bytes(waiting[2:6])):
                asked, waiting = waiting[:size], waiting[size:]
                client.sendall(answers(asked))
                if split(asked)[0][1] == ENABLE_EVENTS_AND_REPORTS:
                    self._ready(client)


class Scanner(Device):
    """An ASCII scanner."""

    def scan(self, serial: int) -> str:
        """Scan a carton; gives its identity."""
        self.send(f"]C1010950600013435221{serial}\r\n".encode())
        return f"{CARTON}{serial}"


class Floor:
    """Devices, an agent, bridge, worker and sink; and what the ledger says."""

    def __init__(self, fresh: Fresh, folder: Path) -> None:
        self.stream = Stream(fresh, folder)
        self.scanner = Scanner()
        self.readers = {name: Reader() for name in READERS}
        self.reader = self.readers["reader"]
        self._serial = 1_000
        self._spool = folder / "agent"
        self._site = folder / "site.toml"
        self._site.write_text(
            SITE.format(site=fresh.name, scanner=self.scanner.port)
            + "".join(READER.format(id=name, port=one.port) for name, one in self.readers.items())
        )
        self._mqtt = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"bad-{fresh.name}")
        host, _, port = fresh.mqtt_url.rpartition("/")[2].partition(":")
        self._mqtt.connect(host, int(port))
        self._mqtt.loop_start()
        self._kafka = Producer({"bootstrap.servers": fresh.kafka, "log_level": 0})
        self.programs: list[Program] = []

    def start(self) -> None:
        """Start all programs and wait until reads go through them."""
        site_file = read_site(self._site.read_text())
        assert isinstance(site_file, SiteFile), site_file
        self.stream.ask(
            "select ledger.put_reference(%s, 'site', %s, %s)",
            self.stream.site,
            encode(site_map(site_file)),
            now_us(),
        )
        arguments = ["--site", str(self._site), "--gateway", "dock", "--data", str(self._spool)]
        self.programs = [
            self.stream.bridge(),
            self.stream.sink(),
            self.stream.worker(),
            self.stream.start("agent", "edge_agent", "run", *arguments),
        ]
        self.programs[2].wait_for("partitions were taken")
        for device in (self.scanner, *self.readers.values()):
            device.wait_for_session(1)
        self.wait_entered([self.good_tag(), self.good_scan()])

    def good_tag(self) -> str:
        """A good read at the reader; gives its identity."""
        self._serial += 1
        return self.reader.tags(self._serial)[0]

    def good_scan(self) -> str:
        """A good read at the scanner; gives its identity."""
        self._serial += 1
        return self.scanner.scan(self._serial)

    def serials(self, count: int) -> list[int]:
        """Serials that nobody used before."""
        self._serial += count
        return list(range(self._serial - count + 1, self._serial + 1))

    def publish(self, gateway: str, payload: bytes) -> None:
        """A message on a gateway's topic for reads."""
        topic = f"tallygate/v1/{self.stream.site}/{gateway}/reads"
        self._mqtt.publish(topic, payload, qos=1).wait_for_publish(WAIT_S)

    def append(self, kind: str, value: bytes | None, partition: int = 0) -> None:
        """A record straight into the log."""
        topic = kafka_topic(self.stream.site, kind, self.stream.log())
        self._kafka.produce(topic, value, partition=partition)
        assert self._kafka.flush(WAIT_S) == 0

    def passages(self, identities: list[str]) -> dict[str, int]:
        """When those of some identities passed that did, by the ledger."""
        rows = self.stream.ask(
            "select identity, happened_us from ledger.entries where kind = 'location'"
            " and identity = any (%s)",
            identities,
        )
        assert len({identity for identity, _ in rows}) == len(rows), "a passage was entered twice"
        return dict(rows)

    def wait_entered(self, identities: list[str]) -> dict[str, int]:
        """Until all of them have passed: when."""
        found: dict[str, int] = {}

        def all_there() -> bool:
            found.update(self.passages(identities))
            return len(found) == len(identities)

        assert wait_until(all_there, WAIT_S), set(identities) - set(found)
        return found

    def rejects(self, reason: str) -> list[tuple[str, bytes, int]]:
        """Source, bytes and their true number of rejects with such words in their reason."""
        rows = self.stream.ask(
            "select source, raw, raw_length from ledger.rejects"
            " where position(%s in reason) > 0 order by seq",
            reason,
        )
        return [(source, bytes(raw), length) for source, raw, length in rows]

    def wait_rejected(self, reason: str, count: int = 1) -> list[tuple[str, bytes, int]]:
        """Until so many rejects with such words in their reason are entered; gives them."""
        assert wait_until(lambda: len(self.rejects(reason)) >= count, WAIT_S), self._reasons()
        found = self.rejects(reason)
        assert len(found) == count
        return found

    def wait_rejected_by(self, source: str, raws: list[bytes]) -> None:
        """Until exactly these bytes were rejected by somebody."""
        found: list[bytes] = []

        def all_there() -> bool:
            rows = self.stream.ask("select raw from ledger.rejects where source = %s", source)
            found[:] = sorted(bytes(raw) for (raw,) in rows)
            return len(found) >= len(raws)

        assert wait_until(all_there, WAIT_S), found
        assert found == sorted(raws)

    def ended(self) -> list[str]:
        """Programs that run no more."""
        return [one.name for one in self.programs if one.process.poll() is not None]

    def spooled(self) -> tuple[Mapping[str, int], int]:
        """By identity the reads that reached the spool, and how many rejects did."""
        reads: dict[str, int] = {}
        rejects = 0
        for batch in self._batches():
            rejects += len(batch.rejects)
            for read in batch.reads:
                reads[read.identity] = reads.get(read.identity, 0) + 1
        return reads, rejects

    def close(self) -> None:
        """End everything."""
        self._mqtt.disconnect()
        self._mqtt.loop_stop()
        self.stream.close()
        for device in (self.scanner, *self.readers.values()):
            device.close()

    def _batches(self) -> Iterator[ReadBatch]:
        for _, _, raw in kept_batches(self._spool):
            batch = decode(ReadBatch, raw, source="test", at_us=0)
            assert not isinstance(batch, Reject)
            yield batch

    def _reasons(self) -> list[tuple[str, int]]:
        return self.stream.ask("select reason, count(*) from ledger.rejects group by 1 order by 1")


def new_spool() -> str:
    """A spool's id."""
    return secrets.token_hex(16)


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether it came true in time."""
    return wait_until(condition, WAIT_S)
