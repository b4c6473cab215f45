# ruff: noqa: D102 - the suite says what these are for.
"""Keeping, on the PostgreSQL that a site runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallygate.servers.postgres_real import find_programs
from tests.support.keeping_suite import KeepingSuite
from tests.support.servers import Fresh


class TestKeepingReal(KeepingSuite):
    """The suite."""

    @pytest.fixture
    def url(self, real: Fresh) -> str:
        return real.postgres_url

    @pytest.fixture
    def programs(self) -> Path:
        return find_programs()
