"""Holds entries against what they speak of: sightings by their digest, master data by its bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from contracts.codec import UNDECODABLE
from contracts.events import EntryKind
from ledger_sink.core.chain import ChainEntry
from ledger_sink.core.payloads import ReferenceChanged
from ledger_sink.core.verification import Fault, Finding


class Decided(msgspec.Struct, tag="location_event", frozen=True, gc=False):
    """A location event, as far as it speaks of what it was decided by."""

    identity: str
    location: str
    sightings: tuple[str, ...] = ()
    evidence_digest: str = ""


class Seen(msgspec.Struct, tag="sighting", frozen=True, gc=False):
    """A sighting, as far as it is looked up by what it says."""

    identity: str
    location: str
    first_us: int
    last_us: int


# Reading a few fields takes half the time of reading all of them.
_decided = msgspec.json.Decoder(Decided)
_seen = msgspec.json.Decoder(Seen)
_reference_changed = msgspec.json.Decoder(ReferenceChanged)


class SightingColumns(NamedTuple):
    """What stands beside a sighting's payload in the database, and says the same."""

    identity: str
    location: str
    first_us: int
    last_us: int


class LedgerBatch(NamedTuple):
    """Some entries in order, and what they speak of."""

    entries: list[ChainEntry]
    """Rows of the chain."""
    sightings: Mapping[str, bytes]
    """Id to payload, of the sightings that they were decided by."""
    changes: Mapping[tuple[str, int], bytes | None]
    """Key and version to the bytes of the reference changes that they tell of; None where the
    ledger's table contradicts itself about it."""
    columns: Mapping[str, SightingColumns] = MappingProxyType({})
    """Id to columns, of these sightings; an exported file has none."""
    gone: Mapping[str, int] = MappingProxyType({})
    """Sightings that were kept once and are not there, with the time of that: whether by order is
    for `check_forgotten`."""


class Needs(NamedTuple):
    """What some entries speak of."""

    sightings: list[str]
    """Ids."""
    changes: list[tuple[str, int]]
    """Keys and versions."""


def needs_of(entries: Sequence[ChainEntry]) -> Needs:
    """What has to be looked up before `check_batch` can be asked."""
    events = [event for _, event in _location_events(entries)]
    return Needs(
        [id_ for event in events for id_ in event.sightings],
        [(change.key, change.version) for _, change in _reference_changes(entries)],
    )


class Checked(NamedTuple):
    """What came of a batch."""

    compared: int
    """So many sightings."""
    findings: list[Finding]
    """What is wrong."""
    gone: list[tuple[int, Finding]]
    """What is wrong unless it was forgotten by order, with the time at which it was kept."""


def check_batch(batch: LedgerBatch) -> Checked:
    """Hold entries against what they speak of."""
    compared = 0
    findings: list[Finding] = []
    gone: list[tuple[int, Finding]] = []
    for entry, event in _location_events(batch.entries):
        compared += sum(id_ in batch.sightings for id_ in event.sightings)
        findings += _check_event(entry, event, batch)
        findings += _check_columns(entry, event, batch)
        for id_ in event.sightings:
            if id_ in batch.gone:
                text = f"entry {entry.seq} ({entry.id}): its sighting {id_} is gone"
                missing = Finding(Fault.EVIDENCE, entry.seq, entry.id, text)
                gone.append((batch.gone[id_], missing))
    for entry, change in _reference_changes(batch.entries):
        raw = batch.changes.get((change.key, change.version))
        if raw is None or hashlib.sha256(raw).hexdigest() != change.change_digest:
            text = (
                f"entry {entry.seq} ({entry.id}): version {change.version} of {change.key} is"
                " not what was entered"
            )
            findings.append(Finding(Fault.REFERENCE, entry.seq, entry.id, text))
    return Checked(compared, findings, gone)


def _check_event(entry: ChainEntry, event: Decided, batch: LedgerBatch) -> list[Finding]:
    findings = []
    payloads = batch.sightings
    if (event.identity, event.location) != (entry.identity, entry.location):
        text = (
            f"entry {entry.seq} ({entry.id}): it stands under {entry.identity} at"
            f" {entry.location}, and its payload speaks of {event.identity} at {event.location}"
        )
        findings.append(Finding(Fault.MISMATCH, entry.seq, entry.id, text))
    missing = [id_ for id_ in event.sightings if id_ not in payloads]
    unknown = [id_ for id_ in missing if id_ not in batch.gone]
    if unknown:
        text = f"entry {entry.seq} ({entry.id}): its sighting {unknown[0]} is gone"
        findings.append(Finding(Fault.EVIDENCE, entry.seq, entry.id, text))
    if missing:
        return findings
    digest = hashlib.sha256(b"".join(payloads[id_] for id_ in event.sightings))
    if digest.hexdigest() != event.evidence_digest:
        text = f"entry {entry.seq} ({entry.id}): its sightings were changed"
        findings.append(Finding(Fault.EVIDENCE, entry.seq, entry.id, text))
    return findings


def _check_columns(entry: ChainEntry, event: Decided, batch: LedgerBatch) -> Iterator[Finding]:
    """Whether a sighting is found under what it speaks of."""
    for id_ in event.sightings:
        if id_ not in batch.columns:
            continue
        try:
            told = _seen.decode(batch.sightings[id_])
        except UNDECODABLE:
            continue
        right = SightingColumns(told.identity, told.location, told.first_us, told.last_us)
        if right != batch.columns[id_]:
            text = (
                f"entry {entry.seq} ({entry.id}): its sighting {id_} stands under"
                f" {tuple(batch.columns[id_])} and speaks of {tuple(right)}"
            )
            yield Finding(Fault.EVIDENCE, entry.seq, entry.id, text)


def _location_events(entries: Sequence[ChainEntry]) -> list[tuple[ChainEntry, Decided]]:
    found = []
    for entry in entries:
        if entry.kind != EntryKind.LOCATION:
            continue
        try:
            event = _decided.decode(entry.payload)
        except UNDECODABLE:
            continue
        if event.sightings:
            found.append((entry, event))
    return found


def _reference_changes(
    entries: Sequence[ChainEntry],
) -> list[tuple[ChainEntry, ReferenceChanged]]:
    found = []
    for entry in entries:
        if entry.kind != EntryKind.REFERENCE:
            continue
        try:
            found.append((entry, _reference_changed.decode(entry.payload)))
        except UNDECODABLE:
            continue
    return found
