"""Events of ours as they are made: their common fields, their hash, and their withdrawal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from contracts.epcis.documents import OWN_NAMESPACE, OWN_PREFIX
from contracts.epcis.event_hash import event_hash
from contracts.epcis.vocabulary import CONTEXT, Json
from ledger_sink.core.chain import ChainEntry

DID_NOT_OCCUR = "did_not_occur"


class ToldEvent(NamedTuple):
    """An entry as an event."""

    event: dict[str, Json]
    """The event."""
    event_hash: str
    """Its event hash id."""
    leaving_out: tuple[str, ...] = ()
    """Those of its fields that count for no hash."""
    seq: int = 0
    """The entry that tells it."""
    recorded_us: int = 0
    """When that was recorded."""


class Untold(NamedTuple):
    """An entry that should be an event and cannot be one."""

    seq: int
    """Its place in the chain."""
    id: str
    """Its id."""
    reason: str
    """Why."""


class UntellableError(Exception):
    """An entry has no event; the message says why."""


def told(
    entry: ChainEntry,
    kind: str,
    fields: Mapping[str, Json],
    own: Mapping[str, Json] | None = None,
) -> ToldEvent:
    """An event of an entry. `own`: fields of ours, by local name. Raises UntellableError."""
    event: dict[str, Json] = {
        "@context": [{OWN_PREFIX: OWN_NAMESPACE}],
        "type": kind,
        "eventTime": time_text(entry.happened_us),
        "eventTimeZoneOffset": "+00:00",
        "recordTime": time_text(entry.recorded_us),
        **fields,
    }
    event |= {f"{OWN_PREFIX}:{name}": value for name, value in (own or {}).items()}
    event[f"{OWN_PREFIX}:entry"] = entry.id
    hash_id = event_hash(event, {**CONTEXT, OWN_PREFIX: OWN_NAMESPACE})
    event["eventID"] = hash_id
    return ToldEvent(event, hash_id, (), entry.seq, entry.recorded_us)


def withdrawn(one: ToldEvent, by: ChainEntry, corrections: list[Json]) -> ToldEvent:
    """An event again, declared an error by an entry. Raises UntellableError."""
    declaration: dict[str, Json] = {
        "declarationTime": time_text(by.recorded_us),
        "reason": DID_NOT_OCCUR,
    }
    if corrections:
        declaration["correctiveEventIDs"] = corrections
    event = {
        **one.event,
        "recordTime": time_text(by.recorded_us),
        "errorDeclaration": declaration,
    }
    return one._replace(event=event, seq=by.seq, recorded_us=by.recorded_us)


def time_text(us: int) -> str:
    """A time of ours. Raises UntellableError where no calendar has it."""
    seconds, micros = divmod(us, 1_000_000)
    try:
        moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros, tzinfo=None)
    except (ValueError, OverflowError, OSError) as error:
        message = "EPCIS has no times outside the years 1 to 9999"
        raise UntellableError(message) from error
    return moment.isoformat(timespec="milliseconds") + "Z"
