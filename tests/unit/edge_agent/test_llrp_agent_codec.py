"""The table-driven codec: agrees with itself on anything, and with an independent one."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.llrp.codec import (
    Message,
    Parameter,
    decode_body,
    encode_body,
    parameter,
    status_text,
    to_json_values,
)
from edge_agent.core.llrp.layout import (
    BitString,
    Field,
    Fields,
    Flags,
    Layout,
    Malformed,
    Number,
    Numbers,
    Octets,
    Text,
    Value,
)
from edge_agent.core.llrp.messages import MESSAGES
from edge_agent.core.llrp.parameters import PARAMETER_NUMBERS, PARAMETERS
from tests.unit.edge_agent.llrp_bytes import status, tlv


@st.composite
def fields_of(draw: st.DrawFn, layout: Layout) -> Fields:
    fields: Fields = {}
    for field in layout.fields:
        fields.update(draw(values_of(field)))
    return fields


@st.composite
def values_of(draw: st.DrawFn, field: Field) -> dict[str, Value]:
    values: dict[str, Value] = {}
    match field:
        case Number(name, octets, signed):
            low = -(1 << octets * 8 - 1) if signed else 0
            values[name] = draw(st.integers(low, (1 << octets * 8 - signed) - 1))
        case Flags(_, bits):
            for part in bits:
                if part.name:
                    any_number = st.integers(0, 2**part.width - 1)
                    values[part.name] = draw(st.booleans() if part.flag else any_number)
        case Text(name):
            values[name] = draw(st.text(max_size=5))
        case Octets(name, fixed):
            size = (0, 5) if fixed is None else (fixed, fixed)
            values[name] = draw(st.binary(min_size=size[0], max_size=size[1]))
        case BitString(name):
            count = draw(st.integers(0, 40))
            octets = (count + 7) // 8
            values[name + "NumBits"] = count
            values[name] = draw(st.binary(min_size=octets, max_size=octets))
        case Numbers(name, octets):
            numbers = st.integers(0, (1 << octets * 8) - 1)
            values[name] = tuple(draw(st.lists(numbers, max_size=3)))
    return values


@st.composite
def parameters_of(draw: st.DrawFn, layout: Layout, depth: int) -> tuple[Parameter, ...]:
    chosen = []
    for slot in layout.slots if depth < 6 else ():
        inner = PARAMETERS[PARAMETER_NUMBERS[slot.parameter]]
        for _ in range(draw(st.integers(0, 2 if slot.many else 1))):
            content = draw(parameters_of(inner, depth + 1))
            chosen.append(Parameter(inner.number, draw(fields_of(inner)), content))
    return tuple(chosen)


@st.composite
def any_message(draw: st.DrawFn) -> Message:
    layout = MESSAGES[draw(st.sampled_from(sorted(MESSAGES)))]
    return Message(layout.number, draw(fields_of(layout)), draw(parameters_of(layout, 0)))


def decoded(number: int, body: bytes) -> Message | None:
    """Decode or be told that it is malformed; anything else fails the test."""
    try:
        message = decode_body(number, body)
    except Malformed:
        return None
    to_json_values(message)
    return message


@settings(max_examples=150, deadline=None)
@given(any_message())
def test_what_is_encoded_decodes_to_the_same(message: Message) -> None:
    again = decode_body(message.number, encode_body(message))
    assert again == message
    to_json_values(again)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(MESSAGES)), st.binary(max_size=60))
def test_any_bytes_are_refused_or_encode_back_to_themselves(number: int, body: bytes) -> None:
    message = decoded(number, body)
    assert message is None or encode_body(message) == body


@settings(max_examples=200, deadline=None)
@given(any_message(), st.data())
def test_a_spoilt_body_is_refused_or_encodes_back_to_itself(
    message: Message, data: st.DataObject
) -> None:
    body = bytearray(encode_body(message))
    for _ in range(data.draw(st.integers(1, 3))):
        if body:
            at = data.draw(st.integers(0, len(body) - 1))
            body[at] = data.draw(st.integers(0, 255))
    cut = bytes(body[: data.draw(st.integers(0, len(body)))])
    again = decoded(message.number, cut)
    assert again is None or encode_body(again) == cut


def test_every_place_names_a_known_parameter() -> None:
    layouts = [*PARAMETERS.values(), *MESSAGES.values()]
    places = {slot.parameter for layout in layouts for slot in layout.slots}
    assert places <= set(PARAMETER_NUMBERS)
    assert len(PARAMETERS) == len(PARAMETER_NUMBERS) == 123
    assert len(MESSAGES) == 46


def test_unknown_and_vendor_parameters_come_back_as_they_were() -> None:
    body = status() + tlv(1000, b"\x01\x02") + tlv(1023, struct.pack(">II", 25882, 999) + b"xy")
    message = decode_body(36, body)
    assert encode_body(message) == body
    assert to_json_values(message)["ROSpecs"] is None


def test_reserved_bits_come_back_as_they_were() -> None:
    body = b"\x01"  # SetReaderConfig: the flag is off, a reserved bit is on.
    message = decode_body(3, body)
    assert to_json_values(message)["ResetToFactoryDefaults"] is False
    assert encode_body(message) == body


def test_deep_nesting_is_refused() -> None:
    nested = b""
    for _ in range(2000):
        nested = tlv(289, bytes(4) + nested)
    with pytest.raises(Malformed, match="nest deeper"):
        decode_body(100, tlv(287, bytes(4) + nested))


def test_an_unknown_message_is_refused_by_number() -> None:
    with pytest.raises(Malformed, match="unknown message 999"):
        decode_body(999, b"")


def test_a_status_says_all_that_the_reader_said() -> None:
    error = parameter("FieldError", FieldIndex=2, ErrorCode=301)
    where = parameter("ParameterError", error, ParameterType=224, ErrorCode=201)
    words = status_text(
        parameter("LLRPStatus", where, Status=100, ErrorDescription="no such power")
    )
    assert words == (
        "M_ParameterError, no such power, parameter RFTransmitter: P_FieldError,"
        " field 2: A_OutOfRange"
    )
