"""What truly happened, as it is written down: one line per identity, gate and episode."""

from __future__ import annotations

import msgspec

from firmware_sim.core.layout import READERS, SCANNER, Reader
from firmware_sim.core.shift import Shift


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `passages.jsonl`; times in UTC microseconds of domain time."""

    identity: str
    gate: str
    geometry: str
    kind: str
    """`passed`, `turned_back`, `lingered` or `crosstalk`."""
    direction: str | None
    load: str | None
    at_us: int
    """When it crossed the line; for the other kinds, about the middle."""
    from_us: int
    """When its carrier came into sight."""
    until_us: int
    """When its carrier was gone, or turned round for another passage."""
    how: str
    """What the carrier did, in a word; empty for straight through."""
    reads_emitted: int
    """What the gate's reader put into its reports for it."""
    not_heard: int = 0
    """What the reader would have read, had a client set it up and listened."""


def passages_of(
    shift: Shift,
    start_us: int,
    until_us: int | None = None,
    readers: tuple[Reader, ...] = READERS,
) -> list[Passage]:
    """The truth in order of time; the shift began at `start_us`.

    What began after `until_us` (of the shift) is left out: the run was cut short.
    """
    end_us = shift.end_us if until_us is None else until_us
    kinds = {reader.gate: reader.kind for reader in readers}
    found = []
    for track in shift.tracks:
        for episode in track.episodes:
            own = episode.place == 0 or episode.kind in ("passed", "turned_back")
            if episode.from_us > end_us:
                continue
            for carried in track.carried:
                emitted = carried.counts[episode.place]
                unheard = carried.unheard[episode.place]
                if not own and not emitted and not unheard:
                    continue  # Cross-talk that no reader could hear did not happen.
                found.append(
                    Passage(
                        identity=carried.tag.identity,
                        gate=episode.gate,
                        geometry=kinds[episode.gate],
                        kind=episode.kind,
                        direction=episode.direction,
                        load=track.load,
                        at_us=start_us + episode.at_us,
                        from_us=start_us + episode.from_us,
                        until_us=start_us + episode.until_us,
                        how=episode.how,
                        reads_emitted=emitted,
                        not_heard=unheard,
                    )
                )
    found += [
        Passage(
            identity=scan.tag.identity,
            gate=SCANNER,
            geometry="line",
            kind="passed",
            direction="in",
            load=None,
            at_us=start_us + scan.at_us,
            from_us=start_us + scan.at_us,
            until_us=start_us + scan.at_us,
            how="",
            reads_emitted=scan.counts,
            not_heard=scan.unheard,
        )
        for scan in shift.scans
        if scan.at_us <= end_us
    ]
    return sorted(found, key=lambda passage: (passage.at_us, passage.identity, passage.gate))
