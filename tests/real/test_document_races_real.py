"""Writers side by side, on the PostgreSQL that a site runs too."""

from tests.integration.test_document_races import *  # noqa: F403 - claims and fixtures.
