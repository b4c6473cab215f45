"""Acceptance, parts, ticks, losses and the decision to begin a new run."""

from __future__ import annotations

import msgspec

from contracts.codec import decode_with, encode
from contracts.ids import partition_of
from contracts.log import LOG_RECORD, Part, Tick
from contracts.reads import GateSignal, Read, ReadBatch, Reject, SpooledBatch
from stream_processors.core.bridge import (
    PAYLOAD_BYTES_MAX,
    SEND_AGAIN_EVERY_S,
    TICKS_WAITING_MAX,
    Bridge,
    Effects,
    Produce,
)
from stream_processors.core.heal import HEAL_AFTER_S, STALLED_AFTER_S
from stream_processors.core.log_check import Bounds, log_damage

SPOOL = "a" * 32
KEY = ("dock", SPOOL)


def read_of(identity: str) -> Read:
    return Read(
        identity=identity, device="door", antenna=1, first_us=1, last_us=2, received_us=3, count=1
    )


def identity_in(partition: int, partitions: int) -> str:
    """An identity that hashes there."""
    return next(f"tag-{n}" for n in range(100) if partition_of(f"tag-{n}", partitions) == partition)


def message(
    sequence: int, *, lowest: int = 1, batch: ReadBatch | None = None, spool: str = SPOOL
) -> bytes:
    batch = batch or ReadBatch(gateway_us=sequence * 100, reads=(read_of("tag"),))
    return encode(
        SpooledBatch(spool=spool, sequence=sequence, lowest=lowest, payload=encode(batch))
    )


class Desk:
    """A bridge with its surroundings: a Kafka that appends in order, and a clock."""

    def __init__(self, *, partitions: int = 1, acknowledged: int = 0, run: int = 7) -> None:
        rows = [(*KEY, acknowledged)] if acknowledged else []
        self.bridge = Bridge(
            run=run, log="log", partitions=partitions, acknowledged=rows, now_s=0.0
        )
        self.now_s = 0.0
        self.ends = dict.fromkeys(range(partitions), 0)
        self.token = 0

    def send(self, raw: bytes) -> Effects:
        """A message comes."""
        self.token += 1
        return self.bridge.receive("dock", raw, self.token, bridge_us=99, now_s=self.now_s)

    def deliver(self, records: list[Produce] | tuple[Produce, ...]) -> list[int]:
        """Kafka acknowledges records; gives what is done by that."""
        done = []
        for record in records:
            done += self.bridge.delivered(record.number, self.ends[record.partition])
            self.ends[record.partition] += 1
        return done

    def tick(self) -> Effects:
        """A tick is due."""
        return self.bridge.tick(bridge_us=1_000)

    def ask(self, acknowledged: int, next_offsets: dict[int, int] | None = None) -> Effects:
        """The ledger is asked."""
        return self.bridge.take_ledger(
            self.bridge.ticket,
            [(*KEY, acknowledged)],
            next_offsets=next_offsets or {},
            now_s=self.now_s,
        )


def parts_in(effects: Effects) -> list[Part]:
    found = [decode_with(LOG_RECORD, each.value, source="", at_us=0) for each in effects.produce]
    return [each for each in found if isinstance(each, Part)]


def ticks_in(effects: Effects) -> list[Tick]:
    found = [decode_with(LOG_RECORD, each.value, source="", at_us=0) for each in effects.produce]
    return [each for each in found if isinstance(each, Tick)]


def test_only_the_next_sequence_is_accepted() -> None:
    desk = Desk()
    assert [part.sequence for part in parts_in(desk.send(message(1)))] == [1]
    assert not desk.send(message(3)).produce
    assert not desk.send(message(1)).produce
    assert [part.sequence for part in parts_in(desk.send(message(2)))] == [2]


def test_a_run_begins_behind_the_ledgers_acknowledgement() -> None:
    desk = Desk(acknowledged=4)
    assert desk.send(message(4)).done == [1]
    assert [part.sequence for part in parts_in(desk.send(message(5)))] == [5]


def test_what_is_missing_is_asked_for_but_not_with_every_message() -> None:
    desk = Desk()
    desk.send(message(1))
    (command,) = desk.send(message(3)).commands
    assert command.gateway == "dock"
    assert (command.command.spool, command.command.sequence) == (SPOOL, 2)
    assert not desk.send(message(4)).commands
    desk.now_s += SEND_AGAIN_EVERY_S
    assert desk.send(message(5)).commands


