"""Checks a long chain in parts, by several processes at once.

Every process reads its part in the snapshot of the first and checks all of it; whether the parts
join is seen here. It is said only that a chain is whole: where anything is not, one process goes
through all of it again and names what is wrong. A part is short, so memory stays bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

from ledger_sink.core.batch_check import check_batch
from ledger_sink.core.chain import genesis
from ledger_sink.core.check_forgotten import ForgottenCheck, Order
from ledger_sink.core.verification import ChainCheck, Finding, Published
from ledger_sink.rows import LedgerRows, ledger_rows


class Sizes(NamedTuple):
    """How chains are parted."""

    parted_min: int = 500_000
    """Entries: a shorter chain is checked before other processes would have started."""
    part: int = 50_000
    """Entries: a part takes a process a fraction of a second."""


SIZES = Sizes()


class CheckedChain(NamedTuple):
    """A chain that is whole."""

    entries: int
    sightings: int
    forgotten: ForgottenCheck


class Part(NamedTuple):
    """What a process needs to know to check a part."""

    postgres_url: str
    snapshot: str
    site: str
    upto: int
    """Its last entry."""
    published: Published
    """What heads say of it; it begins behind `published.after`."""


class CheckedPart(NamedTuple):
    """What came of a part."""

    is_whole: bool
    begin: bytes
    """The hash that its first entry follows."""
    end: bytes
    """The hash of its last entry."""
    sightings: int
    orders: tuple[Order, ...]
    """To forget sightings, that stand in it."""
    days: Mapping[int, list[Finding]]
    """Sightings of it that are gone, by the day on which they were kept."""


class Parts:
    """Checks chains in parts."""

    def __init__(self, postgres_url: str, processes: int, sizes: Sizes = SIZES) -> None:
        self._url = postgres_url
        self._processes = processes
        self._sizes = sizes

    def check(self, rows: LedgerRows, published: Published) -> CheckedChain | None:
        """The whole chain; None: it is short, or something is wrong with it.

        Raises psycopg.Error.
        """
        first, last = rows.ends()
        if self._processes <= 1 or last < self._sizes.parted_min:
            return None
        if (first, last) != (1, rows.chain_seq()) or last < published.upto:
            return None
        end, sightings, forgotten = genesis(rows.site), 0, ForgottenCheck()
        with ProcessPoolExecutor(self._processes, mp_context=get_context("spawn")) as pool:
            try:
                for checked in pool.map(check_part, self._parts(rows, published, last)):
                    if not checked.is_whole or checked.begin != end:
                        return None
                    end = checked.end
                    sightings += checked.sightings
                    forgotten.join(checked.orders, checked.days)
            finally:
                pool.shutdown(cancel_futures=True)
        return CheckedChain(last, sightings, forgotten)

    def _parts(self, rows: LedgerRows, published: Published, last: int) -> Iterator[Part]:
        snapshot = rows.snapshot()
        for after in range(0, last, self._sizes.part):
            upto = min(after + self._sizes.part, last)
            part = published.part(after, upto)
            yield Part(self._url, snapshot, rows.site, upto, part)


def check_part(part: Part) -> CheckedPart:
    """Check one part. Raises psycopg.Error."""
    check: ChainCheck | None = None
    begin, sightings, is_right = b"", 0, True
    forgotten = ForgottenCheck()
    with ledger_rows(part.postgres_url, part.site, part.snapshot) as rows:
        for batch in rows.part(part.published.after, part.upto):
            if check is None:
                begin = batch.entries[0].previous
                check = ChainCheck(part.site, part.published, begin)
            check.take(batch.entries)
            checked = check_batch(batch)
            wrong = [*checked.findings, *forgotten.take(batch.entries, checked.gone)]
            sightings += checked.compared
            if wrong or not check.is_whole:
                is_right = False
                break
    return CheckedPart(
        is_whole=is_right and check is not None and check.seq == part.upto,
        begin=begin,
        end=b"" if check is None else check.hash,
        sightings=sightings,
        orders=tuple(forgotten.orders),
        days=forgotten.days,
    )
