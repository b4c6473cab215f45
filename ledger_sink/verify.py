"""Reads a site's ledger and says whether it is what was entered.

It trusts nothing in the database: hashes are computed here, and compared with the heads that
were published outside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from contracts.events import EntryKind
from ledger_sink.core.batch_check import LedgerBatch, check_batch
from ledger_sink.core.check_beside import check_beside, check_chain_row, check_heads
from ledger_sink.core.check_forgotten import ForgottenCheck
from ledger_sink.core.export import ExportError, read_batches, read_begin
from ledger_sink.core.heads import ReadHead
from ledger_sink.core.proofs import EntryProof, Proved, check_proof, make_proof, read_proof
from ledger_sink.core.verification import FINDINGS_MAX, ChainCheck, Fault, Finding, published_by
from ledger_sink.export import open_export
from ledger_sink.heads_file import PublicKey, read_heads, read_public_key
from ledger_sink.rows import LedgerRows, ledger_rows
from ledger_sink.verify_parts import CheckedChain, Parts

NAME_CHARACTERS_MAX = 200
"""Far above the longest id of an entry."""


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


def verify(
    postgres_url: str,
    site: str,
    heads_path: Path,
    public_key_path: Path,
    parts: Parts | None = None,
) -> VerifyReport:
    """Check a site's ledger against its published heads.

    A long chain is checked in parts by several processes, one for each processor but one, which
    the database needs; or as `parts` says.

    Raises psycopg.Error, and OSError or ValueError where the public key cannot be read. A file of
    heads that is missing protects nothing: that is a finding if the ledger is not empty.
    """
    key = read_public_key(public_key_path)
    # Heads are read before the database's snapshot is taken: what they cover is in it then.
    published = published_heads(heads_path, site, key)
    with ledger_rows(postgres_url, site) as rows:
        parts = parts or Parts(postgres_url, (os.cpu_count() or 1) - 1)
        checked = None
        if published.mistake is None:
            checked = parts.check(rows, published_by(published.heads))
        return verify_rows(rows, published, checked)


def verify_rows(
    rows: LedgerRows, published: Heads, checked: CheckedChain | None = None
) -> VerifyReport:
    """The same of rows that are being read; `checked`: their chain is known to be whole."""
    chain_row = rows.chain_row()
    chain_seq = 0 if chain_row is None else chain_row.seq
    forgotten = ForgottenCheck() if checked is None else checked.forgotten
    if checked is None:
        report = _verify(rows.site, published, chain_seq, rows.batches(), forgotten)
    else:
        protected = published.heads[-1].head.seq if published.heads else 0
        report = VerifyReport(
            site=rows.site,
            entries=checked.entries,
            heads=len(published.heads),
            protected=protected,
            unprotected=checked.entries - protected,
            sightings=checked.sightings,
            findings=(),
        )
    end = rows.ends()[1]
    last = next(iter(rows.between(end, end)), None)
    kept = list(rows.heads())
    beside = [
        *check_chain_row(chain_row, last),
        *check_heads(published.heads, kept),
        *check_beside(
            rows.entries_of(EntryKind.LOG, EntryKind.REFERENCE), rows.logs(), rows.references()
        ),
        *forgotten.report({span: rows.kept_in(*span) for span in forgotten.spans}),
    ]
    if kept and not published.heads and published.mistake is None:
        text = "the file of heads holds none, and the database says that some were published"
        beside.append(Finding(Fault.HEAD, None, None, text))
    return report._replace(findings=(report.findings + tuple(beside))[:FINDINGS_MAX])


def verify_file(path: Path, heads_path: Path, public_key_path: Path) -> VerifyReport:
    """Check an exported ledger, without any database. Raises as `verify`, and ExportError."""
    key = read_public_key(public_key_path)
    with open_export(path) as lines:
        begin = read_begin(next(lines, b""))
        published = published_heads(heads_path, begin.site, key)
        forgotten = ForgottenCheck()
        report = _verify(
            *(begin.site, published, begin.chain_seq, read_batches(lines), forgotten),
            is_export=True,
        )
        findings = (*report.findings, *forgotten.report())
        return report._replace(findings=findings[:FINDINGS_MAX])


class ProofReport(NamedTuple):
    """What a proof of one entry shows."""

    proved: Proved
    """The entry and its head."""
    is_published: bool | None
    """Whether the head stands in the published heads; None: those were not given."""


def verify_proof(
    path: Path, public_key_path: Path, heads_path: Path | None = None
) -> ProofReport | str:
    """Check the proof of one entry; text: why it proves nothing. Raises OSError and ValueError."""
    key = read_public_key(public_key_path)
    proof = read_proof(path.read_bytes())
    if isinstance(proof, str):
        return proof
    proved = check_proof(proof, key=key.name, verify=key.verify)
    if isinstance(proved, str):
        return proved
    published = None
    if heads_path is not None:
        heads = read_heads(heads_path, proof.site, key).heads
        published = any(one.head == proved.head for one in heads)
    return ProofReport(proved, published)


def prove(
    postgres_url: str, heads_path: Path, public_key_path: Path, site: str, entry: str
) -> EntryProof | str:
    """The proof of an entry, by its id or its place in the chain; text: why there is none.

    Raises psycopg.Error, OSError and ValueError.
    """
    key = read_public_key(public_key_path)
    published = read_heads(heads_path, site, key)
    with ledger_rows(postgres_url, site) as rows:
        seq = _place_of(rows, entry)
        if seq is None or not 1 <= seq <= rows.chain_seq():
            return f"the ledger of site {site} has no entry {entry!r}"
        covering = [one.head for one in published.heads if one.head.first <= seq <= one.head.seq]
        if not covering:
            return f"entry {seq} is not yet under a published head; try again in a minute"
        head = covering[0]
        interval = rows.between(head.first, head.seq)
    proof = make_proof(site, interval, seq, head)
    if isinstance(proof, str):
        return proof
    checked = check_proof(proof, key=key.name, verify=key.verify)
    return checked if isinstance(checked, str) else proof


def _place_of(rows: LedgerRows, entry: str) -> int | None:
    """The place of an entry that is named by it or by its id."""
    if not (entry.isascii() and entry.isprintable() and len(entry) <= NAME_CHARACTERS_MAX):
        return None
    return int(entry) if entry.isdecimal() else rows.place_of(entry)


class Heads(NamedTuple):
    """The heads, and what is wrong with their file."""

    heads: tuple[ReadHead, ...]
    mistake: str | None
    are_there: bool


def published_heads(path: Path, site: str, key: PublicKey) -> Heads:
    """What a file of heads says."""
    published = read_heads(path, site, key)
    mistake = published.mistake
    if not path.exists():
        mistake = f"{path} does not exist: no published head protects the ledger"
    return Heads(published.heads, mistake, path.exists())


def _verify(
    site: str,
    published: Heads,
    chain_seq: int,
    batches: Iterable[LedgerBatch],
    forgotten: ForgottenCheck,
    *,
    is_export: bool = False,
) -> VerifyReport:
    check = ChainCheck(site, published_by(published.heads))
    others: list[Finding] = []
    sightings = 0
    try:
        for batch in batches:
            check.take(batch.entries)
            checked = check_batch(batch)
            sightings += checked.compared
            wrong = [*checked.findings, *forgotten.take(batch.entries, checked.gone)]
            others += wrong[: FINDINGS_MAX - len(others)]
    except ExportError as error:
        others.append(Finding(Fault.FILE, None, None, str(error)))
    report = check.report(chain_seq=chain_seq, is_export=is_export)
    if published.mistake is not None and (report.entries or published.are_there):
        others.append(Finding(Fault.HEAD, None, None, published.mistake))
    return VerifyReport(
        site=site,
        entries=report.entries,
        heads=len(published.heads),
        protected=report.protected,
        unprotected=max(0, report.entries - report.protected),
        sightings=sightings,
        findings=(report.findings + tuple(others))[:FINDINGS_MAX],
    )
