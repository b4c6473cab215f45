# ruff: noqa: D102 - the suite says what these are for.
"""Rights in the PostgreSQL that a site runs."""

from __future__ import annotations

import pytest

from tests.support.redaction_suite import RedactionSuite
from tests.support.rights_suite import RightsSuite
from tests.support.servers import Fresh


class TestRealRights(RightsSuite):
    """The suite, in a real PostgreSQL."""

    @pytest.fixture
    def fresh(self, real: Fresh) -> Fresh:
        return real


class TestRealRedaction(RedactionSuite):
    """What is forgotten, in a real PostgreSQL."""

    @pytest.fixture
    def fresh(self, real: Fresh) -> Fresh:
        return real
