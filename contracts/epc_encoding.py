"""GS1 keys to the EPC memory of a tag: SGTIN-96, SGTIN-198 and SSCC-96 (GS1 Tag Data Standard).

A header byte, three bits of filter, three bits that say how many digits the company prefix has
(the partition), prefix, reference, serial. EPC memory is written in words of 16 bits, so an
SGTIN-198 is followed by ten zero bits.
"""

from __future__ import annotations

from contracts.gs1_keys import GS1_CHARACTERS, is_checked

PREFIX_DIGITS_MIN = 6
PREFIX_DIGITS_MAX = 12
SERIAL_BITS = 38
"""Of the number in an SGTIN-96."""
SERIAL_NUMBER_MAX = (1 << SERIAL_BITS) - 1
SERIAL_CHARACTERS_MAX = 20
"""Of an SGTIN-198, as of the element string (21)."""
GTIN_DIGITS = 14
SSCC_DIGITS = 18

_SGTIN_96, _SSCC_96, _SGTIN_198 = 0x30, 0x31, 0x36
_PREFIX_BITS = {12: 40, 11: 37, 10: 34, 9: 30, 8: 27, 7: 24, 6: 20}
_SGTIN_BITS = 44
"""Company prefix and item reference together, with the indicator."""
_SSCC_BITS = 58
"""Company prefix and serial reference together, with the extension digit."""
_SSCC_SPARE_BITS = 24
_CHARACTER_BITS = 7
_SGTIN_198_SPARE_BITS = 10
_BYTES_96, _BYTES_208 = 12, 26


class Filter:
    """What a tag is on: readers can be told to hear only some."""

    UNIT = 1
    """A point-of-sale trade item (SGTIN)."""
    CASE = 2
    """A full case for transport (SGTIN, SSCC)."""
    UNIT_LOAD = 6
    """A pallet (SGTIN, SSCC)."""


class EncodingError(ValueError):
    """What cannot be written on a tag; the message says why."""


def sgtin_epc(gtin: str, prefix_digits: int, serial: str, filter_value: int) -> bytes:
    """The EPC of a trade item: 96 bits where its serial is a number that fits, else 198."""
    if is_number(serial):
        value = _sgtin_front(_SGTIN_96, gtin, prefix_digits, filter_value)
        return (value << SERIAL_BITS | int(serial)).to_bytes(_BYTES_96, "big")
    if not 0 < len(serial) <= SERIAL_CHARACTERS_MAX or not GS1_CHARACTERS.issuperset(serial):
        raise EncodingError(
            f"serial {serial!r}: 1 to {SERIAL_CHARACTERS_MAX} letters, digits and the signs that"
            " GS1 allows"
        )
    value = _sgtin_front(_SGTIN_198, gtin, prefix_digits, filter_value)
    for character in serial.ljust(SERIAL_CHARACTERS_MAX, "\0"):
        value = value << _CHARACTER_BITS | ord(character)
    return (value << _SGTIN_198_SPARE_BITS).to_bytes(_BYTES_208, "big")


def sscc_epc(sscc: str, prefix_digits: int, filter_value: int) -> bytes:
    """The EPC of a logistic unit."""
    _check(sscc, SSCC_DIGITS, "SSCC")
    value = _front(_SSCC_96, prefix_digits, filter_value)
    value = value << _PREFIX_BITS[prefix_digits] | int(sscc[1 : 1 + prefix_digits])
    reference = sscc[0] + sscc[1 + prefix_digits : -1]
    value = value << (_SSCC_BITS - _PREFIX_BITS[prefix_digits]) | int(reference)
    return (value << _SSCC_SPARE_BITS).to_bytes(_BYTES_96, "big")


def prefix_digits_of(epc: bytes) -> int:
    """How many digits the company prefix has, in an EPC that was encoded here."""
    partition = (epc[0] << 8 | epc[1]) >> 2 & 0b111
    return PREFIX_DIGITS_MAX - partition


def is_number(serial: str) -> bool:
    """Whether an SGTIN-96 can hold a serial: a number without leading zeros that fits."""
    is_digits = serial.isascii() and serial.isdigit() and str(int(serial)) == serial
    return is_digits and int(serial) <= SERIAL_NUMBER_MAX


def _sgtin_front(header: int, gtin: str, prefix_digits: int, filter_value: int) -> int:
    _check(gtin, GTIN_DIGITS, "GTIN")
    value = _front(header, prefix_digits, filter_value)
    value = value << _PREFIX_BITS[prefix_digits] | int(gtin[1 : 1 + prefix_digits])
    reference = gtin[0] + gtin[1 + prefix_digits : -1]
    return value << (_SGTIN_BITS - _PREFIX_BITS[prefix_digits]) | int(reference)


def _front(header: int, prefix_digits: int, filter_value: int) -> int:
    if prefix_digits not in _PREFIX_BITS:
        raise EncodingError(
            f"a company prefix has {PREFIX_DIGITS_MIN} to {PREFIX_DIGITS_MAX} digits,"
            f" not {prefix_digits}"
        )
    assert 0 <= filter_value < 1 << 3
    return header << 6 | filter_value << 3 | PREFIX_DIGITS_MAX - prefix_digits


def _check(number: str, digits: int, name: str) -> None:
    if len(number) != digits or not is_checked(number):
        raise EncodingError(f"{name} {number!r}: {digits} digits, the last one its check digit")
