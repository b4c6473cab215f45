"""An installed PostgreSQL, in a folder and on a port of ours; its own service is left alone."""

import shutil
from pathlib import Path
from typing import ClassVar

from tallygate.servers.child import ServerNotFoundError
from tallygate.servers.postgres import LocalPostgres

DEBIAN_VERSIONS = Path("/usr/lib/postgresql")
"""Debian keeps the server's programs off PATH, one folder per version."""


class InstalledPostgres(LocalPostgres):
    """The machine's PostgreSQL on a loopback port."""

    name: ClassVar[str] = "PostgreSQL (installed)"

    def programs(self) -> Path:
        """The newest installed version's folder of programs."""
        return find_programs()


def find_programs() -> Path:
    """The folder that holds `initdb` and `postgres`: on PATH, else Debian's newest."""
    on_path = shutil.which("initdb")
    candidates = [] if on_path is None else [Path(on_path).resolve().parent]
    versions = [path for path in DEBIAN_VERSIONS.glob("*/bin") if path.parent.name.isdigit()]
    candidates += sorted(versions, key=lambda path: int(path.parent.name), reverse=True)
    for candidate in candidates:
        if (candidate / "postgres").exists() and (candidate / "initdb").exists():
            return candidate
    raise ServerNotFoundError(
        "PostgreSQL is not installed: scripts/real_servers.sh installs it, "
        "or set TALLYGATE_POSTGRES_URL."
    )
