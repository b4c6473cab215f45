"""A radio's link to its system, cut inside the conversation of a scan."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.support.ble_cuts import cut_and_recover

STEP = 31
"""A cut at every byte takes two minutes: `tests/real` does that. These are others in every run."""


# The Bluetooth library leaves a socket to the garbage collector where it is cut while it connects.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_radio_recovers_from_a_cut_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = random.SystemRandom().randrange(STEP)
    print(f"seed {seed}")  # noqa: T201
    await cut_and_recover(tmp_path, monkeypatch, first=seed, step=STEP)
