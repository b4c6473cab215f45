"""Photo-eyes: when a carrier's body breaks a beam across the gate."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from firmware_sim.core.layout import Reader
from firmware_sim.core.tracks import Track

LANE = 1.5
"""Metres from the lane's middle within which a carrier passes between the photo-eye's posts."""


class EyeChange(NamedTuple):
    """A photo-eye's input changed; time in microseconds of the shift."""

    at_us: int
    port: int
    active: bool


def eye_changes(reader: Reader, tracks: list[Track]) -> list[EyeChange]:
    """All changes of a reader's photo-eyes, in order of time."""
    found: list[EyeChange] = []
    for port, _, eye_x in reader.eyes:
        spans: list[tuple[int, int]] = []
        for track in tracks:
            if _between_posts(track, reader):
                spans += _broken(track, eye_x)
        found += [change for span in _united(spans) for change in _changes(port, span)]
    return sorted(found)


def _between_posts(track: Track, reader: Reader) -> bool:
    if not track.breaks_beams or track.floor != reader.floor:
        return False
    return abs(track.way.y[0] - reader.lane_y) < LANE


def _changes(port: int, span: tuple[int, int]) -> tuple[EyeChange, EyeChange]:
    return EyeChange(span[0], port, True), EyeChange(span[1], port, False)


def _broken(track: Track, eye_x: float) -> list[tuple[int, int]]:
    """Spans in which the body lies across the beam."""
    inside, outside = track.body
    low, high = eye_x - outside, eye_x + inside
    times = [at_us for line in (low, high) for at_us, _ in track.way.crossings(line)]
    times = sorted({track.from_us, track.until_us, *times})
    spans = []
    for start, end in pairwise(times):
        if low <= track.way.place((start + end) // 2)[0] <= high:
            spans.append((start, end))
    return spans


def _united(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Overlapping spans as one: a second carrier does not break a broken beam."""
    united: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(united[-1][1], end))
        else:
            united.append((start, end))
    return united
