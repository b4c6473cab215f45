"""What is written on tags and labels: GS1 keys, their EPC binary forms and canonical identities."""

from __future__ import annotations

PREFIX_BITS = {12: 40, 11: 37, 10: 34, 9: 30, 8: 27, 7: 24, 6: 20}
"""Digits of a GS1 company prefix to its bits in the EPC; 96-bit schemes share this table."""
SGTIN_SERIAL_BITS = 38
SGTIN_198_CHARACTERS = 20
EPC_96_BITS = 96
SGTIN_96 = 0x30
SSCC_96 = 0x31
SGTIN_198 = 0x36


def check_digit(digits: str) -> str:
    """The GS1 check digit that follows these digits."""
    total = sum(
        int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits))
    )
    return str(-total % 10)


def gtin14(indicator: int, prefix: str, reference: int) -> str:
    """A GTIN-14 from its indicator digit, company prefix and item reference."""
    body = f"{indicator}{prefix}{reference:0{12 - len(prefix)}d}"
    return body + check_digit(body)


def sscc18(extension: int, prefix: str, reference: int) -> str:
    """An SSCC from its extension digit, company prefix and serial reference."""
    body = f"{extension}{prefix}{reference:0{16 - len(prefix)}d}"
    return body + check_digit(body)


def gtin_identity(gtin: str, serial: str) -> str:
    """The canonical identity of one unit."""
    return f"https://id.gs1.org/01/{gtin}/21/{serial}"


def sscc_identity(sscc: str) -> str:
    """The canonical identity of one logistic unit."""
    return f"https://id.gs1.org/00/{sscc}"


def raw_identity(epc: bytes) -> str:
    """The identity of a tag whose EPC is no GS1 key."""
    return f"raw:{epc.hex()}"


def sgtin_96(gtin: str, prefix_digits: int, serial: int, filter_value: int = 1) -> bytes:
    """The EPC of a unit with a numeric serial below 2**38."""
    header = _sgtin_front(SGTIN_96, gtin, prefix_digits, filter_value)
    return (header << SGTIN_SERIAL_BITS | serial).to_bytes(12, "big")


def sgtin_198(gtin: str, prefix_digits: int, serial: str, filter_value: int = 1) -> bytes:
    """The EPC of a unit with a serial of up to 20 letters and digits, in whole 16-bit words."""
    value = _sgtin_front(SGTIN_198, gtin, prefix_digits, filter_value)
    for character in serial.ljust(SGTIN_198_CHARACTERS, "\0"):
        value = value << 7 | ord(character)
    return (value << 10).to_bytes(26, "big")


def sscc_96(sscc: str, prefix_digits: int, filter_value: int = 2) -> bytes:
    """The EPC of a logistic unit."""
    bits = PREFIX_BITS[prefix_digits]
    value = SSCC_96 << 6 | filter_value << 3 | 12 - prefix_digits
    value = value << bits | int(sscc[1 : 1 + prefix_digits])
    value = value << (58 - bits) | int(sscc[0] + sscc[1 + prefix_digits : 17])
    return (value << 24).to_bytes(12, "big")


def identity_of_ghost(epc: bytes) -> str:
    """What an EPC with a bit error says: its own SGTIN or SSCC where it still is one, else raw."""
    if len(epc) * 8 == EPC_96_BITS:
        value = int.from_bytes(epc, "big")
        digits = 12 - (value >> 82 & 7)
        bits = PREFIX_BITS.get(digits)
        if epc[0] == SGTIN_96 and bits is not None:
            return _ghost_sgtin(value, digits, bits) or raw_identity(epc)
        if epc[0] == SSCC_96 and bits is not None and value & 0xFF_FFFF == 0:
            return _ghost_sscc(value, digits, bits) or raw_identity(epc)
    return raw_identity(epc)


def _sgtin_front(header: int, gtin: str, prefix_digits: int, filter_value: int) -> int:
    bits = PREFIX_BITS[prefix_digits]
    value = header << 6 | filter_value << 3 | 12 - prefix_digits
    value = value << bits | int(gtin[1 : 1 + prefix_digits])
    return value << (44 - bits) | int(gtin[0] + gtin[1 + prefix_digits : 13])


def _ghost_sgtin(value: int, digits: int, bits: int) -> str | None:
    prefix = value >> (82 - bits) & ((1 << bits) - 1)
    reference = value >> 38 & ((1 << (44 - bits)) - 1)
    if prefix >= 10**digits or reference >= 10 ** (13 - digits):
        return None
    text = f"{reference:0{13 - digits}d}"
    body = text[0] + f"{prefix:0{digits}d}" + text[1:]
    return gtin_identity(body + check_digit(body), str(value & ((1 << 38) - 1)))


def _ghost_sscc(value: int, digits: int, bits: int) -> str | None:
    prefix = value >> (82 - bits) & ((1 << bits) - 1)
    reference = value >> 24 & ((1 << (58 - bits)) - 1)
    if prefix >= 10**digits or reference >= 10 ** (17 - digits):
        return None
    text = f"{reference:0{17 - digits}d}"
    body = text[0] + f"{prefix:0{digits}d}" + text[1:]
    return sscc_identity(body + check_digit(body))
