"""A double of BlueZ, Linux' Bluetooth stack, on a D-Bus: what a scanner of adverts sees of it.

Adapters with `org.bluez.Adapter1` (discovery, filters, power) and, unless it plays an older stack,
`org.bluez.AdvertisementMonitorManager1` (passive scans by patterns); devices with
`org.bluez.Device1`, whose property changes are the adverts, as the stack's D-Bus documents describe
them. It merges what a beacon says in several frames and tells what did not change only where asked
to (`DuplicateData`), as the stack does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from firmware_sim.core.ble import Report, report_of, structures

SERVICE = "org.bluez"
ADAPTER = "org.bluez.Adapter1"
DEVICE = "org.bluez.Device1"
MONITORS = "org.bluez.AdvertisementMonitorManager1"
MONITOR = "org.bluez.AdvertisementMonitor1"
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECTS = "org.freedesktop.DBus.ObjectManager"
BASE_UUID = "-0000-1000-8000-00805f9b34fb"
DEVICES_MAX = 1_000
"""The stack forgets devices, too; the longest unheard go first."""
UUID_BYTES = {0x16: 2, 0x20: 4, 0x21: 16}
UUID_LISTS = {0x02: 2, 0x03: 2, 0x06: 16, 0x07: 16}

Values = dict[str, Variant]


class _Monitor(NamedTuple):
    """A passive scan of one client."""

    owner: str
    root: str
    patterns: tuple[tuple[int, int, bytes], ...] = ()

    def wants(self, parts: list[tuple[int, bytes]]) -> bool:
        return any(
            kind == wanted and data[at : at + len(content)] == content
            for at, wanted, content in self.patterns
            for kind, data in parts
        )


class _Adapter:
    """One radio."""

    def __init__(self, name: str) -> None:
        self.path = f"/org/bluez/{name}"
        self.is_powered = True
        self.sessions: dict[str, bool] = {}
        """Clients that discover, and whether each wants what did not change, too."""
        self.filters: dict[str, bool] = {}
        self.monitors: dict[str, _Monitor] = {}
        self.devices: dict[str, Values] = {}

    def values(self) -> Values:
        return {
            "Address": Variant("s", "00:1A:7D:DA:71:13"),
            "AddressType": Variant("s", "public"),
            "Name": Variant("s", "bench"),
            "Alias": Variant("s", "bench"),
            "Powered": Variant("b", self.is_powered),
            "Discovering": Variant("b", bool(self.sessions)),
            "Roles": Variant("as", ["central", "peripheral"]),
        }


class BlueZ:
    """The stack; it lives from `start` to `stop` and may be started again."""

    def __init__(
        self, address: str, *, adapters: tuple[str, ...] = ("hci0",), passive: bool = True
    ) -> None:
        """`address`: of the bus; `passive`: whether it knows passive scans."""
        self._address = address
        self._passive = passive
        self._names = adapters
        self._adapters: dict[str, _Adapter] = {}
        self._bus: MessageBus | None = None
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Appear on the bus. Raises OSError where there is none."""
        self._adapters = {name: _Adapter(name) for name in self._names}
        bus = MessageBus(self._address)
        await bus.connect()
        bus.add_message_handler(self._handle)
        for rule in (
            "type='signal',interface='org.freedesktop.DBus',member='NameOwnerChanged'",
            f"type='signal',interface='{OBJECTS}',member='InterfacesAdded'",
        ):
            await bus.call(
                Message(
                    destination="org.freedesktop.DBus",
                    path="/org/freedesktop/DBus",
                    interface="org.freedesktop.DBus",
                    member="AddMatch",
                    signature="s",
                    body=[rule],
                )
            )
        self._bus = bus
        await bus.request_name(SERVICE)

    async def stop(self) -> None:
        """Vanish, as a stack that crashed does."""
        if self._bus is None:
            return
        bus, self._bus = self._bus, None
        bus.disconnect()
        try:
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
        except (OSError, EOFError):
            return  # The bus was gone already.

    def hear(self, event: bytes, adapter: str = "hci0") -> bool:
        """A radio heard an advert (an HCI event); whether a client was told of it."""
        report = report_of(event)
        radio = self._adapters.get(adapter)
        if report is None or radio is None or not radio.is_powered or self._bus is None:
            return False
        parts = structures(report.data)
        monitors = [one for one in radio.monitors.values() if one.wants(parts)]
        if not radio.sessions and not monitors:
            return False
        return self._tell(radio, report, parts)

    def power(self, *, on: bool, adapter: str = "hci0") -> None:
        """Switch a radio on or off."""
        radio = self._adapters[adapter]
        radio.is_powered = on
        if not on:
            radio.sessions.clear()
        values = radio.values()
        self._emit(radio.path, ADAPTER, {name: values[name] for name in ("Powered", "Discovering")})

    def plug(self, adapter: str) -> None:
        """A radio is plugged in."""
        radio = self._adapters[adapter] = _Adapter(adapter)
        self._signal("InterfacesAdded", "oa{sa{sv}}", [radio.path, self._interfaces(radio)])

    def pull(self, adapter: str = "hci0") -> None:
        """A radio is pulled out."""
        radio = self._adapters.pop(adapter)
        self._signal("InterfacesRemoved", "oas", [radio.path, [ADAPTER, MONITORS]])

    def end_discovery(self, adapter: str = "hci0") -> None:
        """The radio stops to discover by itself, as after an error of its firmware."""
        radio = self._adapters[adapter]
        radio.sessions.clear()
        self._emit(radio.path, ADAPTER, {"Discovering": Variant("b", False)})

    def scan(self, adapter: str = "hci0") -> str:
        """How a radio scans for clients: `active`, `passive` or nothing."""
        radio = self._adapters.get(adapter)
        if radio is None or not radio.is_powered:
            return ""
        if radio.sessions:
            return "active"
        return "passive" if any(one.patterns for one in radio.monitors.values()) else ""

    async def until_scanned(self, adapter: str = "hci0") -> str:
        """Wait until a client scans; how."""
        while not (found := self.scan(adapter)):
            self._changed.clear()
            await self._changed.wait()
        return found

    async def until_left(self, adapter: str = "hci0") -> None:
        """Wait until no client scans any more."""
        while self.scan(adapter):
            self._changed.clear()
            await self._changed.wait()

    def _handle(self, message: Message) -> Message | None:
        if message.message_type is MessageType.SIGNAL:
            self._overhear(message)
        elif message.message_type is MessageType.METHOD_CALL:
            answer = CALLS.get((str(message.interface), str(message.member)))
            if answer is not None:
                return answer(self, message)
        return None

    def _overhear(self, message: Message) -> None:
        """A client left, or shows the monitor that it registered."""
        if message.member == "NameOwnerChanged":
            name, _, owner = message.body
            if not owner:
                self._forget_client(name)
        elif message.member == "InterfacesAdded" and MONITOR in message.body[1]:
            path, interfaces = message.body
            patterns = interfaces[MONITOR]["Patterns"].value
            for radio in self._adapters.values():
                known = radio.monitors.get(path)
                if known is None or known.owner != message.sender:
                    continue
                found = tuple((at, kind, bytes(content)) for at, kind, content in patterns)
                radio.monitors[path] = known._replace(patterns=found)
                self._call(known.owner, path, "Activate")
                self._changed.set()

    def _forget_client(self, name: str) -> None:
        self._changed.set()
        for radio in self._adapters.values():
            radio.sessions.pop(name, None)
            radio.filters.pop(name, None)
            for path, monitor in list(radio.monitors.items()):
                if monitor.owner == name:
                    del radio.monitors[path]

    def managed_objects(self, message: Message) -> Message:
        """Everything there is."""
        found: dict[str, Any] = {}
        for radio in self._adapters.values():
            found[radio.path] = self._interfaces(radio)
            found |= {path: {DEVICE: values} for path, values in radio.devices.items()}
        return Message.new_method_return(message, "a{oa{sa{sv}}}", [found])

    def start_discovery(self, message: Message) -> Message:
        """A client scans actively."""
        return self._on_adapter(message, self._start)

    def stop_discovery(self, message: Message) -> Message:
        """It does no more."""
        return self._on_adapter(message, self._stop)

    def set_filter(self, message: Message) -> Message:
        """What it wants to hear of."""
        return self._on_adapter(message, self._filter)

    def register_monitor(self, message: Message) -> Message:
        """A client scans passively, once it has shown its patterns."""
        return self._on_adapter(message, self._register)

    def unregister_monitor(self, message: Message) -> Message:
        """It does no more."""
        return self._on_adapter(message, self._unregister)

    def _on_adapter(
        self, message: Message, answer: Callable[[_Adapter, Message], Message]
    ) -> Message:
        for radio in self._adapters.values():
            if radio.path == message.path:
                return answer(radio, message)
        return Message.new_error(
            message, "org.freedesktop.DBus.Error.UnknownObject", "there is no such adapter"
        )

    def _start(self, radio: _Adapter, message: Message) -> Message:
        owner = str(message.sender)
        if not radio.is_powered:
            return Message.new_error(message, f"{SERVICE}.Error.NotReady", "Resource Not Ready")
        if owner in radio.sessions:
            return Message.new_error(
                message, f"{SERVICE}.Error.InProgress", "Operation already in progress"
            )
        radio.sessions[owner] = radio.filters.get(owner, False)
        self._emit(radio.path, ADAPTER, {"Discovering": Variant("b", True)})
        self._changed.set()
        return Message.new_method_return(message)

    def _stop(self, radio: _Adapter, message: Message) -> Message:
        self._changed.set()
        if radio.sessions.pop(str(message.sender), None) is None:
            return Message.new_error(message, f"{SERVICE}.Error.Failed", "No discovery started")
        self._emit(radio.path, ADAPTER, {"Discovering": Variant("b", bool(radio.sessions))})
        return Message.new_method_return(message)

    def _filter(self, radio: _Adapter, message: Message) -> Message:
        wanted = message.body[0].get("DuplicateData")
        radio.filters[str(message.sender)] = wanted is not None and bool(wanted.value)
        return Message.new_method_return(message)

    def _register(self, radio: _Adapter, message: Message) -> Message:
        if not self._passive:
            return Message.new_error(
                message, "org.freedesktop.DBus.Error.UnknownMethod", "no such method"
            )
        path = message.body[0]
        radio.monitors[path] = _Monitor(str(message.sender), path)
        return Message.new_method_return(message)

    def _unregister(self, radio: _Adapter, message: Message) -> Message:
        self._changed.set()
        if radio.monitors.pop(message.body[0], None) is None:
            return Message.new_error(message, f"{SERVICE}.Error.DoesNotExist", "Does Not Exist")
        return Message.new_method_return(message)

    def _interfaces(self, radio: _Adapter) -> dict[str, Values]:
        found = {ADAPTER: radio.values()}
        if self._passive:
            found[MONITORS] = {"SupportedMonitorTypes": Variant("as", ["or_patterns"])}
        return found

    def _tell(self, radio: _Adapter, report: Report, parts: list[tuple[int, bytes]]) -> bool:
        """A device appears or changes; False where nothing changed and nobody wants the same."""
        path = f"{radio.path}/dev_{report.address.replace(':', '_')}"
        known = radio.devices.pop(path, None)
        said = advert_values(parts, known or {})
        said["RSSI"] = Variant("n", report.rssi_dbm)
        if known is None:
            radio.devices[path] = device_values(radio.path, report) | said
            self._signal("InterfacesAdded", "oa{sa{sv}}", [path, {DEVICE: radio.devices[path]}])
            self._shorten(radio)
            return True
        again = any(radio.sessions.values())
        changed = {
            name: value
            for name, value in said.items()
            if known.get(name) != value or (again and name in {"ManufacturerData", "ServiceData"})
        }
        radio.devices[path] = known | said
        if changed:
            self._emit(path, DEVICE, changed)
        return bool(changed)

    def _shorten(self, radio: _Adapter) -> None:
        if len(radio.devices) > DEVICES_MAX:
            path = next(iter(radio.devices))
            del radio.devices[path]
            self._signal("InterfacesRemoved", "oas", [path, [DEVICE]])

    def _emit(self, path: str, interface: str, changed: Mapping[str, Variant]) -> None:
        self._send(
            Message.new_signal(
                path, PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, dict(changed), []]
            )
        )

    def _signal(self, member: str, signature: str, body: list[Any]) -> None:
        self._send(Message.new_signal("/", OBJECTS, member, signature, body))

    def _call(self, owner: str, path: str, member: str) -> None:
        self._send(
            Message(
                destination=owner,
                path=path,
                interface=MONITOR,
                member=member,
                flags=1,  # Nobody waits for the reply.
            )
        )

    def _send(self, message: Message) -> None:
        if self._bus is not None and self._bus.connected:
            self._bus.send(message)


