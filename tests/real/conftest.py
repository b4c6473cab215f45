"""On real servers, claims that are written for the embedded ones ask for `embedded` and get these.

So a module of `tests/integration` that is imported here runs again on what a site runs.
"""

import pytest

from tests.support.servers import SessionServers


@pytest.fixture(scope="session")
def embedded_servers(real_servers: SessionServers) -> SessionServers:
    """The real ones."""
    return real_servers
