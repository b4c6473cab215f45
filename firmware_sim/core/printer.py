"""A label printer that understands ZPL and writes RFID tags: pure, bytes in and bytes out.

It keeps what it printed as people, scanners and readers would find it: texts, codes as a scanner
sends them, and the EPC on the tag. Of ZPL it knows what label software commonly sends; the names of
other commands are kept, so that a test sees what was ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

FORMAT_BYTES_MAX = 1_000_000
"""Of one label; a printer's memory is not larger."""
ROLL_LABELS = 10_000
SEPARATOR = "\x1d"
FNC1_DATA_MATRIX, FNC1_CODE_128, PLAIN_QR = "]d2", "]C1", "]Q1"
_EPC_WORD_BYTES = 2

_COMMAND = re.compile(r"[\^~]([A-Za-z][A-Za-z0-9@])([^\^~]*)")


@dataclass
class PrintedLabel:
    """A label that came out."""

    texts: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    """As a scanner sends them, the AIM identifier in front."""
    epc: bytes = b""
    """What is on its tag; empty: nothing was written."""
    void: bool = False
    """Whether its tag could not be written: VOID is printed across it."""


class _Code(NamedTuple):
    """The code whose data comes next."""

    kind: str
    escape: str = ""


@dataclass
class _Work:
    """A label as it is being read."""

    label: PrintedLabel = field(default_factory=PrintedLabel)
    code: _Code | None = None
    hexadecimal: str = ""
    """Announces a byte in hexadecimal in the next field."""
    write: bool = False
    """Whether the next field goes on the tag."""
    wanted: bytes = b""
    attempts: int = 1
    answer: tuple[str, int, str] | None = None
    """What stands in front of what is read back, its characters, and what stands behind."""
    ignored: set[str] = field(default_factory=set)


class Printer:
    """One printer."""

    def __init__(self, labels_left: int = ROLL_LABELS, *, has_rfid: bool = True) -> None:
        self.labels: list[PrintedLabel] = []
        """Everything that came out, void ones too."""
        self.ignored: set[str] = set()
        """Commands that it did not know."""
        self.labels_left = labels_left
        """On the roll."""
        self.head_open = False
        self.paused = False
        self.tags_to_fail = 0
        """So many of the next tags cannot be written."""
        self._has_rfid = has_rfid
        self._input = b""
        self._queue: list[bytes] = []

    def receive(self, data: bytes) -> bytes:
        """Take what a client sends; what it is answered."""
        self._input += data
        said = b""
        while True:
            start = re.search(rb"~HS|\^XA", self._input)
            if start is None:
                # The beginning of one may be at the end.
                self._input = self._input[-2:]
                return said
            if start[0] == b"~HS":
                self._input = self._input[start.end() :]
                said += self._status()
                continue
            end = self._input.find(b"^XZ", start.end())
            if end < 0:
                self._input = self._input[start.start() :]
                if len(self._input) > FORMAT_BYTES_MAX:
                    self._input = b""
                return said
            self._queue.append(self._input[start.end() : end])
            self._input = self._input[end + 3 :]
            said += self.go_on()

    def go_on(self) -> bytes:
        """Print what waits, as far as nothing hinders; what the client is told of it."""
        said = b""
        while self._queue and not (self.head_open or self.paused or self.labels_left <= 0):
            said += self._print(self._queue.pop(0))
        return said

    def tags(self) -> list[bytes]:
        """The EPCs on all labels that are good, in order."""
        return [label.epc for label in self.labels if label.epc and not label.void]

    def _print(self, raw: bytes) -> bytes:
        work = _Work()
        for command, parameters in _commands(raw.decode("utf-8", "replace")):
            _take(work, command, parameters)
        self.ignored |= work.ignored
        written = b""
        if work.wanted and self._has_rfid:
            for _ in range(work.attempts):
                if self.labels_left <= 0:
                    break
                self.labels_left -= 1
                if self.tags_to_fail <= 0:
                    written = work.wanted
                    break
                self.tags_to_fail -= 1
                self.labels.append(PrintedLabel(void=True))
        else:
            self.labels_left -= 1
        if written or not work.wanted or not self._has_rfid:
            work.label.epc = written
            self.labels.append(work.label)
        if work.answer is None or not self._has_rfid:
            return b""
        front, characters, behind = work.answer
        back = written.hex().upper()[:characters].ljust(characters, "0")
        return f"{front}{back}{behind}".encode()

    def _status(self) -> bytes:
        """Three lines, as a printer answers `~HS`."""
        out, paused = int(self.labels_left <= 0), int(self.paused)
        lines = (
            f"030,{out},{paused},1245,{len(self._queue):03d},0,0,0,000,0,0,0",
            f"000,0,{int(self.head_open)},0,0,2,4,0,{len(self._queue):08d},1,000",
            "1234,0",
        )
        return b"".join(b"\x02" + line.encode() + b"\x03\r\n" for line in lines)


