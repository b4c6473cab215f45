"""Holds entries against what they speak of: sightings by their digest, master data by its bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from contracts.codec import UNDECODABLE
from contracts.events import EntryKind, LocationEvent
from ledger_sink.core.chain import ChainEntry
from ledger_sink.core.payloads import ReferenceChanged
from ledger_sink.core.verification import Fault, Finding

_location_event = msgspec.json.Decoder(LocationEvent)
_reference_changed = msgspec.json.Decoder(ReferenceChanged)


class LedgerBatch(NamedTuple):
    """Some entries in order, and what they speak of."""

    entries: list[ChainEntry]
    """Rows of the chain."""
    sightings: Mapping[str, bytes]
    """Id to payload, of the sightings that they were decided by."""
    changes: Mapping[tuple[str, int], bytes | None]
    """Key and version to the bytes of the reference changes that they tell of; None where the
    ledger's table contradicts itself about it."""


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


def check_batch(batch: LedgerBatch) -> tuple[int, list[Finding]]:
    """How many sightings were compared, and what is wrong."""
    compared, findings = 0, []
    for entry, event in _location_events(batch.entries):
        compared += len(event.sightings)
        findings += _check_event(entry, event, batch.sightings)
    for entry, change in _reference_changes(batch.entries):
        raw = batch.changes.get((change.key, change.version))
        if raw is None or hashlib.sha256(raw).hexdigest() != change.change_digest:
            text = (
                f"entry {entry.seq} ({entry.id}): version {change.version} of {change.key} is"
                " not what was entered"
            )
            findings.append(Finding(Fault.REFERENCE, entry.seq, entry.id, text))
    return compared, findings


def _check_event(
    entry: ChainEntry, event: LocationEvent, payloads: Mapping[str, bytes]
) -> list[Finding]:
    findings = []
    if (event.identity, event.location) != (entry.identity, entry.location):
        text = (
            f"entry {entry.seq} ({entry.id}): it stands under {entry.identity} at"
            f" {entry.location}, and its payload speaks of {event.identity} at {event.location}"
        )
        findings.append(Finding(Fault.MISMATCH, entry.seq, entry.id, text))
    missing = [id_ for id_ in event.sightings if id_ not in payloads]
    if missing:
        text = f"entry {entry.seq} ({entry.id}): its sighting {missing[0]} is gone"
        findings.append(Finding(Fault.EVIDENCE, entry.seq, entry.id, text))
        return findings
    digest = hashlib.sha256(b"".join(payloads[id_] for id_ in event.sightings))
    if digest.hexdigest() != event.evidence_digest:
        text = f"entry {entry.seq} ({entry.id}): its sightings were changed"
        findings.append(Finding(Fault.EVIDENCE, entry.seq, entry.id, text))
    return findings


def _location_events(entries: Sequence[ChainEntry]) -> list[tuple[ChainEntry, LocationEvent]]:
    found = []
    for entry in entries:
        if entry.kind != EntryKind.LOCATION:
            continue
        try:
            event = _location_event.decode(entry.payload)
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
