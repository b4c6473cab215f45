"""However bridge or worker fail, the process ends: nobody starts again what only hangs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
START = """
import threading
from stream_processors.__main__ import _carry
def fail():
    raise KeyError("unforeseen")
def linger():
    threading.Event().wait()
"""


def ended(work: str) -> tuple[int, str]:
    """Exit code and words of a program that does some work."""
    run = subprocess.run(
        [sys.executable, "-c", f"{START}\n{work}\n_carry('bridge', work)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return run.returncode, run.stderr


def test_a_thread_that_fails_takes_the_process_with_it() -> None:
    """A guard that died would watch nothing any more."""
    code, said = ended(
        """
def work():
    threading.Thread(target=fail).start()
    linger()
"""
    )
    assert code == 1
    assert "a thread of the bridge failed" in said
    assert "unforeseen" in said


def test_an_unforeseen_exception_ends_the_process_whatever_lingers() -> None:
    """Such as a library's thread that never ends."""
    code, said = ended(
        """
def work():
    threading.Thread(target=linger).start()
    fail()
"""
    )
    assert code == 1
    assert "the bridge failed" in said
    assert "Traceback" in said


def test_a_foreseen_end_asks_to_be_started_again() -> None:
    """With the sentence that says why."""
    code, said = ended(
        """
from stream_processors.settings import StreamError
def work():
    raise StreamError("Kafka is away")
"""
    )
    assert code == 75
    assert "Kafka is away" in said
    assert "Traceback" not in said
