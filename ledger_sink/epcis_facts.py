"""What the EPCIS events of a batch of entries need to know beside them, read from the ledger."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import msgspec

from contracts.books import Movement, PlaceKind
from contracts.codec import UNDECODABLE
from contracts.documents import EnteredDocument
from contracts.events import EntryKind
from contracts.places import SiteMap
from ledger_sink.core.chain import ChainEntry
from ledger_sink.core.epcis_movements import document_decoder, movement_decoder
from ledger_sink.core.epcis_names import (
    Facts,
    History,
    KnownDocument,
    locations_of,
    place_uri,
    site_uri,
)
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.sql import queries

QUERIES = queries("epcis")
BATCH = 1_000
"""Entries looked at together."""
COLUMNS = 12
"""Of an entry; what a query says more of it follows."""

_site_map = msgspec.msgpack.Decoder(SiteMap)


class FactsReader:
    """Reads what events need; the site's places once, the rest for each batch."""

    def __init__(self, ledger: PostgresLedger) -> None:
        self._ledger = ledger
        maps = [(at_us, _map_of(value)) for at_us, value in self._rows("site_maps")]
        self._places = History(("", at_us, locations_of(one)) for at_us, one in maps)
        self._warehouses = {
            zone.id: zone.warehouse
            for _, one in maps
            for zone in (one.zones if one else ())
            if zone.warehouse
        }

    def of(self, entries: Sequence[ChainEntry]) -> Facts:
        """The facts for some entries. Raises psycopg.Error."""
        movements = {entry.id: entry for entry in self._reversed(entries)}
        moved = [*_movements([*entries, *movements.values()])]
        documents = self._documents(
            [one.document for one in moved] + [one.refers for one in _documents(entries)]
        )
        read = [*_documents(entries), *(one.document for one in documents.values())]
        documents |= self._documents([one.refers for one in read])
        read += [one.document for one in documents.values()]
        items = {posting.item for one in moved for posting in one.postings}
        items |= {line.item for one in read for line in one.lines}
        items |= {used.item for one in read for used in one.components}
        places = {posting.location for one in moved for posting in one.postings}
        return Facts(
            site=self._ledger.site,
            places=self._places,
            kinds=History(
                (location, seq, PlaceKind(kind))
                for location, seq, kind in self._some("kinds", locations=places)
            ),
            gtins=History(self._some("gtins", items=items)),
            units=History(self._some("units", items=items)),
            documents=documents,
            movements=movements,
            mentions=self._mentions(
                [entry.seq for entry in entries if entry.kind == EntryKind.DECOMMISSIONED]
            ),
        )

    def insides(self, warehouses: Mapping[str, str]) -> Callable[[str], Collection[str]]:
        """A location as EPCIS names it to those that it lies in: its warehouse, and the site.

        `warehouses`: of the locations of the books, beside the site map's.
        """
        site = self._ledger.site
        around: dict[str, set[str]] = {}
        known = self._places.all("")
        names = {name for places in known for name in places if name}
        for location in {*self._warehouses, *warehouses, *names}:
            house = warehouses.get(location) or self._warehouses.get(location) or ""
            for places in ({}, *known):
                inside = around.setdefault(place_uri(site, location, places), set())
                inside.add(site_uri(site, {}))
                inside.update(site_uri(site, every) for every in known)
                inside.update(place_uri(site, house, every) for every in ({}, *known) if house)
        mine = place_uri(site, "", {})
        anywhere = {site_uri(site, every) for every in ({}, *known)}
        return lambda uri: around.get(uri) or (anywhere if uri.startswith(mine) else ())

    def ids_of(self, uris: Collection[str]) -> list[str]:
        """The ids of places of ours that EPCIS names so, now or before."""
        own = place_uri(self._ledger.site, "", {})
        found = [unquote(uri.removeprefix(own)) for uri in uris if uri.startswith(own)]
        for places in self._places.all(""):
            found += [location for location, uri in places.items() if uri in uris]
        return found

    def _reversed(self, entries: Sequence[ChainEntry]) -> Iterator[ChainEntry]:
        """The movements that entries take back, and what those took back."""
        wanted = [one.reverses for one in _movements(entries) if one.reverses]
        while wanted:
            found = [ChainEntry(*row) for row in self._some("movements", ids=wanted)]
            yield from found
            wanted = [one.reverses for one in _movements(found) if one.reverses]

    def _documents(self, ids: Iterable[str]) -> dict[str, KnownDocument]:
        found: dict[str, KnownDocument] = {}
        for row in self._some("documents", ids={id_ for id_ in ids if id_}):
            entry = ChainEntry(*row[:COLUMNS])
            for document in _documents([entry]):
                found[row[COLUMNS]] = KnownDocument(entry, document)
        return found

    def _mentions(self, seqs: list[int]) -> dict[int, tuple[str, ...]]:
        found: dict[int, list[str]] = {}
        for seq, identity in self._some("mentioned", seqs=seqs):
            found.setdefault(seq, []).append(identity)
        return {seq: tuple(sorted(identities)) for seq, identities in found.items()}

    def _some(self, query: str, **wanted: Collection[Any]) -> list[tuple[Any, ...]]:
        """A query's rows for some keys; none where there are no keys."""
        lists = {name: list(keys) for name, keys in wanted.items()}
        return self._rows(query, **lists) if all(lists.values()) else []

    def _rows(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        everything = {"site": self._ledger.site, **values}
        return self._ledger.connection.execute(QUERIES[query], everything).fetchall()


def _map_of(value: bytes | None) -> SiteMap | None:
    try:
        return None if value is None else _site_map.decode(value)
    except UNDECODABLE:
        # What no program of ours can read names no place.
        return None


def _movements(entries: Iterable[ChainEntry]) -> Iterator[Movement]:
    """Those that can be read; of the others their event tells why not."""
    for entry in entries:
        if entry.kind == EntryKind.MOVEMENT:
            try:
                yield movement_decoder.decode(entry.payload)
            except UNDECODABLE:
                continue


def _documents(entries: Iterable[ChainEntry]) -> Iterator[EnteredDocument]:
    for entry in entries:
        if entry.kind == EntryKind.DOCUMENT:
            try:
                yield document_decoder.decode(entry.payload)
            except UNDECODABLE:
                continue
