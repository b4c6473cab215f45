"""RFID readers and handhelds that publish by themselves: recorded payloads, event by event."""

from __future__ import annotations

import pytest
import vendor_payloads as recorded

from contracts.site_mqtt import MqttTable
from edge_agent.core.vendors.events import (
    Alive,
    AntennaTold,
    CodeSeen,
    Event,
    HealthTold,
    InputChanged,
    Noticed,
    StateTold,
    TagSeen,
    Unusable,
)
from edge_agent.core.vendors.handheld_events import HandheldDecoder
from edge_agent.core.vendors.impinj import ImpinjDecoder
from edge_agent.core.vendors.zebra import ZebraDecoder

EPC = bytes.fromhex("30364433400D1EC000001267")
ZEBRA_EPC = bytes.fromhex("e2806894000040017790e471")


def impinj(payload: bytes, **table: object) -> list[Event]:
    decoder = ImpinjDecoder(MqttTable.model_validate(table))
    return decoder.decode("impinj/r/events", payload, 0)


def zebra(payload: bytes, **table: object) -> list[Event]:
    return ZebraDecoder(MqttTable.model_validate(table)).decode("zebra/r/data", payload, 0)


def handheld(
    payload: bytes, topic: str = "zebra/DATA/clients/data1event/RFD40-1", **table: object
) -> list[Event]:
    return HandheldDecoder(MqttTable.model_validate(table)).decode(topic, payload, 0)


def reasons(events: list[Event]) -> list[str]:
    return [event.reason for event in events if isinstance(event, Unusable)]


def test_a_tag_as_an_impinj_reader_tells_it_out_of_the_box() -> None:
    """Base64 EPC, signal in 1/100 dBm, and no time of the read but the message's."""
    at_us = 1_775_131_200_500_000
    assert impinj(recorded.IMPINJ_TAG) == [
        TagSeen(epc=EPC, antenna=2, last_us=at_us, rssi_cdbm=-5_234)
    ]


def test_optional_fields_of_an_impinj_reader_are_taken() -> None:
    at_us = 1_775_131_201_000_000
    assert impinj(recorded.IMPINJ_TAG_WITH_ALL) == [
        TagSeen(epc=EPC, antenna=1, last_us=at_us, rssi_cdbm=-5_234, phase_cdeg=3_250)
    ]


@pytest.mark.parametrize("text", ["MDZEM0ANHsAAABJn", "_-8", "_-8="])
def test_base64_of_both_alphabets_is_read_with_and_without_padding(text: str) -> None:
    payload = recorded.IMPINJ_TAG.replace(b"MDZEM0ANHsAAABJn", text.encode())
    assert isinstance(impinj(payload)[0], TagSeen)


def test_an_array_is_many_events_and_an_empty_one_only_shows_life() -> None:
    assert len(impinj(b"[" + b",".join([recorded.IMPINJ_TAG] * 3) + b"]")) == 3
    for empty in (b"[]", b"", b"\r\n", b" [ ] "):
        assert impinj(empty) == [Alive()]


def test_the_connection_of_an_impinj_reader_is_told_in_plain_words() -> None:
    assert impinj(b"connected") == [StateTold("reading", "the reader is connected")]
    lost = impinj(b"connection lost")
    assert lost == [StateTold("silent", "the reader's connection to the broker was lost")]
    own = impinj(b"weg", lost="weg", disconnected="tschuess")
    assert own == lost
    assert impinj(b"tschuess", disconnected="tschuess")[0] == StateTold(
        "silent", "the reader has disconnected"
    )
    assert reasons(impinj(b"hello")) == ["neither an event nor a known status text"]


def test_antennas_inputs_and_inventory_of_an_impinj_reader() -> None:
    head = b'{"timestamp":"2026-04-02T12:00:00Z","eventType":'
    gone = head + b'"antennaDisconnected","antennaDisconnectedEvent":{"antennaPort":3}}'
    back = head + b'"antennaConnected","antennaConnectedEvent":{"antennaPort":3}}'
    assert impinj(gone) == [AntennaTold(3, connected=False)]
    assert impinj(back) == [AntennaTold(3, connected=True)]
    gpi = head + b'"gpiTransition","gpiTransitionEvent":{"gpi":1,"transition":"high-to-low"}}'
    assert impinj(gpi) == [InputChanged(1, high=False, at_us=1_775_131_200_000_000)]
    idle = impinj(head + b'"inventoryStatus","inventoryStatusEvent":{"inventoryStatus":"idle"}}')
    assert idle == [HealthTold("inventory idle", at_us=1_775_131_200_000_000)]
    assert impinj(head + b'"antennaActivation"}') == [Alive()]


