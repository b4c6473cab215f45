"""The demo's report: figures, every load, every gate against the truth, and the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from contracts.clock import MICROSECONDS, ClockSetting
from contracts.events import EntryKind, LocationKind
from contracts.reads import ReadBatch, is_no_read
from edge_agent.spool import kept_batches
from firmware_sim.files import read_passages
from firmware_sim.score import GeometryScore, Told, score_of
from ledger_sink.queries import LocationRow, Stats, location_events, reads_per_identity, stats
from ledger_sink.verify import VerifyReport, verify
from tallygate.figures import latency_text
from tallygate.ledger import open_ledger
from tallygate.loads_view import ReferenceReader, load_views, sentence
from tallygate.proof import Proof, compare, describe
from tallygate.stack import Stack
from tallygate.watch import site_zone

ORDERED = "rows"
"""The geometry in which the order of antennas carries direction."""
ORDERED_SHARE_MAX = 1 / 200
"""What is promised there: at most so many passages wrong or missed."""
WORDS = {
    "rows": "two rows of antennas along the way",
    "facing": "antennas that face each other, with photo-eyes",
    "overhead": "antennas overhead",
    "line": "conveyor scanner",
}


class Summary(msgspec.Struct):
    """What the simulator counted, as far as the report needs it."""

    reads_emitted_total: int
    not_heard_total: int


@dataclass
class Judgement:
    """What a run came to."""

    figures: dict[str, int | str] = field(default_factory=dict)
    loads: list[str] = field(default_factory=list)
    scores: dict[str, GeometryScore] = field(default_factory=dict)
    proof: Proof = field(default_factory=lambda: Proof(0, 0))
    chain: VerifyReport | None = None
    broken: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether every promise held."""
        return not self.broken


def judge(stack: Stack, sim: Path, clock: ClockSetting, spoken: str) -> Judgement:
    """Everything that the report says, from the ledger, the spools and the simulator's truth."""
    judgement = Judgement()
    spooled, rejected, batches = spooled_reads(stack.agent_folders())
    summary = msgspec.json.decode((sim / "summary.json").read_bytes(), type=Summary)
    with open_ledger(stack.postgres_url, stack.site) as ledger:
        events = list(location_events(ledger))
        judgement.proof = compare(
            spooled,
            reads_per_identity(ledger),
            ((e.identity, e.kind, e.location, e.direction, e.at_us) for e in events),
        )
        judgement.scores = score_of(read_passages(sim / "passages.jsonl"), _told(events))
        names = ReferenceReader(ledger).refresh()
        judgement.loads = [
            sentence(view, names, spoken, site_zone()) for view in load_views(ledger, names)
        ]
        judgement.figures = _figures(stats(ledger), clock)
    judgement.figures = {
        "reads in the spools": judgement.proof.spooled,
        "of these, triggers without a code": sum(
            reads for identity, reads in spooled.items() if is_no_read(identity)
        ),
        "batches": batches,
        **judgement.figures,
        "input rejected by agents": rejected,
        "not heard (sent or seen by a device, never spooled)": summary.not_heard_total
        + summary.reads_emitted_total
        - judgement.proof.spooled,
    }
    folder = stack.folder / "ledger"
    judgement.chain = verify(
        stack.postgres_url, stack.site, folder / "heads.jsonl", folder / "public.pem"
    )
    judgement.broken = list(_broken(judgement))
    return judgement


def spooled_reads(folders: dict[str, Path]) -> tuple[Counter[str], int, int]:
    """Reads per identity, rejects and batches; spools must keep acknowledged batches."""
    reads: Counter[str] = Counter()
    rejects = batches = 0
    decoder = msgspec.msgpack.Decoder(ReadBatch)
    for folder in folders.values():
        for _, _, payload in kept_batches(folder):
            batch = decoder.decode(payload)
            batches += 1
            rejects += len(batch.rejects)
            reads.update(read.identity for read in batch.reads)
    return reads, rejects, batches


