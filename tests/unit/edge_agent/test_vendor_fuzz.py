"""Whatever bytes come, every decoder answers with events or rejects, and never otherwise."""

from __future__ import annotations

import json
import random

import pytest
import vendor_payloads as recorded
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.codec import encode
from contracts.reads import ReadBatch
from contracts.site_devices import DeviceTable
from edge_agent.core.device_watch import DeviceWatch
from edge_agent.core.vendors.json_stream import values_in
from edge_agent.core.vendors.reading import DECODERS, VendorReading
from firmware_sim.core.vendors.sparkplug import BOOLEAN, FLOAT, INT64, STRING, Metric, payload

NOW_US = 1_795_514_400_000_000
TOPICS = {
    "impinj": "impinj/r/events",
    "zebra": "zebra/r/data",
    "zebra_handheld": "zebra/DATA/clients/data1event/RFD40-1",
    "ble_gateway": "ruuvi/C8:25:2D:8E:9C:2C/AC:23:3F:26:4E:5B",
    "sparkplug": "spBv1.0/dock/NBIRTH/portal",
}
BIRTH = payload(
    1_795_514_400_000,
    [
        Metric("bdSeq", INT64, 3),
        Metric("Health/Temperature", FLOAT, 41.5, alias=1),
        Metric("Node Control/Rebirth", BOOLEAN, False),
        Metric("Model", STRING, "Portal"),
    ],
    0,
)
SAMPLES = {**recorded.ALL, "sparkplug": (BIRTH,)}
KINDS = st.sampled_from(sorted(SAMPLES))


def reading(kind: str) -> VendorReading:
    mqtt: dict[str, object] = {"topic": "#", "sender": ""}
    device = DeviceTable.model_validate(
        {"id": "d", "gateway": "dock", "kind": kind, "location": "stage", "mqtt": mqtt}
    )
    return VendorReading(device, DeviceWatch("d"), source="dock/d")


def take(reader: VendorReading, kind: str, raw: bytes) -> None:
    """Take a message, and see that all that it led to can be written to the disk."""
    said = reader.receive(TOPICS[kind], raw, retained=False, received_us=NOW_US)
    batch = ReadBatch(
        gateway_us=0,
        reads=(*said.reads, *reader.pool.all(NOW_US)),
        rejects=said.rejects,
        signals=said.signals,
        changes=said.changes,
    )
    assert encode(batch)
    for read in batch.reads:
        assert read.count >= 1
        assert read.first_us <= read.last_us


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, bytes]:
    """A recorded payload with some bytes gone, changed, doubled or put in."""
    kind = draw(KINDS)
    raw = bytearray(draw(st.sampled_from(SAMPLES[kind])))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw)))
        how = draw(st.sampled_from(("cut", "put", "change", "double")))
        if how == "cut":
            del raw[at : at + draw(st.integers(1, 40))]
        elif how == "put":
            raw[at:at] = draw(st.binary(max_size=6) | st.sampled_from([b"null", b"{", b"]", b"-1"]))
        elif how == "change":
            raw[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
        else:
            raw[at:at] = raw[at : at + draw(st.integers(1, 60))]
    return kind, bytes(raw)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["2026-04-02T12:00:00Z", "e2806894", "nan", "inf", "1e400", "AC233F264E5B"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *(
                        "type",
                        "data",
                        "timestamp",
                        "eventType",
                        "tagInventoryEvent",
                        "epc",
                        "epcHex",
                    ),
                    *(
                        "antennaPort",
                        "idHex",
                        "antenna",
                        "peakRssi",
                        "reads",
                        "phase",
                        "pin",
                        "state",
                    ),
                    *(
                        "tagData",
                        "barcodeData",
                        "EPCid",
                        "seenCount",
                        "lastSeenTime",
                        "mac",
                        "rssi",
                    ),
                    *(
                        "rawData",
                        "ibeaconUuid",
                        "ibeaconMajor",
                        "gw_mac",
                        "ts",
                        "tags",
                        "beaconType",
                    ),
                    *("Address", "RSSI", "iBeacon", "eddystone", "system", "temperature", "GPI"),
                    *(
                        "radio_control",
                        "antennas",
                        "eventName",
                        "connectionState",
                        "id",
                        "priority",
                    ),
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(kind=KINDS, raw=st.binary(max_size=300))
def test_any_bytes_lead_to_events_or_rejects(kind: str, raw: bytes) -> None:
    take(reading(kind), kind, raw)


@settings(max_examples=250, deadline=None)
@given(case=mutated())
def test_recorded_payloads_with_damage_lead_to_events_or_rejects(case: tuple[str, bytes]) -> None:
    kind, raw = case
    take(reading(kind), kind, raw)


@settings(max_examples=200, deadline=None)
@given(kind=KINDS, value=JSON)
def test_any_json_with_known_names_leads_to_events_or_rejects(kind: str, value: object) -> None:
    take(reading(kind), kind, json.dumps(value).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("kind", sorted(SAMPLES))
def test_a_byte_at_a_time_and_cut_at_every_byte_leads_to_events_or_rejects(kind: str) -> None:
    reader = reading(kind)
    for raw in SAMPLES[kind]:
        for at in range(len(raw)):
            take(reader, kind, raw[:at])
            take(reader, kind, raw[at:])
            take(reader, kind, raw[at : at + 1])


def essence(raw: bytes) -> bytes:
    """All but what may stand between values."""
    return bytes(byte for byte in raw if byte not in b" \t\r\n\0,[]")


@settings(max_examples=200, deadline=None)
@given(parts=st.lists(st.binary(max_size=12) | st.sampled_from([b'{"a":1}', b"[", b"}{", b'"'])))
def test_no_byte_of_a_payload_vanishes_unless_it_is_between_values(parts: list[bytes]) -> None:
    raw = b"".join(parts)
    out = [one if isinstance(one, bytes) else one.raw for one in values_in(raw)]
    assert essence(b"".join(out)) == essence(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b"}{" * 200_000,
        b'{"k":"' + b"}{" * 100_000,
        b"{}" * 50_000,
    ],
    ids=["arrays", "objects", "turned", "in a text", "many"],
)
def test_hostile_payloads_cost_little(raw: bytes) -> None:
    found = list(values_in(raw))
    assert len(found) < 21_000


@pytest.mark.parametrize("seed", range(2))
def test_a_long_stream_of_damage_keeps_memory_bounded(seed: int) -> None:
    """One reader of each kind takes thousands of damaged messages."""
    dice = random.Random(seed)
    readers = {kind: reading(kind) for kind in DECODERS}
    for _ in range(1_500):
        kind = dice.choice(sorted(SAMPLES))
        raw = bytearray(dice.choice(SAMPLES[kind]))
        for _ in range(dice.randrange(4)):
            raw[dice.randrange(len(raw))] = dice.randrange(256)
        take(readers[kind], kind, bytes(raw))
