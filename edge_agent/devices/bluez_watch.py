"""Looks after BlueZ on the system's D-Bus: which radio there is, and when it is gone.

bleak scans but does not say that its radio was switched off or pulled out, that BlueZ was restarted
or that D-Bus went away: the adverts only cease. This has a connection of its own and says it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from bleak.backends.bluezdbus.manager import get_global_bluez_manager
from dbus_fast import BusType, DBusError, Message, MessageType, unpack_variants
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError, InvalidAddressError

from edge_agent.devices.ble_radio import Radio, RadioError

SERVICE = "org.bluez"
ADAPTER = "org.bluez.Adapter1"
MONITORS = "org.bluez.AdvertisementMonitorManager1"
OBJECTS = "org.freedesktop.DBus.ObjectManager"
PROPERTIES = "org.freedesktop.DBus.Properties"
BUS = "org.freedesktop.DBus"
RULES = (
    f"type='signal',sender='{BUS}',interface='{BUS}',member='NameOwnerChanged',arg0='{SERVICE}'",
    f"type='signal',interface='{PROPERTIES}',member='PropertiesChanged',arg0='{ADAPTER}'",
    f"type='signal',interface='{OBJECTS}',member='InterfacesRemoved',arg0path='/org/bluez/'",
)
"""Only what matters here; adverts are bleak's business."""
LOOK_S = 0.25
"""How often connections are looked at: waiting for the end of bleak's own would disturb bleak."""
END_S_MAX = 1.0
NOT_ALLOWED = "this user may not talk to BlueZ; it must be in the group bluetooth"
NOT_RUNNING = "BlueZ does not run; systemctl start bluetooth"


class BlueZWatch:
    """From `begin` to `end`."""

    def __init__(self, adapter: str) -> None:
        """`adapter`: which radio is wanted; empty: the first that is switched on."""
        self._wanted = adapter
        self._bus: MessageBus | None = None
        self._other: MessageBus | None = None
        """bleak's own connection."""
        self._path = ""
        self._lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def begin(self) -> Radio:
        """Find the radio. Raises RadioError."""
        bus = MessageBus(bus_type=BusType.SYSTEM)
        try:
            await bus.connect()
        except (OSError, EOFError, AuthError, InvalidAddressError, DBusError) as error:
            raise RadioError(f"there is no D-Bus here: {error or type(error).__name__}") from error
        self._bus = bus
        bus.add_message_handler(self._hear)
        for rule in RULES:
            await self._call(BUS, "/org/freedesktop/DBus", BUS, "AddMatch", rule)
        objects = await self._call(SERVICE, "/", OBJECTS, "GetManagedObjects")
        radio = self._choose(objects)
        self._path = f"/org/bluez/{radio.name}"
        return radio

    async def follow(self) -> None:
        """Look after bleak's connection, too: a bus cuts off a client that is slow to take."""
        manager = await get_global_bluez_manager()
        # bleak does not offer it. Should it be kept elsewhere one day, silence tells in its place.
        other = getattr(manager, "_bus", None)
        self._other = other if isinstance(other, MessageBus) else None

    async def lost(self) -> str:
        """Wait until the radio is gone; why."""
        while self.is_alive and not self._lost.done():
            await asyncio.wait({self._lost}, timeout=LOOK_S)
        return self._lost.result() if self._lost.done() else "D-Bus went away"

    @property
    def is_alive(self) -> bool:
        """Whether D-Bus is there, for bleak as well."""
        return all(bus is None or bus.connected for bus in (self._bus, self._other))

    async def end(self) -> None:
        """Leave the bus."""
        if self._bus is None:
            return
        if self._bus.connected:
            self._bus.disconnect()
        with suppress(Exception):  # How a connection ended that is not needed any more.
            async with asyncio.timeout(END_S_MAX):
                await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]

    async def _call(
        self, service: str, path: str, interface: str, member: str, *body: str
    ) -> dict[str, dict[str, dict[str, object]]]:
        """A call's answer, where it is D-Bus' objects with their interfaces."""
        assert self._bus is not None
        if not self._bus.connected:
            raise RadioError("D-Bus went away")
        try:
            reply = await self._bus.call(
                Message(
                    destination=service,
                    path=path,
                    interface=interface,
                    member=member,
                    signature="s" * len(body),
                    body=list(body),
                )
            )
        except (OSError, EOFError, DBusError) as error:
            raise RadioError("D-Bus went away") from error
        if reply is None:
            raise RadioError("D-Bus went away")
        if reply.message_type is MessageType.ERROR:
            raise RadioError(_in_words(str(reply.error_name), reply.body))
        found = unpack_variants(reply.body[0]) if reply.body else {}
        return found if isinstance(found, dict) else {}

    def _choose(self, objects: dict[str, dict[str, dict[str, object]]]) -> Radio:
        adapters = {
            path.rpartition("/")[2]: interfaces
            for path, interfaces in sorted(objects.items())
            if ADAPTER in interfaces
        }
        if self._wanted and self._wanted not in adapters:
            there = ", ".join(adapters) or "none"
            raise RadioError(f"there is no Bluetooth adapter {self._wanted}; there is {there}")
        names = [self._wanted] if self._wanted else list(adapters)
        for name in names:
            if adapters[name][ADAPTER].get("Powered"):
                kinds = adapters[name].get(MONITORS, {}).get("SupportedMonitorTypes", [])
                return Radio(name, isinstance(kinds, list) and "or_patterns" in kinds)
        if not names:
            raise RadioError("there is no Bluetooth adapter")
        raise RadioError(f"{', '.join(names)} is switched off; bluetoothctl power on")

    def _hear(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL or self._lost.done():
            return
        body = message.body
        match message.member:
            case "NameOwnerChanged" if body[0] == SERVICE and body[1]:
                self._lost.set_result("BlueZ was restarted" if body[2] else NOT_RUNNING)
            case "InterfacesRemoved" if body[0] == self._path and ADAPTER in body[1]:
                self._lost.set_result("the Bluetooth adapter was pulled out")
            case "PropertiesChanged" if message.path == self._path and body[0] == ADAPTER:
                powered = body[1].get("Powered")
                if powered is not None and not powered.value:
                    self._lost.set_result("the Bluetooth adapter was switched off")


def _in_words(error: str, body: list[object]) -> str:
    if error.endswith(("ServiceUnknown", "NameHasNoOwner", "Spawn.ServiceNotFound")):
        return NOT_RUNNING
    if error.endswith("AccessDenied"):
        return NOT_ALLOWED
    said = body[0] if body and isinstance(body[0], str) else ""
    return f"BlueZ does not answer: {error.rpartition('.')[2]} {said}".strip()