def test_an_overflow_is_complained_of_and_kept_as_it_came() -> None:
    noticed, kept = impinj(recorded.IMPINJ_OVERFLOW)
    assert isinstance(noticed, Noticed)
    assert '"eventsPurged":120' in noticed.detail
    assert kept == Unusable(
        "the reader's buffer overflowed: it has given up events", recorded.IMPINJ_OVERFLOW
    )


def test_only_the_named_reader_counts_where_it_tells_its_name() -> None:
    assert impinj(recorded.IMPINJ_TAG_WITH_ALL, sender="another") == [Alive()]
    assert len(impinj(recorded.IMPINJ_TAG_WITH_ALL, sender="impinj-14-b1-2c")) == 1
    assert isinstance(impinj(recorded.IMPINJ_TAG, sender="another")[0], TagSeen)


def test_wrong_fields_of_an_impinj_event_are_named_and_the_others_of_the_array_count() -> None:
    wrong = recorded.IMPINJ_TAG.replace(b'"antennaPort":2', b'"antennaPort":"two"')
    events = impinj(b"[" + wrong + b"," + recorded.IMPINJ_TAG + b"]")
    assert isinstance(events[0], Unusable)
    assert "$.tagInventoryEvent.antennaPort" in events[0].reason
    assert events[0].raw == wrong
    assert isinstance(events[1], TagSeen)
    assert "without EPC" in reasons(impinj(recorded.IMPINJ_TAG.replace(b'"epc":', b'"x":')))[0]
    assert "cannot be read" in reasons(impinj(recorded.IMPINJ_TAG.replace(b"MDZE", b"!!!!")))[0]
    unknown = impinj(b'{"eventType":"teleport"}')
    assert reasons(unknown) == ["an event of the unknown type 'teleport'"]


def test_tags_of_a_zebra_reader_in_each_operating_mode() -> None:
    assert zebra(recorded.ZEBRA_SIMPLE) == [TagSeen(epc=ZEBRA_EPC, last_us=1_788_785_436_194_000)]
    assert zebra(recorded.ZEBRA_INVENTORY) == [
        TagSeen(epc=ZEBRA_EPC, antenna=1, last_us=1_788_785_455_513_000, seen=3, rssi_cdbm=-3_700)
    ]
    assert zebra(recorded.ZEBRA_CONVEYOR) == [
        TagSeen(epc=ZEBRA_EPC, antenna=1, last_us=1_788_785_489_949_000)
    ]


@pytest.mark.parametrize(
    ("front", "between", "end"),
    [(b"", b"", b""), (b"", b"\n", b"\n"), (b"[", b",", b"]"), (b" [\n", b" ,\r\n", b" ]\n")],
    ids=["without delimiter", "lines", "array", "array with blanks"],
)
def test_batches_of_a_zebra_reader_in_all_their_forms(
    front: bytes, between: bytes, end: bytes
) -> None:
    events = [recorded.ZEBRA_SIMPLE, recorded.ZEBRA_INVENTORY, recorded.ZEBRA_GPI]
    found = zebra(front + between.join(events) + end)
    assert [type(one) for one in found] == [TagSeen, TagSeen, InputChanged]


def test_a_broken_object_in_a_batch_costs_only_itself() -> None:
    broken = recorded.ZEBRA_SIMPLE[:-30]
    found = zebra(recorded.ZEBRA_SIMPLE + broken + recorded.ZEBRA_INVENTORY)
    assert isinstance(found[0], TagSeen)
    assert any(isinstance(one, Unusable) for one in found)
    found = zebra(recorded.ZEBRA_SIMPLE + b'{"type":}' + recorded.ZEBRA_INVENTORY)
    assert [type(one) for one in found] == [TagSeen, Unusable, TagSeen]


@pytest.mark.parametrize(
    "broken",
    [
        recorded.ZEBRA_SIMPLE[:-1],
        recorded.ZEBRA_SIMPLE[:15],
        recorded.ZEBRA_INVENTORY.replace(b"-37", b"NaN"),
        b'{"a" 1}',
        b"tru",
    ],
    ids=["a brace is missing", "cut in a text", "NaN", "no colon", "no object"],
)
@pytest.mark.parametrize(("front", "end"), [(b"[", b"]"), (b"", b"")], ids=["array", "commas"])
def test_a_broken_element_of_an_array_costs_only_itself(
    broken: bytes, front: bytes, end: bytes
) -> None:
    whole = recorded.ZEBRA_SIMPLE
    found = zebra(front + b",\n".join((whole, broken, whole, whole)) + end)
    assert [type(one) for one in found] == [TagSeen, Unusable, TagSeen, TagSeen]
    refused = found[1]
    assert isinstance(refused, Unusable)
    assert refused.raw == broken