def test_each_partition_gets_its_share_and_nothing_else() -> None:
    desk = Desk(partitions=3)
    reads = tuple(read_of(f"tag-{n}") for n in range(50))
    effects = desk.send(message(1, batch=ReadBatch(gateway_us=5, reads=reads)))
    found = [read for part in parts_in(effects) for read in part.reads]
    assert sorted(read.identity for read in found) == sorted(read.identity for read in reads)
    for record, part in zip(effects.produce, parts_in(effects), strict=True):
        assert {partition_of(read.identity, 3) for read in part.reads} == {record.partition}
        assert (part.run, part.gateway, part.spool, part.gateway_us) == (7, "dock", SPOOL, 5)


def test_signals_go_to_all_partitions() -> None:
    desk = Desk(partitions=3)
    signal = GateSignal(device="door", port=1, state=True, at_us=1, received_us=2)
    effects = desk.send(message(1, batch=ReadBatch(gateway_us=5, signals=(signal,))))
    assert [record.partition for record in effects.produce] == [0, 1, 2]
    assert all(part.signals == (signal,) for part in parts_in(effects))


def test_parts_are_chained_within_their_partition() -> None:
    desk = Desk(partitions=2)
    zero, one = identity_in(0, 2), identity_in(1, 2)
    chain: dict[int, list[tuple[int, int]]] = {0: [], 1: []}
    for sequence, identities in enumerate([(zero,), (one,), (zero, one), (), (one,)], start=1):
        batch = ReadBatch(gateway_us=1, reads=tuple(map(read_of, identities)))
        effects = desk.send(message(sequence, batch=batch))
        for record, part in zip(effects.produce, parts_in(effects), strict=True):
            chain[record.partition].append((part.previous, part.sequence))
    assert chain == {0: [(0, 1), (1, 3)], 1: [(0, 2), (2, 3), (3, 5)]}


def test_a_tick_tells_what_kafka_has_whole_and_each_partitions_newest_part() -> None:
    desk = Desk(partitions=2)
    assert ticks_in(desk.tick())[0].spools == ()
    both = ReadBatch(gateway_us=1, reads=(read_of(identity_in(0, 2)), read_of(identity_in(1, 2))))
    one = ReadBatch(gateway_us=2, reads=(read_of(identity_in(1, 2)),))
    first = desk.send(message(1, batch=both)).produce
    second = desk.send(message(2, batch=one)).produce
    desk.bridge.delivered(first[0].number, 0)
    desk.bridge.delivered(first[1].number, 0)
    desk.ends = {0: 1, 1: 1}
    told = [(tick.spools[0].sequence, tick.spools[0].part) for tick in ticks_in(desk.tick())]
    assert told == [(1, 1), (1, 2)]
    assert desk.deliver(second) == [2]
    (progress,) = ticks_in(desk.tick())[0].spools
    assert (progress.sequence, progress.gateway_us, progress.part) == (2, 2, 1)


def test_an_empty_batch_moves_the_gateways_time() -> None:
    desk = Desk()
    effects = desk.send(message(1, batch=ReadBatch(gateway_us=500)))
    assert not effects.produce
    assert effects.done == [1]
    assert ticks_in(desk.tick())[0].spools[0].gateway_us == 500


def test_a_message_is_done_when_kafka_has_all_of_it() -> None:
    desk = Desk(partitions=2)
    both = ReadBatch(gateway_us=1, reads=(read_of(identity_in(0, 2)), read_of(identity_in(1, 2))))
    effects = desk.send(message(1, batch=both))
    assert not effects.done
    assert desk.deliver(effects.produce[:1]) == []
    assert desk.deliver(effects.produce[1:]) == [1]


def test_ticks_do_not_pile_up_while_kafka_is_silent() -> None:
    desk = Desk(partitions=2)
    sent = [desk.tick() for _ in range(TICKS_WAITING_MAX + 3)]
    assert [bool(each.produce) for each in sent] == [True] * TICKS_WAITING_MAX + [False] * 3
    desk.deliver(sent[0].produce)
    assert ticks_in(desk.tick())[0].number == TICKS_WAITING_MAX + 1


