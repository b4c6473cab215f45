"""Stock that orders hold beyond their time is set free: by a command, and while a stack runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from contracts.clock import REAL_TIME
from ledger_sink.books import Books
from ledger_sink.posting import DocumentPosting
from tallygate.database import look_into, sign_head
from tallygate.errors import TallygateError
from tallygate.ledger import first_line, open_ledger, stack_clock
from tallygate.stack import Stack
from tallygate.terminal import plain_console
from tallygate.words import counted, language, word

EVERY_S = 60.0
"""How often a running stack looks for such orders."""


def run_release(
    folder: Path, postgres: str | None, site: str, spoken: str | None, *, dry_run: bool
) -> int:
    """Set free what orders hold beyond their time, and name them. Raises TallygateError."""
    console, spoken = plain_console(), language(spoken)
    clock = stack_clock(folder)
    with look_into(folder, postgres, site) as ledger:
        at_us = clock.domain_us(time.time_ns() // 1000)
        with ledger.connection.transaction(force_rollback=dry_run):
            freed = DocumentPosting(Books(ledger)).release_expired(at_us)
        if freed and not dry_run:
            sign_head(folder, ledger)
    lead = f"{word('dry_run', spoken)}: " if freed and dry_run else ""
    console.print(lead + released_text(len(freed), spoken), markup=False)
    for order in freed:
        console.print(f"  {order}", markup=False)
    return 0


def released_text(count: int, spoken: str) -> str:
    """How many orders no longer hold stock."""
    if not count:
        return word("no_order_released", spoken)
    return counted("order_released", "orders_released", count, spoken)


async def keep_releasing(stack: Stack, tell: Callable[[str, str], None]) -> None:
    """The same again and again while a stack runs; trouble is told once, and tried again."""
    told = ""
    while True:
        try:
            for order in await asyncio.to_thread(_release, stack):
                tell("books", f"stock that order {order} held beyond its time was set free")
            told = ""
        except (TallygateError, psycopg.Error) as error:
            problem = f"expired orders keep their stock for now: {first_line(error)}"
            if problem != told:
                tell("books", problem)
            told = problem
        await asyncio.sleep(EVERY_S)


def _release(stack: Stack) -> list[str]:
    with open_ledger(stack.postgres_url, stack.site) as ledger:
        at_us = REAL_TIME.domain_us(time.time_ns() // 1000)
        return DocumentPosting(Books(ledger)).release_expired(at_us)
