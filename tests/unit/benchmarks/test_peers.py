"""The peers that the benchmarks compare with are there: a run of an hour must not end for want."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("library", ["quixstreams", "confluent_kafka", "sllurp.llrp"])
def test_a_peer_s_library_can_be_imported(library: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"import {library}"],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