def _told(rows: Iterable[LocationRow]) -> Iterator[Told]:
    for row in rows:
        if row.kind == LocationKind.PASSED and row.direction is not None:
            yield Told(
                identity=row.identity, gate=row.location, direction=row.direction, at_us=row.at_us
            )


def _figures(found: Stats, clock: ClockSetting) -> dict[str, int | str]:
    return {
        "sightings": found.sightings,
        "location events": found.entries.get(EntryKind.LOCATION, 0),
        "ledger entries": sum(found.entries.values()),
        "rejects entered": found.entries.get(EntryKind.REJECT, 0),
        "reads given up by agents": found.lost_reads,
        "read to ledger entry": latency_text(found.latency, clock.speed),
        "beside it, waited on purpose before a decision": window_text(found, clock),
    }


def window_text(found: Stats, clock: ClockSetting) -> str:
    """The decisions' windows in domain time, and what an accelerated rehearsal adds."""
    if found.window is None:
        return "nothing yet"
    half, nearly_all = (us / MICROSECONDS for us in found.window)
    text = f"p50 {half:.1f} s, p99 {nearly_all:.1f} s at the dock"
    if clock.speed > 1:
        wall_s = clock.link_allowance_us() / clock.speed / MICROSECONDS
        text += f", and {wall_s:.1f} s here because time is accelerated"
    return text


def _broken(judgement: Judgement) -> Iterator[str]:
    if not judgement.proof.holds:
        yield from describe(judgement.proof)
    chain = judgement.chain
    if chain is None or not chain.whole:
        yield from (finding.text for finding in (chain.findings if chain else ()))
    ordered = judgement.scores.get(ORDERED)
    if ordered is None or not ordered.passages:
        yield "no passage through a gate whose order carries direction was seen"
    elif ordered.wrong_or_missed_share > ORDERED_SHARE_MAX:
        yield (
            f"{ordered.wrong + ordered.missed} of {ordered.passages} passages wrong or missed"
            " where order carries direction; at most 1 in 200 is promised"
        )


def print_report(console: Console, judgement: Judgement) -> None:
    """The report, for people."""
    console.rule("Loads")
    for line in judgement.loads:
        console.print(f"  {line}", markup=False)
    console.rule("Gates against the truth")
    console.print("  Simulated figures; they are not comparable with figures from the field.")
    for line in _gates(judgement.scores):
        console.print(f"  {line}", markup=False)
    console.rule("All in all")
    table = Table(show_header=False, box=None)
    for name, value in judgement.figures.items():
        table.add_row(name, f"{value:,}" if isinstance(value, int) else value)
    console.print(table)
    chain = judgement.chain
    if chain is not None and chain.whole:
        console.print(
            f"  chain verified: {chain.entries:,} entries, {chain.protected:,} of them under"
            f" {chain.heads} published heads; {chain.sightings:,} sightings match their digests"
        )
    for line in describe(judgement.proof):
        console.print(f"  {line}", markup=False)
    if judgement.holds:
        console.print("[green]Every promise held.[/green]")
        return
    console.print("[red]Promises that did not hold:[/red]")
    for line in judgement.broken:
        console.print(f"  - {line}", markup=False)


def _gates(scores: dict[str, GeometryScore]) -> Iterator[str]:
    """A line for each geometry, its name first: a table of ten columns fits no terminal."""
    for geometry, score in sorted(scores.items()):
        yield (
            f"{WORDS.get(geometry, geometry)}: passages {score.passages:,}, right {score.right:,},"
            f" wrong direction {score.wrong:,}, missed {score.missed:,} (of these"
            f" {score.unread:,} gave no read at all): {100 * score.wrong_or_missed_share:.2f} %"
            f" wrong or missed; strays moved {score.strays_moved:,} of {score.strays:,};"
            f" told twice or of nothing {score.extra:,}"
        )
        if score.no_reads:
            yield (
                f"{WORDS.get(geometry, geometry)}: {score.no_reads:,} triggers without a code,"
                f" each told as a passage of something unread; {score.no_reads_true:,} times"
                " something with a code did pass"
            )
