"""Thousands of seeds of the protocol's simulation: what was injected, and what held.

    python -m benchmarks.protocol --seeds 2000
    python -m benchmarks.protocol --first 1393 --seeds 1 --story

One seed is one run of the real cores (spool sender, bridge, worker's partition, sink's admission)
over fake servers and a fake network; the same seed is the same run. The exit code is 1, and the
seed is named, where a promise did not hold.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter

from tests.simulation.run import Report, simulate

PROCESSES = 2
"""Two cores are what a small machine has."""
VIOLATIONS_SHOWN_MAX = 10
"""More would say nothing new."""
PROMISES = (
    "lost 0: all that reached a spool is in the ledger",
    "twice 0: nothing was entered twice",
    "every batch was acknowledged in the end",
    "nothing was acknowledged before the ledger had it",
    "no loss was told that was none",
)


def main(arguments: list[str] | None = None) -> int:
    """Run the seeds; gives the exit code."""
    options = _options(arguments)
    seeds = range(options.first, options.first + options.seeds)
    began_s = time.monotonic()
    injected: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    broken: list[Report] = []
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for count, report in enumerate(pool.imap_unordered(simulate, seeds, chunksize=4), start=1):
            injected += report.injected
            seen += report.seen
            if report.violation:
                broken.append(report)
                print(f"seed {report.seed}: {report.violation}", file=sys.stderr, flush=True)
            if count % max(1, len(seeds) // 20) == 0:
                _progress(count, len(seeds), len(broken), time.monotonic() - began_s)
            if options.story:
                print("\n".join(report.story))
    _table("injected", injected)
    _table("what the programs did", seen)
    print(f"\n{len(seeds)} seeds from {seeds[0]} on in {time.monotonic() - began_s:.0f} s")
    if not broken:
        for promise in PROMISES:
            print(f"held: {promise}")
        return 0
    for report in broken[:VIOLATIONS_SHOWN_MAX]:
        print(f"BROKEN by seed {report.seed}: {report.violation}")
    print(
        f"{len(broken)} of {len(seeds)} seeds broke a promise; look at one with: "
        f"python -m benchmarks.protocol --first {broken[0].seed} --seeds 1 --story"
    )
    return 1


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.protocol",
        description="Simulate the protocol from spool to ledger under faults, one run per seed.",
    )
    parser.add_argument("--seeds", type=int, default=2000, help="how many (default 2000)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (default 1)")
    parser.add_argument(
        "--processes", type=int, default=PROCESSES, help=f"side by side (default {PROCESSES})"
    )
    parser.add_argument("--story", action="store_true", help="tell what happened in each seed")
    options = parser.parse_args(arguments)
    if options.seeds < 1 or options.processes < 1:
        parser.error("--seeds and --processes are at least 1")
    return options


def _progress(count: int, total: int, broken: int, seconds: float) -> None:
    held = "all held" if not broken else f"{broken} broken"
    print(f"{count:6} of {total} seeds, {held}, {seconds:.0f} s", file=sys.stderr, flush=True)


def _table(title: str, counts: Counter[str]) -> None:
    print(f"\n{title}")
    for name, count in sorted(counts.items()):
        print(f"  {count:>12,}  {name}")


if __name__ == "__main__":
    sys.exit(main())
