"""A local InfluxDB 1.8 or 1.12.

It answers the calls of version 2 that the ledger sink's client makes: there, the token is
`user:password`, any organisation will do, and a bucket is a database.
"""

import json
import os
import secrets
import shutil
import subprocess
from http import HTTPStatus
from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import urlencode

from tallygate.servers.child import (
    LOOPBACK,
    PROBE_SECONDS_MAX,
    ChildServer,
    ServerError,
    ServerNotFoundError,
    free_port,
)
from tallygate.servers.web import ask_web

PROGRAM_VARIABLE = "TALLYGATE_INFLUXD"
"""Names the program `influxd` where it is not on PATH."""

USER = "tallygate"
DATABASE = "tallygate"
ORGANISATION = "tallygate"
PASSWORD_BYTES = 18
SETUP_SECONDS_MAX = 10.0
VERSION_SECONDS_MAX = 10.0

CONFIGURATION = """\
reporting-disabled = true
bind-address = "{loopback}:{backup_port}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "{loopback}:{port}"
  auth-enabled = true
  flux-enabled = true
  log-enabled = false
[logging]
  level = "warn"
"""


class LocalInfluxdb(ChildServer):
    """InfluxDB on a loopback port, with a user, a password and a database `tallygate`."""

    name: ClassVar[str] = "InfluxDB"

    def start(self) -> Self:
        """Starts the server and makes its user and database where they are missing."""
        super().start()
        self._set_up()
        return self

    def prepare(self) -> None:
        """Makes the password where there is none."""
        find_program()
        if not self._password_path.exists():
            descriptor = os.open(self._password_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(PASSWORD_BYTES))

    def command(self) -> list[str]:
        """Loopback only, with users."""
        configuration = self.folder / "influxdb.conf"
        # It insists on a second listener, for backups.
        configuration.write_text(
            CONFIGURATION.format(
                loopback=LOOPBACK, port=self.port, backup_port=free_port(), folder=self.folder
            )
        )
        return [find_program(), "run", "-config", str(configuration)]

    def answers(self) -> bool:
        """Whether it answers a ping."""
        answer = ask_web(f"{self.url}/ping", seconds_max=PROBE_SECONDS_MAX)
        return answer is not None and answer.status == HTTPStatus.NO_CONTENT

    @property
    def url(self) -> str:
        """As `http://host:port`."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def token(self) -> str:
        """What a client of version 2 gives as its token."""
        return f"{USER}:{self._password_path.read_text()}"

    @property
    def _password_path(self) -> Path:
        return self.folder / "password"

    def _set_up(self) -> None:
        user, _, password = self.token.partition(":")
        # Where there is no user yet, anybody may make the first; where there is one, this is
        # refused, and the next question shows whether it is ours.
        self._ask(f"CREATE USER {user} WITH PASSWORD '{password}' WITH ALL PRIVILEGES", token="")
        problem = self._ask(f"CREATE DATABASE {DATABASE}", token=self.token)
        if problem:
            raise ServerError(f"{self.name} refused its set-up: {problem}")

    def _ask(self, query: str, *, token: str) -> str:
        """Runs one statement; returns what is wrong, or nothing."""
        body = urlencode({"q": query}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if token:
            headers["Authorization"] = f"Token {token}"
        answer = ask_web(
            f"{self.url}/query", body=body, headers=headers, seconds_max=SETUP_SECONDS_MAX
        )
        if answer is None:
            return "no answer"
        if answer.status != HTTPStatus.OK:
            return answer.body.decode(errors="replace").strip()
        results = json.loads(answer.body).get("results", [])
        return "; ".join(result["error"] for result in results if "error" in result)


def find_program() -> str:
    """The program `influxd`: the named one, else the one on PATH."""
    named = os.environ.get(PROGRAM_VARIABLE)
    if named is not None and not os.access(named, os.X_OK):
        raise ServerNotFoundError(f"{PROGRAM_VARIABLE}={named} is no program.")
    found = named or shutil.which("influxd")
    if found is None:
        raise ServerNotFoundError(
            "InfluxDB is not installed: scripts/real_servers.sh builds it, "
            "or set TALLYGATE_INFLUX_URL. "
            "Without it there are no metrics; the ledger does not need it."
        )
    return found


def program_version() -> str:
    """What `influxd version` says, as in `1.12.4`."""
    said = subprocess.run(
        [find_program(), "version"],
        capture_output=True,
        text=True,
        timeout=VERSION_SECONDS_MAX,
        check=False,
    ).stdout.split()
    return next((word.removeprefix("v") for word in said if word[:1] in "v0123456789"), "unknown")
