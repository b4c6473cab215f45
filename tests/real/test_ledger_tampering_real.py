"""A superuser who tampers, on the PostgreSQL that a site runs too."""

from tests.integration.test_ledger_tampering import *  # noqa: F403 - claims and fixtures.
