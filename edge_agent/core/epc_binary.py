"""A tag's EPC memory to the canonical URI of what it names (GS1 Tag Data Standard 1.13 and 2.0).

Table-driven: a header byte names a scheme; a scheme is a partition table, the kind of its last
field, and the key that the fields make. What no table accepts is none of ours: bits beyond the
scheme that are not zero, fields whose value needs more digits than the partition allows,
characters outside GS1's set. A lenient decoder would give two tags one identity.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from contracts import gs1_keys
from contracts.gs1_keys import GS1_CHARACTERS, Key

HEADER_BITS = 8
FILTER_BITS = 3
PARTITION_BITS = 3
CHARACTER_BITS = 7
COMPANY = ((40, 12), (37, 11), (34, 10), (30, 9), (27, 8), (24, 7), (20, 6))
"""Bits and digits of the company prefix by partition value: the same in every scheme."""


class Field(NamedTuple):
    """How a partition lays out the reference behind the company prefix."""

    bits: int
    digits: int
    """For GIAI and CPI: no leading zeros, so this is only the most."""


class Bits(NamedTuple):
    """The bits of a field that ends a scheme."""

    value: int
    width: int


Decode = Callable[[Bits], str | None]
"""Bits of the last field to its text; None where they encode none."""


class Scheme(NamedTuple):
    """One way to write an EPC."""

    bits: int
    """All that it takes, from the header on; what follows must be zero."""
    references: tuple[Field, ...]
    """By partition value."""
    last: Decode
    """The last field, down to the end."""
    key: Key
    padded: bool = True
    """Whether the reference has a fixed number of digits."""


def _fields(bits: tuple[int, ...], digits_first: int) -> tuple[Field, ...]:
    return tuple(Field(count, digits_first + place) for place, count in enumerate(bits))


def _integer(field: Bits) -> str | None:
    return str(field.value)


def _zero(field: Bits) -> str | None:
    """Bits that the scheme leaves unused."""
    return "" if field.value == 0 else None


def _numeric(field: Bits) -> str | None:
    """Digits with leading zeros: written behind a 1 that keeps them."""
    text = str(field.value)
    return text[1:] if text[0] == "1" and len(text) > 1 else None


def _characters(field: Bits) -> str | None:
    """7-bit characters, ended by zeros; at least one."""
    count, spare = divmod(field.width, CHARACTER_BITS)
    if field.value & ((1 << spare) - 1):
        return None
    value = field.value >> spare
    codes = [(value >> (CHARACTER_BITS * place)) & 0x7F for place in range(count - 1, -1, -1)]
    text = bytes(codes).decode("ascii").rstrip("\0")
    return text if text and GS1_CHARACTERS.issuperset(text) else None


def _pieces(serial: Decode) -> Decode:
    """An ITIP's end: piece and total of 7 bits each, then a serial."""

    def decode(field: Bits) -> str | None:
        rest = field.width - 14
        piece, total = field.value >> (rest + 7), (field.value >> rest) & 0x7F
        text = serial(Bits(field.value & ((1 << rest) - 1), rest))
        if text is None or piece > 99 or total > 99:  # noqa: PLR2004 - two digits each.
            return None
        return f"{piece:02d}{total:02d}{text}"

    return decode


_ITEM = _fields((4, 7, 10, 14, 17, 20, 24), 1)
_SERIAL_REFERENCE = _fields((18, 21, 24, 28, 31, 34, 38), 5)
_PLACE = _fields((1, 4, 7, 11, 14, 17, 21), 0)
_ASSET = _fields((4, 7, 10, 14, 17, 20, 24), 0)
_INDIVIDUAL = _fields((42, 45, 48, 52, 55, 58, 62), 13)
_PART = _fields((11, 14, 17, 21, 24, 27, 31), 3)
_NOTHING = (Field(0, 0),) * len(COMPANY)


def _individual(company: str, _: str, asset: str) -> str:
    return gs1_keys.giai(company, asset, "")


SCHEMES = {
    0x2C: Scheme(96, _PLACE, _integer, gs1_keys.gdti),
    0x2D: Scheme(96, _SERIAL_REFERENCE, _zero, gs1_keys.gsrn),
    0x2E: Scheme(96, _SERIAL_REFERENCE, _zero, gs1_keys.gsrnp),
    0x30: Scheme(96, _ITEM, _integer, gs1_keys.sgtin),
    0x31: Scheme(96, _SERIAL_REFERENCE, _zero, gs1_keys.sscc),
    0x32: Scheme(96, _PLACE, _integer, gs1_keys.sgln),
    0x33: Scheme(96, _ASSET, _integer, gs1_keys.grai),
    0x34: Scheme(96, _INDIVIDUAL, _zero, gs1_keys.giai, padded=False),
    0x36: Scheme(198, _ITEM, _characters, gs1_keys.sgtin),
    0x37: Scheme(170, _ASSET, _characters, gs1_keys.grai),
    0x38: Scheme(202, _NOTHING, _characters, _individual),
    0x39: Scheme(195, _PLACE, _characters, gs1_keys.sgln),
    0x3C: Scheme(96, _PART, _integer, gs1_keys.cpi, padded=False),
    0x3E: Scheme(174, _PLACE, _characters, gs1_keys.gdti),
    0x3F: Scheme(96, _PLACE, _numeric, gs1_keys.sgcn),
    0x40: Scheme(110, _ITEM, _pieces(_integer), gs1_keys.itip),
    0x41: Scheme(212, _ITEM, _pieces(_characters), gs1_keys.itip),
}
"""By header. Schemes without a Digital Link form (GID, ADI, USDOD) are not here."""


def epc_to_uri(epc: bytes) -> str | None:
    """The canonical URI of what an EPC names, or None where it is no GS1 EPC."""
    scheme = SCHEMES.get(epc[0]) if epc else None
    spare = 8 * len(epc) - scheme.bits if scheme else -1
    if scheme is None or spare < 0:
        return None
    value = int.from_bytes(epc, "big")
    if value & ((1 << spare) - 1):
        return None
    value >>= spare
    left = scheme.bits - HEADER_BITS - FILTER_BITS - PARTITION_BITS
    partition = (value >> left) & 0b111
    if partition >= len(COMPANY):
        return None
    company_bits, company_digits = COMPANY[partition]
    left -= company_bits
    company = (value >> left) & ((1 << company_bits) - 1)
    field = scheme.references[partition]
    left -= field.bits
    reference = (value >> left) & ((1 << field.bits) - 1)
    if company >= 10**company_digits or reference >= 10**field.digits:
        return None
    last = scheme.last(Bits(value & ((1 << left) - 1), left))
    if last is None:
        return None
    digits = field.digits if scheme.padded else 1
    # Zero digits leave nothing to write, not a 0.
    text = f"{reference:0{digits}d}" if digits else ""
    return scheme.key(f"{company:0{company_digits}d}", text, last)
