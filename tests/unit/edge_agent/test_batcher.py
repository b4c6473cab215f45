"""Batches, the gateway's time and the devices' times."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from contracts.clock import LINK_US, ClockSetting
from contracts.codec import MESSAGE_BYTES_MAX, encode
from contracts.reads import DeviceChange, GateSignal, Read, ReadBatch, Reject
from edge_agent.core.batcher import (
    BATCH_AGE_US_MAX,
    BATCH_BYTES_MAX,
    BATCH_READS_MAX,
    IDLE_US_MAX,
    Batcher,
    Heard,
)
from edge_agent.core.device_time import DeviceTime
from edge_agent.core.device_watch import COMPLAINT_US, DeviceWatch
from edge_agent.core.gateway_time import GatewayTime


def read(identity: str = "raw:01", *, received_us: int = 5, evidence: bytes = b"") -> Read:
    return Read(
        identity=identity,
        device="door-1",
        antenna=1,
        first_us=1,
        last_us=2,
        received_us=received_us,
        count=1,
        evidence=evidence,
    )


def reject(raw: bytes = b"", reason: str = "odd") -> Reject:
    return Reject(source="dock/door-1", reason=reason, raw=raw, raw_length=len(raw), at_us=0)


def test_a_read_waits_for_company_no_longer_than_a_batch_ages() -> None:
    batcher = Batcher(started_us=0)
    batcher.add(Heard(reads=(read(),)), at_us=1_000)
    batcher.add(Heard(reads=(read(),)), at_us=40_000)
    assert batcher.due_us() == 1_000 + BATCH_AGE_US_MAX
    assert len(batcher.take(51_000).reads) == 2


def test_with_nothing_to_send_an_empty_batch_is_due_at_intervals() -> None:
    batcher = Batcher(started_us=7)
    assert batcher.due_us() == 7 + IDLE_US_MAX
    assert batcher.take(300_000) == ReadBatch(gateway_us=0)
    assert batcher.due_us() == 300_000 + IDLE_US_MAX


def test_a_batch_s_worth_is_due_at_once_and_who_has_more_waits() -> None:
    batcher = Batcher(started_us=0)
    batcher.add(Heard(reads=(read(),) * BATCH_READS_MAX), at_us=9)
    assert batcher.is_full
    assert batcher.due_us() == 0
    assert len(batcher.take(9).reads) == BATCH_READS_MAX
    assert not batcher.is_full


def test_more_than_a_batch_is_cut_in_several_at_once() -> None:
    batcher = Batcher(started_us=0)
    batcher.add(Heard(reads=tuple(read(f"raw:{n:04x}") for n in range(2_500))), at_us=0)
    batches = []
    while not batcher.is_empty:
        assert batcher.due_us() <= 0
        batches.append(batcher.take(0))
    assert [len(batch.reads) for batch in batches] == [1000, 1000, 500]
    assert [one.identity for batch in batches for one in batch.reads] == [
        f"raw:{n:04x}" for n in range(2_500)
    ]


def test_what_is_left_over_has_its_oldest_receipt_told() -> None:
    batcher = Batcher(started_us=0)
    batcher.add(Heard(reads=tuple(read(received_us=n) for n in range(1_001))), at_us=0)
    signal = GateSignal(device="door-1", port=1, state=True, at_us=3, received_us=400)
    batcher.add(Heard(signals=(signal,)), at_us=0)
    assert batcher.oldest_us() == 0
    batcher.take(0)
    assert batcher.oldest_us() == 1_000
    batcher.take(0)
    assert batcher.oldest_us() is None


HEARD = st.builds(
    Heard,
    reads=st.lists(
        st.builds(read, st.text(max_size=40), evidence=st.binary(max_size=600)), max_size=30
    ).map(tuple),
    rejects=st.lists(
        st.builds(reject, st.integers(0, 4096).map(bytes), st.text(max_size=40)), max_size=150
    ).map(tuple),
    signals=st.just(()),
    changes=st.lists(
        st.builds(
            DeviceChange,
            device=st.just("d"),
            state=st.just("reading"),
            detail=st.text(max_size=500),
            at_us=st.just(0),
        ),
        max_size=10,
    ).map(tuple),
)


@given(st.lists(HEARD, max_size=6))
def test_everything_comes_out_once_and_in_order_in_batches_that_fit(heard: list[Heard]) -> None:
    batcher = Batcher(started_us=0)
    for one in heard:
        batcher.add(one, at_us=0)
    batches = []
    while not batcher.is_empty:
        batches.append(batcher.take(0))
    assert [one for batch in batches for one in batch.reads] == [
        one for each in heard for one in each.reads
    ]
    assert [one for batch in batches for one in batch.rejects] == [
        one for each in heard for one in each.rejects
    ]
    assert [one for batch in batches for one in batch.changes] == [
        one for each in heard for one in each.changes
    ]
    assert all(len(encode(batch)) < MESSAGE_BYTES_MAX for batch in batches)
    assert batcher._bytes == 0


def test_large_rejects_fill_a_batch_by_bytes() -> None:
    batcher = Batcher(started_us=0)
    batcher.add(Heard(rejects=(reject(bytes(4096)),) * 200), at_us=0)
    assert batcher.is_full
    batch = batcher.take(0)
    assert len(encode(batch)) < 1.2 * BATCH_BYTES_MAX
    assert not batcher.is_empty


def test_gateway_time_stays_behind_by_its_allowance() -> None:
    time = GatewayTime(allowance_us=LINK_US)
    assert time.at(10_000_000, None, steady_us=0) == 10_000_000 - LINK_US
    assert ClockSetting(speed=60).link_allowance_us() == 180_000_000
    assert ClockSetting(speed=0.5).link_allowance_us() == LINK_US


def test_gateway_time_never_passes_a_read_that_waits() -> None:
    assert GatewayTime(allowance_us=LINK_US).at(10_000_000, 5_000_000, steady_us=0) == 5_000_000


def test_gateway_time_waits_for_a_reader_that_was_cut_and_for_what_it_kept() -> None:
    time = GatewayTime(allowance_us=LINK_US)
    before = time.at(10_000_000, None, steady_us=0)
    time.device_left("door-1", steady_us=0)
    assert time.at(10_900_000, None, steady_us=900_000) == before
    time.device_came("door-1", steady_us=1_000_000)
    assert time.at(11_800_000, None, steady_us=1_800_000) == before
    assert time.at(12_500_000, None, steady_us=2_500_000) == 12_200_000


def test_gateway_time_does_not_wait_for_ever_for_a_reader() -> None:
    time = GatewayTime(allowance_us=LINK_US)
    marks = []
    for step in range(600):
        steady_us = step * 100_000
        now_us = 1_000_000 + steady_us
        if step % 20 == 0:
            # A reader that comes and goes all the time.
            time.device_left("door-1", steady_us=steady_us)
        marks.append(time.at(now_us, None, steady_us=steady_us))
    assert marks[49] == marks[1]
    assert marks[50] == 6_000_000 - LINK_US
    assert marks[599] == 60_900_000 - LINK_US


def test_gateway_time_stands_while_a_process_that_stood_still_catches_up() -> None:
    time = GatewayTime(allowance_us=LINK_US)
    before = time.at(10_000_000, None, steady_us=0)
    assert time.at(40_000_000, None, steady_us=30_000_000) == before
    assert time.at(41_000_000, None, steady_us=31_000_000) == before
    assert time.at(41_600_000, None, steady_us=31_600_000) == 41_300_000


def test_gateway_time_lets_go_of_what_a_mad_clock_said() -> None:
    """A clock that is set back by less is waited for."""
    day = 86_400_000_000
    time = GatewayTime(allowance_us=LINK_US, floor_us=400 * day)
    assert time.at(2 * day, None, steady_us=0) == 2 * day - LINK_US
    later = time.at(3 * day, None, steady_us=100_000)
    assert time.at(2 * day + day // 2, None, steady_us=200_000) == later


@given(
    st.integers(0, 10**9),
    st.lists(
        st.tuples(
            st.integers(0, 10**9), st.none() | st.integers(0, 10**9), st.integers(0, 3_000_000)
        )
    ),
)
def test_gateway_time_never_goes_back(floor: int, steps: list[tuple[int, int | None, int]]) -> None:
    time = GatewayTime(allowance_us=LINK_US, floor_us=floor)
    marks = [floor]
    steady_us = 0
    for now_us, oldest_us, wait_us in steps:
        steady_us += wait_us
        marks.append(time.at(now_us, oldest_us, steady_us=steady_us))
    assert marks == sorted(marks)


def test_utc_is_passed_on_and_its_skew_is_shown() -> None:
    time = DeviceTime()
    assert time.utc_us(1_000, 2_000, uptime=False, received_us=5_000) == (1_000, 2_000)
    assert time.skew_us == -3_000
    assert time.utc_us(4_000, 4_500, uptime=False, received_us=5_000) == (4_000, 4_500)
    assert time.skew_us == -500


def test_what_a_reader_leaves_out_is_the_time_of_receipt() -> None:
    time = DeviceTime()
    assert time.utc_us(None, None, uptime=False, received_us=9) == (9, 9)
    assert time.utc_us(4, None, uptime=False, received_us=9) == (4, 4)
    assert time.utc_us(None, 5, uptime=False, received_us=9) == (5, 5)
    assert time.utc_us(6, 5, uptime=False, received_us=9) == (5, 6)


def test_uptime_becomes_utc_by_the_report_that_travelled_fastest() -> None:
    time = DeviceTime()
    assert time.utc_us(100, 200, uptime=True, received_us=1_000_900) == (1_000_800, 1_000_900)
    assert time.utc_us(300, 400, uptime=True, received_us=1_000_450) == (1_000_350, 1_000_450)
    assert time.utc_us(500, 600, uptime=True, received_us=1_002_000) == (1_000_550, 1_000_650)
    assert time.skew_us is None


def test_uptime_is_learnt_anew_after_a_restart_of_the_reader() -> None:
    time = DeviceTime()
    time.utc_us(90_000_000, 90_000_000, uptime=True, received_us=1_090_000_000)
    assert time.utc_us(5, 10, uptime=True, received_us=1_200_000_000) == (
        1_199_999_995,
        1_200_000_000,
    )


@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(0, 2**64 - 1),
            st.none() | st.integers(0, 2**64 - 1),
            st.booleans(),
        )
    )
)
def test_any_device_time_gives_an_ordered_pair_that_every_store_holds(
    reports: list[tuple[int | None, int | None, bool]],
) -> None:
    time = DeviceTime()
    for first, last, uptime in reports:
        first_us, last_us = time.utc_us(
            first, last, uptime=uptime, received_us=1_700_000_000_000_000
        )
        assert 0 <= first_us <= last_us < 2**62


def test_only_another_state_is_told_not_every_attempt() -> None:
    watch = DeviceWatch("door-1")
    told: list[DeviceChange] = []
    for state in ("connecting", "retrying", "connecting", "retrying", "connecting", "reading"):
        told += watch.entered(state, "why", at_us=1)
    assert [change.state for change in told] == ["retrying", "reading"]
    assert watch.health().state == "reading"


def test_complaints_are_told_at_intervals_with_their_number() -> None:
    watch = DeviceWatch("door-1")
    told: list[DeviceChange] = []
    for second in range(25):
        told += watch.complained("hot", at_us=second, steady_us=second * 1_000_000)
    assert COMPLAINT_US == 10_000_000
    assert [change.detail for change in told] == [
        "hot",
        "hot (and 9 more before)",
        "hot (and 9 more before)",
    ]
