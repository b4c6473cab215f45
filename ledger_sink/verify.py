"""Reads a site's ledger and says whether it is what was entered.

It trusts nothing in the database: hashes are computed here, and compared with the heads that
were published outside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psycopg

from contracts.codec import UNDECODABLE
from contracts.events import EntryKind, LocationEvent
from ledger_sink.core.chain import ChainEntry
from ledger_sink.core.payloads import ReferenceChanged
from ledger_sink.core.verification import FINDINGS_MAX, ChainCheck, Fault, Finding
from ledger_sink.heads_file import read_heads, read_public_key
from ledger_sink.sql import queries

QUERIES = queries("chain")

BATCH = 2_000
"""Entries read at once."""

_location_event = msgspec.json.Decoder(LocationEvent)
_reference_changed = msgspec.json.Decoder(ReferenceChanged)


class VerifyReport(NamedTuple):
    """What verification found."""

    site: str
    """The site."""
    entries: int
    """How many entries were read."""
    heads: int
    """How many published heads were good."""
    protected: int
    """Published heads cover the chain up to this entry."""
    unprotected: int
    """Entries behind the last published head: not yet protected."""
    sightings: int
    """Sightings whose bytes were compared with the digest in their entry."""
    findings: tuple[Finding, ...]
    """What is wrong, the first broken entry first; empty: all is whole."""

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def verify(postgres_url: str, site: str, heads_path: Path, public_key_path: Path) -> VerifyReport:
    """Check a site's ledger against its published heads.

    Raises psycopg.Error, and OSError or ValueError where the public key cannot be read. A file
    of heads that is missing protects nothing: that is a finding if the ledger is not empty.
    """
    key = read_public_key(public_key_path)
    # Heads are read before the database's snapshot is taken: what they cover is in it then.
    published = read_heads(heads_path, site, key)
    with psycopg.connect(postgres_url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        reader = _Reader(connection, site)
        chain_seq = reader.chain_seq()
        check = ChainCheck(site, published.heads)
        others: list[Finding] = []
        sightings = 0
        for entries in reader.entries():
            check.take(entries)
            checked, wrong = reader.check_evidence(entries)
            sightings += checked
            others += [*wrong, *reader.check_reference(entries)]
        report = check.report(chain_seq=chain_seq)
    if published.mistake is not None:
        others.append(Finding(Fault.HEAD, None, None, published.mistake))
    if report.entries and not heads_path.exists():
        text = f"{heads_path} does not exist: no published head protects the ledger"
        others.append(Finding(Fault.HEAD, None, None, text))
    return VerifyReport(
        site=site,
        entries=report.entries,
        heads=len(published.heads),
        protected=report.protected,
        unprotected=max(0, report.entries - report.protected),
        sightings=sightings,
        findings=(report.findings + tuple(others))[:FINDINGS_MAX],
    )


class _Reader:
    """Reads one site's rows in one snapshot."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]], site: str) -> None:
        self._connection = connection
        self._site = site

    def chain_seq(self) -> int:
        row = self._connection.execute(QUERIES["chain_end"], {"site": self._site}).fetchone()
        return int(row[0]) if row else 0

    def entries(self) -> Any:
        """The chain in batches."""
        with self._connection.cursor("chain") as cursor:
            cursor.itersize = BATCH
            cursor.execute(QUERIES["all_entries"], {"site": self._site})
            while rows := cursor.fetchmany(BATCH):
                yield [ChainEntry(*row) for row in rows]

    def check_evidence(self, entries: Sequence[ChainEntry]) -> tuple[int, list[Finding]]:
        """How many sightings were compared, and what is wrong with them."""
        events: list[tuple[ChainEntry, LocationEvent]] = []
        for entry in entries:
            if entry.kind == EntryKind.LOCATION:
                try:
                    event = _location_event.decode(entry.payload)
                except UNDECODABLE:
                    continue
                if event.sightings:
                    events.append((entry, event))
        wanted = [id_ for _, event in events for id_ in event.sightings]
        rows = self._connection.execute(
            QUERIES["evidence_payloads"], {"site": self._site, "ids": wanted}
        ).fetchall()
        payloads: dict[str, bytes] = {row[0]: row[1] for row in rows}
        findings = []
        for entry, event in events:
            if (event.identity, event.location) != (entry.identity, entry.location):
                text = (
                    f"entry {entry.seq} ({entry.id}): it stands under {entry.identity} at"
                    f" {entry.location}, and its payload speaks of {event.identity} at"
                    f" {event.location}"
                )
                findings.append(Finding(Fault.MISMATCH, entry.seq, entry.id, text))
            missing = [id_ for id_ in event.sightings if id_ not in payloads]
            if missing:
                text = f"entry {entry.seq} ({entry.id}): its sighting {missing[0]} is gone"
                findings.append(Finding(Fault.EVIDENCE, entry.seq, entry.id, text))
                continue
            digest = hashlib.sha256(b"".join(payloads[id_] for id_ in event.sightings))
            if digest.hexdigest() != event.evidence_digest:
                text = f"entry {entry.seq} ({entry.id}): its sightings were changed"
                findings.append(Finding(Fault.EVIDENCE, entry.seq, entry.id, text))
        return len(wanted), findings

    def check_reference(self, entries: Sequence[ChainEntry]) -> list[Finding]:
        """Which reference changes are not what their entries say."""
        changes: list[tuple[ChainEntry, ReferenceChanged]] = []
        for entry in entries:
            if entry.kind == EntryKind.REFERENCE:
                try:
                    changes.append((entry, _reference_changed.decode(entry.payload)))
                except UNDECODABLE:
                    continue
        if not changes:
            return []
        rows = self._connection.execute(
            QUERIES["reference_digests"],
            {
                "site": self._site,
                "keys": [change.key for _, change in changes],
                "versions": [change.version for _, change in changes],
            },
        ).fetchall()
        digests = {(row[0], row[1]): row[2] if row[3] else None for row in rows}
        return [
            Finding(
                Fault.REFERENCE,
                entry.seq,
                entry.id,
                f"entry {entry.seq} ({entry.id}): version {change.version} of {change.key} is"
                " not what was entered",
            )
            for entry, change in changes
            if digests.get((change.key, change.version)) != change.change_digest
        ]