CALLS: Mapping[tuple[str, str], Callable[[BlueZ, Message], Message]] = {
    (OBJECTS, "GetManagedObjects"): BlueZ.managed_objects,
    (ADAPTER, "StartDiscovery"): BlueZ.start_discovery,
    (ADAPTER, "StopDiscovery"): BlueZ.stop_discovery,
    (ADAPTER, "SetDiscoveryFilter"): BlueZ.set_filter,
    (MONITORS, "RegisterMonitor"): BlueZ.register_monitor,
    (MONITORS, "UnregisterMonitor"): BlueZ.unregister_monitor,
}
"""What it can be asked, by interface and member."""


def device_values(adapter: str, report: Report) -> Values:
    """What the stack knows of a device beside its adverts."""
    return {
        "Adapter": Variant("o", adapter),
        "Address": Variant("s", report.address),
        "AddressType": Variant("s", "random" if report.is_random else "public"),
        "Alias": Variant("s", report.address.replace(":", "-")),
        "Paired": Variant("b", False),
        "Connected": Variant("b", False),
        "ServicesResolved": Variant("b", False),
    }


def advert_values(parts: list[tuple[int, bytes]], known: Mapping[str, Variant]) -> Values:
    """What an advert says, merged into what its device said before."""
    makers = dict(known["ManufacturerData"].value) if "ManufacturerData" in known else {}
    services = dict(known["ServiceData"].value) if "ServiceData" in known else {}
    found: Values = {}
    uuids: list[str] = []
    for kind, data in parts:
        if kind == 0xFF and len(data) > 1:  # noqa: PLR2004 - a company id.
            makers[int.from_bytes(data[:2], "little")] = Variant("ay", data[2:])
            found["ManufacturerData"] = Variant("a{qv}", makers)
        elif kind in UUID_BYTES and len(data) >= UUID_BYTES[kind]:
            size = UUID_BYTES[kind]
            services[_uuid(data[:size])] = Variant("ay", data[size:])
            found["ServiceData"] = Variant("a{sv}", services)
        elif kind in UUID_LISTS:
            size = UUID_LISTS[kind]
            uuids += [_uuid(data[at : at + size]) for at in range(0, len(data), size)]
            found["UUIDs"] = Variant("as", uuids)
        elif kind in {0x08, 0x09}:
            found["Name"] = found["Alias"] = Variant("s", data.decode("utf-8", "replace"))
        elif kind == 0x0A and data:  # noqa: PLR2004 - power.
            found["TxPower"] = Variant("n", int.from_bytes(data[:1], "big", signed=True))
    return found


def _uuid(little_endian: bytes) -> str:
    digits = little_endian[::-1].hex()
    if len(digits) <= 8:  # noqa: PLR2004 - a short one.
        return f"{digits:0>8}{BASE_UUID}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
