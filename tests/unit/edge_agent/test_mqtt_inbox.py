"""A device's inbox: bounded, and what has no room is told."""

from __future__ import annotations

import asyncio

import pytest

from edge_agent.devices.mqtt_inbox import (
    BYTES_MAX,
    MESSAGES_MAX,
    Arrived,
    Dropped,
    Link,
    MqttInbox,
    Receipt,
)


def inbox() -> MqttInbox:
    return MqttInbox(("t",), qos=1, now_us=lambda: 7, is_held=lambda: False)


def arrived(payload: bytes, told: list[bool]) -> Arrived:
    return Arrived("t", payload, False, 7, Receipt(1, told.append))


async def test_what_does_not_fit_is_counted_acknowledged_and_told_once() -> None:
    told: list[bool] = []
    box = inbox()
    for number in range(MESSAGES_MAX + 3):
        box.put(arrived(str(number).encode(), told))
    assert told == [True, True, True]
    assert box.take_dropped() == Dropped(3, str(MESSAGES_MAX).encode())
    assert box.take_dropped() is None
    assert [one.payload for one in box.take(2)] == [b"0", b"1"]
    assert not box.is_full


async def test_large_messages_fill_it_by_their_bytes() -> None:
    box = inbox()
    box.put(arrived(bytes(BYTES_MAX - 1), []))
    assert not box.is_full
    box.put(arrived(b"1", []))
    assert box.is_full
    assert len(box.take(10)) == 2
    assert not box.is_full


async def test_it_wakes_for_messages_links_and_faults() -> None:
    box = inbox()
    box.tell(Link("reading", "here"))
    await asyncio.wait_for(box.wait(), 5)
    assert box.link == Link("reading", "here")
    box.put(arrived(b"1", []))
    box.put(arrived(b"2", []))
    await asyncio.wait_for(box.wait(), 5)
    assert len(box.take(1)) == 1
    await asyncio.wait_for(box.wait(), 5)
    assert len(box.take(1)) == 1
    box.fail(ValueError("ours"))
    with pytest.raises(ValueError, match="ours"):
        await asyncio.wait_for(box.wait(), 5)


def test_a_message_for_several_devices_is_acknowledged_when_all_have_kept_it() -> None:
    told: list[bool] = []
    receipt = Receipt(2, told.append)
    receipt.done(kept=True)
    assert told == []
    receipt.done(kept=True)
    assert told == [True]
    spoiled = Receipt(2, told.append)
    spoiled.done(kept=False)
    spoiled.done(kept=True)
    assert told == [True, False]
