"""Births and ends of identities as EPCIS events.

A birth is a commissioning, and a packing where it happened in a carrier; an end is the other way.
What a carrier held when it ended goes, where another took its place, into that one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import msgspec

from contracts.commissioning import Commissioned, Decommissioned, EndReason
from contracts.epcis.vocabulary import Json
from ledger_sink.core.chain import ChainEntry
from ledger_sink.core.epcis_build import ToldEvent, told
from ledger_sink.core.epcis_names import thing_uri, things

_born = msgspec.json.Decoder(Commissioned)
_ended = msgspec.json.Decoder(Decommissioned)

_ENDS: Mapping[EndReason, tuple[str, str]] = MappingProxyType(
    {
        EndReason.RETAGGED: ("decommissioning", "inactive"),
        EndReason.UNPACKED: ("decommissioning", "inactive"),
        EndReason.CONSUMED: ("decommissioning", "inactive"),
        EndReason.SCRAPPED: ("destroying", "destroyed"),
        EndReason.LABEL_LOST: ("decommissioning", "inactive"),
    }
)
"""Business step and disposition of each end."""


def of_birth(entry: ChainEntry) -> Iterator[ToldEvent]:
    """The events of an entry of kind `commissioned`."""
    birth = _born.decode(entry.payload)
    fields: dict[str, Json] = {
        "action": "ADD",
        "bizStep": "commissioning",
        "disposition": "active",
        **things([birth.identity]),
    }
    ilmd: dict[str, Json] = {}
    if birth.batch:
        ilmd["cbvmda:lotNumber"] = birth.batch
    if birth.expiry:
        ilmd["cbvmda:itemExpirationDate"] = birth.expiry
    if ilmd:
        fields["ilmd"] = ilmd
    own: dict[str, Json] = {"packing": str(birth.packing)}
    if birth.replaces is not None:
        own["replaces"] = thing_uri(birth.replaces)
    yield told(entry, "ObjectEvent", fields, own)
    if birth.parent is not None:
        yield _packing(entry, "ADD", birth.parent, (birth.identity,))


def of_end(entry: ChainEntry, mentioned: tuple[str, ...]) -> Iterator[ToldEvent]:
    """The events of an entry of kind `decommissioned`; `mentioned`: its content and successor."""
    end = _ended.decode(entry.payload)
    content = tuple(one for one in mentioned if one not in (end.identity, end.successor))
    if end.reason == EndReason.UNPACKED or content:
        yield _packing(entry, "DELETE", end.identity, content)
    if end.successor is not None and content:
        yield _packing(entry, "ADD", end.successor, content)
    step, disposition = _ENDS[end.reason]
    own: dict[str, Json] = {"reason": str(end.reason)}
    if end.successor is not None:
        own["successor"] = thing_uri(end.successor)
    fields: dict[str, Json] = {"action": "DELETE", "bizStep": step, "disposition": disposition}
    yield told(entry, "ObjectEvent", fields | things([end.identity]), own)


def _packing(entry: ChainEntry, action: str, parent: str, content: tuple[str, ...]) -> ToldEvent:
    named = things(content)
    fields: dict[str, Json] = {"parentID": thing_uri(parent), "action": action}
    # No children at all: whatever is in it.
    fields |= {"childEPCs": named.get("epcList", [])}
    if "quantityList" in named:
        fields["childQuantityList"] = named["quantityList"]
    fields["bizStep"] = "packing" if action == "ADD" else "unpacking"
    fields["disposition"] = "in_progress"
    return told(entry, "AggregationEvent", fields)
