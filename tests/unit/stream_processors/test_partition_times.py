"""Any mix of mad and right clocks: nothing is lost, and a restart at any record finds the same."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as some
from partition_desk import SPOOL, Desk

from contracts.codec import decode_json, encode
from contracts.events import Entry
from contracts.log import Output, Part, SpoolProgress, Tick
from contracts.reads import GateSignal, Read, Reject
from stream_processors.core.sound import AHEAD_US_MAX

NOW_US = 1_772_000_000_000_000
YEAR_US = 365 * AHEAD_US_MAX
GATEWAYS = ("dock", "yard")
RIGHT = some.integers(-AHEAD_US_MAX // 2, AHEAD_US_MAX // 2)
MAD = some.sampled_from([AHEAD_US_MAX + 2_000_000, YEAR_US, 20 * YEAR_US, 73 * YEAR_US])
OFFSETS = RIGHT | MAD | some.just(-20 * YEAR_US)
"""Of a clock from the bridge's."""

CLEAR = some.integers(-AHEAD_US_MAX // 3, AHEAD_US_MAX // 3) | some.integers(2, 30_000).map(
    AHEAD_US_MAX.__mul__
)


class Step(NamedTuple):
    """A part of a gateway's spool, or a tick."""

    gateway: str | None
    """None: a tick."""
    gateway_us: int
    reads: tuple[int, ...] = ()
    signals: tuple[int, ...] = ()
    is_new_run: bool = False


STEPS = some.lists(
    some.builds(
        Step,
        gateway=some.sampled_from([None, *GATEWAYS]),
        gateway_us=OFFSETS,
        reads=some.lists(OFFSETS, max_size=4).map(tuple),
        signals=some.lists(OFFSETS, max_size=2).map(tuple),
        is_new_run=some.sampled_from([False, False, False, True]),
    ),
    max_size=25,
)

FIRST = Step("dock", 0, reads=(0,))
TICK = Step(None, 0)
STEADY = some.lists(
    some.builds(
        Step,
        gateway=some.sampled_from([None, *GATEWAYS]),
        gateway_us=CLEAR,
        reads=some.lists(CLEAR, max_size=4).map(tuple),
        signals=some.lists(CLEAR, max_size=2).map(tuple),
    ),
    max_size=25,
)
"""Nothing so near to a day ahead that a gateway's time and the bridge's would tell differently."""


class Story:
    """The records of steps, and what is in them."""

    def __init__(self, steps: list[Step]) -> None:
        self.records: list[Part | Tick] = [tick(1, 1, NOW_US, {}, {})]
        self.reads: dict[int, list[Read]] = {}
        self.signals: dict[int, list[GateSignal]] = {}
        self.known: list[bool] = [True]
        """By record: whether a tick of its run came before."""
        self.bridge_us: list[int] = [NOW_US]
        sequences: Counter[str] = Counter()
        times: dict[str, int] = {}
        run, number = 1, 1
        for place, step in enumerate(steps, start=1):
            now_us = NOW_US + place * 1_000_000
            run += step.is_new_run
            if step.gateway is None:
                number += 1
                self.records.append(tick(run, number, now_us, sequences, times))
                self.known.append(True)
                self.bridge_us.append(now_us)
                continue
            sequences[step.gateway] += 1
            times[step.gateway] = now_us + step.gateway_us
            self.reads[place] = [
                read(f"{step.gateway}-{place}-{nth}", now_us + offset)
                for nth, offset in enumerate(step.reads)
            ]
            self.signals[place] = [signal(nth, now_us + at) for nth, at in enumerate(step.signals)]
            self.records.append(
                Part(
                    run=run,
                    gateway=step.gateway,
                    spool=SPOOL,
                    sequence=sequences[step.gateway],
                    previous=sequences[step.gateway] - 1,
                    gateway_us=times[step.gateway],
                    reads=tuple(self.reads[place]),
                    signals=tuple(self.signals[place]),
                )
            )
            self.known.append(self.known[-1] and not step.is_new_run)
            self.bridge_us.append(self.bridge_us[-1])


