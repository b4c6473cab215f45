# ruff: noqa: D102 - the suite says what these are for.
"""Rights in the embedded PostgreSQL; what each role may do."""

from __future__ import annotations

import pytest

from tests.support.redaction_suite import RedactionSuite
from tests.support.rights_suite import RightsSuite
from tests.support.servers import Fresh


class TestEmbeddedRights(RightsSuite):
    """The suite, in the embedded PostgreSQL."""

    @pytest.fixture
    def fresh(self, embedded: Fresh) -> Fresh:
        return embedded


class TestEmbeddedRedaction(RedactionSuite):
    """What is forgotten, in the embedded PostgreSQL."""

    @pytest.fixture
    def fresh(self, embedded: Fresh) -> Fresh:
        return embedded
