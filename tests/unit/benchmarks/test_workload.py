"""The benchmarks' reads are what the comparison says they are."""

from __future__ import annotations

from collections import Counter

from benchmarks.simulated import BEHIND_US, Workload


def test_identities_have_about_ten_reads_each_and_batches_are_in_order() -> None:
    workload = Workload(reads=20_000, batch_reads=500, batch_us=100_000)
    batches = list(workload.batches())
    counts = Counter(read.identity for batch in batches for read in batch.reads)
    assert 20_000 <= sum(counts.values()) < 20_012
    assert set(counts.values()) <= set(range(8, 13))
    times = [batch.gateway_us for batch in batches]
    assert times == sorted(times)
    for batch in batches:
        for read in batch.reads:
            assert read.received_us <= batch.gateway_us + BEHIND_US


def test_every_device_has_its_place_in_the_site_map() -> None:
    workload = Workload(reads=2_000)
    places = {(each.device, each.antenna) for each in workload.site_map.antennas}
    for batch in workload.batches():
        for read in batch.reads:
            assert (read.device, read.antenna) in places
            assert read.device in workload.site_map.gateways


def test_the_same_seed_tells_the_same_reads() -> None:
    first, second = (list(Workload(reads=1_000, seed=3).batches()) for _ in range(2))
    assert first == second
