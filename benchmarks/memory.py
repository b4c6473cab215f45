"""What a tracked identity costs in a worker's memory: growth of the process over identities.

    python -m benchmarks.memory                      # a million known ones, 100,000 that passed
    python -m benchmarks.memory --known 200000 --passed 20000

*Known* ones come from the ledger's whereabouts, as after a restart: they rest somewhere. *Passed*
ones went through a gate by their reads (see `benchmarks.simulated`), after all windows closed. Each
is measured in a process of its own, after a collection of garbage; the text of the identity itself,
which its reads bring along, is part of it.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
from collections.abc import Callable, Iterator

import psutil

from benchmarks.simulated import GATEWAY, Workload
from contracts.places import ReferenceChange
from stream_processors.core.reference import Reference
from stream_processors.core.understanding import Understanding

ALL_CLOSED_US = 3_600_000_000
"""An hour after the last read every window is closed."""


def known(count: int) -> float:
    """Bytes for each identity that the ledger's whereabouts name."""
    workload = Workload(reads=0)
    stages = _stages(workload)
    gate = workload.site_map.gates[0].id

    def rows() -> Iterator[tuple[str, str, int, str]]:
        for serial in range(count):
            identity = f"https://id.gs1.org/01/09506000134352/21/{serial}"
            yield identity, gate, workload.start_us + serial, "passed:in"

    return _growth(lambda: stages.restore({}, rows())) / count


def passed(count: int) -> float:
    """Bytes for each identity that went through a gate."""
    workload = Workload(reads=10 * count)
    stages = _stages(workload)
    stages.restore({}, ())
    identities: set[int] = set()

    def run() -> None:
        for batch in workload.batches():
            identities.update(hash(read.identity) for read in batch.reads)
            stages.take_reads(batch.reads, GATEWAY, batch.gateway_us)
            now_us = batch.gateway_us
            stages.take_tick({GATEWAY: now_us}, now_us)
            stages.memory_change()
        stages.take_tick({GATEWAY: now_us + ALL_CLOSED_US}, now_us + ALL_CLOSED_US)
        stages.memory_change()

    grown = _growth(run)
    seen = len(identities)
    return (grown - _set_bytes(identities)) / seen


def _set_bytes(identities: set[int]) -> int:
    """What counting the identities took itself: the set and its numbers."""
    return identities.__sizeof__() + 32 * len(identities)


def _stages(workload: Workload) -> Understanding:
    reference = Reference()
    reference.apply(ReferenceChange(key="site", version=1, value=workload.site_map))
    return Understanding(reference)


def _growth(work: Callable[[], None]) -> int:
    process = psutil.Process(os.getpid())
    gc.collect()
    before = process.memory_info().rss
    work()
    gc.collect()
    return int(process.memory_info().rss) - int(before)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--known", type=int, default=1_000_000)
    parser.add_argument("--passed", type=int, default=100_000)
    options = parser.parse_args()
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        figure = pool.apply(known, (options.known,))
        print(f"{options.known:>10,} known identities: {figure:>6.0f} bytes each", flush=True)
        figure = pool.apply(passed, (options.passed,))
        print(f"{options.passed:>10,} passed identities: {figure:>5.0f} bytes each")


if __name__ == "__main__":
    main()
