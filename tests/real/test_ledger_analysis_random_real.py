"""The analysis views, on the PostgreSQL that a site runs too."""

from tests.integration.test_ledger_analysis_random import *  # noqa: F403 - claims and fixtures.
