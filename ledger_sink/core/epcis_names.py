"""What EPCIS calls our things, places, parties and documents: GS1 keys where known, else own URIs.

Names are made of what was known when an entry was recorded, so that an event keeps its hash
whatever is learned later: `History` answers with the newest value before a place in the chain.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import quote

from contracts.books import PlaceKind
from contracts.documents import EnteredDocument
from contracts.epcis.digital_link import canonical_identifier, is_class
from contracts.epcis.limits import URI_CHARACTERS_MAX
from contracts.epcis.vocabulary import Json, is_uri
from contracts.gs1_keys import GS1_CHARACTERS, ROOT, escaped, is_checked
from contracts.places import SiteMap
from ledger_sink.core.chain import ChainEntry
from ledger_sink.core.epcis_build import UntellableError

Value = TypeVar("Value")

GTIN_DIGITS = 14
GLN_DIGITS = 13
SERIAL_CHARACTERS_MAX = 20
"""Of a serial or a batch in a GS1 key."""
UNITS: Mapping[str, str] = {
    "each": "", "piece": "", "pcs": "", "pc": "", "unit": "", "ea": "", "个": "", "件": "",
    "台": "", "kg": "KGM", "kilogram": "KGM", "千克": "KGM", "公斤": "KGM", "g": "GRM",
    "gram": "GRM", "克": "GRM", "mg": "MGM", "t": "TNE", "tonne": "TNE", "吨": "TNE", "lb": "LBR",
    "oz": "ONZ", "litre": "LTR", "liter": "LTR", "l": "LTR", "升": "LTR", "ml": "MLT",
    "毫升": "MLT", "m3": "MTQ", "cubic metre": "MTQ", "立方米": "MTQ", "metre": "MTR",
    "meter": "MTR", "m": "MTR", "米": "MTR", "mm": "MMT", "cm": "CMT", "km": "KMT",
    "ft": "FOT", "in": "INH",
    "m2": "MTK", "square metre": "MTK", "平方米": "MTK", "h": "HUR", "hour": "HUR",
}  # fmt: skip
"""Units of ours to UN/CEFACT Rec. 20; empty: pieces, which are counted without a unit."""
UNKNOWN_UNIT = "ZZ"
"""UN/CEFACT's code for a unit on which two parties agreed: ours has no code of its own."""
EXACT_DIGITS = 15
"""Decimal digits that every reader's binary numbers keep."""


class History(Generic[Value]):
    """Values by key, each from a place in the chain (or a time) on."""

    def __init__(self, rows: Iterable[tuple[str, int, Value]]) -> None:
        """Rows of key, from where on, and value; in any order."""
        found: dict[str, list[tuple[int, Value]]] = {}
        for key, since, value in rows:
            found.setdefault(key, []).append((since, value))
        for values in found.values():
            values.sort(key=lambda one: one[0])
        self._found = found

    def before(self, key: str, seq: int) -> Value | None:
        """The newest value that began before; None: none did."""
        values = self._found.get(key, ())
        place = bisect_left(values, seq, key=lambda one: one[0])
        return values[place - 1][1] if place else None

    def all(self, key: str) -> list[Value]:
        """Every value that there was, the oldest first."""
        return [value for _, value in self._found.get(key, ())]


class KnownDocument(NamedTuple):
    """A document that is in the ledger."""

    entry: ChainEntry
    """Its entry."""
    document: EnteredDocument
    """What it says."""


class Facts(NamedTuple):
    """What the events of entries need to know beside the entries."""

    site: str
    """The site."""
    places: History[Mapping[str, str]]
    """By recorded time: GS1 locations of places; under the empty id the site's own."""
    kinds: History[PlaceKind]
    """By place in the chain: what locations are to the books."""
    gtins: History[str]
    """GTIN-14s of items, as their cards say."""
    units: History[str]
    """Base units of items."""
    documents: Mapping[str, KnownDocument]
    """Documents that movements and documents name, by id."""
    movements: Mapping[str, ChainEntry]
    """Entries of movements that are taken back, by id."""
    mentions: Mapping[int, tuple[str, ...]]
    """Identities that entries mention beside their own, by place in the chain."""


