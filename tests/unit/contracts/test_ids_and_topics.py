"""Ids, the partition of an identity, topics and the clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from contracts.clock import REAL_TIME, ClockSetting, clock_from_text
from contracts.ids import ID_CHARACTERS, content_id, partition_of
from contracts.topics import is_name, kafka_topic, mqtt_gateway_of, mqtt_topic

parts = some.lists(some.text(max_size=6), max_size=4)


@given(one=parts, other=parts)
def test_only_equal_content_has_equal_ids(one: list[str], other: list[str]) -> None:
    """Above all, no other way to cut the same text into parts."""
    assert (content_id("kind", *one) == content_id("kind", *other)) == (one == other)
    assert len(content_id("kind", *one)) == ID_CHARACTERS


def test_ids_stay_what_they_are() -> None:
    """They are in ledgers already."""
    assert content_id("reject", "dock", 7, b"\x00") == "f9cc7db3b2f96ba95c1c7e0a4435debf"
    assert content_id("a") != content_id("b")


@given(identity=some.text(), partitions=some.integers(min_value=1, max_value=64))
def test_an_identity_has_one_partition(identity: str, partitions: int) -> None:
    assert 0 <= partition_of(identity, partitions) < partitions


def test_partitions_stay_what_they_are() -> None:
    """Topics and whereabouts are laid out by CRC-32, whose check value is known."""
    crc = 0xCBF43926
    counts = (1, 2, 3, 4, 7)
    assert [partition_of("123456789", count) for count in counts] == [crc % n for n in counts]
    assert [crc % n for n in counts] == [0, 0, 2, 2, 5]


def test_a_gateway_is_found_in_its_topics_only() -> None:
    assert mqtt_gateway_of(mqtt_topic("demo", "dock", "reads")) == "dock"
    for topic in ("", "tallygate/v1/demo/bridge", "tallygate/v2/demo/dock/reads", "a/b/c/d/e"):
        assert mqtt_gateway_of(topic) is None
    assert mqtt_gateway_of("tallygate/v1/demo/../reads") is None


def test_a_name_fits_into_topics_and_ids() -> None:
    assert is_name("door-1_b")
    for bad in ("", "-door", "a/b", "a b", "a" * 65, "+", "#", "tür", "door\n"):
        assert not is_name(bad)
    assert kafka_topic("demo", "reads", "r1") == "tallygate.demo.reads.r1"


@given(
    wall_us=some.integers(min_value=0, max_value=2**51),
    domain_us=some.integers(min_value=0, max_value=2**51),
    speed=some.floats(min_value=0.01, max_value=10_000),
)
def test_a_clock_survives_the_environment(wall_us: int, domain_us: int, speed: float) -> None:
    clock = ClockSetting(wall_anchor_us=wall_us, domain_anchor_us=domain_us, speed=speed)
    assert clock_from_text(clock.text()) == clock
    assert clock.domain_us(wall_us) == domain_us
    assert clock.wall_us(domain_us) == wall_us


def test_no_clock_is_real_time() -> None:
    assert clock_from_text("") == REAL_TIME
    assert REAL_TIME.domain_us(123) == 123


@pytest.mark.parametrize("text", ["1", "1:2", "1:2:0", "1:2:-1", "1:2:nan", "x:2:1", "1:2:99999"])
def test_a_wrong_clock_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        clock_from_text(text)
