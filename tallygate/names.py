"""What people call things: items, places, loads, pallets, as the ledger's reference has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from contracts.codec import UNDECODABLE
from contracts.places import Gate, Item, Load, ReferenceChange, SiteMap
from ledger_sink.postgres_ledger import PostgresLedger

ROOT = "https://id.gs1.org/"
"""How a canonical identity of GS1 begins."""
SSCC = f"{ROOT}00/"
"""How a logistic unit's identity begins."""
SHORTENED = "…"
"""Stands for what was left out in front."""
TAIL = 8
"""So many last characters tell two identities at one dock apart."""
KINDS_MAX = 2
"""So many kinds of items are named, of the rest only how many."""


@dataclass
class Names:
    """Everything that has a name."""

    items: dict[str, Item] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    gates: list[Gate] = field(default_factory=list)
    devices_at: dict[str, list[str]] = field(default_factory=dict)
    """Location to the devices that look at it."""
    loads: dict[str, Load] = field(default_factory=dict)
    pallets: dict[str, str] = field(default_factory=dict)
    """Identity to the pallet that a plan puts it on; a pallet's own tag too."""
    cases: dict[str, str] = field(default_factory=dict)
    """Identity to the case that a plan packs it in; a case's own tag too."""
    item_of: dict[str, str] = field(default_factory=dict)

    def item(self, number: str | None, spoken: str) -> str:
        """An item's name in a language, or its number."""
        known = self.items.get(number or "")
        if known is None:
            return number or ""
        return (known.name_zh or known.name) if spoken == "zh" else known.name

    def place(self, location: str) -> str:
        """A zone's or gate's name, or its id."""
        return self.places.get(location) or location

    def kinds(self, identities: Iterable[str], spoken: str) -> list[str]:
        """What they are, as "Servo motor 400 W ×12", "Contactor 25 A", "+2": units, not cases."""
        counts = Counter(
            self.item(self.item_of.get(identity) or _gtin(identity), spoken)
            for identity in identities
            if not identity.startswith(SSCC)
        )
        counts.pop("", None)
        told = [
            f"{name} ×{count}" if count > 1 else name
            for name, count in counts.most_common(KINDS_MAX)
        ]
        if len(counts) > KINDS_MAX:
            told.append(f"+{len(counts) - KINDS_MAX}")
        return told

    def is_pallet(self, identity: str) -> bool:
        """Whether a plan has it as a pallet."""
        return self.pallets.get(identity) == identity


class ReferenceReader:
    """Follows the ledger's reference: each `refresh` takes what changed."""

    def __init__(self, ledger: PostgresLedger) -> None:
        self._ledger = ledger
        self._after = 0
        self.names = Names()

    def refresh(self) -> Names:
        """Names and plans as they are now."""
        for row in self._ledger.reference(self._after):
            self._after = max(self._after, row.ordinal)
            try:
                change = msgspec.msgpack.decode(row.change, type=ReferenceChange)
            except UNDECODABLE:
                continue
            self._take(change)
        return self.names

    def _take(self, change: ReferenceChange) -> None:
        match change.value:
            case SiteMap():
                self._take_map(change.value)
            case Item():
                self.names.items[change.value.item] = change.value
            case Load():
                self._take_load(change.value)
            case None:
                kind, _, number = change.key.partition("/")
                known = self.names.items if kind == "item" else self.names.loads
                known.pop(number, None)

    def _take_map(self, site: SiteMap) -> None:
        names = self.names
        names.places = {zone.id: zone.name for zone in site.zones if zone.name}
        names.places.update({gate.id: gate.name for gate in site.gates if gate.name})
        names.gates = list(site.gates)
        names.devices_at = {}
        for place in site.antennas:
            devices = names.devices_at.setdefault(place.location, [])
            if place.device not in devices:
                devices.append(place.device)

    def _take_load(self, load: Load) -> None:
        names = self.names
        names.loads[load.load] = load
        for line in load.lines:
            if line.identity and line.pallet:
                names.pallets[line.identity] = line.pallet
            if line.identity and line.case:
                names.cases[line.identity] = line.case
            if line.identity and line.item:
                names.item_of[line.identity] = line.item


def short(identity: str) -> str:
    """An identity as people say it: without the resolver's address."""
    return identity.removeprefix(ROOT)


def tail(identity: str) -> str:
    """Its end, enough to find it again: a serial number, or the last digits."""
    told = short(identity)
    _, serial, number = told.rpartition("/21/")
    return (
        f"{SHORTENED}{serial}{number}"
        if serial
        else (f"{SHORTENED}{told[-TAIL:]}" if len(told) > TAIL else told)
    )


def _gtin(identity: str) -> str:
    """The item's number that an identity itself carries."""
    return identity.removeprefix(f"{ROOT}01/").split("/")[0] if "/01/" in identity else ""
