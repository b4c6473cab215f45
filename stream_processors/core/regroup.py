"""One batch into shares, one for each partition that has something of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from contracts.codec import encode
from contracts.ids import partition_of
from contracts.log import Part
from contracts.reads import DeviceChange, GateSignal, Loss, Read, ReadBatch, Reject
from stream_processors.core.keys import (
    LOOSE,
    SpoolKey,
    change_key,
    loose_reject_key,
    loss_key,
    reject_key,
)


class Place(NamedTuple):
    """Where in the stream of its spool a batch stands."""

    key: SpoolKey
    """Gateway and spool."""
    sequence: int
    """The batch's sequence."""
    run: int
    """The bridge's run."""


@dataclass(slots=True)
class Share:
    """What one partition gets of a batch."""

    reads: list[Read] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    signals: tuple[GateSignal, ...] = ()
    losses: list[Loss] = field(default_factory=list)
    changes: list[DeviceChange] = field(default_factory=list)

    def part(self, place: Place, *, previous: int, gateway_us: int) -> bytes:
        """The share as the record that travels."""
        gateway, spool = place.key
        return encode(
            Part(
                run=place.run,
                gateway=gateway,
                spool=spool,
                sequence=place.sequence,
                previous=previous,
                gateway_us=gateway_us,
                reads=tuple(self.reads),
                rejects=tuple(self.rejects),
                signals=self.signals,
                losses=tuple(self.losses),
                changes=tuple(self.changes),
            )
        )


def shares_of(
    batch: ReadBatch, place: Place, partitions: int, losses: tuple[Loss, ...] = ()
) -> dict[int, Share]:
    """Partition to its share; signals go to all, and `losses` are added to the batch's own."""
    shares: dict[int, Share] = {}
    if batch.signals:
        shares = {partition: Share(signals=batch.signals) for partition in range(partitions)}

    def share(identity: str) -> Share:
        return shares.setdefault(partition_of(identity, partitions), Share())

    for read in batch.reads:
        share(read.identity).reads.append(read)
    for each in batch.rejects:
        share(reject_key(place.key, place.sequence, each)).rejects.append(each)
    for loss in (*losses, *batch.losses):
        share(loss_key(loss)).losses.append(loss)
    for change in batch.changes:
        share(change_key(place.key, place.sequence, change)).changes.append(change)
    return shares


def loose_part(run: int, gateway: str, reject: Reject, partitions: int) -> tuple[int, bytes]:
    """Partition and record for what belongs to no spool."""
    place = Place(key=(gateway, LOOSE), sequence=0, run=run)
    record = Share(rejects=[reject]).part(place, previous=0, gateway_us=0)
    return partition_of(loose_reject_key(gateway, reject), partitions), record
