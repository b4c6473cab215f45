"""Posting many at once, on the PostgreSQL that a site runs too."""

from tests.integration.test_ledger_sets import *  # noqa: F403 - claims and fixtures.