def test_brackets_without_a_value_are_refused() -> None:
    for raw in (b"[[[", b"[,]", b",", b"]"):
        assert [type(one) for one in zebra(raw)] == [Unusable]


def test_a_tag_without_its_envelope_is_a_tag() -> None:
    found = zebra(b'{"eventNum":1,"format":"epc","idHex":"e2806894000040017790e471"}')
    assert found == [TagSeen(epc=ZEBRA_EPC)]


def test_the_heartbeat_of_a_zebra_reader_tells_its_figures() -> None:
    events = zebra(recorded.ZEBRA_HEARTBEAT)
    health = events[0]
    assert isinstance(health, HealthTold)
    assert health.temperature_c == 23
    assert health.at_us == 1_677_679_049_126_000
    assert health.detail == "radio inactive, CPU 9 %, memory 57%, NTP offset -1, 7 errors"
    assert AntennaTold(4, connected=True) in events
    assert AntennaTold(2, connected=False) in events
    low = InputChanged(2, high=False, at_us=health.at_us, is_change=False)
    assert low in events
    assert events[-1] == Noticed("the reader has dropped 5 messages")


def test_dropped_messages_are_told_when_they_become_more() -> None:
    decoder = ZebraDecoder(MqttTable())
    assert isinstance(decoder.decode("t", recorded.ZEBRA_HEARTBEAT, 0)[-1], Noticed)
    assert not isinstance(decoder.decode("t", recorded.ZEBRA_HEARTBEAT, 0)[-1], Noticed)


def test_what_else_a_zebra_reader_says() -> None:
    assert zebra(recorded.ZEBRA_GPI)[0] == InputChanged(1, high=False, at_us=1_788_783_713_635_000)
    assert zebra(recorded.ZEBRA_GPO) == [Alive()]
    assert zebra(recorded.ZEBRA_BLE) == [Alive()]
    assert zebra(recorded.ZEBRA_ERROR) == [Noticed("error: antenna 2 mismatch")]
    answer = b'{"command":"get_version","command_id":"1","response":"success","payload":{}}'
    assert zebra(answer) == [Alive()]
    assert reasons(zebra(b'{"type":"teleport","data":{}}')) == [
        "an event of the unknown type 'teleport'"
    ]
    assert reasons(zebra(b'{"type":"INVENTORY","data":null}')) == [
        "an event of the type INVENTORY without its data"
    ]


def test_a_handheld_tells_tags_and_barcodes() -> None:
    assert handheld(recorded.HANDHELD_DATA) == [
        TagSeen(
            epc=EPC,
            first_us=1_566_656_120_000_000,
            last_us=1_566_656_121_500_000,
            seen=4,
            rssi_cdbm=-3_900,
            phase_cdeg=35_850,
        ),
        CodeSeen(b"0109506000134352214711", 1_566_656_122_000_000),
    ]


def test_a_handheld_tells_of_itself() -> None:
    assert handheld(recorded.HANDHELD_HEARTBEAT) == [
        HealthTold("inventory inprogress, battery high 85 %", at_us=1_566_656_122_000_000)
    ]
    assert handheld(recorded.HANDHELD_CONNECTED)[0] == StateTold(
        "reading", "the handheld is connected"
    )
    assert handheld(recorded.HANDHELD_DISCONNECTED)[0] == StateTold(
        "silent", "the handheld has left the broker"
    )
    alert = handheld(recorded.HANDHELD_ALERT)[0]
    assert isinstance(alert, Noticed)
    assert alert.detail.startswith("LOW BATTERY: ")
    assert handheld(recorded.HANDHELD_ALERT.replace(b"ONESHOT", b"CLEAR")) == [Alive()]


def test_a_handheld_among_others_is_known_by_topic_or_serial_number() -> None:
    own, other = "RFD40-24190525100354", "RFD40-7"
    assert handheld(recorded.HANDHELD_DATA, f"z/DATA/clients/data1event/{other}", sender=own) == []
    assert len(handheld(recorded.HANDHELD_DATA, f"z/data1event/{own}", sender=own)) == 2
    assert handheld(recorded.HANDHELD_CONNECTED, "z/rfid", sender=other) == [Alive()]


def test_wrong_parts_of_a_handhelds_message_cost_only_themselves() -> None:
    wrong = recorded.HANDHELD_DATA.replace(b'"seenCount":4', b'"seenCount":{}')
    found = handheld(wrong)
    assert [type(one) for one in found] == [Unusable, CodeSeen]
    assert "seenCount" in reasons(found)[0]
    assert reasons(handheld(b'{"x":1}'))[0].startswith("neither reads nor a heartbeat")
