"""EPCs with a variable length, as GS1's Tag Data Standard 2 adds them (`SGTIN+`, `SGTIN++`, ...).

They carry keys as digits of four bits each, check digit included, and a serial in the smallest of
six encodings. What may follow (a `++` scheme's host name, further data of the label) is no part of
the identity, so it is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from contracts.gs1_keys import GS1_CHARACTERS, ROOT, escaped, is_checked

FILTER_AND_TOGGLE_BITS = 4
DATE_BITS = 20
"""Of a `DSGTIN+`: which date it is, and the date."""
_DELIMITERS = (0xE, 0xF)
"""End a key's digits of unknown number: letters follow, or nothing does."""
_BASE_64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_CODE_40 = " ABCDEFGHIJKLMNOPQRSTUVWXYZ-.:0123456789"
_TEXT_CHARACTERS_MAX = 30
"""No GS1 key or serial is longer."""


class _NoneOfOursError(ValueError):
    """The bits are not what the scheme says."""


class _Bits:
    """Takes bits from the front."""

    def __init__(self, memory: bytes) -> None:
        self._value = int.from_bytes(memory, "big")
        self._left = 8 * len(memory)

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise _NoneOfOursError
        return (self._value >> self._left) & ((1 << count) - 1)

    def digits(self, count: int) -> str:
        taken = [self.take(4) for _ in range(count)]
        if any(digit > 9 for digit in taken):  # noqa: PLR2004 - a digit.
            raise _NoneOfOursError
        return "".join(map(str, taken))

    def integer(self, length: int) -> str:
        """A number of so many digits, in the fewest bits that hold all of that length."""
        text = str(self.take((10**length - 1).bit_length()))
        if len(text) > length:
            raise _NoneOfOursError
        return text.zfill(length)

    def text(self) -> str:
        """Three bits for the encoding, five for the length, then the characters."""
        encoding, length = self.take(3), self.take(5)
        read = _TEXTS.get(encoding)
        if read is None:
            raise _NoneOfOursError
        return read(self, length)

    def characters(self, alphabet: str, width: int, length: int) -> str:
        """Characters of so many bits each, by their place in an alphabet."""
        return "".join(alphabet[self.take(width)] for _ in range(length))

    def code_40(self, length: int) -> str:
        """Three characters in sixteen bits; blanks fill up the last three."""
        text = ""
        while len(text) < length:
            value = self.take(16) - 1
            if not 0 <= value < 40**3:
                raise _NoneOfOursError
            text += _CODE_40[value // 1600] + _CODE_40[value // 40 % 40] + _CODE_40[value % 40]
        return text[:length]

    def key(self) -> str:
        """Digits of unknown number, then perhaps a text."""
        digits = ""
        while (digit := self.take(4)) not in _DELIMITERS:
            if digit > 9 or len(digits) >= _TEXT_CHARACTERS_MAX:  # noqa: PLR2004 - a digit.
                raise _NoneOfOursError
            digits += str(digit)
        return digits + self.text() if digit == _DELIMITERS[0] else digits


_TEXTS: dict[int, Callable[[_Bits, int], str]] = {
    0: _Bits.integer,
    1: lambda bits, length: bits.characters("0123456789ABCDEF", 4, length),
    2: lambda bits, length: bits.characters("0123456789abcdef", 4, length),
    3: lambda bits, length: bits.characters(_BASE_64, 6, length),
    4: lambda bits, length: bits.characters("".join(map(chr, range(128))), 7, length),
    5: _Bits.code_40,
}
"""The six encodings of a text, by indicator."""


def _digits_and_text(ai: str, digits: int, between: str, checked: int) -> Callable[[_Bits], str]:
    """A key of so many digits and the serial behind it."""

    def read(bits: _Bits) -> str:
        key = bits.digits(digits)
        serial = bits.text()
        if not is_checked(key[:checked]):
            raise _NoneOfOursError
        return f"{ROOT}/{ai}/{key}{between}{_sound(serial)}"

    return read


def _digits_only(ai: str, digits: int) -> Callable[[_Bits], str]:
    def read(bits: _Bits) -> str:
        key = bits.digits(digits)
        if not is_checked(key):
            raise _NoneOfOursError
        return f"{ROOT}/{ai}/{key}"

    return read


def _dated_sgtin(bits: _Bits) -> str:
    bits.take(DATE_BITS)
    return _SGTIN(bits)


def _sgln(bits: _Bits) -> str:
    uri = _digits_and_text("414", 13, "/254/", 13)(bits)
    # The extension 0 says that there is none.
    return uri.removesuffix("/254/0")


def _giai(bits: _Bits) -> str:
    return f"{ROOT}/8004/{_sound(bits.key())}"


def _sgcn(bits: _Bits) -> str:
    key = bits.digits(13)
    if not is_checked(key):
        raise _NoneOfOursError
    return f"{ROOT}/255/{key}{bits.integer(bits.take(4))}"


def _cpi(bits: _Bits) -> str:
    part = _sound(bits.key())
    return f"{ROOT}/8010/{part}/8011/{bits.integer(bits.take(4))}"


def _sound(text: str) -> str:
    """A text that GS1 allows, as it stands in a URI."""
    if not text or not (GS1_CHARACTERS | {"#"}).issuperset(text):
        raise _NoneOfOursError
    return escaped(text)


_SGTIN = _digits_and_text("01", 14, "/21/", 14)


class _Scheme(NamedTuple):
    """The headers of one kind of key, and how to read what follows."""

    headers: tuple[int, int]
    read: Callable[[_Bits], str]


_SCHEMES = {
    header: scheme.read
    for scheme in (
        _Scheme((0xF7, 0xFD), _SGTIN),
        _Scheme((0xFB, 0xFC), _dated_sgtin),
        _Scheme((0xF9, 0xEF), _digits_only("00", 18)),
        _Scheme((0xF2, 0xE9), _sgln),
        _Scheme((0xF1, 0xEB), _digits_and_text("8003", 14, "", 14)),
        _Scheme((0xFA, 0xEE), _giai),
        _Scheme((0xF4, 0xE7), _digits_only("8018", 18)),
        _Scheme((0xF5, 0xE8), _digits_only("8017", 18)),
        _Scheme((0xF6, 0xEA), _digits_and_text("253", 13, "", 13)),
        _Scheme((0xF8, 0xEC), _sgcn),
        _Scheme((0xF3, 0xED), _digits_and_text("8006", 18, "/21/", 14)),
        _Scheme((0xF0, 0xE6), _cpi),
    )
    for header in scheme.headers
}


def epc_plus_to_uri(epc: bytes) -> str | None:
    """The canonical URI of what such an EPC names, or None where it is none."""
    read = _SCHEMES.get(epc[0]) if epc else None
    if read is None:
        return None
    bits = _Bits(epc)
    try:
        bits.take(8 + FILTER_AND_TOGGLE_BITS)
        return read(bits)
    except _NoneOfOursError:
        return None
