"""Faults of the bench: how they are written, and what those of a link do to what a device says.

Pure: the time and the dice are arguments. A fault is one line, the same on the console, behind
`--fault` and in a scenario file. Those that happen between a device and its client are here, once
for every kind of device; those inside a device (its clock, its antennas) are its source's.
"""

from __future__ import annotations

import difflib
import re
from collections import deque
from random import Random
from typing import NamedTuple

from firmware_sim.bench.kinds import Frame

DROP_AFTER_MAX = 1_000_000
FREEZE_S_MAX = 3_600.0
CLOCK_S_MAX = 31_536_000.0
"""A reader that lost its battery is decades off; a year shows the same."""
DRIFT_PPM_MAX = 100_000.0
MESSAGES_MAX = 1_000
ANTENNA_MAX = 64
FLOOD_RATE_MAX = 100_000.0
FLOOD_S = 5.0
"""How long a flood lasts that says nothing else."""
GARBAGE_BYTES = 64
"""How much garbage comes where nothing else is said."""
GARBAGE_BYTES_MAX = 1_000_000
FLOOD_AT_ONCE_MAX = 10_000
"""Of a flood that a busy machine is behind with."""
KEPT_FOR_FLOOD = 100
"""A flood repeats so many of the device's last messages."""
REORDER_S_MAX = 5.0
"""Messages that wait to be told out of order wait no longer than this."""
AT_S_MAX = 31_536_000.0

FAULTS = {
    "drop": ("drop [after BYTES]", "cut the link now, or so far into what comes next"),
    "freeze": ("freeze SECONDS", "nothing moves on the link, which stays open"),
    "clock": ("clock +30 | -30 | drift PPM", "the device's clock jumps, or gains by so much"),
    "duplicate": ("duplicate [MESSAGES]", "the next messages come twice (1)"),
    "reorder": ("reorder [MESSAGES]", "the next messages come in the wrong order (2)"),
    "antenna": ("antenna NUMBER lost | back", "an antenna hears nothing, or hears again"),
    "flood": ("flood RATE [SECONDS]", "old messages again, so many a second (for 5 s)"),
    "garbage": ("garbage [BYTES]", "bytes that mean nothing (64)"),
}
"""First word to the way to write it and what it does."""

_NUMBER = r"(\d+(?:\.\d+)?)"
_GRAMMAR = (
    ("drop", re.compile(r"drop"), 0.0),
    ("drop", re.compile(r"drop after (\d+)(?: bytes?)?"), DROP_AFTER_MAX),
    ("freeze", re.compile(rf"freeze {_NUMBER} ?s?"), FREEZE_S_MAX),
    ("clock_offset_s", re.compile(r"clock ([+-]\d+(?:\.\d+)?) ?s?"), CLOCK_S_MAX),
    ("clock_drift_ppm", re.compile(r"clock drift ([+-]?\d+(?:\.\d+)?)(?: ?ppm)?"), DRIFT_PPM_MAX),
    ("duplicate", re.compile(r"duplicate(?: (\d+))?"), MESSAGES_MAX),
    ("reorder", re.compile(r"reorder(?: (\d+))?"), MESSAGES_MAX),
    ("antenna_lost", re.compile(r"antenna (\d+) lost"), ANTENNA_MAX),
    ("antenna_back", re.compile(r"antenna (\d+) back"), ANTENNA_MAX),
    ("flood", re.compile(rf"flood {_NUMBER}(?:/s)?(?: (?:for )?{_NUMBER} ?s?)?"), FLOOD_RATE_MAX),
    ("garbage", re.compile(r"garbage(?: (\d+))?"), GARBAGE_BYTES_MAX),
)
_USUAL = {"drop": -1.0, "duplicate": 1.0, "reorder": 2.0, "garbage": float(GARBAGE_BYTES)}
"""What a fault without a number means; a `drop` without one is at once."""
DEVICES_OWN = frozenset({"clock_offset_s", "clock_drift_ppm", "antenna_lost", "antenna_back"})
"""Faults that a source takes itself."""


class FaultError(ValueError):
    """The fault cannot be understood; the message says what is allowed."""


class Fault(NamedTuple):
    """One fault."""

    name: str
    """As `Source.fault` and `LinkFaults.take` know it."""
    value: float
    text: str
    """As it was written."""
    seconds: float = 0.0
    """For a flood: how long."""


class TimedFault(NamedTuple):
    """A fault at a time."""

    at_s: float
    """Domain seconds after the device began."""
    fault: Fault


def read_fault(text: str) -> Fault:
    """A fault from its line. Raises FaultError."""
    words = " ".join(text.lower().split())
    for name, pattern, most in _GRAMMAR:
        found = pattern.fullmatch(words)
        if found is None:
            continue
        numbers = [float(number) for number in found.groups() if number is not None]
        value = numbers[0] if numbers else _USUAL[name]
        if abs(value) > most and numbers:
            raise FaultError(f"{text!r}: {value:g} is too much; at most {most:g}")
        if name in {"antenna_lost", "antenna_back", "reorder", "duplicate"} and value < 1:
            raise FaultError(f"{text!r}: {value:g} must be 1 or more")
        seconds = (numbers[1] if len(numbers) > 1 else FLOOD_S) if name == "flood" else 0.0
        if seconds > FREEZE_S_MAX:
            raise FaultError(f"{text!r}: {seconds:g} s is too long; at most {FREEZE_S_MAX:g}")
        return Fault(name, value, words, seconds)
    first = words.split(" ")[0]
    if first in FAULTS:
        raise FaultError(f"{text!r} is written {FAULTS[first][0]!r}")
    near = difflib.get_close_matches(first, FAULTS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(FAULTS)}"
    raise FaultError(f"{first!r} is no fault; {hint}")


