"""The JSON values in a payload: one, an array of them, lines of them, or one behind the other.

Makers differ, and one reader does it in two ways by its settings: Zebra's send an object, an array
(batching) or objects one behind the other without anything between. Each value comes out as its own
bytes, so that one that is wrong is refused alone and with what it was. What is broken in the middle
costs its own value, in an array, too: the next begins at a `{` behind a `}` or a comma. For that,
brackets count as nothing but what stands between values, once an array is not whole.
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
_BETWEEN = re.compile(r"[ \t\r\n,\[\]]*")
_END = re.compile(r"\}(?=[ \t\r\n,\[\]]*\{)|(?=,[ \t\r\n]*\{)")
"""Where a value that is broken ends: the next one begins behind it. No run is looked at twice."""


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
            pass  # An element is broken, or several arrays: looked through below.
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
    at = _behind(text, 0)
    values = broken = 0
    while at < len(text):
        try:
            _, end = _scanner.raw_decode(text, at)
        except UNDECODABLE as error:
            found = _END.search(text, at)
            broken += 1
            end = len(text) if found is None or broken > BROKEN_MAX else found.end()
            yield Unusable(f"no JSON: {_why(error)}", text[at:end].encode())
        else:
            if values >= VALUES_MAX:
                yield Unusable(f"more than {VALUES_MAX} values in one message", content)
                return
            values += 1
            yield text[at:end].encode()
        at = _behind(text, end)
    if not values and not broken:
        yield Unusable("no JSON: brackets and commas without a value", content)


def _behind(text: str, at: int) -> int:
    """Where the next value begins."""
    between = _BETWEEN.match(text, at)
    return between.end() if between else at


def _why(error: Exception) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
