"""Data Matrix ECC 200 with FNC1 in front: GS1 DataMatrix, in square symbols of one block.

Text becomes codewords, those get Reed-Solomon check words in GF(256), and each codeword's eight
modules are laid out diagonally through the symbol (ISO/IEC 16022). A finder runs around each
region: solid at the left and at the bottom, dotted at the top and at the right.
"""

from __future__ import annotations

from typing import NamedTuple

from contracts.element_strings import SEPARATOR

FNC1 = 232
_PAD = 129
_DIGIT_PAIRS = 130
_FIELD = 301
"""The polynomial of GF(256)."""

Matrix = list[list[bool]]
"""Rows from the top, True where it is dark; no quiet zone around."""


class Size(NamedTuple):
    """A square symbol."""

    modules: int
    regions: int
    """Along each side."""
    data: int
    checks: int


SIZES = (
    Size(10, 1, 3, 5), Size(12, 1, 5, 7), Size(14, 1, 8, 10), Size(16, 1, 12, 12),
    Size(18, 1, 18, 14), Size(20, 1, 22, 18), Size(22, 1, 30, 20), Size(24, 1, 36, 24),
    Size(26, 1, 44, 28), Size(32, 2, 62, 36), Size(36, 2, 86, 42), Size(40, 2, 114, 48),
    Size(44, 2, 144, 56), Size(48, 2, 174, 68),
)  # fmt: skip
"""Larger ones need several blocks; no label of ours says as much."""


def gs1_data_matrix(text: str) -> Matrix:
    """The symbol of an element string. Raises ValueError where it is too long."""
    words = codewords(text)
    size = next((size for size in SIZES if size.data >= len(words)), None)
    if size is None:
        raise ValueError(f"{len(words)} codewords are more than a symbol of one block holds")
    words = _padded(words, size.data)
    words += _checks(words, size.checks)
    side = size.modules - 2 * size.regions
    inner = _placed(words, side)
    return _framed(inner, size)


def codewords(text: str) -> list[int]:
    """A text in the encodation for ASCII, FNC1 in front and for each separator."""
    words, place = [FNC1], 0
    while place < len(text):
        pair = text[place : place + 2]
        if len(pair) == len("00") and pair.isascii() and pair.isdigit():
            words.append(_DIGIT_PAIRS + int(pair))
            place += 2
            continue
        words.append(FNC1 if text[place] == SEPARATOR else ord(text[place]) + 1)
        place += 1
    return words


def _padded(words: list[int], count: int) -> list[int]:
    padded = list(words)
    if len(padded) < count:
        padded.append(_PAD)
    while len(padded) < count:
        noise = (149 * (len(padded) + 1)) % 253 + 1
        padded.append((_PAD + noise - 1) % 254 + 1)
    return padded


def _tables() -> tuple[list[int], list[int]]:
    powers, logs, value = [0] * 255, [0] * 256, 1
    for exponent in range(255):
        powers[exponent], logs[value] = value, exponent
        value <<= 1
        if value > 0xFF:  # noqa: PLR2004 - a byte.
            value ^= _FIELD
    return powers, logs


_POWERS, _LOGS = _tables()


def _times(one: int, other: int) -> int:
    return _POWERS[(_LOGS[one] + _LOGS[other]) % 255] if one and other else 0


def _checks(words: list[int], count: int) -> list[int]:
    """The remainder of the message by the generator, whose roots are 2**1 to 2**count."""
    generator = [1]
    for exponent in range(1, count + 1):
        root = _POWERS[exponent]
        shifted = [*generator, 0]
        for place, factor in enumerate(generator):
            shifted[place + 1] ^= _times(factor, root)
        generator = shifted
    rest = [0] * count
    for word in words:
        factor = word ^ rest[0]
        rest = [*rest[1:], 0]
        for place in range(count):
            rest[place] ^= _times(generator[place + 1], factor)
    return rest


_UTAH = ((-2, -2), (-2, -1), (-1, -2), (-1, -1), (-1, 0), (0, -2), (0, -1), (0, 0))
"""A codeword's modules, the highest bit first, around its last one: row, column."""


