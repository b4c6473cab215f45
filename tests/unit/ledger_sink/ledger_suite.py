# ruff: noqa: D102, PT012 - a test's name is its claim; a transaction is to fail after several calls.
"""What every ledger does: the suite that the twin in memory and PostgreSQL both pass."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from contracts.codec import decode_json, encode
from contracts.events import EntryKind
from contracts.ids import partition_of
from contracts.places import Item, ReferenceChange
from contracts.reads import Reject
from ledger_sink.core.chain import ChainEntry, chain_hash, content_of, genesis
from ledger_sink.core.payloads import LogOpened, ReferenceChanged
from ledger_sink.ledger import Ledger, SpoolAcknowledged
from tests.unit.ledger_sink.ledger_builders import (
    SECOND,
    UNIT,
    memory,
    passage,
    progress,
    sighting_of,
    step,
)

LONG_S = 3600.0
"""A lease that outlives the test."""
OVER_S = -1.0
"""A lease that has run out already."""


class LedgerSuite:
    """Subclasses give the fixture `ledger` and `rows`, which reads the chain back."""

    @pytest.fixture
    def ledger(self) -> Ledger:
        raise AssertionError("a subclass gives the ledger")

    def rows(self, ledger: Any) -> list[ChainEntry]:
        raise AssertionError(f"a subclass reads the chain of {ledger}")

    def opened(self, ledger: Ledger, partitions: int = 2) -> None:
        """A log is open and every partition has epoch 1."""
        run = ledger.take_lease("bridge", "b", LONG_S)
        assert run is not None
        assert ledger.open_log(run, "l1", partitions, "first", 5)
        for partition in range(partitions):
            assert ledger.take_epoch("l1", partition, "w") == (1, 0)

    # -- the chain -------------------------------------------------------------------------

    def test_entries_form_a_chain_from_the_sites_genesis(self, ledger: Ledger) -> None:
        ledger.append([passage(1), passage(2)], 20)
        ledger.append([passage(3, identity=None, location=None, read_received_us=None)], 30)
        rows = self.rows(ledger)
        assert [row.seq for row in rows] == [1, 2, 3]
        before = genesis("demo")
        for row in rows:
            assert row.previous == before
            assert row.hash == chain_hash(before, row.seq, content_of("demo", row))
            before = row.hash

    def test_what_is_entered_reads_back_byte_for_byte(self, ledger: Ledger) -> None:
        entry = passage(1, location="库位", payload='{"名":"\\u0000é"}'.encode())
        ledger.append([entry], 20)
        (row,) = self.rows(ledger)
        assert (row.id, row.kind, row.location) == (entry.id, "location", "库位")
        assert (row.happened_us, row.recorded_us) == (entry.happened_us, 20)
        assert row.payload == entry.payload
        assert (row.read_received_us, row.window_us) == (11 * SECOND, 4 * SECOND)

    def test_the_same_entry_is_entered_once(self, ledger: Ledger) -> None:
        first = ledger.append([passage(1), passage(1), passage(2)], 20)
        assert (first.entered, first.duplicates, first.sequence) == ((0, 2), 1, 2)
        again = ledger.append([passage(2), passage(3), passage(1)], 30)
        assert (again.entered, again.duplicates, again.sequence) == ((1,), 2, 3)
        assert self.tallies(ledger)["duplicates"] == 3

    def test_an_id_that_stands_for_other_content_becomes_a_reject(self, ledger: Ledger) -> None:
        ledger.append([passage(1)], 20)
        other = passage(1, payload=b'{"other":true}')
        answer = ledger.append([other, passage(2)], 30)
        assert (answer.entered, answer.conflicts, answer.sequence) == ((1,), 1, 3)
        reject = self.rows(ledger)[-1]
        assert reject.kind == EntryKind.REJECT
        told = decode_json(Reject, reject.payload)
        assert (told.raw, told.raw_length, told.at_us) == (other.payload, 14, 11 * SECOND)
        assert passage(1).id in told.reason
        again = ledger.append([other], 40)
        assert (again.entered, again.conflicts, again.sequence) == ((), 1, 3)

    def test_two_of_one_id_and_different_content_in_one_call(self, ledger: Ledger) -> None:
        answer = ledger.append([passage(1), passage(1, payload=b"{}")], 20)
        assert (answer.entered, answer.conflicts) == ((0,), 1)
        assert [row.kind for row in self.rows(ledger)] == ["location", "reject"]

    def test_recorded_time_never_goes_back(self, ledger: Ledger) -> None:
        ledger.append([passage(1)], 50)
        ledger.append([passage(2)], 20)
        assert [row.recorded_us for row in self.rows(ledger)] == [50, 50]

    def test_nothing_to_append_changes_nothing(self, ledger: Ledger) -> None:
        assert ledger.append([], 20).sequence == 0
        assert self.rows(ledger) == []

    def test_a_transaction_that_fails_leaves_nothing(self, ledger: Ledger) -> None:
        self.opened(ledger)
        before = self.rows(ledger)
        with pytest.raises(ZeroDivisionError), ledger.transaction():
            ledger.append([passage(1)], 20)
            ledger.add_evidence([sighting_of(1)], 20)
            assert ledger.commit_partition(step(spools=(progress(3),), memory=memory(a=b"1")))
            ledger.keep_stage_memory("loads", b"x")
            raise ZeroDivisionError
        assert self.rows(ledger) == before
        assert ledger.positions()[0].next_offset == 0
        assert ledger.memory() == []
        assert ledger.stage_memory("loads") == b""
        assert ledger.append([passage(1)], 20).entered == (0,)

    def test_a_sighting_is_kept_once(self, ledger: Ledger) -> None:
        assert ledger.add_evidence([sighting_of(1), sighting_of(2)], 20) == 2
        assert ledger.add_evidence([sighting_of(2), sighting_of(3)], 20) == 1
        assert ledger.add_evidence([], 20) == 0
        assert self.tallies(ledger)["evidence_duplicates"] == 1

    def test_a_sighting_with_other_content_becomes_a_reject(self, ledger: Ledger) -> None:
        ledger.add_evidence([sighting_of(1)], 20)
        assert ledger.add_evidence([sighting_of(1, reads=99), sighting_of(2)], 20) == 1
        (row,) = self.rows(ledger)
        assert "sighting" in decode_json(Reject, row.payload).reason

    # -- who may do what -------------------------------------------------------------------

    def test_one_holds_a_lease_and_each_taking_is_a_new_run(self, ledger: Ledger) -> None:
        assert ledger.take_lease("sink", "a", LONG_S) == 1
        assert ledger.take_lease("sink", "b", LONG_S) is None
        assert ledger.take_lease("bridge", "b", LONG_S) == 1
        assert ledger.renew_lease("sink", 1, LONG_S)
        ledger.release_lease("sink", 1)
        assert not ledger.renew_lease("sink", 1, LONG_S)
        assert ledger.take_lease("sink", "b", OVER_S) == 2
        assert ledger.take_lease("sink", "c", LONG_S) == 3
        assert not ledger.renew_lease("sink", 2, LONG_S)

    def test_a_lease_that_ran_out_untaken_can_be_renewed(self, ledger: Ledger) -> None:
        assert ledger.take_lease("sink", "a", OVER_S) == 1
        assert ledger.renew_lease("sink", 1, LONG_S)
        assert ledger.take_lease("sink", "b", LONG_S) is None

    def test_only_the_bridges_current_run_opens_a_log(self, ledger: Ledger) -> None:
        assert ledger.current_log() is None
        assert not ledger.open_log(1, "l1", 2, "first", 5)
        assert ledger.take_lease("bridge", "a", OVER_S) == 1
        assert ledger.take_lease("bridge", "b", LONG_S) == 2
        assert not ledger.open_log(1, "l1", 2, "first", 5)
        assert ledger.open_log(2, "l1", 2, 'a "first" 日志', 5)
        assert ledger.current_log() == ("l1", 2, 5)
        (row,) = self.rows(ledger)
        told = decode_json(LogOpened, row.payload)
        assert told == LogOpened(log="l1", partitions=2, run=2, reason='a "first" 日志')

    # -- positions -------------------------------------------------------------------------

    def test_a_partition_moves_on_from_where_it_is(self, ledger: Ledger) -> None:
        self.opened(ledger)
        assert ledger.commit_partition(step(0))
        assert ledger.commit_partition(step(0, 10))
        assert not ledger.commit_partition(step(0, 10))
        assert not ledger.commit_partition(step(0, 30))
        assert ledger.positions() == [("l1", 0, 1, 20, 22), ("l1", 1, 1, 0, 0)]

    def test_a_new_epoch_shuts_out_the_old_one(self, ledger: Ledger) -> None:
        self.opened(ledger)
        assert ledger.commit_partition(step(0))
        assert ledger.take_epoch("l1", 0, "w2") == (2, 10)
        assert not ledger.commit_partition(step(0, 10))
        assert ledger.commit_partition(step(0, 10, epoch=2))

    def test_a_new_log_shuts_out_the_old_one_and_epochs_go_on(self, ledger: Ledger) -> None:
        self.opened(ledger)
        assert ledger.commit_partition(step(0))
        assert ledger.open_log(1, "l2", 1, "kafka was emptied", 6)
        assert not ledger.commit_partition(step(0, 10))
        assert ledger.take_epoch("l1", 0, "w") is None
        assert ledger.take_epoch("l2", 1, "w") is None
        assert ledger.take_epoch("l2", 0, "w") == (2, 0)
        assert ledger.positions() == [("l2", 0, 2, 0, 0)]
        assert ledger.open_log(1, "l3", 2, "two again", 7)
        assert ledger.take_epoch("l3", 1, "w") == (2, 0)

    # -- acknowledgements ------------------------------------------------------------------

    def test_a_spool_is_acknowledged_as_far_as_every_partition_has_it(self, ledger: Ledger) -> None:
        self.opened(ledger)
        ledger.commit_partition(step(0, spools=(progress(7), progress(3, spool="s2"))))
        assert ledger.acknowledged() == []
        ledger.commit_partition(step(1, spools=(progress(5),)))
        assert ledger.acknowledged() == [SpoolAcknowledged("dock", "s1", 5)]
        ledger.commit_partition(step(1, 10, spools=(progress(2, spool="s2"), progress(4))))
        assert ledger.acknowledged() == [
            SpoolAcknowledged("dock", "s1", 5),
            SpoolAcknowledged("dock", "s2", 2),
        ]
        ledger.commit_partition(step(1, 20, spools=(progress(9),)))
        assert ledger.acknowledged()[-1] == SpoolAcknowledged("dock", "s1", 7)

    def test_one_spool_on_two_gateways_is_two(self, ledger: Ledger) -> None:
        self.opened(ledger, 1)
        ledger.commit_partition(step(0, spools=(progress(7), progress(3, gateway="copy"))))
        assert set(ledger.acknowledged()) == {("dock", "s1", 7), ("copy", "s1", 3)}

    def test_acknowledgements_outlive_a_change_of_partitions(self, ledger: Ledger) -> None:
        self.opened(ledger, 1)
        ledger.commit_partition(step(0, spools=(progress(7),)))
        assert ledger.open_log(1, "l2", 2, "more partitions", 6)
        for partition in range(2):
            assert ledger.take_epoch("l2", partition, "w")
        ledger.commit_partition(step(0, log="l2", epoch=2, spools=(progress(9),)))
        assert ledger.acknowledged() == [("dock", "s1", 7)]
        ledger.commit_partition(step(1, log="l2", epoch=1, spools=(progress(8),)))
        assert ledger.acknowledged() == [("dock", "s1", 8)]

    def test_an_acknowledgement_never_goes_back(self, ledger: Ledger) -> None:
        """Agents forgot what was acknowledged: a bridge that began below would tell it as lost."""
        self.opened(ledger, 1)
        ledger.commit_partition(step(0, spools=(progress(7),)))
        assert ledger.open_log(1, "l2", 2, "more partitions", 6)
        for partition in range(2):
            assert ledger.take_epoch("l2", partition, "w")
        ledger.commit_partition(step(0, log="l2", epoch=2, spools=(progress(5),)))
        ledger.commit_partition(step(1, log="l2", epoch=1, spools=(progress(6),)))
        assert ledger.acknowledged() == [("dock", "s1", 7)]

    # -- memory ----------------------------------------------------------------------------

    def test_memory_is_kept_from_the_last_snapshot_on(self, ledger: Ledger) -> None:
        self.opened(ledger)
        ledger.commit_partition(step(0, memory=b"a"))
        ledger.commit_partition(step(1, memory=b"other"))
        ledger.commit_partition(step(0, 10, memory=b"b"))
        assert self.changes(ledger) == [(2, 0, b"a"), (2, 1, b"other"), (2, 0, b"b")]
        ledger.commit_partition(step(0, 20, memory=b"c", snapshot=True))
        ledger.commit_partition(step(0, 30, memory=b"d"))
        ledger.commit_partition(step(0, 40))
        assert self.changes(ledger) == [(2, 1, b"other"), (2, 0, b"c"), (2, 0, b"d")]

    def test_old_memory_stays_until_every_new_partition_took_it_over(self, ledger: Ledger) -> None:
        self.opened(ledger, 1)
        ledger.commit_partition(step(0, memory=b"old"))
        assert ledger.open_log(1, "l2", 2, "more partitions", 6)
        for partition in range(2):
            assert ledger.take_epoch("l2", partition, "w")
        ledger.commit_partition(step(0, log="l2", epoch=2, memory=b"n0", snapshot=True))
        assert (1, 0, b"old") in self.changes(ledger)
        ledger.commit_partition(step(1, log="l2", epoch=1, memory=b"delta"))
        assert (1, 0, b"old") in self.changes(ledger)
        ledger.commit_partition(step(1, 10, log="l2", epoch=1, memory=b"n1", snapshot=True))
        assert self.changes(ledger) == [(2, 0, b"n0"), (2, 1, b"n1")]

    def test_a_stage_behind_the_hop_finds_its_memory_again(self, ledger: Ledger) -> None:
        assert ledger.stage_memory("loads") == b""
        ledger.keep_stage_memory("loads", b"one")
        ledger.keep_stage_memory("loads", b"two\0")
        assert ledger.stage_memory("loads") == b"two\0"

    # -- whereabouts -----------------------------------------------------------------------

    def test_whereabouts_are_those_of_the_newest_event(self, ledger: Ledger) -> None:
        late = passage(1, at_us=9 * SECOND)
        ledger.keep_whereabouts([passage(1, at_us=12 * SECOND), late, passage(2)])
        ledger.keep_whereabouts([passage(1, at_us=11 * SECOND)])
        found = [row for number in range(3) for row in ledger.whereabouts(3, number)]
        assert sorted(found) == [
            (UNIT.format(1), "door-1", 12 * SECOND, "passed:out"),
            (UNIT.format(2), "door-1", 11 * SECOND, "passed:out"),
        ]

    def test_whereabouts_are_told_to_the_partition_of_the_identity(self, ledger: Ledger) -> None:
        ledger.keep_whereabouts([passage(number) for number in range(20)])
        for partition in range(4):
            for row in ledger.whereabouts(4, partition):
                assert partition_of(row.identity, 4) == partition
        assert sum(len(ledger.whereabouts(4, number)) for number in range(4)) == 20

    # -- reference -------------------------------------------------------------------------

    def test_reference_is_versioned_per_key_and_entered(self, ledger: Ledger) -> None:
        item = Item(item="00614141123452", name="Valve", name_zh="阀门")
        assert ledger.put_reference("item/1", encode(item), 5) == 1
        assert ledger.put_reference("item/2", encode(item), 5) == 1
        assert ledger.put_reference("item/1", encode(item), 6) == 1
        assert ledger.put_reference("item/1", None, 7) == 2
        assert ledger.put_reference("item/9", None, 7) == 0
        rows = ledger.reference(0)
        assert [(row.key, row.version) for row in rows] == [("item/2", 1), ("item/1", 2)]
        changes = [self.decoded(row.change) for row in rows]
        assert changes == [
            ReferenceChange(key="item/2", version=1, value=item),
            ReferenceChange(key="item/1", version=2, value=None),
        ]
        assert ledger.reference(rows[-1].ordinal) == []
        entered = [decode_json(ReferenceChanged, row.payload) for row in self.rows(ledger)]
        assert [(each.key, each.version, each.removed) for each in entered] == [
            ("item/1", 1, False),
            ("item/2", 1, False),
            ("item/1", 2, True),
        ]

    # -- helpers ---------------------------------------------------------------------------

    def tallies(self, ledger: Any) -> dict[str, int]:
        raise AssertionError(f"a subclass reads the tallies of {ledger}")

    @staticmethod
    def changes(ledger: Ledger) -> list[tuple[int, int, bytes]]:
        return [(row.partitions, row.partition, row.change) for row in ledger.memory()]

    @staticmethod
    def decoded(change: bytes) -> ReferenceChange:
        return msgspec.msgpack.decode(change, type=ReferenceChange)
