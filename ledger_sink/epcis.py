"""Captures EPCIS documents into a site's ledger, and reads and queries events out of it again."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from typing import NamedTuple

from contracts.epcis.documents import document_of, events_of, identities_of
from contracts.epcis.event_hash import event_hash
from contracts.epcis.mistakes import EpcisMistake
from contracts.epcis.times import microseconds, moment_of
from contracts.epcis.vocabulary import Json, prefixes
from contracts.events import EntryKind
from ledger_sink.arrays import Bigints, Byteas, Texts
from ledger_sink.core.chain import ChainEntry
from ledger_sink.core.epcis import KINDS, ToldEvent, Untold, captured, declared_of, events_of_entry
from ledger_sink.core.epcis_match import Candidate
from ledger_sink.core.epcis_names import thing_uri
from ledger_sink.core.epcis_pages import (
    Found,
    Page,
    answer_of,
    collect,
    name_of,
    page_of,
    place_of,
    token_of,
)
from ledger_sink.core.epcis_query import Query, QueryMistake, read_query, serials_in, spellings
from ledger_sink.epcis_facts import BATCH, COLUMNS, QUERIES, FactsReader
from ledger_sink.postgres_ledger import PostgresLedger

MILLISECOND = 1_000


class Slice(NamedTuple):
    """Which events; None: any. Times in UTC microseconds, from the first on and before the last."""

    identity: str | None = None
    from_us: int | None = None
    before_us: int | None = None


class Wanted(NamedTuple):
    """Which entries to look at: those that may be the events that are asked for."""

    after: int = 0
    """Only behind this place in the chain."""
    upto: int = 2**63 - 1
    """And no further than this."""
    kinds: tuple[EntryKind, ...] = KINDS
    identities: tuple[str, ...] | None = None
    """Only what may speak of one of these; None: anything."""
    locations: tuple[str, ...] | None = None
    """Of what was read only what was read there; None: anywhere."""
    from_us: int | None = None
    before_us: int | None = None
    recorded_from: int | None = None
    recorded_before: int | None = None


class Capture(NamedTuple):
    """What became of a document."""

    events: int
    """How many it holds."""
    entered: int
    """How many of them are new."""
    refused: tuple[EpcisMistake, ...] = ()
    """Those whose `eventID` stands for other content: where, and why. They are kept as rejects."""


class Export(NamedTuple):
    """A slice of the ledger as a document."""

    document: dict[str, Json]
    """The document."""
    events: int
    """How many it holds."""
    untold: tuple[Untold, ...]
    """Entries that should be events and cannot be."""
    rehashed: int
    """Events that have another hash in this document: another of its events leaves out a field
    that counts for them, and EPCIS says so of a whole document only."""


def capture(ledger: PostgresLedger, document: Mapping[str, Json], at_us: int) -> Capture:
    """Enter the events of a document that was checked, but for those that are refused.

    Events that this ledger told itself are known. Raises psycopg.Error, and enters nothing then.
    """
    found = captured(document)
    own = _own(ledger, sorted({one.claims for one in found if one.claims is not None}))
    others = [one for one in found if (one.claims, one.event_hash, one.declared) not in own]
    # Events of ours bear their hash as their id.
    own_ids = {hash_id for _, hash_id, _ in own}
    entries = [one.entry for one in others]
    mentions = [(one.entry.id, identity) for one in others for identity in one.identities]
    refusals = [one.refusal() for one in others]
    values = {
        "site": ledger.site,
        "at_us": at_us,
        "ids": Texts(entry.id for entry in entries),
        "happened": Bigints(entry.happened_us for entry in entries),
        "identities": Texts(entry.identity for entry in entries),
        "locations": Texts(entry.location for entry in entries),
        "payloads": Byteas(entry.payload for entry in entries),
        "is_others": [one.event_id in own_ids for one in others],
        "reasons": Texts(one.text() for one in refusals),
        "mentioning": Texts(id_ for id_, _ in mentions),
        "mentioned": Texts(identity for _, identity in mentions),
    }
    row = ledger.connection.execute(QUERIES["capture"], values).fetchone()
    assert row is not None
    entered, refused = row
    return Capture(len(found), entered, tuple(refusals[place - 1] for place in refused))


def _own(ledger: PostgresLedger, ids: list[str]) -> set[tuple[str | None, str, str]]:
    """Of entries of ours all events: entry's id, event hash, and when it was declared an error."""
    if not ids:
        return set()
    rows = ledger.connection.execute(QUERIES["named"], {"site": ledger.site, "ids": ids}).fetchall()
    entries = [ChainEntry(*row[:COLUMNS]) for row in rows]
    facts = FactsReader(ledger).of(entries)
    return {
        (row[COLUMNS], one.event_hash, declared_of(one.event))
        for row, entry in zip(rows, entries, strict=True)
        for one in events_of_entry(entry, facts)
        if isinstance(one, ToldEvent)
    }


def export(ledger: PostgresLedger, asked: Slice, *, created: str) -> Export:
    """The events of a slice as one document. Raises psycopg.Error."""
    found: list[ToldEvent] = []
    untold: list[Untold] = []
    for one in events(ledger, asked):
        if isinstance(one, ToldEvent):
            found.append(one)
        else:
            untold.append(one)
    left_out = dict.fromkeys(name for one in found for name in one.leaving_out)
    document = document_of((one.event for one in found), created=created, leaving_out=left_out)
    return Export(document, len(found), tuple(untold), rehashed_in(document, found))


def rehashed_in(document: Mapping[str, Json], found: Sequence[ToldEvent]) -> int:
    """How many of its events have another hash in a document than by themselves."""
    if not any(one.leaving_out for one in found):
        return 0
    pairs = zip(events_of(document), found, strict=True)
    return sum(event_hash(*there) != one.event_hash for there, one in pairs)


