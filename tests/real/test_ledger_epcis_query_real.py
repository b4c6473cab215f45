"""EPCIS queries, on the PostgreSQL that a site runs too."""

from tests.integration.test_ledger_epcis_query import *  # noqa: F403 - claims and fixtures.