def read_timed_fault(text: str) -> TimedFault:
    """A fault such as `at 10s freeze 5s`; without a time it comes at once. Raises FaultError."""
    found = re.fullmatch(rf"at {_NUMBER} ?s?:? (.+)", " ".join(text.lower().split()))
    if found is None and text.lower().split()[:1] == ["at"]:
        raise FaultError(f"{text!r} is written 'at 10s freeze 5s'")
    if found is None:
        return TimedFault(0.0, read_fault(text))
    at_s = float(found[1])
    if at_s > AT_S_MAX:
        raise FaultError(f"{text!r}: {at_s:g} s is too late; at most {AT_S_MAX:g}")
    return TimedFault(at_s, read_fault(found[2]))


def fault_help() -> list[str]:
    """A line for each fault."""
    return [f"{written:<30} {does}" for written, does in FAULTS.values()]


class LinkFaults:
    """The faults of one link. Times are wall seconds that only grow."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._cut_after: int | None = None
        self._cut_now = False
        self._frozen_until_s = 0.0
        self._duplicate = 0
        self._reorder = 0
        self._held: list[Frame] = []
        self._held_until_s = 0.0
        self._recent: deque[Frame] = deque(maxlen=KEPT_FOR_FLOOD)
        self._flood_rate = 0.0
        self._flood_until_s = 0.0
        self._flooded_s = 0.0
        self._garbage = 0

    def take(self, fault: Fault, now_s: float) -> None:
        """Begin with a fault of the link."""
        match fault.name:
            case "drop" if fault.value < 0:
                self._cut_now = True
            case "drop":
                self._cut_after = int(fault.value)
            case "freeze":
                self._frozen_until_s = now_s + fault.value
            case "duplicate":
                self._duplicate += int(fault.value)
            case "reorder":
                self._reorder = int(fault.value)
                self._held_until_s = now_s + REORDER_S_MAX
            case "flood":
                self._flood_rate = fault.value
                self._flooded_s = now_s
                self._flood_until_s = now_s + fault.seconds
            case "garbage":
                self._garbage += int(fault.value)
            case _:
                raise AssertionError(f"{fault.name} is no fault of a link")

    def frozen_s(self, now_s: float) -> float:
        """For how long nothing moves yet; 0 where it does."""
        return max(0.0, self._frozen_until_s - now_s)

    def messages(self, said: list[Frame], now_s: float) -> list[Frame]:
        """What is told instead of what the device said."""
        told = [again for frame in said for again in self._doubled(frame)]
        self._recent.extend(said)
        if self._reorder or self._held:
            told = self._out_of_order(told, now_s)
        told += self._flood(now_s)
        if self._garbage:
            told.append(self._meaningless())
        return told

    def cut(self) -> bool:
        """Whether the link is to be cut at once; true once."""
        now, self._cut_now = self._cut_now, False
        return now

    def cut_at(self, size: int) -> int | None:
        """Behind which byte of the next message the link is cut, if it is."""
        if self._cut_after is None:
            return None
        if self._cut_after < size:
            at, self._cut_after = self._cut_after, None
            return at
        self._cut_after -= size
        return None

    def active(self, now_s: float) -> list[str]:
        """The faults that act now, in words."""
        words = []
        if self.frozen_s(now_s):
            words.append(f"frozen {self.frozen_s(now_s):.0f} s")
        if self._flood_until_s > now_s:
            words.append(f"flood {self._flood_rate:g}/s")
        if self._cut_after is not None:
            words.append(f"drop after {self._cut_after} bytes")
        if self._duplicate:
            words.append(f"duplicate {self._duplicate}")
        if self._reorder or self._held:
            words.append("reorder")
        return words

    def _doubled(self, frame: Frame) -> tuple[Frame, ...]:
        if not self._duplicate:
            return (frame,)
        self._duplicate -= 1
        return frame, frame

    def _out_of_order(self, told: list[Frame], now_s: float) -> list[Frame]:
        while told and self._reorder:
            self._held.append(told.pop(0))
            self._reorder -= 1
        if self._reorder and now_s < self._held_until_s:
            return told
        self._reorder = 0
        held, self._held = self._held, []
        return [*reversed(held), *told]

    def _flood(self, now_s: float) -> list[Frame]:
        until_s = min(now_s, self._flood_until_s)
        number = int((until_s - self._flooded_s) * self._flood_rate)
        if number <= 0 or not self._recent:
            return []
        self._flooded_s += number / self._flood_rate
        recent = list(self._recent)
        number = min(number, FLOOD_AT_ONCE_MAX)
        return [recent[place % len(recent)] for place in range(number)]

    def _meaningless(self) -> Frame:
        size, self._garbage = self._garbage, 0
        topic = self._recent[-1].topic if self._recent else ""
        at_us = self._recent[-1].at_us if self._recent else 0
        return Frame(at_us=at_us, payload=self._dice.randbytes(size), topic=topic)
