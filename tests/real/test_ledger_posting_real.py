"""Documents, vouchers and valuations, on the PostgreSQL that a site runs too."""

from tests.integration.test_ledger_posting import *  # noqa: F403 - claims and fixtures.
