"""What the embedded PostgreSQL and the installed one have in common: all but the programs.

The server runs directly under us, without pg_ctl and without the packages' own helpers: those end
the server when the Python process that started it ends, open closed folders to everybody, or make
system accounts. It listens on loopback TCP, so that several programs connect by URL. The
superuser's password is random, made with the data, and kept beside it; other accounts of the
machine do not get in.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

import psycopg

from tallygate.servers.accounts import account_for
from tallygate.servers.child import LOOPBACK, PROBE_SECONDS_MAX, ChildServer, ServerError

SUPERUSER = "postgres"
DATABASE = "postgres"

INITDB_SECONDS_MAX = 120.0
"""Making the data takes about a second; a busy small machine takes longer."""

PASSWORD_BYTES = 18


class LocalPostgres(ChildServer):
    """PostgreSQL on a loopback port, with its data in the folder. Committed data survives `kill`.

    With `durable=False` it does not wait for the disk, which is quicker; data then survives the
    death of the process, not that of the machine. Tests use that.
    """

    # The "fast" shutdown: open transactions are rolled back, nobody is waited for.
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT
    # After a kill it replays its log before it answers.
    start_seconds_max: ClassVar[float] = 60.0
    stop_seconds_max: ClassVar[float] = 30.0

    def __init__(self, folder: Path, *, port: int | None = None, durable: bool = True) -> None:
        super().__init__(folder, port=port)
        self._durable = durable

    @abstractmethod
    def programs(self) -> Path:
        """The folder that holds `initdb` and `postgres`."""

    @property
    def data_folder(self) -> Path:
        """PostgreSQL's own folder."""
        return self.folder / "data"

    @property
    def password(self) -> str:
        """The superuser's password."""
        return self._password_path.read_text()

    @property
    def url(self) -> str:
        """Of the superuser and the database `postgres`."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """Of the superuser and any database."""
        return f"postgresql://{SUPERUSER}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    def account(self) -> str | None:
        """PostgreSQL refuses to run as root."""
        return account_for("postgres")

    def environment(self) -> dict[str, str]:
        """Ours, without settings that are meant for clients (PGPORT), and in English."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return {**ours, "LC_ALL": "C"}

    def prepare(self) -> None:
        """Makes the data where there is none; half-made data of a killed start is made anew."""
        if not self._password_path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._password_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(PASSWORD_BYTES))
        if not (self.data_folder / "PG_VERSION").exists():
            self._make_data()
        # A server that was killed leaves this file with its process id, which may be somebody
        # else's by now.
        (self.data_folder / "postmaster.pid").unlink(missing_ok=True)

    def command(self) -> list[str]:
        """Loopback only, no socket file, few connections."""
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "100",
            "shared_buffers": "128MB",
            "max_wal_size": "1GB",
            "logging_collector": "off",
            "log_checkpoints": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if not self._durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        arguments = [f"--{name}={value}" for name, value in settings.items()]
        return [str(self.programs() / "postgres"), "-D", str(self.data_folder), *arguments]

    def answers(self) -> bool:
        """Whether a client can connect and ask."""
        try:
            with psycopg.connect(
                self.url, connect_timeout=max(2, int(PROBE_SECONDS_MAX))
            ) as connection:
                connection.execute("select 1")
        except psycopg.OperationalError:
            return False
        return True

    @property
    def _password_path(self) -> Path:
        return self.folder / "password"

    def _make_data(self) -> None:
        making = self.folder / "data.making"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=0o700)
        shutil.rmtree(self.data_folder, ignore_errors=True)
        account = self.account()
        if account is not None:
            os.chown(making, pwd.getpwnam(account).pw_uid, pwd.getpwnam(account).pw_gid)
        command = [
            *self.launcher(),
            *[str(self.programs() / "initdb"), "-D", str(making), "-U", SUPERUSER],
            *["--auth=scram-sha-256", "--pwfile=/dev/stdin", "--encoding=UTF8", "--locale=C"],
            *([] if self._durable else ["--no-sync"]),
        ]
        made = subprocess.run(
            command,
            input=f"{self.password}\n",
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=INITDB_SECONDS_MAX,
            check=False,
        )
        if made.returncode != 0:
            raise ServerError(
                f"{self.name} could not make its data in {making}:\n{made.stderr.strip()}"
            )
        making.rename(self.data_folder)
