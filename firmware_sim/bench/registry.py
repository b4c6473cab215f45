"""All kinds of devices on the bench: the place to add a file of them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from firmware_sim.bench import ble_kinds, handheld_kinds, llrp_kinds, mqtt_kinds, scanner_kinds
from firmware_sim.bench.kinds import DeviceKind, Link

KINDS: Mapping[str, DeviceKind] = {
    kind.name: kind
    for kinds in (
        scanner_kinds.KINDS,
        llrp_kinds.KINDS,
        mqtt_kinds.KINDS,
        ble_kinds.KINDS,
        handheld_kinds.KINDS,
    )
    for kind in kinds
}
"""By name, in the order in which they are listed."""
FIRST_PORT: Mapping[Link, int] = {
    "llrp": 5084,
    "tcp_server": 9001,
    "tcp_client": 9101,
    "http": 8081,
}
"""The port of the first kind with such a link; LLRP's is the registered one. The others count up,
so that one device of each kind can be on one machine."""


class UnknownKindError(ValueError):
    """There is no such kind of device; the message names those that there are."""


def kind_named(name: str) -> DeviceKind:
    """A kind by its name. Raises UnknownKindError."""
    for kind in KINDS.values():
        # Whoever types a hyphen means the kind with an underscore, and the other way round.
        if kind.name.replace("_", "-") == name.replace("_", "-"):
            return kind
    near = difflib.get_close_matches(name, KINDS, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(KINDS)}"
    raise UnknownKindError(f"{name!r} is no kind of device; {hint}")


def usual_port(kind: DeviceKind) -> int:
    """The port of a kind where nobody names one; 0 where it has none."""
    first = FIRST_PORT.get(kind.link)
    if first is None:
        return 0
    return first + [one.name for one in KINDS.values() if one.link == kind.link].index(kind.name)
