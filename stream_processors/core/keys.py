"""What bridge and worker must agree on: which partition owns what, and the ids of small things.

A reject, loss or device change has no identity; the id made from its content decides its
partition. The same content always travels to the same partition, so where one batch holds it
several times, counting there tells them apart.
"""

from __future__ import annotations

import re

from contracts.ids import content_id
from contracts.reads import DeviceChange, Loss, Reject

SpoolKey = tuple[str, str]
"""Gateway and spool: a copied disk on another gateway is another spool."""

LOOSE = ""
"""The spool of parts that belong to none: what the bridge itself could not use."""

SPOOL = re.compile(r"[0-9a-f]{32}\Z")
"""What a spool's id looks like."""

SEQUENCE_MAX = 2**62
"""Larger sequences are no spool's: at a thousand batches a second it lasts for ever."""


def reject_key(key: SpoolKey, sequence: int, reject: Reject) -> str:
    """The id of a spooled reject: the same bytes in another batch are another reject."""
    return content_id(
        "reject",
        *key,
        sequence,
        reject.source,
        reject.reason,
        reject.raw,
        reject.raw_length,
        reject.at_us,
    )


def loose_reject_key(gateway: str, reject: Reject) -> str:
    """The id of what never was in a spool: without a sequence, each arrival is another reject."""
    return content_id(
        "loose_reject", gateway, reject.reason, reject.raw, reject.raw_length, reject.at_us
    )


def loss_key(loss: Loss) -> str:
    """The id of a loss. Batches that are missing are the same loss whoever notices it when."""
    if loss.first_sequence:
        return content_id("loss", loss.gateway, loss.spool, loss.first_sequence, loss.last_sequence)
    return content_id("loss_of_reads", loss.gateway, loss.spool, loss.reads, loss.at_us)


def change_key(key: SpoolKey, sequence: int, change: DeviceChange) -> str:
    """The id of a device change."""
    return content_id(
        "device", *key, sequence, change.device, change.state, change.detail, change.at_us
    )
