"""Bodies of handhelds: any bytes lead to a model, named mistakes, a read or a reject."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from contracts.codec import encode
from contracts.reads import Read, ReadBatch, Reject
from edge_agent.core.handheld import (
    CODE_BYTES_MAX,
    SIGN_IN_TOLERANCE_US,
    Request,
    ScanBody,
    ScansBody,
    SignIn,
    SignInBody,
    judge_scan,
    microseconds,
    moment_text,
    read_body,
)
from stream_processors.core.sound import sound_batch

NOW_US = 1_750_000_000_000_000
HOUR_US = 3_600_000_000
ID = "7d0c1f9e-58a1-4e0e-9a43-0d0a8a2b7a11"
REQUEST = Request(
    source="dock/handhelds",
    device="handhelds",
    sign_in=SignIn("pda-1", "li.wei", NOW_US - HOUR_US, NOW_US + HOUR_US),
    skew_us=0,
    received_us=NOW_US,
    oldest_us=NOW_US - 48 * HOUR_US,
    places={"stage": "stage", "A-01": "cold"},
    has_place=True,
)


def scan(**changes: JsonValue) -> dict[str, JsonValue]:
    return {
        "id": ID,
        "scanned_at": moment_text(NOW_US - 5_000_000),
        "code": "4006381333931",
    } | changes


def read_of(**changes: JsonValue) -> Read:
    thing = judge_scan(scan(**changes), REQUEST).thing
    assert isinstance(thing, Read), thing
    return thing


def test_a_symbology_tells_what_a_code_is() -> None:
    told = read_of(code="0109506000134352211234", symbology="]d2")
    assert told.identity == "https://id.gs1.org/01/09506000134352/21/1234"
    assert told.evidence == b"]d20109506000134352211234"
    assert read_of(code="0109506000134352211234", symbology="d2") == told
    assert read_of(code="]d20109506000134352211234").identity == told.identity


def test_a_code_in_any_script_is_a_code() -> None:
    told = read_of(code="库位-7")
    assert told.evidence == "库位-7".encode()
    assert told.identity == "raw:" + "库位-7".encode().hex()


def test_a_scan_is_never_later_than_its_receipt() -> None:
    assert read_of(scanned_at=moment_text(NOW_US + HOUR_US)).last_us == NOW_US


@pytest.mark.parametrize(
    ("at_us", "person"),
    [
        (NOW_US - HOUR_US - SIGN_IN_TOLERANCE_US, "li.wei"),
        (NOW_US - HOUR_US - SIGN_IN_TOLERANCE_US - 1, None),
    ],
)
def test_a_scan_before_the_sign_in_is_nobody_s(at_us: int, person: str | None) -> None:
    told = read_of(scanned_at=moment_text(at_us))
    assert told.scan is not None
    assert told.scan.person == person


def test_equal_scans_have_equal_keys_whatever_the_order_of_fields() -> None:
    one = judge_scan(scan(), REQUEST)
    other = judge_scan(dict(reversed(scan().items())), REQUEST)
    assert (one.key, one.digest) == (other.key, other.digest)
    assert judge_scan(scan(code="x"), REQUEST).digest != one.digest


@pytest.mark.parametrize(
    "changes",
    [
        {"code": "x" * (CODE_BYTES_MAX + 1)},
        {"code": "字" * CODE_BYTES_MAX},
        {"code": None, "epc": "123"},
        {"code": None, "epc": "zz"},
        {"code": None, "epc": "00" * 63},
        {"code": "x", "symbology": "]]"},
        {"code": None, "epc": "3000", "symbology": "]d2"},
        {"document": "a\x00b"},
        {"location": "stage\n"},
        {"scanned_at": "2025-06-15T15:06:40"},
        {"scanned_at": 1_750_000_000},
        {"id": "7d0c1f9e"},
    ],
)
def test_what_cannot_be_used_is_a_reject_with_its_content(changes: dict[str, JsonValue]) -> None:
    judged = judge_scan(scan(**changes), REQUEST)
    assert isinstance(judged.thing, Reject)
    assert judged.reason
    assert judged.thing.raw_length >= len(judged.thing.raw) > 0


def test_mistakes_are_told_all_at_once_by_place() -> None:
    found = read_body(ScansBody, b'{"sent_at": "never", "scans": [], "scan": 1}')
    assert isinstance(found, list)
    assert {one.field for one in found} == {"sent_at", "scans", "scan"}


def test_times_go_there_and_back() -> None:
    for at_us in (0, NOW_US, -1, 253_402_300_799_999_999):
        body = read_body(ScanBody, json.dumps(scan(scanned_at=moment_text(at_us))).encode())
        assert isinstance(body, ScanBody)
        assert microseconds(body.scanned_at) == at_us


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.just(ID)
    | st.just(moment_text(NOW_US))
    | st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "30", "]d2"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from([*ScanBody.model_fields, "other"])


@given(st.binary(max_size=200))
def test_any_bytes_are_a_body_or_mistakes(raw: bytes) -> None:
    for model in (SignInBody, ScansBody, ScanBody):
        assert isinstance(read_body(model, raw), (model, list))


@given(st.data())
def test_a_spoiled_body_is_a_body_or_mistakes(data: st.DataObject) -> None:
    raw = bytearray(json.dumps({"sent_at": moment_text(NOW_US), "scans": [scan()]}).encode())
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    body = read_body(ScansBody, bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    for value in body.scans if isinstance(body, ScansBody) else []:
        assert judge_scan(value, REQUEST).thing


@given(st.dictionaries(FIELDS, VALUES), st.integers(-(2**55), 2**55))
def test_any_scan_is_a_read_or_a_reject_that_the_bridge_takes(
    changes: dict[str, JsonValue], skew_us: int
) -> None:
    """What leaves here never becomes a reject of the bridge."""
    thing = judge_scan(scan(**changes), REQUEST._replace(skew_us=skew_us)).thing
    batch = ReadBatch(
        gateway_us=NOW_US,
        reads=(thing,) if isinstance(thing, Read) else (),
        rejects=(thing,) if isinstance(thing, Reject) else (),
    )
    sound = sound_batch(encode(batch), source="bridge", gateway_us=0)
    assert len(sound.reads) == len(batch.reads)
    assert len(sound.rejects) == len(batch.rejects)
    for read in batch.reads:
        assert REQUEST.oldest_us <= read.last_us <= NOW_US


def test_numbers_and_depths_beyond_reason_are_mistakes() -> None:
    for inner in ("9" * 5_000, "[" * 5_000, '"\\ud800"', "1e999", "NaN"):
        raw = f'{{"sent_at": "{moment_text(NOW_US)}", "scans": [{inner}]}}'.encode()
        body = read_body(ScansBody, raw)
        if isinstance(body, ScansBody):
            assert isinstance(judge_scan(body.scans[0], REQUEST).thing, Reject)