def tick(
    run: int,
    number: int,
    now_us: int,
    sequences: Counter[str] | dict[str, int],
    times: dict[str, int],
) -> Tick:
    return Tick(
        run=run,
        number=number,
        bridge_us=now_us,
        spools=tuple(
            SpoolProgress(
                gateway=gateway,
                spool=SPOOL,
                sequence=sequences[gateway],
                gateway_us=times[gateway],
                part=sequences[gateway],
            )
            for gateway in sorted(times)
        ),
    )


def read(identity: str, received_us: int) -> Read:
    return Read(
        identity=identity,
        device="door",
        antenna=1,
        first_us=received_us,
        last_us=received_us,
        received_us=received_us,
        count=1,
    )


def signal(port: int, received_us: int) -> GateSignal:
    return GateSignal(
        device="door", port=port, state=True, at_us=received_us, received_us=received_us
    )


@settings(max_examples=300, deadline=None)
@given(steps=STEPS)
def test_each_read_and_signal_is_believed_or_a_reject_with_its_bytes(steps: list[Step]) -> None:
    """By the bridge's time in the last tick of the run; before that, nothing is doubted."""
    story, desk = Story(steps), Desk()
    for place, record in enumerate(story.records):
        taken, counted = list(desk.notes.taken), desk.notes.signals
        output = desk.take(record)
        assert (output.offset, output.epoch) == (place, 3)
        latest = story.bridge_us[place] + AHEAD_US_MAX if story.known[place] else 100 * NOW_US
        reads, signals = story.reads.get(place, []), story.signals.get(place, [])
        believed = [one.identity for one in reads if one.received_us <= latest]
        refused = [encode(one) for one in (*reads, *signals) if one.received_us > latest]
        assert desk.notes.taken == taken + believed
        assert desk.notes.signals == counted + sum(one.received_us <= latest for one in signals)
        told = [decode_json(Reject, entry.payload) for entry in output.entries]
        assert [one.raw for one in told] == refused
        assert len({entry.id for entry in output.entries}) == len(refused)
        if isinstance(record, Tick):
            times, _ = desk.notes.ticks[-1]
            assert all(time_us <= latest for time_us in times.values())


@settings(max_examples=200, deadline=None)
@given(steps=STEADY, data=some.data())
def test_a_restart_at_any_record_goes_on_as_if_there_had_been_none(
    steps: list[Step], data: some.DataObject
) -> None:
    """What was not committed with a tick is taken again, and is decided the same."""
    records = Story([FIRST, TICK, *steps]).records
    committed = [place for place, one in enumerate(records) if place and isinstance(one, Tick)]
    cut = data.draw(some.sampled_from(committed), label="the last tick that was committed") + 1
    in_vain = data.draw(some.integers(0, 5), label="records behind it before the restart")
    whole, before = Desk(), Desk()
    outputs = [whole.take(record) for record in records]
    for record in records[:cut]:
        before.take(record)
    rows, taken, ticks = before.rows(), len(before.notes.taken), len(before.notes.ticks)
    for record in records[cut : cut + in_vain]:
        before.take(record)
    again = Desk(rows=rows)
    told = [again.take(record) for record in records[cut:]]
    assert [decided(one) for one in told] == [decided(one) for one in outputs[cut:]]
    assert again.notes.taken == whole.notes.taken[taken:]
    assert again.notes.ticks == whole.notes.ticks[ticks:]


def test_what_was_read_while_all_stood_still_for_days_is_no_future() -> None:
    """The stack is started again, and reads come before its first tick."""
    desk = Desk(snapshot_every_ticks=1)
    for record in Story([FIRST, TICK]).records:
        desk.take(record)
    monday_us = NOW_US + 3 * AHEAD_US_MAX
    part = Part(
        run=2,
        gateway="dock",
        spool=SPOOL,
        sequence=2,
        previous=1,
        gateway_us=monday_us,
        reads=(read("tag", monday_us),),
    )
    for anew in (desk, Desk(rows=desk.rows())):
        anew.notes.taken.clear()
        assert anew.take(part).entries == ()
        assert anew.notes.taken == ["tag"]


def decided(output: Output) -> tuple[list[Entry], tuple[SpoolProgress, ...] | None]:
    """What a record led to, without the worker's own memory; when is about the same."""
    assert all(abs(entry.happened_us - NOW_US) < AHEAD_US_MAX for entry in output.entries)
    entries = [msgspec.structs.replace(entry, happened_us=NOW_US) for entry in output.entries]
    return entries, output.tick and output.tick.spools
