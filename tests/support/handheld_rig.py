"""A handheld interface with a real spool behind it, in the test's own process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contracts.clock import REAL_TIME, ClockSetting
from contracts.codec import decode
from contracts.reads import Read, ReadBatch, Reject
from contracts.site import SiteFile, read_site
from contracts.site_devices import DeviceTable
from edge_agent.core.device_watch import DeviceWatch
from edge_agent.core.handheld import moment_text
from edge_agent.core.secret_hash import hash_line
from edge_agent.devices.device_intake import DeviceIntake
from edge_agent.devices.handheld_http import HandheldHttp
from edge_agent.door import Door
from edge_agent.intake import Intake
from edge_agent.outbox import Outbox, new_spool_id
from edge_agent.spool import Spool, open_spool
from tallygate.servers.child import free_port

WAIT_S = 60.0
SECRET = "a handheld's secret"
PIN = "4711"
CHEAP = (10, 1, 1)
"""Figures for scrypt that cost a test nothing."""
LOCATIONS = ("stage", "cold", "door-1")

SITE = f"""
site = "demo"
[[zones]]
id = "stage"
[[zones]]
id = "cold"
[[gates]]
id = "door-1"
inner = "stage"
outer = "cold"
[[gateways]]
id = "dock"
[[devices]]
id = "handhelds"
gateway = "dock"
kind = "handheld"
host = "127.0.0.1"
port = {{port}}
location = "stage"
[devices.handheld]
{{table}}
[[devices.handheld.clients]]
id = "pda-1"
secret = "{hash_line(SECRET, b"1" * 16, CHEAP)}"
[[devices.handheld.clients]]
id = "pda-2"
secret = "{hash_line(SECRET, b"2" * 16, CHEAP)}"
[[devices.handheld.persons]]
id = "li.wei"
pin = "{hash_line(PIN, b"3" * 16, CHEAP)}"
[[devices.handheld.persons]]
id = "wang.fang"
pin = "{hash_line(PIN, b"4" * 16, CHEAP)}"
[[devices.handheld.places]]
code = "A-01-02"
location = "cold"
"""


class Reply:
    """An answer of the interface."""

    def __init__(self, status: int, headers: dict[str, str], body: dict[str, Any]) -> None:
        self.status = status
        self.headers = headers
        self.body = body


def device_table(port: int, table: str = "") -> DeviceTable:
    """The interface's table in the site file."""
    site_file = read_site(SITE.format(port=port, table=table))
    assert isinstance(site_file, SiteFile), site_file
    return site_file.devices[0]


def request_bytes(
    path: str, body: object, *, token: str = "", method: str = "POST", **headers: str
) -> bytes:
    """A request as it is on the wire; bytes as a body go as they are."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"Host": "agent", "Content-Type": "application/json", "Content-Length": str(len(raw))}
    if token:
        fields["Authorization"] = f"Bearer {token}"
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1", *[f"{name}: {value}" for name, value in fields.items()]]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


async def read_reply(reader: asyncio.StreamReader) -> Reply:
    """One answer from a connection."""
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_S)).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    body = await asyncio.wait_for(reader.readexactly(int(headers["content-length"])), WAIT_S)
    is_json = headers["content-type"].startswith("application/json")
    told = json.loads(body) if is_json else {"text": body.decode()}
    return Reply(int(first.split(" ")[1]), headers, told)


@dataclass
class Rig:
    """The interface, and what is around it."""

    port: int
    intake: Intake
    watch: DeviceWatch
    outbox: Outbox
    spool: Spool
    task: asyncio.Task[None]
    open_gate: asyncio.Event
    """Cleared: the spool takes nothing, as if the disk stood still."""
    batches: list[ReadBatch] = field(default_factory=list)

    async def send(self, raw: bytes) -> Reply:
        """Bytes on a connection of their own; the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(raw)
            return await read_reply(reader)
        finally:
            writer.close()

    async def post(self, path: str, body: object, token: str = "", **headers: str) -> Reply:
        """A request; the answer."""
        return await self.send(request_bytes(path, body, token=token, **headers))

    async def sign_in(self, person: str = "li.wei", client: str = "pda-1") -> str:
        """A token."""
        reply = await self.post(
            "/v1/sign-in", {"client": client, "secret": SECRET, "person": person, "pin": PIN}
        )
        assert reply.status == 200, reply.body
        return str(reply.body["token"])

    def clock(self, offset_us: int = 0) -> str:
        """What a clock says that is off by so much."""
        return moment_text(self.intake.now_us() + offset_us)

    async def scan(self, token: str, *scans: dict[str, object], offset_us: int = 0) -> Reply:
        """Send scans from a handheld whose clock is off by so much."""
        body = {"sent_at": self.clock(offset_us), "scans": list(scans)}
        return await self.post("/v1/scans", body, token)

    def shift_us(self, by_us: int) -> None:
        """Let domain time jump ahead."""
        clock = self.intake._clock
        self.intake._clock = ClockSetting(
            wall_anchor_us=clock.wall_anchor_us,
            domain_anchor_us=clock.domain_anchor_us + by_us,
        )

    def kept(self) -> list[ReadBatch]:
        """What lies in the spool, in order."""
        found = []
        for one in self.spool.take(1, 1_000_000):
            batch = decode(ReadBatch, one.payload, source="test", at_us=0)
            assert isinstance(batch, ReadBatch)
            found.append(batch)
        return found

    def reads(self) -> list[Read]:
        """Reads in the spool."""
        return [read for batch in self.kept() for read in batch.reads]

    def rejects(self) -> list[Reject]:
        """Rejects in the spool."""
        return [reject for batch in self.kept() for reject in batch.rejects]

    def complaints(self) -> list[str]:
        """Details of changes that the device told."""
        return [change.detail for batch in self.kept() for change in batch.changes]


@asynccontextmanager
async def running(
    folder: Path,
    table: str = "",
    *,
    spool_bytes_max: int = 50_000_000,
    locations: tuple[str, ...] = LOCATIONS,
    device: DeviceTable | None = None,
) -> AsyncIterator[Rig]:
    """The interface, listening; another one on the same folder knows what this one knew."""
    device = device or device_table(free_port(), table)
    spool, _ = open_spool(
        folder, gateway="dock", new_id=new_spool_id, at_us=0, bytes_max=spool_bytes_max
    )
    outbox = Outbox(spool)
    intake = Intake(REAL_TIME, floor_us=spool.gateway_us)
    watch = DeviceWatch(device.id)
    door = Door(intake, watch=watch, can_wait=False, per_s_max=0)
    http = HandheldHttp(
        device,
        locations=locations,
        data=folder,
        intake=DeviceIntake(source=f"dock/{device.id}", intake=door, watch=watch),
        dice=random.Random(1),
    )
    gate = asyncio.Event()
    gate.set()

    async def keep() -> None:
        while True:
            batch = await intake.next_batch(wants_empty=lambda: False)
            await gate.wait()
            sequence = await outbox.put(batch, intake.now_us())
            intake.spooled(batch, kept=sequence is not None)

    keeping = asyncio.create_task(keep())
    task = asyncio.create_task(http.run())
    assert device.port is not None
    rig = Rig(device.port, intake, watch, outbox, spool, task, gate)
    try:
        async with asyncio.timeout(WAIT_S):
            while watch.state != "reading":  # noqa: ASYNC110 - a state, not an event.
                await asyncio.sleep(0.002)
        yield rig
    finally:
        for one in (task, keeping):
            one.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await one
        await outbox.close()
