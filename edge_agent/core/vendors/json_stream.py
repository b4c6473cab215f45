"""The JSON values in a payload: one, an array of them, lines of them, or one behind the other.

Makers differ, and one reader does it in two ways by its settings: Zebra's send an object, an array
(batching) or objects one behind the other without anything between. Each value comes out as its own
bytes, so that one that is wrong is refused alone and with what it was. What is broken in the middle
costs its own value: the next is looked for behind the next `}` that a `{` follows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import msgspec

from contracts.codec import UNDECODABLE
from edge_agent.core.vendors.events import Unusable

PAYLOAD_BYTES_MAX = 1_000_000
"""Makers send at most a quarter of it in one message (Zebra's batches)."""
VALUES_MAX = 20_000
"""Values in one payload: at 50 bytes each, all that fits."""
BROKEN_MAX = 100
"""Broken values in one payload that are refused one by one; then the rest is refused as a whole."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_array = msgspec.json.Decoder(list[msgspec.Raw])
_scanner = json.JSONDecoder()
_BETWEEN = re.compile(r"[ \t\r\n,]*")
_NEXT = re.compile(r"\}[ \t\r\n]*\{")


def values_in(payload: bytes) -> Iterator[bytes | Unusable]:
    """The values, each as its bytes; an array's elements one by one; what is none is refused."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        yield Unusable(f"larger than {PAYLOAD_BYTES_MAX} bytes", payload)
        return
    content = payload.removeprefix(BYTE_ORDER_MARK).strip(b" \t\r\n\0")
    if not content:
        return
    if content.startswith(b"["):
        try:
            elements = _array.decode(content)
        except UNDECODABLE:
            pass  # Several arrays behind each other, or none: looked through below.
        else:
            yield from (bytes(element) for element in elements[:VALUES_MAX])
            if len(elements) > VALUES_MAX:
                yield Unusable(f"more than {VALUES_MAX} values in one message", payload)
            return
    elif content.startswith(b"{") and _is_one(content):
        yield content
        return
    yield from _cut(content)


def _is_one(content: bytes) -> bool:
    """Whether it is one JSON value, whole."""
    try:
        msgspec.json.decode(content, type=msgspec.Raw)
    except UNDECODABLE:
        return False
    return True


def _cut(content: bytes) -> Iterator[bytes | Unusable]:
    """Values one behind the other."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        yield Unusable("no JSON: bytes that are no text", content)
        return
    at = values = broken = 0
    while at < len(text):
        try:
            _, end = _scanner.raw_decode(text, at)
        except UNDECODABLE as error:
            following = _NEXT.search(text, at)
            broken += 1
            end = len(text) if following is None or broken > BROKEN_MAX else following.end() - 1
            yield Unusable(f"no JSON: {_why(error)}", text[at:end].encode())
        else:
            if values >= VALUES_MAX:
                yield Unusable(f"more than {VALUES_MAX} values in one message", content)
                return
            for element in _elements(text[at:end].encode()):
                values += 1
                yield element
        at = _behind(text, end)


def _behind(text: str, at: int) -> int:
    """Where the next value begins."""
    between = _BETWEEN.match(text, at)
    return between.end() if between else at


def _elements(value: bytes) -> Iterator[bytes]:
    if not value.startswith(b"["):
        yield value
        return
    try:
        yield from (bytes(element) for element in _array.decode(value)[:VALUES_MAX])
    except UNDECODABLE:  # Numbers such as NaN, which the scanner lets through.
        yield value


def _why(error: Exception) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
