"""A radio's link to its system, cut at every byte of the conversation of a scan."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.ble_cuts import cut_and_recover


# The Bluetooth library leaves a socket to the garbage collector where it is cut while it connects.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_radio_recovers_from_a_cut_at_every_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cut_and_recover(tmp_path, monkeypatch, first=0, step=1)
