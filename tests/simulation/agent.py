"""An edge agent: reads, spool, the real sender."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

import msgspec

from contracts.codec import decode_with, encode
from contracts.commands import Acknowledgement, BridgeRun, SendAgain
from contracts.reads import DeviceChange, Read, ReadBatch, Reject, Scan
from edge_agent.core.sender import Sender
from tests.simulation.fakes import PERSONS, Arrived, Connected
from tests.simulation.loop import POINT
from tests.simulation.site import POLL_S, Disk, Rates, Site, SiteProgram

RESEND_AFTER_S = 2.5
RESEND_AFTER_S_MAX = 10.0
WINDOW = 12
SCAN_EVERY = 8
"""Of so many reads one is a scan by hand."""
TOLD: msgspec.msgpack.Decoder[Acknowledgement | SendAgain | BridgeRun] = msgspec.msgpack.Decoder(
    Acknowledgement | SendAgain | BridgeRun
)


class Agent(SiteProgram):
    """An edge agent: reads, spool, sender."""

    role: ClassVar[str] = "agent"

    def __init__(self, site: Site, name: str, rates: Rates, new_disk: Callable[[], Disk]) -> None:
        super().__init__(site, name, rates)
        self.new_disk = new_disk
        self.disk = new_disk()
        self.count = 0
        self.batches = 0
        self.last_full = 0
        """The newest batch of the spool that carries anything."""

    def main(self) -> Iterator[float]:
        """Read, spool, send."""
        site, world = self.site, self.world
        sender = site.cores.sender(
            self.disk,
            now_s=world.now,
            window=WINDOW,
            resend_after_s=RESEND_AFTER_S,
            resend_after_s_max=RESEND_AFTER_S_MAX,
        )
        wanted = {f"{self.name}/ack", f"{self.name}/cmd", "bridge"}
        site.mqtt.connect(self, wanted.__contains__)
        next_batch_s = world.now
        while True:
            while self.inbox:
                self._hear(sender, self.inbox.popleft())
            if world.now >= next_batch_s:
                yield POINT
                batch = self._batch()
                sequence = self.disk.put(batch, at_us=world.now_us)
                assert sequence is not None
                if site.books.spooled(self.disk.id, sequence, batch):
                    self.last_full = sequence
                self.batches += 1
                yield POINT
                next_batch_s = world.now + world.dice.uniform(0.2, 0.8)
            for message in sender.due(world.now, 8):
                site.mqtt.publish(self, f"{self.name}/reads", encode(message))
            yield POLL_S

    def lose_disk(self) -> None:
        """The machine is replaced; what was not acknowledged is gone."""
        self.world.injected["spool replaced"] += 1
        self.crash("its disk was lost")
        self.site.books.destroyed(self.disk.id, range(self.disk.lowest, self.disk.sequence + 1))
        self.disk = self.new_disk()
        self.last_full = 0

    def cut_disk(self) -> None:
        """Somebody removed the lowest batches from the disk, and the agent was started again."""
        last = self.world.dice.randint(self.disk.lowest - 1, self.disk.sequence)
        if last < self.disk.lowest:
            return
        self.world.injected["spool cut"] += 1
        self.crash(f"batches up to {last} were removed from its disk")
        self.site.books.destroyed(self.disk.id, range(self.disk.lowest, last + 1))
        self.disk.acknowledge(last)

    def _hear(self, sender: Sender, message: object) -> None:
        now_s = self.world.now
        if isinstance(message, Connected):
            sender.connected(now_s)
        elif isinstance(message, Arrived):
            heard = decode_with(TOLD, message.payload, source=self.name, at_us=0)
            if isinstance(heard, BridgeRun):
                sender.bridge_run(heard, now_s)
            elif isinstance(heard, SendAgain):
                sender.send_again(heard)
            elif isinstance(heard, Acknowledgement):
                before = self.disk.lowest
                sender.acknowledged(heard, now_s)
                self.site.books.forgets(self.disk.id, before, self.disk.lowest - 1)

    def _batch(self) -> ReadBatch:
        dice, now_us = self.world.dice, self.world.now_us
        if not self.site.reading or dice.random() < 0.2:
            return ReadBatch(gateway_us=now_us)
        reads = tuple(
            Read(
                identity=f"tag-{dice.randrange(self.site.identities)}",
                device=f"{self.name}-door",
                antenna=dice.randint(1, 2),
                first_us=now_us,
                last_us=now_us,
                received_us=now_us,
                count=1,
                rssi_cdbm=-5_000,
                evidence=self._name("read"),
                scan=self._scan(),
            )
            for _ in range(dice.randrange(1, 5))
        )
        rejects: tuple[Reject, ...] = ()
        changes: tuple[DeviceChange, ...] = ()
        if dice.random() < 0.1:
            raw = self._name("reject")
            rejects = (Reject(source=self.name, reason="odd", raw=raw, raw_length=9, at_us=now_us),)
        if dice.random() < 0.1:
            detail = self._name("change").decode()
            changes = (DeviceChange(device="door", state="retrying", detail=detail, at_us=now_us),)
        return ReadBatch(gateway_us=now_us, reads=reads, rejects=rejects, changes=changes)

    def _scan(self) -> Scan | None:
        """Now and then it was a person with a handheld."""
        if self.count % SCAN_EVERY:
            return None
        self.world.seen["scans by hand"] += 1
        return Scan(
            id=f"{self.name}.{self.count}",
            client=self.name,
            person=PERSONS[self.count // SCAN_EVERY % len(PERSONS)],
            told_us=self.world.now_us,
        )

    def _name(self, kind: str) -> bytes:
        self.count += 1
        return f"{kind} {self.name}.{self.count}".encode()
