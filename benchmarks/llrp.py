"""How fast tag reports are decoded, as a ratio to sllurp's codec on the same frames.

    python -m benchmarks.llrp --rounds 200

sllurp is a test peer (GPL-3.0) and no part of the product. Both decode the same frame in turn; the
figure is the median of the rounds' ratios, so a noisy machine is in both.
"""

from __future__ import annotations

import argparse
import statistics
import struct
import sys
import time

import sllurp.llrp

from edge_agent.core.llrp.reports import ReportDecoder

REPORT = 61
"""RO_ACCESS_REPORT."""
TAGS = 100
"""Tags in a frame: a busy reader's report."""


def frame() -> bytes:
    """A report of TAGS tags, each with antenna, signal, both times and its count."""
    tags = b"".join(_tag(number) for number in range(TAGS))
    return struct.pack(">HII", 1 << 10 | REPORT, 10 + len(tags), 1) + tags


def _tag(number: int) -> bytes:
    fields = b"\x8d" + bytes.fromhex("3034257bf7194e40") + struct.pack(">I", number)
    fields += b"\x81" + struct.pack(">H", 1 + number % 4)
    fields += b"\x86" + struct.pack(">b", -40 - number % 30)
    fields += b"\x82" + struct.pack(">Q", 1_772_416_800_000_000 + number)
    fields += b"\x84" + struct.pack(">Q", 1_772_416_800_050_000 + number)
    fields += b"\x88" + struct.pack(">H", 1)
    return struct.pack(">HH", 240, 4 + len(fields)) + fields


def main() -> int:
    """Print reports a second and the ratio."""
    parser = argparse.ArgumentParser(description="LLRP decoding against sllurp's codec.")
    parser.add_argument("--rounds", type=int, default=200, help="default 200")
    rounds = parser.parse_args().rounds
    whole = frame()
    decoder = ReportDecoder()
    ours, theirs = [], []
    for _ in range(rounds):
        began = time.perf_counter()
        reports, rejects = decoder.decode(whole[10:])
        ours.append(time.perf_counter() - began)
        assert len(reports) == TAGS
        assert not rejects
        began = time.perf_counter()
        sllurp.llrp.LLRPMessage(msgbytes=whole)
        theirs.append(time.perf_counter() - began)
    ratio = statistics.median(their / our for our, their in zip(ours, theirs, strict=True))
    print(f"ours   {TAGS / statistics.median(ours):>12,.0f} tag reports/s")
    print(f"sllurp {TAGS / statistics.median(theirs):>12,.0f} tag reports/s")
    print(f"ratio  {ratio:>12.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