def test_garbage_becomes_a_reject_that_belongs_to_no_spool() -> None:
    desk = Desk()
    for raw in (
        b"\xff\x00",
        message(1, spool="not hexadecimal"),
        message(1, lowest=2),
        message(0, lowest=0),
        message(2**63, lowest=1, batch=ReadBatch(gateway_us=1)),
    ):
        effects = desk.send(raw)
        (part,) = parts_in(effects)
        (reject,) = part.rejects
        assert (part.spool, part.sequence) == ("", 0)
        assert reject.raw == raw[:4096]
        assert reject.source == "bridge"
        assert desk.deliver(effects.produce) == [desk.token]


def test_a_batch_that_cannot_be_read_keeps_its_place_as_a_reject() -> None:
    """Otherwise its spool would never be acknowledged again. No run may make another of it."""
    raw = encode(SpooledBatch(spool=SPOOL, sequence=1, lowest=1, payload=b"\xc1 newer"))
    parts = []
    for run, bridge_us in ((1, 5), (2, 6)):
        bridge = Bridge(run=run, log="log", partitions=4, acknowledged=[], now_s=0.0)
        effects = bridge.receive("dock", raw, 1, bridge_us=bridge_us, now_s=0.0)
        (part,) = parts_in(effects)
        parts.append((effects.produce[0].partition, msgspec.structs.replace(part, run=0)))
        assert part.sequence == 1
        assert part.rejects[0].raw == b"\xc1 newer"
    assert parts[0] == parts[1]


def test_a_batch_too_large_for_the_log_is_a_reject() -> None:
    desk = Desk()
    batch = SpooledBatch(
        spool=SPOOL, sequence=1, lowest=1, payload=b"\x00" * (PAYLOAD_BYTES_MAX + 1)
    )
    (part,) = parts_in(desk.send(encode(batch)))
    assert "larger" in part.rejects[0].reason
    assert part.rejects[0].raw_length == PAYLOAD_BYTES_MAX + 1


def test_a_spool_that_begins_later_is_asked_about_before_it_is_called_a_loss() -> None:
    desk = Desk(acknowledged=5)
    effects = desk.send(message(21, lowest=21))
    assert effects.ask_ledger
    assert not effects.produce
    assert not desk.send(message(22, lowest=21)).ask_ledger
    (command,) = desk.ask(acknowledged=5).commands
    assert command.command.sequence == 21
    (part,) = parts_in(desk.send(message(21, lowest=21)))
    (loss,) = part.losses
    assert (loss.first_sequence, loss.last_sequence) == (6, 20)
    assert (loss.reason, loss.gateway, loss.spool, loss.reads) == ("spool_cut", "dock", SPOOL, None)
    assert parts_in(desk.send(message(22, lowest=21)))[0].losses == ()


def test_what_a_run_before_brought_to_the_ledger_is_no_loss() -> None:
    """The agent heard of it first, and has forgotten it already."""
    desk = Desk(acknowledged=5)
    assert desk.send(message(21, lowest=21)).ask_ledger
    (command,) = desk.ask(acknowledged=20).commands
    assert command.command.sequence == 21
    (part,) = parts_in(desk.send(message(21, lowest=21)))
    assert part.losses == ()


def test_an_answer_from_before_the_question_decides_nothing() -> None:
    desk = Desk(acknowledged=5)
    early = desk.bridge.ticket
    desk.send(message(21, lowest=21))
    effects = desk.bridge.take_ledger(early, [(*KEY, 5)], next_offsets={}, now_s=0.0)
    assert not effects.commands
    assert not desk.send(message(21, lowest=21)).produce


def test_the_ledger_moves_a_run_on() -> None:
    desk = Desk(acknowledged=5)
    desk.ask(acknowledged=8)
    assert desk.send(message(8)).done == [1]
    assert parts_in(desk.send(message(9)))[0].sequence == 9


def test_two_gateways_with_the_same_spool_do_not_disturb_each_other() -> None:
    """A disk was copied: both have batches 1, and they are not the same."""
    desk = Desk()
    desk.send(message(1))
    effects = desk.bridge.receive("yard", message(1), 9, bridge_us=1, now_s=0.0)
    assert parts_in(effects)[0].gateway == "yard"


def test_an_offset_that_goes_back_ends_the_run() -> None:
    desk = Desk()
    desk.deliver(desk.tick().produce)
    record = desk.send(message(1)).produce[0]
    desk.bridge.delivered(record.number, 0)
    assert desk.bridge.restart is not None
    assert "emptied or cut" in desk.bridge.restart


