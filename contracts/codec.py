"""Bytes to structs and back.

Wire messages are MessagePack; what is hashed is canonical JSON. Arriving bytes either decode or
become a `Reject`: no other outcome, no exception.
"""

from __future__ import annotations

from functools import cache
from typing import TypeVar

import msgspec

from contracts.base import SCHEMA
from contracts.reads import RAW_BYTES_MAX, Reject

Message = TypeVar("Message", bound=msgspec.Struct)

MESSAGE_BYTES_MAX = 1_000_000
"""Larger messages are refused before they are parsed: no sender of ours makes one."""

UNDECODABLE = (
    msgspec.MsgspecError,
    UnicodeDecodeError,
    RecursionError,
    OverflowError,
    ValueError,
)
"""All that decoding arriving bytes can raise."""

_wire = msgspec.msgpack.Encoder()
_json = msgspec.json.Encoder()


class _Versioned(msgspec.Struct):
    schema: int = 0


_version = msgspec.msgpack.Decoder(_Versioned)


@cache
def _decoder(kind: type[Message]) -> msgspec.msgpack.Decoder[Message]:
    return msgspec.msgpack.Decoder(kind)


@cache
def _json_decoder(kind: type[Message]) -> msgspec.json.Decoder[Message]:
    return msgspec.json.Decoder(kind)


def encode(message: msgspec.Struct) -> bytes:
    """A message as it crosses a wire."""
    return _wire.encode(message)


def canonical(message: msgspec.Struct) -> bytes:
    """A payload as it is hashed: UTF-8 JSON, fields in order of definition."""
    return _json.encode(message)


def decode(kind: type[Message], raw: bytes, *, source: str, at_us: int) -> Message | Reject:
    """The message in `raw`, or the reject that it becomes."""
    return decode_with(_decoder(kind), raw, source=source, at_us=at_us)


def decode_with(
    decoder: msgspec.msgpack.Decoder[Message], raw: bytes, *, source: str, at_us: int
) -> Message | Reject:
    """As `decode`, for a decoder of one's own: a union of structs, say."""
    if len(raw) > MESSAGE_BYTES_MAX:
        return reject(source, f"larger than {MESSAGE_BYTES_MAX} bytes", raw, at_us)
    try:
        message = decoder.decode(raw)
    except UNDECODABLE as error:
        return reject(source, _why(_version_in(raw), error), raw, at_us)
    version: int = getattr(message, "schema", 0)
    if version > SCHEMA:
        return reject(source, _why(version, None), raw, at_us)
    return message


def decode_json(kind: type[Message], raw: bytes) -> Message:
    """A payload that we wrote ourselves. Raises msgspec.MsgspecError where it is not that."""
    message: Message = _json_decoder(kind).decode(raw)
    return message


def reject(source: str, reason: str, raw: bytes, at_us: int) -> Reject:
    """The reject for bytes that could not be used."""
    return Reject(
        source=source, reason=reason, raw=raw[:RAW_BYTES_MAX], raw_length=len(raw), at_us=at_us
    )


def _version_in(raw: bytes) -> int:
    try:
        return _version.decode(raw).schema
    except UNDECODABLE:
        return 0


def _why(version: int, error: Exception | None) -> str:
    """A reason that helps: a newer schema is told apart from bytes that are none of ours."""
    if version > SCHEMA:
        return f"schema {version} is newer than {SCHEMA}, which this program knows: upgrade it"
    return f"not a message of ours: {error}"
