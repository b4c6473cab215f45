"""A device that publishes to MQTT by itself: its messages become reads, and how it is is shown.

What messages mean is decided in `edge_agent.core.vendors`; the connection is shared with other
devices (`mqtt_connections`). A message is acknowledged when all that it led to is on the disk.

A gateway of beacons is the exception: its adverts wait in a pool for up to `report_every_s` and are
acknowledged at once. A beacon says the same again; a broker would not send on for so long.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from contracts.codec import reject
from contracts.reads import DeviceChange, GateSignal, Read, Reject
from contracts.site_devices import DeviceTable
from edge_agent.core.batcher import Heard
from edge_agent.core.vendors.events import StateTold
from edge_agent.core.vendors.reading import Said, VendorReading
from edge_agent.devices.device_intake import DeviceIntake
from edge_agent.devices.mqtt_connections import MqttConnection
from edge_agent.devices.mqtt_inbox import Arrived, Link, MqttInbox, Receipt
from edge_agent.tickets import Ticket

TOGETHER_MAX = 100
"""Messages that are taken in one go."""
LOOKS = 4
"""So often in `report_every_s` the pool of beacons is looked at."""
LOOK_S_MIN = 0.02
SUMMARY_S = 5.0
"""How often the figures of a gateway of beacons are renewed."""
DROPPED_S = 1.0
"""Messages that had no room are told at most so often."""


class MqttDevice:
    """One device; `run` until cancelled."""

    def __init__(
        self,
        device: DeviceTable,
        *,
        intake: DeviceIntake,
        connection: Callable[[], MqttConnection],
        speed: float,
    ) -> None:
        """`connection`: the one that it shares; `speed`: domain seconds in a wall second."""
        self._table = device.mqtt
        self._intake = intake
        self._watch = intake.watch
        self._connection_of = connection
        self._connection: MqttConnection | None = None
        self._reading = VendorReading(device, intake.watch, source=intake.source)
        self._inbox = MqttInbox(
            device.mqtt.filters(),
            qos=device.mqtt.qos,
            now_us=intake.now_us,
            is_held=intake.intake.is_held,
        )
        self._look_s: float | None = None
        if device.kind == "ble_gateway":
            self._look_s = max(LOOK_S_MIN, device.ble.report_every_s / LOOKS / speed)
        self._link = Link("connecting", "")
        self._told: StateTold | None = None
        self._has_spoken = False
        self._heard_s = time.monotonic()
        self._looked_s = 0.0
        self._dropped_s = 0.0
        self._summary_s = 0.0
        self._summary = ""
        self._shown = ("", "")

    async def run(self) -> None:
        """Take messages for ever."""
        # It may bring what the broker kept meanwhile.
        self._intake.intake.device_left(self._watch.device)
        connection = self._connection = self._connection_of()
        connection.join(self._inbox)
        try:
            while True:
                try:
                    async with asyncio.timeout(self._wait_s()):
                        await self._inbox.wait()
                except TimeoutError:
                    pass
                await self._step()
        finally:
            self._give_rest()
            await connection.leave(self._inbox)

    def _wait_s(self) -> float | None:
        """Until the next look at what time alone changes."""
        waits = [self._look_s] if self._look_s is not None else []
        silent_s_max = self._table.silent_s_max
        if silent_s_max and self._link.state == "reading":
            waits.append(max(LOOK_S_MIN, self._heard_s + silent_s_max - time.monotonic()))
        return min(waits, default=None)

    async def _step(self) -> None:
        if (link := self._inbox.link) is not None:
            self._inbox.link = None
            self._take_link(link)
        await self._take(self._inbox.take(TOGETHER_MAX))
        await self._tell_dropped()
        await self._report_beacons()
        await self._show()

    def _take_link(self, link: Link) -> None:
        if link.state == "reading" != self._link.state:
            self._heard_s = time.monotonic()
            self._told = None
            self._reading.reconnected(self._intake.now_us())
            self._intake.intake.device_came(self._watch.device)
        elif link.state != "reading" == self._link.state:
            self._intake.intake.device_left(self._watch.device)
        self._link = link

    async def _take(self, messages: list[Arrived]) -> None:
        """Take messages; each is acknowledged when all that came with it is kept."""
        if not messages:
            return
        reads: list[Read] = []
        rejects: list[Reject] = []
        signals: list[GateSignal] = []
        changes: list[DeviceChange] = []
        notices: list[str] = []
        for message in messages:
            said = self._reading.receive(
                message.topic,
                message.payload,
                retained=message.retained,
                received_us=message.received_us,
            )
            reads += said.reads
            rejects += said.rejects
            signals += said.signals
            changes += said.changes
            notices += said.notices
            self._note(said, retained=message.retained)
        heard = Heard(tuple(reads), tuple(rejects), tuple(signals), tuple(changes))
        received_us = messages[0].received_us
        self._watch.heard(reads=len(reads), rejects=len(rejects), received_us=received_us)
        ticket = await self._intake.intake.put_with_ticket(heard, received_us=received_us)
        _acknowledge([message.receipt for message in messages], ticket)
        for notice in notices:
            await self._intake.complain(notice)

    def _note(self, said: Said, *, retained: bool) -> None:
        """What the device said of itself."""
        if not retained:
            self._heard_s = time.monotonic()
            self._has_spoken = True
        if said.state is not None:
            self._told = said.state
        elif not retained:
            self._told = None  # Whoever speaks is there, whatever a will said before.
        for one in said.asks:
            assert self._connection is not None
            self._connection.ask(one.topic, one.payload)

    async def _tell_dropped(self) -> None:
        now_s = time.monotonic()
        if now_s - self._dropped_s < DROPPED_S or (dropped := self._inbox.take_dropped()) is None:
            return
        self._dropped_s = now_s
        reason = f"{dropped.number} messages were dropped: they came faster than they are taken"
        now_us = self._intake.now_us()
        said = (reject(self._intake.source, reason, dropped.first, now_us),)
        await self._intake.take(received_us=now_us, rejects=said)
        await self._intake.complain(reason)

    async def _report_beacons(self) -> None:
        now_s = time.monotonic()
        if self._look_s is None or now_s - self._looked_s < self._look_s:
            return
        self._looked_s = now_s
        now_us = self._intake.now_us()
        pool = self._reading.pool
        await self._intake.take(received_us=now_us, reads=pool.due(now_us))
        if self._has_spoken and now_s - self._summary_s >= SUMMARY_S:
            self._summary_s, self._summary = now_s, pool.summary(now_us)
        for complaint in pool.complaints():
            await self._intake.complain(complaint)

    async def _show(self) -> None:
        state = self._state()
        if state != self._shown:
            self._shown = state
            await self._intake.enter(*state)

    def _state(self) -> tuple[str, str]:
        """How the device is, and in words."""
        if self._link.state != "reading":
            return self._link
        if self._told is not None and self._told.state != "reading":
            return self._told
        silent_s_max = self._table.silent_s_max
        if silent_s_max and time.monotonic() - self._heard_s >= silent_s_max:
            return "silent", f"nothing heard for {silent_s_max:g} s"
        if not self._has_spoken and self._told is None:
            return "reading", f"nothing heard yet on {' and '.join(self._inbox.filters)}"
        words = self._told.detail if self._told is not None else ""
        parts = (words, self._reading.health, self._summary)
        return "reading", ", ".join(part for part in parts if part)

    def _give_rest(self) -> None:
        """Beacons that were heard and not yet told: it stops, and this needs no waiting."""
        now_us = self._intake.now_us()
        if reads := self._reading.pool.all(now_us):
            self._watch.heard(reads=len(reads), rejects=0, received_us=now_us)
            self._intake.intake.put_now(Heard(reads=reads))


def _acknowledge(receipts: list[Receipt], ticket: Ticket) -> None:
    """Once the ticket tells whether all is on the disk."""

    def tell(done: Ticket) -> None:
        kept = not done.cancelled() and done.result()
        for receipt in receipts:
            receipt.done(kept=kept)

    ticket.add_done_callback(tell)
