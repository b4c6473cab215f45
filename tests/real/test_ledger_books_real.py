"""Movements and balances, on the PostgreSQL that a site runs too."""

from tests.integration.test_ledger_books import *  # noqa: F403 - claims and fixtures.
