"""Shares never mix partitions, and another number of partitions loses and doubles nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as some
from partition_desk import KEY, Desk, covered, read_of, tick

from contracts.codec import encode
from contracts.ids import partition_of
from contracts.reads import DeviceChange, ReadBatch, Reject
from ledger_sink.ledger import PartitionCommit
from ledger_sink.memory_ledger import MemoryLedger
from stream_processors.core.keys import change_key, reject_key
from stream_processors.core.regroup import Place, shares_of


class Site:
    """A site whose log is opened again and again, each time with other partitions."""

    def __init__(self) -> None:
        self.ledger = MemoryLedger("demo", wall_seconds=lambda: 0.0)
        self.entered: Counter[str] = Counter()
        self.run = 0
        self.batches: list[ReadBatch] = []

    def add(self, *identities: str) -> None:
        """One more batch in the spool."""
        reads = tuple(map(read_of, identities))
        name = str(len(self.batches))
        change = DeviceChange(device="door", state="silent", detail=name, at_us=1)
        self.batches.append(ReadBatch(gateway_us=1, reads=reads, changes=(change,)))

    def open(self, partitions: int, *, until: Mapping[int, int]) -> None:
        """Everything in a new log; each partition commits up to so many batches, then all ends."""
        self.run += 1
        ledger = self.ledger
        assert ledger.take_lease("bridge", "test", -1.0) == self.run
        log = f"log{self.run}"
        assert ledger.open_log(self.run, log, partitions, "test", at_us=1)
        for number, batches in until.items():
            taken = ledger.take_epoch(log, number, "test")
            assert taken is not None
            desk = Desk(partitions=partitions, partition=number, rows=ledger.memory())
            newest = 0
            for sequence, batch in enumerate(self.batches[:batches], start=1):
                place = Place(KEY, sequence, self.run)
                share = shares_of(batch, place, partitions).get(number)
                if share is None:
                    continue
                entries = desk.take(share.part(place, previous=newest, gateway_us=1)).entries
                self.entered.update(entry.id for entry in entries)
                newest = sequence
            desk.notes.let_go = self.run % 2 == 0
            output = desk.take(tick(1, batches, part=newest, run=self.run))
            assert covered(output) == [batches]
            self.entered.update({row.identity: row.reads for row in output.evidence})
            (change,) = desk.changes
            to_offset = desk.core.next_offset
            commit = PartitionCommit(
                log, number, taken[0], 0, to_offset, 0, (), encode(change), snapshot=True
            )
            assert ledger.commit_partition(commit)


@given(
    counts=some.lists(some.integers(min_value=1, max_value=4), min_size=1, max_size=5),
    data=some.data(),
)
@settings(max_examples=200, deadline=None)
def test_other_numbers_of_partitions_lose_and_double_nothing(
    counts: list[int], data: some.DataObject
) -> None:
    """Some partitions commit before the next change and some do not, in every combination."""
    site = Site()
    identities = [f"tag-{number}" for number in range(8)]
    for partitions in counts:
        for _ in range(3):
            site.add(*data.draw(some.lists(some.sampled_from(identities), max_size=4)))
        until = {
            number: data.draw(some.integers(min_value=1, max_value=len(site.batches)))
            for number in range(partitions)
            if data.draw(some.booleans())
        }
        site.open(partitions, until=until)
    for partitions in (3, 2):
        # The last two take everything, and one of them lets go.
        site.open(partitions, until=dict.fromkeys(range(partitions), len(site.batches)))
    due = Counter(read.identity for batch in site.batches for read in batch.reads)
    due.update(
        change_key(KEY, sequence, change)
        for sequence, batch in enumerate(site.batches, start=1)
        for change in batch.changes
    )
    held: Counter[str] = Counter()
    for number in range(2):
        held += Counter(Desk(partitions=2, partition=number, rows=site.ledger.memory()).notes.held)
    assert site.entered + held == due


@given(
    identities=some.lists(some.text(max_size=5), max_size=30),
    rejects=some.lists(some.binary(max_size=4), max_size=5),
    partitions=some.integers(min_value=1, max_value=9),
)
@settings(deadline=None)
def test_a_share_never_mixes_partitions(
    identities: list[str], rejects: list[bytes], partitions: int
) -> None:
    batch = ReadBatch(
        gateway_us=1,
        reads=tuple(map(read_of, identities)),
        rejects=tuple(
            Reject(source="dock", reason="odd", raw=raw, raw_length=1, at_us=1) for raw in rejects
        ),
    )
    shares = shares_of(batch, Place(KEY, 1, 1), partitions)
    for number, share in shares.items():
        assert {partition_of(read.identity, partitions) for read in share.reads} <= {number}
        owners = [reject_key(KEY, 1, reject) for reject in share.rejects]
        assert {partition_of(owner, partitions) for owner in owners} <= {number}
    assert sum(len(share.reads) for share in shares.values()) == len(identities)
    assert sum(len(share.rejects) for share in shares.values()) == len(rejects)
