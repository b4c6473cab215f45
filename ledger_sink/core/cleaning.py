"""What the ledger could not hold, or nobody could read back, becomes a reject before it gets there.

PostgreSQL's text holds no NUL character, its indexes no long text and its integers have 64 bits; a
MessagePack message may carry more. An entry's payload is what its kind says, or the stages behind
the hop would stumble over it. One bad entry must never stop the sink.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from contracts.codec import UNDECODABLE, canonical, encode, reject
from contracts.events import (
    DiscrepancyClosed,
    DiscrepancyOpened,
    Entry,
    EntryKind,
    Evidence,
    LoadEvent,
    LocationEvent,
)
from contracts.ids import content_id

INTEGER_MAX = 2**63 - 1
INTEGER_MIN = -(2**63)
TEXT_BYTES_MAX = 1_200
"""Ids, identities and places are keys of indexes, which take 2,700 bytes for all keys of a row."""
SOURCE = "sink"

NOT_HELD = "text or numbers that no ledger holds"
NOT_READ = "a payload that is not what its kind says"
NOT_OURS = frozenset(
    {
        *(EntryKind.REFERENCE, EntryKind.LOG, EntryKind.EPCIS, EntryKind.BOOK),
        *(EntryKind.MOVEMENT, EntryKind.DOCUMENT, EntryKind.VOUCHER),
        *(EntryKind.COMMISSIONED, EntryKind.DECOMMISSIONED, EntryKind.EVIDENCE_FORGOTTEN),
    }
)
"""Kinds that only the ledger's own functions enter, with all that belongs to them."""

_payloads: dict[str, msgspec.json.Decoder[msgspec.Struct]] = {
    EntryKind.LOCATION: msgspec.json.Decoder(LocationEvent),
    EntryKind.DISCREPANCY_OPENED: msgspec.json.Decoder(DiscrepancyOpened),
    EntryKind.DISCREPANCY_CLOSED: msgspec.json.Decoder(DiscrepancyClosed),
    EntryKind.LOAD: msgspec.json.Decoder(LoadEvent),
}


def clean_entries(entries: Sequence[Entry]) -> list[Entry]:
    """The entries, with a reject in the place of each that cannot be entered as it is."""
    return [_clean_entry(entry) for entry in entries]


def clean_evidence(evidence: Sequence[Evidence]) -> tuple[list[Evidence], list[Entry]]:
    """The sightings that the database can hold, and a reject entry for each other one."""
    kept: list[Evidence] = []
    rejects: list[Entry] = []
    for sighting in evidence:
        if _holds_text(
            sighting.id, sighting.entry, sighting.identity, sighting.location
        ) and _holds_integers(sighting.first_us, sighting.last_us, sighting.reads):
            kept.append(sighting)
        else:
            raw = encode(sighting)
            rejects.append(reject_entry(f"sighting with {NOT_HELD}", raw, sighting.last_us))
    return kept, rejects


def reject_entry(reason: str, raw: bytes, at_us: int, *place: str | int) -> Entry:
    """The entry for what the sink could not use; its id is made from the bytes and their place."""
    happened_us = at_us if _holds_integers(at_us) else 0
    return Entry(
        id=content_id("reject", SOURCE, raw, *place),
        kind=EntryKind.REJECT,
        happened_us=happened_us,
        identity=None,
        location=None,
        payload=canonical(reject(SOURCE, reason, raw, happened_us)),
    )


def _clean_entry(entry: Entry) -> Entry:
    if not (
        _holds_text(entry.id, entry.kind, entry.identity, entry.location)
        and _holds_integers(entry.happened_us, entry.read_received_us, entry.window_us)
    ):
        return reject_entry(f"entry with {NOT_HELD}", encode(entry), entry.happened_us)
    if entry.kind in NOT_OURS:
        reason = f"entry of kind {entry.kind}, which no stream has"
        return reject_entry(reason, encode(entry), entry.happened_us)
    decoder = _payloads.get(entry.kind)
    if decoder is not None:
        try:
            decoder.decode(entry.payload)
        except UNDECODABLE as error:
            reason = f"entry with {NOT_READ}: {error}"
            return reject_entry(reason, encode(entry), entry.happened_us)
    return entry


def _holds_text(*texts: str | None) -> bool:
    return not any(
        text is not None and ("\0" in text or len(text.encode()) > TEXT_BYTES_MAX) for text in texts
    )


def _holds_integers(*integers: int | None) -> bool:
    return all(integer is None or INTEGER_MIN <= integer <= INTEGER_MAX for integer in integers)
