# ruff: noqa: D102 - the suite says what these are for.
"""Keeping, on the embedded PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallygate.servers.postgres_embedded import find_programs
from tests.support.keeping_suite import KeepingSuite
from tests.support.servers import Fresh


class TestKeepingEmbedded(KeepingSuite):
    """The suite."""

    @pytest.fixture
    def url(self, embedded: Fresh) -> str:
        return embedded.postgres_url

    @pytest.fixture
    def programs(self) -> Path:
        return find_programs()
