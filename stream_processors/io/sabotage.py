"""A rehearsal's hook: spoils one location event on its way out of the worker, on purpose.

Armed by TALLYGATE_SABOTAGE alone (`lose`, `double` or `flip`); the demo uses it to show that the
proof at its end notices. Without the variable nothing here runs.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from contracts.events import Entry, EntryKind
from contracts.ids import content_id
from contracts.log import Output
from stream_processors.io import journal
from stream_processors.settings import StreamError

KINDS = ("lose", "double", "flip")


class Sabotage:
    """Spoils the first location entry that passes, once."""

    def __init__(self, kind: str) -> None:
        """Arm it; an empty kind arms nothing. Raises StreamError."""
        if kind and kind not in KINDS:
            raise StreamError(f"TALLYGATE_SABOTAGE is one of {', '.join(KINDS)}, not {kind!r}")
        self._kind = kind
        self._spoiled: tuple[int, int] | None = None

    @property
    def armed(self) -> bool:
        """Whether the next location entry is spoiled."""
        return bool(self._kind) and self._spoiled is None

    def reloaded(self, partition: int, next_offset: int) -> None:
        """A partition begins again: what was spoiled behind this offset never counted."""
        if self._spoiled is not None:
            spoiled_partition, offset = self._spoiled
            if spoiled_partition == partition and offset >= next_offset:
                self._spoiled = None

    def spoil(self, outputs: Sequence[Output]) -> Sequence[Output]:
        """The outputs of one record, one of them spoiled if this is its turn."""
        for place, output in enumerate(outputs):
            for entry in output.entries:
                if entry.kind == EntryKind.LOCATION and entry.identity:
                    self._spoiled = (output.partition, output.offset)
                    journal.write(
                        "sabotage", kind=self._kind, identity=entry.identity, entry=entry.id
                    )
                    spoiled = list(outputs)
                    spoiled[place] = self._spoil(output, entry)
                    return spoiled
        return outputs

    def _spoil(self, output: Output, entry: Entry) -> Output:
        entries = list(output.entries)
        place = entries.index(entry)
        evidence = output.evidence
        if self._kind == "lose":
            del entries[place]
            evidence = tuple(each for each in evidence if each.entry != entry.id)
        elif self._kind == "double":
            twin = msgspec.structs.replace(entry, id=content_id("sabotage", entry.id))
            entries.insert(place + 1, twin)
        else:
            entries[place] = msgspec.structs.replace(entry, payload=_flipped(entry))
        return msgspec.structs.replace(output, entries=tuple(entries), evidence=evidence)


def _flipped(entry: Entry) -> bytes:
    """The payload with the last character of the identity in it changed to another."""
    payload = bytearray(entry.payload)
    identity = (entry.identity or "").encode()
    place = entry.payload.find(identity) + len(identity) - 1
    payload[place] = ord("1") if payload[place] != ord("1") else ord("2")
    return bytes(payload)