class _Walk:
    """Lays codewords through a square of modules."""

    def __init__(self, side: int) -> None:
        self._side = side
        self.bits: dict[tuple[int, int], tuple[int, int]] = {}
        """Row and column to the codeword's number and the bit's, 0 the highest."""
        self._word = 0

    def lay(self, cells: tuple[tuple[int, int], ...]) -> None:
        """One codeword; what leaves the square comes in at the other side, a little shifted."""
        side = self._side
        for bit, (row, column) in enumerate(cells):
            if row < 0:
                row, column = row + side, column + 4 - (side + 4) % 8  # noqa: PLW2901
            if column < 0:
                row, column = row + 4 - (side + 4) % 8, column + side  # noqa: PLW2901
            self.bits[row, column] = (self._word, bit)
        self._word += 1

    def walk(self) -> None:
        """All codewords, up and down the diagonals."""
        side, row, column = self._side, 4, 0
        while row < side or column < side:
            self._corners(row, column)
            while row >= 0 and column < side:
                self._utah(row, column, row < side and column >= 0)
                row, column = row - 2, column + 2
            row, column = row + 1, column + 3
            while row < side and column >= 0:
                self._utah(row, column, row >= 0 and column < side)
                row, column = row + 2, column - 2
            row, column = row + 3, column + 1

    def _utah(self, row: int, column: int, inside: bool) -> None:
        if inside and (row, column) not in self.bits:
            self.lay(tuple((row + down, column + right) for down, right in _UTAH))

    def _corners(self, row: int, column: int) -> None:
        n = self._side
        if (row, column) == (n, 0):
            self.lay(
                ((n - 1, 0), (n - 1, 1), (n - 1, 2), (0, n - 2), (0, n - 1), (1, n - 1),
                 (2, n - 1), (3, n - 1))
            )  # fmt: skip
        if (row, column) == (n - 2, 0) and n % 4:
            self.lay(
                ((n - 3, 0), (n - 2, 0), (n - 1, 0), (0, n - 4), (0, n - 3), (0, n - 2),
                 (0, n - 1), (1, n - 1))
            )  # fmt: skip
        if (row, column) == (n - 2, 0) and n % 8 == 4:  # noqa: PLR2004 - as the standard has it.
            self.lay(
                ((n - 3, 0), (n - 2, 0), (n - 1, 0), (0, n - 2), (0, n - 1), (1, n - 1),
                 (2, n - 1), (3, n - 1))
            )  # fmt: skip
        if (row, column) == (n + 4, 2) and not n % 8:
            self.lay(
                ((n - 1, 0), (n - 1, n - 1), (0, n - 3), (0, n - 2), (0, n - 1), (1, n - 3),
                 (1, n - 2), (1, n - 1))
            )  # fmt: skip


def _placed(words: list[int], side: int) -> Matrix:
    walk = _Walk(side)
    walk.walk()
    dark = [[False] * side for _ in range(side)]
    for (row, column), (word, bit) in walk.bits.items():
        dark[row][column] = bool(words[word] >> (7 - bit) & 1)
    if (side - 1, side - 1) not in walk.bits:
        # A corner that no codeword reaches.
        dark[side - 1][side - 1] = dark[side - 2][side - 2] = True
    return dark


def _framed(inner: Matrix, size: Size) -> Matrix:
    """With the finder around each region."""
    region = len(inner) // size.regions
    whole = region + 2
    dark = [[False] * size.modules for _ in range(size.modules)]
    for row in range(size.modules):
        for column in range(size.modules):
            down, right = row % whole, column % whole
            if right == 0 or down == whole - 1:
                dark[row][column] = True
            elif down == 0:
                dark[row][column] = column % 2 == 0
            elif right == whole - 1:
                dark[row][column] = row % 2 == 1
            else:
                dark[row][column] = inner[row // whole * region + down - 1][
                    column // whole * region + right - 1
                ]
    return dark
