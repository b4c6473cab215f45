"""Migration with data, on the PostgreSQL that a site runs too."""

from tests.integration.test_ledger_migration import *  # noqa: F403 - claims and fixtures.
