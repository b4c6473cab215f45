"""LLRP as a reader would send it, built byte by byte: no code of the agent is used here."""

import struct

GREETING = 63
VERSION_UNSUPPORTED = 110


def frame(number: int, body: bytes = b"", *, version: int = 1, message_id: int = 0) -> bytes:
    """Return one message."""
    return struct.pack(">HII", version << 10 | number, 10 + len(body), message_id) + body


def tlv(number: int, body: bytes = b"") -> bytes:
    """Return one parameter with a length."""
    return struct.pack(">HH", number, 4 + len(body)) + body


def status(code: int = 0, words: str = "") -> bytes:
    """Return an LLRPStatus."""
    encoded = words.encode()
    return tlv(287, struct.pack(">HH", code, len(encoded)) + encoded)


def utc(microseconds: int = 1_700_000_000_000_000) -> bytes:
    """Return a UTCTimestamp."""
    return tlv(128, struct.pack(">Q", microseconds))


def event(number: int, body: bytes = b"", *, time: bytes | None = None) -> bytes:
    """Return a READER_EVENT_NOTIFICATION with one event."""
    moment = utc() if time is None else time
    return frame(63, tlv(246, moment + tlv(number, body)))


def greeting(code: int = 0) -> bytes:
    """Return the ConnectionAttemptEvent that a reader begins with."""
    return event(256, struct.pack(">H", code))


def tag_data(
    serial: int = 1,
    *,
    antenna: int | None = 1,
    rssi_dbm: int | None = -50,
    first_us: int | None = 1_700_000_000_000_000,
    last_us: int | None = 1_700_000_000_000_100,
    count: int | None = 3,
    extra: bytes = b"",
) -> bytes:
    """Return a TagReportData with an EPC-96 that ends in the serial."""
    body = b"\x8d" + struct.pack(">QI", 0x3034257BF7194E40, serial)
    if antenna is not None:
        body += b"\x81" + struct.pack(">H", antenna)
    if rssi_dbm is not None:
        body += b"\x86" + struct.pack(">b", rssi_dbm)
    if first_us is not None:
        body += b"\x82" + struct.pack(">Q", first_us)
    if last_us is not None:
        body += b"\x84" + struct.pack(">Q", last_us)
    if count is not None:
        body += b"\x88" + struct.pack(">H", count)
    return tlv(240, body + extra)


def report(*tags: bytes) -> bytes:
    """Return an RO_ACCESS_REPORT."""
    return frame(61, b"".join(tags))


def capabilities(
    *, holds_reports: bool = True, hopping: bool = True, maker: int = 0, more: bytes = b""
) -> bytes:
    """Return the body of a small GET_READER_CAPABILITIES_RESPONSE: powers 10, 20 and 30 dBm."""
    general = tlv(
        137,
        struct.pack(">HHIIH", 4, 0x4000, maker, 2001002, 3) + b"5.1" + tlv(141, bytes(4)),
    )
    llrp = tlv(142, bytes([0x08 if holds_reports else 0, 1]) + bytes(22))
    powers = b"".join(tlv(145, struct.pack(">Hh", i, i * 1000)) for i in (1, 2, 3))
    table = tlv(147, b"\x07\x00" + struct.pack(">HI", 1, 902750)) if hopping else b""
    frequencies = tlv(146, (b"\x80" if hopping else b"\x00") + table)
    mode = tlv(329, struct.pack(">IBBBBIIIII", 1, 0x80, 0, 2, 2, 640000, 1500, 6250, 6250, 0))
    band = tlv(144, powers + frequencies + tlv(328, mode))
    return status() + general + llrp + tlv(143, struct.pack(">HH", 840, 1) + band) + more


ANSWERS = {
    46: (56, b"\x01\x02" + status()),
    47: (57, status()),
    1: (11, capabilities()),
    3: (13, status()),
    21: (31, status()),
    41: (51, status()),
    20: (30, status()),
    24: (34, status()),
}
"""What an obliging 1.1 reader answers, by request."""


def split(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """Cut whole messages into version, number, id and body."""
    messages = []
    while data:
        first, length, message_id = struct.unpack_from(">HII", data)
        messages.append((first >> 10, first & 0x3FF, message_id, data[10:length]))
        data = data[length:]
    return messages


def answers(data: bytes, changed: dict[int, tuple[int, bytes]] | None = None) -> bytes:
    """Return what an obliging reader answers to some requests; `changed` overrules by request."""
    out = b""
    for version, number, message_id, _body in split(data):
        known = {**ANSWERS, **(changed or {})}
        if number in known:
            answer, body = known[number]
            out += frame(answer, body, version=version, message_id=message_id)
    return out
