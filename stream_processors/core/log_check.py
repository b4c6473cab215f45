"""Whether a log still is the one that the ledger's positions speak of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Bounds(NamedTuple):
    """What a topic's partition holds."""

    first: int
    """The first offset that can still be read."""
    end: int
    """The offset that the next record will get."""


def log_damage(
    next_offsets: Mapping[int, int],
    events_offsets: Mapping[int, int],
    reads: Mapping[int, Bounds],
    events: Mapping[int, Bounds],
) -> str | None:
    """Why the current log cannot be gone on with, in words, or None.

    All by partition: the ledger's positions in `reads` and `events`, and what the topics hold (a
    missing topic or partition is left out). The bridge asks when its run begins; where there is
    a reason it opens a new log. A log that was emptied and has grown past the positions again is
    not found here: workers find that by `previous`, and the bridge by an offset that goes back.
    """
    for topic, positions, bounds in (
        ("reads", next_offsets, reads),
        ("events", events_offsets, events),
    ):
        for partition, position in sorted(positions.items()):
            found = bounds.get(partition)
            if found is None:
                return f"partition {partition} of topic {topic} is missing"
            if found.end < position:
                return (
                    f"partition {partition} of topic {topic} ends at {found.end}, "
                    f"before {position}, which the ledger has"
                )
            if found.first > position:
                return (
                    f"partition {partition} of topic {topic} begins at {found.first}, "
                    f"behind {position}, which the ledger needs next"
                )
    return None