def test_an_offset_before_the_ledgers_position_ends_the_run() -> None:
    """The log was cut before this run wrote anything."""
    desk = Desk()
    desk.ask(acknowledged=0, next_offsets={0: 10})
    (record,) = desk.tick().produce
    desk.bridge.delivered(record.number, 9)
    assert desk.bridge.restart is not None


def test_a_record_sent_before_the_position_was_known_proves_nothing() -> None:
    desk = Desk()
    (record,) = desk.tick().produce
    desk.ask(acknowledged=0, next_offsets={0: 10})
    desk.bridge.delivered(record.number, 9)
    assert desk.bridge.restart is None


def test_a_spool_that_partitions_withhold_ends_the_run() -> None:
    desk = Desk()
    desk.deliver(desk.send(message(1)).produce)
    desk.deliver(desk.tick().produce)
    desk.ask(acknowledged=0, next_offsets={0: 1})
    desk.now_s = HEAL_AFTER_S
    desk.ask(acknowledged=0, next_offsets={0: 2})
    assert desk.bridge.restart is None
    desk.now_s = 2 * HEAL_AFTER_S
    desk.ask(acknowledged=0, next_offsets={0: 2})
    assert desk.bridge.restart is not None
    assert SPOOL in desk.bridge.restart


def test_a_spool_that_is_acknowledged_late_does_not() -> None:
    desk = Desk()
    desk.deliver(desk.send(message(1)).produce)
    desk.deliver(desk.tick().produce)
    for now_s in (1.0, 1.0 + HEAL_AFTER_S / 2):
        desk.now_s = now_s
        desk.ask(acknowledged=0, next_offsets={0: 2})
    desk.ask(acknowledged=1, next_offsets={0: 2})
    desk.now_s += 3 * HEAL_AFTER_S
    desk.ask(acknowledged=1, next_offsets={0: 3})
    assert desk.bridge.restart is None


def test_one_tick_that_was_late_is_not_held_against_the_next() -> None:
    """Each tick that is watched has the whole wait for itself."""
    desk = Desk()
    desk.deliver(desk.send(message(1)).produce)
    desk.deliver(desk.tick().produce)
    desk.ask(acknowledged=0, next_offsets={0: 2})
    desk.now_s = HEAL_AFTER_S / 2
    desk.ask(acknowledged=1, next_offsets={0: 2})
    desk.deliver(desk.send(message(2)).produce)
    desk.deliver(desk.tick().produce)
    desk.now_s = HEAL_AFTER_S + 1
    desk.ask(acknowledged=1, next_offsets={0: 4})
    assert desk.bridge.restart is None


def test_a_partition_of_which_nothing_is_committed_ends_the_run() -> None:
    """Perhaps the log is not whole any more: the next run looks."""
    desk = Desk(partitions=2)
    desk.ask(acknowledged=0, next_offsets={0: 1, 1: 1})
    desk.now_s = STALLED_AFTER_S - 1
    desk.ask(acknowledged=0, next_offsets={0: 2, 1: 1})
    assert desk.bridge.restart is None
    desk.now_s = STALLED_AFTER_S
    desk.ask(acknowledged=0, next_offsets={0: 3, 1: 1})
    assert desk.bridge.restart is not None
    assert "partition 1" in desk.bridge.restart


def test_a_log_is_whole_or_it_is_said_what_is_wrong() -> None:
    whole = {0: Bounds(0, 10), 1: Bounds(3, 12)}
    positions = {0: 10, 1: 3}
    assert log_damage(positions, positions, whole, whole) is None
    for hurt, word in (
        ({0: Bounds(0, 10)}, "missing"),
        (whole | {0: Bounds(0, 9)}, "ends at 9"),
        (whole | {1: Bounds(4, 12)}, "begins at 4"),
    ):
        for reads, events in ((hurt, whole), (whole, hurt)):
            reason = log_damage(positions, positions, reads, events)
            assert reason is not None
            assert word in reason


def test_rejects_of_a_batch_keep_their_partition_in_every_run() -> None:
    reject = Reject(source="dock/door", reason="odd", raw=b"x", raw_length=1, at_us=4)
    batch = ReadBatch(gateway_us=1, rejects=(reject, reject))
    places = set()
    for run in (1, 2, 3):
        effects = Desk(partitions=4, run=run).send(message(1, batch=batch))
        assert parts_in(effects)[0].rejects == (reject, reject)
        places.add(effects.produce[0].partition)
    assert len(places) == 1
