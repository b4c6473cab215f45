"""`tallygate up`: what dies comes back, looking commands answer, Ctrl-C leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.programs import ROOT, wait_until

START_S = 120.0
"""Servers, schema, dock and programs; a quiet machine takes ten."""
BACK_S = 90.0
"""Something that was killed is back."""
PASSAGE_S = 180.0
"""The first pallet has passed a door and was entered."""
STOP_S = 25.0
"""All ended in order; a quiet machine takes four."""
LOOK_S = 90.0


def environment() -> dict[str, str]:
    given = {name: text for name, text in os.environ.items() if not name.startswith("TALLYGATE_")}
    return {**given, "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"}


class Up:
    """One `tallygate up` on a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said_in = folder.with_suffix(".log")
        with self.said_in.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tallygate", "up", "--data", str(folder)],
                cwd=ROOT,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def said(self) -> str:
        """What it printed so far."""
        return self.said_in.read_text()

    def wait_for(self, text: str, seconds: float) -> None:
        """Until it printed this."""

        def seen() -> bool:
            assert self.process.poll() is None or text in self.said(), self.said()
            return text in self.said()

        assert wait_until(seen, seconds), f"never said {text!r}:\n{self.said()}"

    def children(self) -> list[psutil.Process]:
        """All below it."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, *words: str) -> psutil.Process | None:
        """The direct child whose command line has all these words."""
        for child in psutil.Process(self.process.pid).children():
            try:
                command = " ".join(child.cmdline())
            except psutil.Error:
                continue
            if all(word in command for word in words):
                return child
        return None

    def look(self, *arguments: str) -> tuple[int, str]:
        """Another command on the same folder."""
        done = subprocess.run(
            [sys.executable, "-m", "tallygate", *arguments, "--data", str(self.folder)],
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LOOK_S,
            check=False,
        )
        return done.returncode, done.stdout.decode()

    def stop(self, number: signal.Signals) -> list[psutil.Process]:
        """Stop it; the children that outlived it."""
        family = self.children()
        self.process.send_signal(number)
        try:
            assert self.process.wait(STOP_S) == 0, self.said()
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not stop within {STOP_S} s:\n{self.said()}") from None
        return [child for child in family if child.is_running()]

    def end(self) -> None:
        """Kill it and all its children, if they still run."""
        if self.process.poll() is None:
            for child in [*self.children(), psutil.Process(self.process.pid)]:
                child.kill()
        self.process.wait(60)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    running = Up(tmp_path / "stack")
    try:
        running.wait_for("Ctrl-C stops it", START_S)
        yield running
    finally:
        running.end()


def entries(up: Up) -> int:
    code, said = up.look("stats")
    found = re.search(r"demo: ([\d,]+) entries", said)
    assert found, f"{code}: {said}"
    return int(found[1].replace(",", ""))


def killed_and_back(up: Up, *words: str) -> None:
    """Kill -9 the child with these words, and see another one."""
    killed = up.child(*words)
    assert killed is not None, words
    killed.kill()

    def back() -> bool:
        found = up.child(*words)
        return found is not None and found.pid != killed.pid

    assert wait_until(back, BACK_S), f"{words} did not come back:\n{up.said()}"


def test_a_dock_that_is_up_recovers_answers_and_stops_whole(up: Up) -> None:
    killed_and_back(up, "postgres", "--port=")
    killed_and_back(up, "stream_processors", "bridge")
    up.wait_for("PostgreSQL (embedded) starts again", BACK_S)
    up.wait_for("bridge: ended with -9", BACK_S)

    refused = up.look("up")
    assert refused[0] == 2
    assert f"a stack runs in {up.folder} already (process {up.process.pid})" in refused[1]

    seen: list[str] = []

    def passed() -> bool:
        # A load that has just left is not under way any more: the next one soon is.
        _, said = up.look("watch", "--once")
        seen[:] = [said]
        return bool(re.search(r"pallet …\d+: \d+ tags", said)) and "under way" in said

    assert wait_until(passed, PASSAGE_S), f"{seen}\n{up.said()}"
    assert "reading" in seen[0]

    code, said = up.look("stats")
    assert code == 0
    assert "location events" in said
    assert re.search(r"without the decision's wait +p50 [\d,]+ ms", said)
    assert re.search(r"dock +\d+ batch", said)

    number = re.search(r"pallet …(\d+): ", seen[0])
    assert number is not None
    code, said = up.look("trace", number[1])
    assert code == 0, said
    assert "passed" in said
    assert "antenna" in said

    code, said = up.look("verify")
    assert (code, "The ledger is whole." in said) == (0, True), said

    assert up.stop(signal.SIGINT) == []
    assert "Stopped. Nothing that reached a spool is lost" in up.said()
    code, said = up.look("stats")
    assert (code, "no stack runs: starting PostgreSQL" in said) == (0, True), said


def test_the_same_folder_goes_on(up: Up) -> None:
    """The ledger is kept, and the simulated shift goes on; SIGTERM stops as Ctrl-C does."""
    before = entries(up)
    logs = [up.folder / "logs" / f"worker-{number}.log" for number in (1, 2)]
    assert wait_until(lambda: all("worker runs" in log.read_text() for log in logs), BACK_S)
    shift = json.loads((up.folder / "simulator" / "shift.json").read_text())
    assert up.stop(signal.SIGTERM) == []
    again = Up(up.folder)
    try:
        again.wait_for("Ctrl-C stops it", START_S)
        assert entries(again) >= before
        runs = "the worker runs"
        assert wait_until(lambda: all(log.read_text().count(runs) > 1 for log in logs), BACK_S)
        assert json.loads((up.folder / "simulator" / "shift.json").read_text()) == shift
        assert again.stop(signal.SIGINT) == []
    finally:
        again.end()


def test_ctrl_c_while_it_starts_leaves_nothing_behind(tmp_path: Path) -> None:
    starting = Up(tmp_path / "stack")
    try:
        starting.wait_for("starting MQTT, Kafka and PostgreSQL", START_S)
        assert starting.stop(signal.SIGINT) == []
        assert "Tallygate runs" not in starting.said()
    finally:
        starting.end()