def events(ledger: PostgresLedger, asked: Slice) -> Iterator[ToldEvent | Untold]:
    """The events of a slice, in the order in which they were entered. Raises psycopg.Error."""
    wanted = Wanted(
        identities=None if asked.identity is None else tuple(spellings(asked.identity)),
        from_us=asked.from_us,
        before_us=_last(asked.before_us),
    )
    for one in events_wanted(ledger, wanted):
        if isinstance(one, Untold) or _lies_in(asked, one):
            yield one


def _last(before_us: int | None) -> int | None:
    """Before when an event happened whose time, told in whole milliseconds, lies before this."""
    return None if before_us is None else before_us + MILLISECOND


def _lies_in(asked: Slice, one: ToldEvent) -> bool:
    moment = moment_of(str(one.event["eventTime"]))
    at_us = microseconds(moment) if moment else 0
    if asked.from_us is not None and at_us < asked.from_us:
        return False
    if asked.before_us is not None and at_us >= asked.before_us:
        return False
    return asked.identity is None or speaks_of(one, asked.identity)


def speaks_of(one: ToldEvent, identity: str) -> bool:
    """Whether an event is part of an identity's life."""
    return thing_uri(identity) in (*identities_of(one.event), *_classes(one.event))


def _classes(event: Mapping[str, Json]) -> Iterator[Json]:
    for name in ("quantityList", "childQuantityList"):
        listed = event.get(name)
        for element in listed if isinstance(listed, list) else ():
            if isinstance(element, dict):
                yield element.get("epcClass")


def events_wanted(
    ledger: PostgresLedger, wanted: Wanted, facts: FactsReader | None = None
) -> Generator[ToldEvent | Untold, None, None]:
    """All events of the entries to look at, in the chain's order. Raises psycopg.Error."""
    values = {**wanted._asdict(), "site": ledger.site, "kinds": [str(one) for one in wanted.kinds]}
    values["locations"] = None if wanted.locations is None else list(wanted.locations)
    is_timed = wanted.from_us is not None or wanted.before_us is not None
    query = "entries_between" if is_timed else "entries"
    if wanted.identities is not None:
        query = "entries_of"
        values |= {
            "identities": list(wanted.identities),
            "serials": serials_in(wanted.identities),
        }
    facts = facts or FactsReader(ledger)
    with ledger.transaction(), ledger.connection.cursor("epcis_events") as cursor:
        cursor.execute(QUERIES[query], values)
        while rows := cursor.fetchmany(BATCH):
            entries = [ChainEntry(*row) for row in rows]
            known = facts.of(entries)
            for entry in entries:
                yield from events_of_entry(entry, known)


class Answer(NamedTuple):
    """The answer to a query."""

    document: dict[str, Json]
    """An EPCISQueryDocument."""
    found: tuple[ToldEvent, ...]
    """Its events."""
    next_page: str
    """The token for what comes behind them; empty: nothing does."""
    untold: tuple[Untold, ...]
    """Entries that were looked at, should be events and cannot be."""
    rehashed: int
    """Events that have another hash in this document."""


def query(
    ledger: PostgresLedger,
    given: Sequence[tuple[str, str]],
    *,
    created: str,
    per_page: int | None = None,
    token: str = "",
) -> Answer | list[QueryMistake]:
    """The events that the standard's parameters ask for, others' and ours as one stream.

    Gives every mistake in the parameters instead, where there are any. Raises QueryTooLargeError,
    TokenError, psycopg.Error.
    """
    asked = read_query(given)
    if isinstance(asked, list):
        return asked
    page = page_of(name_of(given), token) if token else None
    if page is not None:
        upto = page.upto
    else:
        row = ledger.connection.execute(QUERIES["head"], {"site": ledger.site}).fetchone()
        upto = int(row[0]) if row else 0
    untold: list[Untold] = []
    # Closed at once, whatever happens: it reads in a transaction of its own.
    with closing(_matching(ledger, asked, page, upto, untold)) as matching:
        first, is_more = collect(asked, matching, page, per_page)
    told = [one.told for one in first]
    given_before = page.given if page else 0
    next_page = ""
    if is_more:
        next_page = token_of(name_of(given), upto, first[-1], given_before + len(first))
    document = answer_of(told, created=created)
    return Answer(document, tuple(told), next_page, tuple(untold), rehashed_in(document, told))


def _matching(
    ledger: PostgresLedger, asked: Query, page: Page | None, upto: int, untold: list[Untold]
) -> Generator[Found, None, None]:
    """What matches, in the chain's order."""
    facts = FactsReader(ledger)
    is_in_order = not asked.order_by and asked.count_max is None
    wanted = Wanted(
        # An entry may have events on both sides of the page's end.
        after=page.after[1] - 1 if page is not None and is_in_order else 0,
        upto=upto,
        kinds=asked.kinds,
        identities=asked.identities,
        locations=None if asked.places is None else tuple(facts.ids_of(asked.places)),
        from_us=asked.from_us,
        before_us=_last(asked.before_us),
        recorded_from=asked.recorded_from,
        recorded_before=asked.recorded_before,
    )
    rows = ledger.connection.execute(QUERIES["houses"], {"site": ledger.site}).fetchall()
    inside = facts.insides(dict(rows))
    seq, part = 0, 0
    with closing(events_wanted(ledger, wanted, facts)) as events_found:
        for one in events_found:
            if isinstance(one, Untold):
                untold.append(one)
                continue
            seq, part = one.seq, (part + 1 if one.seq == seq else 0)
            context = prefixes(one.event.get("@context"))
            candidate = Candidate(one.event, context, one.event_hash, one.recorded_us, inside)
            if asked.wants(candidate):
                yield Found(place_of(asked, one, part), one)
