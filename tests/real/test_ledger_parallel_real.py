"""The same on the PostgreSQL that a site runs, an older one."""

from tests.integration.test_ledger_parallel import *  # noqa: F403 - claims and fixtures.