class Names:
    """Names as they were when one entry was recorded."""

    def __init__(self, facts: Facts, entry: ChainEntry) -> None:
        """`entry`: whose events are named."""
        self._facts = facts
        self._seq = entry.seq
        # What was set at the very time of an entry counts for it.
        self._places = facts.places.before("", entry.recorded_us + 1) or {}

    def kind(self, location: str) -> PlaceKind:
        """What a location is to the books; an unknown one is a zone."""
        return self._facts.kinds.before(location, self._seq) or PlaceKind.ZONE

    def place(self, location: str) -> str:
        """A place: its GS1 location, or a URI of the site's own."""
        return place_uri(self._facts.site, location, self._places)

    def site(self) -> str:
        """The site, as a location."""
        return site_uri(self._facts.site, self._places)

    def us(self) -> str:
        """The party that runs the site: its GLN names both."""
        gln = self._places.get("", "").removeprefix(f"{ROOT}/414/").partition("/")[0]
        return f"{ROOT}/417/{gln}" if gln else f"{self.site()}:party"

    def party(self, party: str) -> str:
        """Another party: by its GLN where that is its id."""
        if party.startswith(("urn:", "https://", "http://")) and is_uri(party):
            return party
        if len(party) == GLN_DIGITS and is_checked(party):
            return f"{ROOT}/417/{party}"
        return self._own("party", party)

    def document(self, document: str) -> str:
        """A business transaction, as the CBV names one with a GLN, or a URI of our own."""
        gln = self._places.get("", "").removeprefix(f"{ROOT}/414/").partition("/")[0]
        if gln:
            return f"urn:epcglobal:cbv:bt:{gln}:{quote(document, safe='')}"
        return self._own("document", document)

    def instance(self, item: str, serial: str) -> str:
        """One piece of an item. Raises UntellableError, as all that names things."""
        if identity := canonical_identifier(serial):
            return identity
        gtin = self._gtin(item)
        if gtin and _fits(serial):
            return f"{ROOT}/01/{gtin}/21/{escaped(serial)}"
        return self._own("serial", item, serial)

    def kind_of_thing(self, item: str, batch: str) -> str:
        """An item, or a batch of it: a class."""
        gtin = self._gtin(item)
        if gtin and not batch:
            return f"{ROOT}/01/{gtin}"
        if gtin and _fits(batch):
            return f"{ROOT}/01/{gtin}/10/{escaped(batch)}"
        return self._own("batch", item, batch) if batch else self._own("item", item)

    def quantity(self, item: str, batch: str, amount: Decimal) -> list[Json]:
        """So much of a class: one quantity element, or two where numbers of JSON keep no more."""
        unit = self._facts.units.before(item, self._seq) or ""
        code = UNITS.get(unit.lower())
        if code is None:
            code = unit if unit in UNITS.values() else UNKNOWN_UNIT
            if code == UNKNOWN_UNIT and amount == amount.to_integral_value():
                code = ""
        made: list[Json] = []
        for part in exact_parts(amount):
            element: dict[str, Json] = {
                "epcClass": self.kind_of_thing(item, batch),
                "quantity": part,
            }
            made.append(element | ({"uom": code} if code else {}))
        return made

    def _gtin(self, item: str) -> str | None:
        carded = self._facts.gtins.before(item, self._seq) or ""
        for text in (carded, item):
            if len(text) == GTIN_DIGITS and is_checked(text):
                return text
        return None

    def _own(self, kind: str, *parts: str) -> str:
        named = ":".join(quote(part, safe="") for part in (self._facts.site, *parts))
        uri = f"urn:tallygate:{kind}:{named}"
        if len(uri) > URI_CHARACTERS_MAX:
            message = f"the name of a {kind} is longer than {URI_CHARACTERS_MAX:,} characters"
            raise UntellableError(message)
        return uri


def place_uri(site: str, place: str, places: Mapping[str, str]) -> str:
    """A place as EPCIS names it: its GS1 location, or a URI of the site's own."""
    return places.get(place) or f"urn:tallygate:location:{quote(site)}:{quote(place)}"


def site_uri(site: str, places: Mapping[str, str]) -> str:
    """A site as EPCIS names it, as the location around all its places."""
    return places.get("") or f"urn:tallygate:site:{quote(site, safe='')}"


def thing_uri(identity: str) -> str:
    """An identity as EPCIS names it: every name is a URI there."""
    return identity if is_uri(identity) else f"urn:tallygate:identity:{quote(identity, safe='')}"


def things(identities: Iterable[str]) -> dict[str, Json]:
    """Instances and classes, each in the list that it belongs to."""
    named = list(dict.fromkeys(map(thing_uri, identities)))
    single: list[Json] = [one for one in named if not is_class(one)]
    many: list[Json] = [{"epcClass": one, "quantity": 1} for one in named if is_class(one)]
    found: dict[str, Json] = {"epcList": single} if single else {}
    return found | ({"quantityList": many} if many else {})


def locations_of(site_map: SiteMap | None) -> Mapping[str, str]:
    """The GS1 locations of a site's places; under the empty id the site's own."""
    if site_map is None:
        return {}
    named = {zone.id: zone.sgln for zone in site_map.zones if zone.sgln}
    named |= {gate.id: gate.sgln for gate in site_map.gates if gate.sgln}
    return named | ({"": site_map.sgln} if site_map.sgln else {})


def exact_parts(amount: Decimal) -> list[int | float]:
    """Numbers of JSON that sum to a quantity, and that every reader keeps exactly."""
    if amount == amount.to_integral_value():
        return [int(amount)]
    if len(amount.normalize().as_tuple().digits) <= EXACT_DIGITS:
        return [float(amount)]
    whole = amount.to_integral_value(rounding="ROUND_DOWN")
    return [int(whole), float(amount - whole)]


def _fits(text: str) -> bool:
    return 0 < len(text) <= SERIAL_CHARACTERS_MAX and GS1_CHARACTERS.issuperset(text)
