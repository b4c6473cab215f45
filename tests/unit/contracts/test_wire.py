"""Whatever arrives decodes or becomes a reject, and what we send arrives as it was."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from contracts.base import SCHEMA
from contracts.codec import (
    MESSAGE_BYTES_MAX,
    canonical,
    decode,
    decode_json,
    decode_with,
    encode,
)
from contracts.commands import (
    COMMAND,
    Acknowledgement,
    AgentHealth,
    AgentStatus,
    BridgeRun,
    SendAgain,
    SetLight,
    SetLogLevel,
    SetOutput,
)
from contracts.events import Entry, Evidence, LocationEvent, Sighting
from contracts.fleet import ConfigurationPushed, ConfigurationState
from contracts.log import LOG_RECORD, MemoryChange, Output, Part, SpoolProgress, Tick, TickOutput
from contracts.places import ReferenceChange
from contracts.reads import (
    RAW_BYTES_MAX,
    DeviceChange,
    GateSignal,
    Loss,
    Read,
    ReadBatch,
    Reject,
    SpooledBatch,
)

KINDS = [
    Acknowledgement,
    AgentHealth,
    AgentStatus,
    BridgeRun,
    ConfigurationPushed,
    ConfigurationState,
    LocationEvent,
    MemoryChange,
    Output,
    Part,
    ReadBatch,
    ReferenceChange,
    SendAgain,
    SetLight,
    SetLogLevel,
    SetOutput,
    Sighting,
    SpooledBatch,
    Tick,
]
STRUCTS = [*KINDS, DeviceChange, Entry, Evidence, GateSignal, Loss, Read, Reject, SpoolProgress]
integers = some.integers(min_value=-(2**63), max_value=2**63 - 1)
texts = some.text(max_size=8)
simple = some.recursive(
    some.none() | some.booleans() | integers | texts | some.binary(max_size=8),
    lambda each: some.lists(each, max_size=3) | some.dictionaries(texts, each, max_size=3),
    max_leaves=8,
)

some.register_type_strategy(int, integers)
some.register_type_strategy(str, texts)
some.register_type_strategy(bytes, some.binary(max_size=8))
some.register_type_strategy(float, some.floats(allow_nan=False))


def any_of(kind: type[msgspec.Struct]) -> some.SearchStrategy[msgspec.Struct]:
    """Any value of a struct that its types allow, of this program's schema."""
    fields = {}
    for each in msgspec.structs.fields(kind):
        strategy = some.just(SCHEMA) if each.name == "schema" else of_type(each.type)
        fields[each.encode_name] = strategy
    return some.fixed_dictionaries(fields).map(lambda values: kind(**values))


def of_type(wanted: object) -> some.SearchStrategy[object]:
    """Any value of a field's type."""
    found = msgspec.inspect.type_info(wanted)
    return of_info(found)


def of_info(found: msgspec.inspect.Type) -> some.SearchStrategy[object]:
    if isinstance(found, msgspec.inspect.StructType):
        return some.deferred(lambda: any_of(found.cls))
    if isinstance(found, msgspec.inspect.UnionType):
        return some.one_of([of_info(each) for each in found.types])
    if isinstance(found, msgspec.inspect.VarTupleType):
        return some.lists(of_info(found.item_type), max_size=2).map(tuple)
    if isinstance(found, msgspec.inspect.DictType):
        return some.dictionaries(texts, of_info(found.value_type), max_size=2)
    if isinstance(found, msgspec.inspect.EnumType | msgspec.inspect.LiteralType):
        is_enum = isinstance(found, msgspec.inspect.EnumType)
        return some.sampled_from(found.cls if is_enum else found.values)
    return {
        msgspec.inspect.NoneType: some.none(),
        msgspec.inspect.BoolType: some.booleans(),
        msgspec.inspect.IntType: integers,
        msgspec.inspect.StrType: texts,
        msgspec.inspect.BytesType: some.binary(max_size=8),
        msgspec.inspect.FloatType: some.floats(allow_nan=False, allow_infinity=False),
    }[type(found)]


def check_decodes_or_rejects(kind: type[msgspec.Struct], raw: bytes) -> None:
    found = decode(kind, raw, source="test", at_us=7)
    if isinstance(found, Reject) and kind is not Reject:
        assert found.source == "test"
        assert found.reason
        assert found.raw == raw[:RAW_BYTES_MAX]
        assert found.raw_length == len(raw)
        assert found.at_us == 7
    else:
        assert isinstance(found, kind)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(raw=some.binary(max_size=200))
