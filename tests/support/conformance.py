"""Where the conformance vectors lie that others wrote; CI requires them."""

from __future__ import annotations

import os
from pathlib import Path

CONFORMANCE = Path(
    os.environ.get("TALLYGATE_CONFORMANCE_DATA", Path(__file__).parents[3] / "shared" / "data")
)
"""GS1's EPCIS schema and examples, event-hash vectors, LLRP bodies."""
assert CONFORMANCE.is_dir(), f"{CONFORMANCE} is missing: set TALLYGATE_CONFORMANCE_DATA"
