# ruff: noqa: D102 - the suite says what these are for.
"""The twin in memory is a ledger."""

from __future__ import annotations

from typing import Any

import pytest

from ledger_sink.core.chain import ChainEntry
from ledger_sink.memory_ledger import MemoryLedger
from tests.unit.ledger_sink.ledger_suite import LedgerSuite


class TestMemoryLedger(LedgerSuite):
    """The suite, in memory."""

    @pytest.fixture
    def ledger(self) -> MemoryLedger:
        return MemoryLedger("demo", lambda: 1_000.0)

    def rows(self, ledger: Any) -> list[ChainEntry]:
        return list(ledger.entries)

    def tallies(self, ledger: Any) -> dict[str, int]:
        return dict(ledger.tallies)
