"""Fixtures that every test may ask for: servers, embedded and real.

`embedded` and `real` give one test its own names and database on servers that live as long as the
session (`embedded_servers`, `real_servers`). Tests on real servers live in `tests/real` and carry
the marker `real`. A real server that is missing skips its tests with the reason, or fails them with
`--require-servers`, which CI uses.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ledger_sink.postgres_ledger import connect
from tallygate.servers.child import ServerError
from tests.support.servers import Fresh, SessionServers, running_embedded, running_real

REAL_FOLDER = Path(__file__).parent / "real"
STORMS = Path(__file__).parent / "end_to_end" / "test_storms.py"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-servers",
        action="store_true",
        help="Fail, instead of skip, tests whose real servers are not on this machine.",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(REAL_FOLDER):
            item.add_marker(pytest.mark.real)
        if item.path == STORMS:
            item.add_marker(pytest.mark.storm)


@pytest.fixture(scope="session")
def embedded_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SessionServers]:
    """The embedded servers, for the whole session."""
    with running_embedded(tmp_path_factory.mktemp("embedded")) as servers:
        yield servers


@pytest.fixture
def embedded(embedded_servers: SessionServers) -> Iterator[Fresh]:
    """Names and a database of one test's own, on the embedded servers."""
    with embedded_servers.fresh() as fresh:
        yield fresh


@pytest.fixture
def connection(embedded: Fresh) -> Iterator[psycopg.Connection[Any]]:
    """The owner's connection to the test's ledger on the embedded servers."""
    with connect(embedded.postgres_url) as made:
        yield made


@pytest.fixture(scope="session")
def real_servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SessionServers]:
    """The real servers, for the whole session."""
    try:
        running = running_real(tmp_path_factory.mktemp("real"))
        servers = running.__enter__()
    except ServerError as error:
        if request.config.getoption("--require-servers"):
            raise
        pytest.skip(str(error))
    try:
        yield servers
    finally:
        running.__exit__(None, None, None)


@pytest.fixture
def real(real_servers: SessionServers) -> Iterator[Fresh]:
    """Names and a database of one test's own, on the real servers."""
    with real_servers.fresh() as fresh:
        yield fresh
