"""What a stack tells of itself in its folder, and who holds the folder."""

import stat
from pathlib import Path

import pytest

from contracts.clock import REAL_TIME, ClockSetting
from tallygate.errors import TallygateError
from tallygate.ledger import (
    STATE,
    find_postgres,
    only_one,
    read_state,
    running_process,
    stack_clock,
    write_state,
)

FAST = ClockSetting(wall_anchor_us=5, domain_anchor_us=7, speed=60.0)


@pytest.fixture(autouse=True)
def _no_clock_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TALLYGATE_CLOCK", raising=False)


def test_other_commands_read_the_stacks_ledger_and_clock(tmp_path: Path) -> None:
    write_state(tmp_path, postgres_url="postgresql://x", site="demo", clock=FAST.text())
    assert find_postgres(tmp_path, None) == "postgresql://x"
    assert find_postgres(tmp_path, "postgresql://y") == "postgresql://y"
    assert stack_clock(tmp_path) == FAST


def test_the_state_holds_a_password_so_only_its_owner_reads_it(tmp_path: Path) -> None:
    write_state(tmp_path, postgres_url="postgresql://x", site="demo")
    assert stat.S_IMODE((tmp_path / STATE).stat().st_mode) == 0o600


def test_a_state_without_a_clock_is_real_time(tmp_path: Path) -> None:
    (tmp_path / STATE).write_text('{"postgres_url": "postgresql://x", "site": "demo"}')
    assert stack_clock(tmp_path) == REAL_TIME


def test_half_a_state_is_none(tmp_path: Path) -> None:
    (tmp_path / STATE).write_text('{"postgres_url": "postg')
    assert read_state(tmp_path) is None
    with pytest.raises(TallygateError, match="Start one with `tallygate up`"):
        find_postgres(tmp_path, None)


def test_a_clock_that_is_none_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALLYGATE_CLOCK", "fast")
    with pytest.raises(TallygateError, match="TALLYGATE_CLOCK: a clock is written"):
        stack_clock(tmp_path)


def test_a_folder_is_held_by_one_stack_only(tmp_path: Path) -> None:
    assert running_process(tmp_path) is None
    with only_one(tmp_path):
        assert running_process(tmp_path)
        with pytest.raises(TallygateError, match="runs in"), only_one(tmp_path):
            pass
    assert running_process(tmp_path) is None
    with only_one(tmp_path):
        pass
