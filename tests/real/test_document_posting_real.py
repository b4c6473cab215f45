"""Every kind of document, on the PostgreSQL that a site runs too."""

from tests.integration.test_document_posting import *  # noqa: F403 - claims and fixtures.
