"""GS1-128: Code 128 with FNC1 in front (ISO/IEC 15417), as bar widths and as ZPL's field data."""

from __future__ import annotations

from contracts.element_strings import SEPARATOR

_TABLE = (
    "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232"
    " 122132 122231 113222 123122 123221 223211 221132 221231 213212 223112 312131 311222 321122"
    " 321221 312212 322112 322211 212123 212321 232121 111323 131123 131321 112313 132113 132311"
    " 211313 231113 231311 112133 112331 132131 113123 113321 133121 313121 211331 231131 213113"
    " 213311 213131 311123 311321 331121 312113 312311 332111 314111 221411 431111 111224 111422"
    " 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 241211 221114 413111"
    " 241112 134111 111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 214121"
    " 412121 111143 111341 131141 114113 114311 411113 411311 113141 114131 311141 411131 211412"
    " 211214 211232 2331112"
)
PATTERNS = tuple(_TABLE.split())
"""By code value: widths of bars and spaces in turn."""
CODE_C, CODE_B, FNC1, START_B, START_C, STOP = 99, 100, 102, 104, 105, 106
_MODULUS = 103
_DIGITS_MIN = 4
"""A shorter run of digits is not worth changing to code C."""
_ZPL = {CODE_C: ">5", CODE_B: ">6", FNC1: ">8", START_B: ">:", START_C: ">;"}


def code_128(text: str) -> tuple[int, ...]:
    """Widths of bars and spaces in modules, for an element string."""
    values = code_values(text)
    check = (values[0] + sum(place * value for place, value in enumerate(values))) % _MODULUS
    return tuple(int(width) for value in (*values, check, STOP) for width in PATTERNS[value])


def code_values(text: str) -> list[int]:
    """Start, FNC1 and the text: digits in pairs (code C) where there are enough of them."""
    in_c = _digits_from(text, 0) >= _DIGITS_MIN
    values, place = [START_C if in_c else START_B, FNC1], 0
    while place < len(text):
        if text[place] == SEPARATOR:
            values.append(FNC1)
            place += 1
            continue
        digits = _digits_from(text, place)
        if in_c and digits < len("00"):
            values.append(CODE_B)
            in_c = False
        elif not in_c and digits >= _DIGITS_MIN:
            values.append(CODE_C)
            in_c = True
        if in_c:
            values.append(int(text[place : place + 2]))
            place += 2
        else:
            values.append(ord(text[place]) - ord(" "))
            place += 1
    return values


def zpl_field(text: str) -> str:
    """The same as field data of ZPL's `^BC`, which begins in code B or C as told."""
    told, in_c = [], False
    for value in code_values(text):
        # In code C, 99 is a pair of digits; everything above changes the code or is FNC1.
        if value > CODE_C or (value == CODE_C and not in_c):
            told.append(_ZPL[value])
            in_c = value in {START_C, CODE_C} or (in_c and value == FNC1)
        elif in_c:
            told.append(f"{value:02d}")
        else:
            letter = chr(value + ord(" "))
            told.append(">0" if letter == ">" else letter)
    return "".join(told)


def _digits_from(text: str, place: int) -> int:
    end = place
    while end < len(text) and text[end].isascii() and text[end].isdigit():
        end += 1
    return end - place
