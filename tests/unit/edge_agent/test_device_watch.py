"""A device's figures: per antenna, per second, and bounded whatever a device calls its antennas."""

from __future__ import annotations

from contracts.reads import Read
from edge_agent.core.device_watch import ANTENNAS_MAX, DeviceWatch

SECOND_US = 1_000_000


def read(antenna: int, received_us: int = 5) -> Read:
    return Read(
        identity="raw:01",
        device="door",
        antenna=antenna,
        first_us=1,
        last_us=2,
        received_us=received_us,
        count=1,
    )


def test_antennas_of_the_site_file_are_shown_before_they_hear_anything() -> None:
    watch = DeviceWatch("door")
    watch.expect([1, 2])
    watch.took([read(2, 7), read(2, 9), read(4, 8)])
    shown = [(one.number, one.reads, one.last_read_us) for one in watch.health().antennas]
    assert shown == [(1, 0, None), (2, 2, 9), (4, 1, 8)]


def test_an_antenna_that_was_pulled_is_shown_so() -> None:
    watch = DeviceWatch("door")
    watch.expect([1, 2])
    watch.antenna(2, connected=False, at_us=3)
    assert [one.connected for one in watch.health().antennas] == [None, False]
    watch.antenna(2, connected=True, at_us=4)
    assert [one.connected for one in watch.health().antennas] == [None, True]


def test_what_a_device_calls_its_antennas_takes_no_more_memory_than_allowed() -> None:
    watch = DeviceWatch("door")
    watch.took(read(number) for number in range(10_000))
    assert len(watch.health().antennas) == ANTENNAS_MAX


def test_reads_a_second_are_those_since_the_last_question() -> None:
    watch = DeviceWatch("door")
    assert watch.health(steady_us=10 * SECOND_US).reads_per_s == 0
    watch.heard(reads=30, rejects=1, received_us=1)
    assert watch.health(steady_us=12 * SECOND_US).reads_per_s == 15
    assert watch.health(steady_us=12 * SECOND_US).reads_per_s == 0
    assert watch.health(steady_us=14 * SECOND_US).reads_per_s == 0


def test_the_alarms_learn_since_when_it_reads() -> None:
    watch = DeviceWatch("door", watched_us=3)
    assert (watch.look().watched_us, watch.look().reading_us) == (3, 3)
    for at_us, state in ((5, "reading"), (6, "reading"), (7, "retrying"), (9, "reading")):
        watch.entered(state, "", at_us=at_us)
    assert (watch.look().watched_us, watch.look().reading_us) == (3, 9)