@settings(max_examples=8, deadline=None)
def test_any_bytes_decode_or_become_a_reject(kind: type[msgspec.Struct], raw: bytes) -> None:
    check_decodes_or_rejects(kind, raw)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(value=simple)
@settings(max_examples=8, deadline=None)
def test_any_messagepack_decodes_or_becomes_a_reject(
    kind: type[msgspec.Struct], value: object
) -> None:
    """Well-formed, and not what was expected: the likelier mistake."""
    tagged = {"type": kind.__struct_config__.tag, "schema": 1, "x": value}
    check_decodes_or_rejects(kind, msgspec.msgpack.encode(value))
    check_decodes_or_rejects(kind, msgspec.msgpack.encode(tagged))


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
@given(data=some.data())
@settings(max_examples=12, deadline=None)
def test_what_is_sent_arrives_as_it_was(kind: type[msgspec.Struct], data: some.DataObject) -> None:
    message = data.draw(any_of(kind))
    assert decode(kind, encode(message), source="test", at_us=0) == message


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
@given(data=some.data())
@settings(max_examples=8, deadline=None)
def test_a_payload_reads_back_and_is_the_same_bytes_again(
    kind: type[msgspec.Struct], data: some.DataObject
) -> None:
    """Hashes cover these bytes."""
    message = data.draw(any_of(kind))
    raw = canonical(message)
    assert decode_json(kind, raw) == message
    assert canonical(decode_json(kind, raw)) == raw


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(data=some.data())
@settings(max_examples=8, deadline=None)
def test_a_message_cut_anywhere_is_a_reject(
    kind: type[msgspec.Struct], data: some.DataObject
) -> None:
    raw = encode(data.draw(any_of(kind)))
    cut = data.draw(some.integers(min_value=0, max_value=len(raw) - 1))
    assert isinstance(decode(kind, raw[:cut], source="test", at_us=0), Reject)


def test_a_newer_schema_is_refused_and_says_so() -> None:
    """Its reads must not be misread, and whoever sees the reject must know what to do."""
    raw = msgspec.msgpack.encode({"type": "tick", "schema": SCHEMA + 1, "run": "?"})
    for found in (
        decode(Tick, raw, source="worker", at_us=0),
        decode_with(LOG_RECORD, raw, source="worker", at_us=0),
    ):
        assert isinstance(found, Reject)
        assert "newer" in found.reason
        assert "upgrade" in found.reason
    readable = encode(Tick(schema=SCHEMA + 1, run=1, number=1, bridge_us=1))
    assert isinstance(decode(Tick, readable, source="worker", at_us=0), Reject)


def test_a_giant_is_refused_before_it_is_parsed() -> None:
    found = decode(Tick, b"\x80" * (MESSAGE_BYTES_MAX + 1), source="worker", at_us=0)
    assert isinstance(found, Reject)
    assert found.raw_length == MESSAGE_BYTES_MAX + 1
    assert len(found.raw) == RAW_BYTES_MAX


def test_deep_nesting_is_a_reject() -> None:
    """It must not take the process down."""
    check_decodes_or_rejects(ReadBatch, b"\x91" * 100_000)
    check_decodes_or_rejects(Part, b"\x81\xa1x" * 100_000)


def test_records_of_one_topic_tell_each_other_apart() -> None:
    tick = Tick(run=1, number=2, bridge_us=3)
    part = Part(run=1, gateway="dock", spool="0" * 32, sequence=1, previous=0, gateway_us=5)
    assert decode_with(LOG_RECORD, encode(tick), source="worker", at_us=0) == tick
    assert decode_with(LOG_RECORD, encode(part), source="worker", at_us=0) == part
    again = SendAgain(spool="0" * 32, sequence=3)
    light = SetLight(device="door-1", port=1, red=True, reason="S-118 is short")
    assert decode_with(COMMAND, encode(again), source="agent", at_us=0) == again
    assert decode_with(COMMAND, encode(light), source="agent", at_us=0) == light


def test_an_output_of_an_older_worker_still_decodes() -> None:
    """Fields that came later have defaults."""
    output = Output(
        log="a", partition=0, offset=1, epoch=2, tick=TickOutput(run=1, number=1, bridge_us=1)
    )
    plain = msgspec.msgpack.decode(encode(output))
    for added in ("chunk", "more"):
        del plain[added]
    assert decode(Output, msgspec.msgpack.encode(plain), source="sink", at_us=0) == output
