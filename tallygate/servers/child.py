"""A server as a child process in a folder of its own, on a free loopback port.

What every server has in common stands here; a server's own file says which command runs it, how to
ask whether it answers, and its address.

A folder belongs to one server at a time. `server.json` in it names the process and the port of the
last start: the next start there ends a process that a killed starter left behind, and takes the
same port again where it is free, so that clients with the old address find the new server.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar, Self

import psutil

LOOPBACK = "127.0.0.1"
LAUNCHER = Path(__file__).with_name("launch.py")

POLL_SECONDS = 0.02
"""Between two looks at a server that is starting or ending."""

PROBE_SECONDS_MAX = 1.0
"""How long one question to a starting server may take."""

LEFTOVER_SECONDS_MAX = 10.0
"""How long a process left behind by an earlier start gets to end by itself."""

PORT_ATTEMPTS_MAX = 3
"""Another program may take a free port between our look and the server's bind."""

LOG_BYTES_MAX = 8 * 1024 * 1024
"""A log above this size is set aside at the next start."""

LOG_LINES_SHOWN = 15
"""Of a server that failed to start."""

SPAWNER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="server-spawner")
"""All servers are started by one thread that lives as long as we do: Linux takes the end of the
starting thread for the end of the starting process, and would end a server that a short-lived
thread started (see `launch.py`)."""


class ServerError(Exception):
    """A server could not be started; the message says why, where its log is, and what to do."""


class ServerNotFoundError(ServerError):
    """The program of a server is not on this machine; the message says how to get it."""


