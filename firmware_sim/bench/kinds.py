"""What a device on the bench is: a source of frames that one of several links carries.

A *source* is pure: told how far domain time has come, it gives what its device says meanwhile. A
*link* brings that to a client and decides nothing. So every fault of a link (cut in the middle of a
message, frozen, doubled, out of order, flooding) works with every kind of device, and only what
happens inside a device (its clock, its antennas) is the source's own business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol, runtime_checkable

Link = Literal["tcp_server", "tcp_client", "serial", "mqtt", "http", "dbus", "llrp"]
"""How a device reaches its client: it listens, it connects, a pseudo-terminal, it publishes, it
posts, BlueZ on a private D-Bus, or a conversation of its own."""


class Frame(NamedTuple):
    """One message of a device, whole."""

    at_us: int
    """When the device said it, domain time."""
    payload: bytes
    """Its bytes, as they are on the wire."""
    topic: str = ""
    """For MQTT: where it is published."""
    retain: bool = False
    """For MQTT: whether the broker keeps it."""


class Passing(NamedTuple):
    """Something with a tag, a label or a beacon comes by; the source makes its format of it."""

    at_us: int
    """Domain time."""
    identity: str
    """The canonical identity, which a client should arrive at."""
    epc: bytes
    """Its EPC memory; empty where it carries no RFID tag."""
    code: str
    """Its label as a GS1 element string with AIM identifier; empty where nothing could be read."""
    antenna: int
    """Which antenna hears it, from 1; 0 where there is none."""
    rssi_cdbm: int
    """How strongly, in 1/100 dBm."""


class Scene(NamedTuple):
    """What one device gets to see: made from a scenario file or from the seed alone."""

    device: str
    """The device's id: in topics and in messages that carry one."""
    seed: int
    start_us: int
    """Domain time of its beginning."""
    passings: tuple[Passing, ...]
    """In order of time."""


class Source(Protocol):
    """One simulated device."""

    def frames(self, upto_us: int) -> list[Frame]:
        """All that the device says from the last call up to a domain time, in order."""
        ...

    def fault(self, name: str, value: float) -> bool:
        """Take a fault that only the device itself can have; False: this kind has no such thing.

        `clock_offset_s`, `clock_drift_ppm`, `antenna_lost` and `antenna_back` (by number).
        """
        ...


@runtime_checkable
class Publisher(Source, Protocol):
    """A source on the link `mqtt` that has something to say of its connection itself."""

    def will(self) -> Frame | None:
        """What the broker shall say when the connection is lost; asked before each connection."""
        ...

    def connected(self, at_us: int) -> list[Frame]:
        """What the device says right after each connection, before all else."""
        ...


@runtime_checkable
class Subscriber(Publisher, Protocol):
    """A publishing source that takes commands, too; what it answers comes with its next frames."""

    def topics(self) -> tuple[str, ...]:
        """Where it listens."""
        ...

    def told(self, topic: str, payload: bytes) -> None:
        """Somebody sent it something."""
        ...


@runtime_checkable
class Talker(Source, Protocol):
    """A source that listens to its client, too, which is one at a time.

    What it answers comes with its next frames; those are asked for as soon as it heard something.
    """

    def came(self) -> None:
        """A client is there."""
        ...

    def heard(self, data: bytes) -> bool:
        """The client sent something; False: it makes no sense, and the client is to be let go."""
        ...

    def gone(self) -> None:
        """The client is gone."""
        ...

    def refusal(self) -> bytes:
        """What a second client is told before it is sent away."""
        ...

    def wants_to_part(self) -> bool:
        """Whether the connection is to end once all that was said is sent."""
        ...


class DeviceKind(NamedTuple):
    """One kind of device on the bench."""

    name: str
    """As `python -m firmware_sim devices NAME` takes it."""
    format: str
    """The standard or the maker's format that it speaks, with its version."""
    link: Link
    source: Callable[[Scene], Source] | None
    """Makes the device; None for a kind whose link is a conversation of its own."""
    site: str
    """The site file's `[[devices]]` tables with which `edge_agent` connects to it. `{host}`,
    `{port}`, `{device}` and `{serial}` are put in; zones, gates and the gateway that they name are
    made around them."""