def _commands(text: str) -> Iterator[tuple[str, str]]:
    for found in _COMMAND.finditer(text):
        # Only ^FD's data may begin or end with spaces that matter; line ends never do.
        yield found[1].upper(), found[2].replace("\r", "").replace("\n", "")


def _take(work: _Work, command: str, parameters: str) -> None:
    """One command of a label."""
    given = parameters.split(",")
    if command in {"FD", "FV"}:
        _field(work, _without_hexadecimal(parameters, work.hexadecimal))
    elif command == "FS":
        work.code, work.hexadecimal, work.write = None, "", False
    elif command == "FH":
        work.hexadecimal = parameters[:1] or "_"
    elif command == "BX":
        work.code = _Code(command, given[6] if len(given) > 6 and given[6] else "~")  # noqa: PLR2004
    elif command in {"BC", "BQ"}:
        work.code = _Code(command)
    elif command == "RS":
        work.attempts = int(given[3]) if len(given) > 3 and given[3] else 3  # noqa: PLR2004
    elif command == "RF":
        work.write = parameters.upper().startswith("W,H")
    elif command == "HV":
        _host_verification(work, given)
    elif command[0] != "A" and command not in {
        "CI", "LH", "PW", "LL", "FO", "BY", "GB", "PQ", "FN",
    }:  # fmt: skip
        work.ignored.add(command)


def _field(work: _Work, data: str) -> None:
    if work.write:
        epc = bytes.fromhex(data)
        assert len(epc) % _EPC_WORD_BYTES == 0, "EPC memory is written in whole words"
        work.wanted = epc
    elif work.code is None:
        work.label.texts.append(data)
    elif work.code.kind == "BX":
        work.label.codes.append(_data_matrix(data, work.code.escape))
    elif work.code.kind == "BC":
        work.label.codes.append(_code_128(data))
    else:
        # In front: the level of error correction and how the data is entered.
        work.label.codes.append(PLAIN_QR + data.partition(",")[2])


def _host_verification(work: _Work, given: list[str]) -> None:
    count, front, behind = int(given[1]), given[2], given[3]
    work.answer = (
        _without_hexadecimal(front, work.hexadecimal),
        count,
        _without_hexadecimal(behind, work.hexadecimal),
    )


def _without_hexadecimal(text: str, mark: str) -> str:
    if not mark:
        return text
    return re.sub(re.escape(mark) + r"([0-9A-Fa-f]{2})", lambda found: chr(int(found[1], 16)), text)


def _data_matrix(data: str, escape: str) -> str:
    """What a scanner reads: an FNC1 in front makes it a GS1 code."""
    told, place = "", 0
    while place < len(data):
        two = data[place : place + 2]
        if two == escape + "1":
            told += SEPARATOR
            place += 2
        elif two == 2 * escape:
            told += escape
            place += 2
        else:
            told += data[place]
            place += 1
    return FNC1_DATA_MATRIX + told[1:] if told.startswith(SEPARATOR) else f"]d1{told}"


def _code_128(data: str) -> str:
    """What a scanner reads; `>` and a sign are a code change, FNC1, or the sign itself."""
    marks = {"8": SEPARATOR, "0": ">"}
    told = re.sub(r">(.)", lambda found: marks.get(found[1], ""), data)
    return FNC1_CODE_128 + told[1:] if told.startswith(SEPARATOR) else f"]C0{told}"