class ChildServer(ABC):
    """One server process. Blocking calls only; an asyncio program calls them in a thread.

    `start` returns when the server answers, or raises `ServerError`. `stop` asks it to end and
    kills it when it does not. The same object may be started again: in the same folder, on the same
    port.
    """

    name: ClassVar[str]
    """For people, as in "PostgreSQL"."""

    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    start_seconds_max: ClassVar[float] = 20.0
    stop_seconds_max: ClassVar[float] = 15.0

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self.folder = folder.resolve()
        self._port_wanted = port
        self._port = port or 0
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """The program and its arguments; `port` is known by then."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether the server answers a client now. Asked again and again while it starts."""

    @property
    @abstractmethod
    def url(self) -> str:
        """What a client needs to connect."""

    def prepare(self) -> None:  # noqa: B027 - Most servers need nothing.
        """Makes what the server needs on disk, before each start."""

    def environment(self) -> dict[str, str]:
        """The environment that the server gets."""
        return dict(os.environ)

    def account(self) -> str | None:
        """The system account that the server runs as, where it must not be ours."""
        return None

    def launcher(self) -> list[str]:
        """What stands before a command of this server (see `launch.py`)."""
        end_signal = str(int(self.stop_signal))
        return [sys.executable, "-I", "-S", str(LAUNCHER), end_signal, self.account() or "-"]

    @property
    def port(self) -> int:
        """The loopback port; 0 before the first start unless one was asked for."""
        return self._port

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None, f"{self.name} was not started"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is alive (a paused one is)."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """What the ended process returned; none while it runs or before it was started."""
        return None if self._process is None else self._process.poll()

    @property
    def log_path(self) -> Path:
        """What the server wrote to its standard output and error."""
        return self.folder / "server.log"

    @property
    def memory_bytes(self) -> int:
        """Resident memory of the server and its children, or 0 when it does not run."""
        total = 0
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total

    def start(self) -> Self:
        """Starts the server and waits until it answers."""
        assert not self.running, f"{self.name} runs already"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._end_leftover()
        self.prepare()
        for attempt in range(1, PORT_ATTEMPTS_MAX + 1):
            self._choose_port()
            self._spawn()
            if self._wait_until_it_answers():
                return self
            port_taken = self._port_wanted is None and _is_taken(self._port)
            if not port_taken or attempt == PORT_ATTEMPTS_MAX:
                break
            self._port = 0
        raise ServerError(
            f"{self.name} ended while starting, with code {self.exit_code}.\n"
            f"The end of its log {self.log_path}:\n{self._end_of_log()}"
        )

    def stop(self) -> None:
        """Asks the server to end and waits; kills it when it does not. No harm when it is down."""
        family = self._family()
        if self._process is not None and family:
            self.resume()
            self._process.send_signal(self.stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(self.stop_seconds_max)
        self._make_gone(family)

    def kill(self) -> None:
        """Kills the server and all its children at once, as kill -9 or a power cut would."""
        self._make_gone(self._family())

    def _make_gone(self, family: list[psutil.Process]) -> None:
        _kill(family)
        if self._process is not None:
            self._process.wait(timeout=LEFTOVER_SECONDS_MAX)
        _wait_until_gone(family, LEFTOVER_SECONDS_MAX)

    def pause(self) -> None:
        """Stops the server and its children where they stand, with SIGSTOP."""
        _signal(self._family(), signal.SIGSTOP)

    def resume(self) -> None:
        """Lets a paused server go on."""
        _signal(self._family(), signal.SIGCONT)

    def __enter__(self) -> Self:
        return self if self.running else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _choose_port(self) -> None:
        if self._port_wanted is not None:
            self._port = self._port_wanted
            return
        if self._port == 0:
            self._port = self._recorded().get("port", 0)
        if self._port == 0 or _is_taken(self._port):
            self._port = free_port()

    def _spawn(self) -> None:
        if self.log_path.exists() and self.log_path.stat().st_size > LOG_BYTES_MAX:
            self.log_path.replace(self.log_path.with_suffix(".log.old"))
        command = [*self.launcher(), *self.command()]
        self._process = SPAWNER.submit(self._spawn_now, command).result()
        record = {"pid": self.pid, "created": _created(self.pid), "port": self._port}
        self._record_path.write_text(json.dumps(record))

    def _spawn_now(self, command: list[str]) -> subprocess.Popen[bytes]:
        with self.log_path.open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in a terminal goes to the stack, which then stops its servers in order.
                start_new_session=True,
            )

    def _wait_until_it_answers(self) -> bool:
        """Whether the server came up; false when it ended by itself."""
        deadline = time.monotonic() + self.start_seconds_max
        while self.running:
            if self.answers() and self.running:
                return True
            if time.monotonic() > deadline:
                self.kill()
                raise ServerError(
                    f"{self.name} did not answer on port {self._port} "
                    f"within {self.start_seconds_max:.0f} s.\n"
                    f"The end of its log {self.log_path}:\n{self._end_of_log()}"
                )
            time.sleep(POLL_SECONDS)
        return False

    def _end_of_log(self) -> str:
        if not self.log_path.exists():
            return "(no log)"
        lines = self.log_path.read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_LINES_SHOWN:]) or "(empty)"

    @property
    def _record_path(self) -> Path:
        return self.folder / "server.json"

    def _recorded(self) -> dict[str, int]:
        try:
            record = json.loads(self._record_path.read_text())
        except (FileNotFoundError, ValueError):
            # A starter killed while writing leaves half a record: then nothing is known.
            return {}
        return record if isinstance(record, dict) else {}

    def _end_leftover(self) -> None:
        """Ends the process that an earlier starter left running in this folder."""
        record = self._recorded()
        pid = record.get("pid", 0)
        # A process id alone may have been given to a stranger since; with its birth it is
        # unmistakable.
        if pid and pid != os.getpid() and _created(pid) == record.get("created"):
            family = _family_of(pid)
            _signal(family, signal.SIGCONT)
            _signal(family[:1], self.stop_signal)
            _wait_until_gone(family, LEFTOVER_SECONDS_MAX)
            _kill(family)
            _wait_until_gone(family, LEFTOVER_SECONDS_MAX)

    def _family(self) -> list[psutil.Process]:
        return _family_of(self.pid) if self.running else []


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def ask(port: int, question: bytes, *, answer_bytes: int) -> bytes:
    """Sends a few bytes to a loopback port and returns the first bytes of the answer, or none."""
    try:
        with socket.create_connection((LOOPBACK, port), PROBE_SECONDS_MAX) as connection:
            connection.settimeout(PROBE_SECONDS_MAX)
            connection.sendall(question)
            return connection.recv(answer_bytes, socket.MSG_WAITALL)
    except OSError:
        return b""


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        # Connections of the last run that linger do not count; a listener does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
        return False


def _created(pid: int) -> int:
    """When a process was born, in milliseconds of the epoch; 0 when there is none."""
    try:
        return int(psutil.Process(pid).create_time() * 1000)
    except psutil.NoSuchProcess:
        return 0


def _family_of(pid: int) -> list[psutil.Process]:
    """A process and all its descendants, the eldest first."""
    try:
        eldest = psutil.Process(pid)
        return [eldest, *eldest.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _kill(processes: list[psutil.Process]) -> None:
    _signal(processes, signal.SIGKILL)


def _wait_until_gone(processes: list[psutil.Process], seconds_max: float) -> None:
    """Waits until none of them runs, at most so long."""
    deadline = time.monotonic() + seconds_max
    while any(_runs(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _runs(process: psutil.Process) -> bool:
    try:
        # A dead child of a parent that does not ask stays listed; it is gone all the same.
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
