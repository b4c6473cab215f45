"""What the stages know of the site: its places, items and loads, kept up by `ReferenceChange`.

Everything here is an index over master data that arrives through the topic `reference`: where an
antenna looks, on which loads an identity stands, which loads are open at a gate. A million lines
of loads are one dictionary entry each.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from operator import attrgetter

from contracts.places import (
    AntennaPlace,
    Gate,
    Geometry,
    Item,
    Load,
    ReferenceChange,
    Side,
    SiteMap,
    Zone,
    ZoneParameters,
)
from contracts.reads import is_no_read

LOAD_TOLERANCE_US = 120_000_000
"""A load may begin and end this much beside its plan: lorries keep no second hands."""

SIDES = {Side.OUTER: -1, Side.INNER: 1, Side.BOTH: 0}
"""A side as a sign: outer before inner on the way in."""

SIDE_OF = {"in": -1, "out": 1}
"""Where what shall pass in a direction comes from."""

GTIN_PREFIX = "https://id.gs1.org/01/"

_opens = attrgetter("opens_us")


class Location:
    """A zone or a gate as the stages use it."""

    __slots__ = (
        "gate",
        "gateways",
        "has_eyes",
        "id",
        "inner",
        "line",
        "ordered",
        "outer",
        "outside",
        "parameters",
    )

    def __init__(self, place: Zone | Gate) -> None:
        self.id = place.id
        self.parameters: ZoneParameters = place.parameters
        self.gateways: tuple[str, ...] = ()
        self.has_eyes = False
        self.ordered = False
        """Some of its antennas look at one side of a gate: their order tells the direction."""
        self.gate: Gate | None = None
        self.line = ""
        self.inner = ""
        self.outer = ""
        self.outside = isinstance(place, Zone) and place.outside
        if isinstance(place, Gate):
            self.gate = place
            self.inner = place.inner
            self.outer = place.outer
            if place.geometry is Geometry.LINE:
                self.line = place.direction or "in"


class Place:
    """What one antenna looks at."""

    __slots__ = ("antenna", "device", "location", "side")

    def __init__(self, device: str, antenna: int, location: Location, side: int) -> None:
        self.device = device
        self.antenna = antenna
        self.location = location
        self.side = side


class Reference:
    """The site's map, items and loads."""

    def __init__(self) -> None:
        self.revision = 0
        """Counts the site maps taken, so that whoever caches places knows when to look again."""
        self.locations: dict[str, Location] = {}
        self.places: dict[str, dict[int, Place]] = {}
        self.eyes: dict[tuple[str, int], tuple[str, int]] = {}
        self.items: dict[str, Item] = {}
        self.loads: dict[str, Load] = {}
        self._versions: dict[str, int] = {}
        self._loads_of: dict[str, str | tuple[str, ...]] = {}
        self._loads_at: dict[tuple[str, str], list[Load]] = {}
        self._longest_us: dict[tuple[str, str], int] = {}
        self._kinds: dict[str, frozenset[str]] = {}

    def apply(self, change: ReferenceChange) -> None:
        """Take one change; an older version of its key than the one known changes nothing."""
        if change.version <= self._versions.get(change.key, 0):
            return
        self._versions[change.key] = change.version
        kind, _, name = change.key.partition("/")
        if isinstance(change.value, SiteMap):
            self._take_site(change.value)
        elif isinstance(change.value, Item):
            self.items[change.value.item] = change.value
        elif isinstance(change.value, Load):
            self._forget_load(change.value.load)
            self._take_load(change.value)
        elif kind == "item":
            self.items.pop(name, None)
        elif kind == "load":
            self._forget_load(name)

    def leads_out(self, gate: str) -> bool:
        """Whether a gate leads out of the warehouse: one of its zones is outside."""
        location = self.locations.get(gate)
        zones = (location.inner, location.outer) if location else ()
        return any(self.locations[zone].outside for zone in zones if zone in self.locations)

    def place_of(self, device: str, antenna: int) -> Place | None:
        """Where an antenna looks, or None where the map has no place for it.

        A device mapped as a whole (antenna 0) speaks for all its antennas. A read that names no
        antenna belongs to the device's one location, if it has but one; its side is not known.
        """
        known = self.places.get(device)
        if known is None:
            return None
        place = known.get(antenna)
        if place is not None:
            return place
        whole = known.get(0)
        if whole is None and antenna == 0:
            places = [seen.location for seen in known.values()]
            if any(location is not places[0] for location in places):
                return None
            whole = Place(device, 0, places[0], 0)
        if whole is None:
            return None
        place = Place(device, antenna, whole.location, whole.side)
        known[antenna] = place
        return place

    def loads_of(self, identity: str) -> list[Load]:
        """The loads that name an identity on one of their lines."""
        names = self._loads_of.get(identity)
        if names is None:
            return []
        if isinstance(names, str):
            return [self.loads[names]]
        return [self.loads[name] for name in names]

    def loads_open(self, gate: str, direction: str, at_us: int) -> list[Load]:
        """The loads that may pass a gate in a direction at a time, tolerance included."""
        key = (gate, direction)
        loads = self._loads_at.get(key)
        if not loads:
            return []
        from_us = at_us - self._longest_us[key] - LOAD_TOLERANCE_US
        first = bisect_left(loads, from_us, key=_opens)
        last = bisect_right(loads, at_us + LOAD_TOLERANCE_US, key=_opens)
        return [load for load in loads[first:last] if is_open(load, at_us)]

    def takes_kind(self, load: Load, item: str) -> bool:
        """Whether a load has a line for any instance of an item."""
        return item in self._kinds.get(load.load, frozenset())

    def awaited_side(self, identity: str, gate: str, at_us: int) -> int:
        """The side of a gate on which the plan has an identity wait to pass it.

        -1 outer, 1 inner, 0 where no load is open for it or loads in both directions are.
        """
        loads = [
            load for load in self.loads_of(identity) if load.gate == gate and is_open(load, at_us)
        ]
        item = item_of(identity)
        if not loads and item is not None:
            loads = [
                load
                for direction in SIDE_OF
                for load in self.loads_open(gate, direction, at_us)
                if self.takes_kind(load, item)
            ]
        sides = {SIDE_OF.get(load.direction, 0) for load in loads}
        return sides.pop() if len(sides) == 1 else 0

    def _take_site(self, site: SiteMap) -> None:
        self.revision += 1
        self.locations = {zone.id: Location(zone) for zone in site.zones}
        self.locations |= {gate.id: Location(gate) for gate in site.gates}
        self.places = {}
        served: dict[str, dict[str, None]] = {}
        for antenna in site.antennas:
            self._take_antenna(antenna)
            gateway = site.gateways.get(antenna.device)
            if gateway is not None:
                served.setdefault(antenna.location, {})[gateway] = None
        for location in self.locations.values():
            location.gateways = tuple(sorted(served.get(location.id, {})))
        self.eyes = {}
        for signal in site.signals:
            gate = self.locations.get(signal.gate)
            if gate is not None:
                gate.has_eyes = True
                self.eyes[(signal.device, signal.port)] = (signal.gate, SIDES[signal.side])

    def _take_antenna(self, antenna: AntennaPlace) -> None:
        location = self.locations.get(antenna.location)
        if location is None:
            return
        place = Place(antenna.device, antenna.antenna, location, SIDES[antenna.side])
        location.ordered = location.ordered or place.side != 0
        self.places.setdefault(antenna.device, {})[antenna.antenna] = place

    def _take_load(self, load: Load) -> None:
        self.loads[load.load] = load
        kinds = set()
        for line in load.lines:
            if line.identity is None:
                kinds.add(line.item)
                continue
            before = self._loads_of.get(line.identity)
            if before is None:
                self._loads_of[line.identity] = load.load
            elif isinstance(before, tuple):
                if load.load not in before:
                    self._loads_of[line.identity] = (*before, load.load)
            elif before != load.load:
                self._loads_of[line.identity] = (before, load.load)
        if kinds:
            self._kinds[load.load] = frozenset(kinds)
        key = (load.gate, load.direction)
        loads = self._loads_at.setdefault(key, [])
        loads.insert(bisect_right(loads, load.opens_us, key=_opens), load)
        span_us = load.closes_us - load.opens_us
        self._longest_us[key] = max(self._longest_us.get(key, 0), span_us + LOAD_TOLERANCE_US)

    def _forget_load(self, name: str) -> None:
        load = self.loads.pop(name, None)
        if load is None:
            return
        self._kinds.pop(name, None)
        self._loads_at[(load.gate, load.direction)].remove(load)
        for line in load.lines:
            if line.identity is None:
                continue
            names = self._loads_of.get(line.identity)
            if names == name:
                del self._loads_of[line.identity]
            elif isinstance(names, tuple):
                left = tuple(other for other in names if other != name)
                self._loads_of[line.identity] = left if len(left) > 1 else left[0]


def is_open(load: Load, at_us: int) -> bool:
    """Whether a load may pass at a time, tolerance included."""
    return load.opens_us - LOAD_TOLERANCE_US <= at_us <= load.closes_us + LOAD_TOLERANCE_US


def item_of(identity: str) -> str | None:
    """The item's number in an identity that carries one: the GTIN-14 of a GS1 Digital Link."""
    if not identity.startswith(GTIN_PREFIX):
        return None
    return identity[len(GTIN_PREFIX) :].partition("/")[0]


def is_class_level(identity: str) -> bool:
    """Whether an identity names a kind of thing (GTIN, GTIN and batch), not one instance."""
    if identity.startswith(GTIN_PREFIX):
        return "/21/" not in identity
    return is_no_read(identity)


def is_beacon(identity: str) -> bool:
    """Whether an identity is a Bluetooth beacon's: it rides on a person or an asset."""
    return identity.startswith("ble:")
