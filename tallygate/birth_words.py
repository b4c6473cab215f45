"""What the entries at both ends of an identity's life say in the life of it and of its kin."""

from __future__ import annotations

import msgspec

from contracts.commissioning import Commissioned, Decommissioned
from contracts.events import EntryKind
from ledger_sink.queries import Moment
from tallygate.names import short
from tallygate.words import word

_born = msgspec.json.Decoder(Commissioned)
_ended = msgspec.json.Decoder(Decommissioned)


def birth_said(moment: Moment, identity: str, spoken: str) -> str:
    """In few words what happened to an identity. Raises what decoding does."""
    if moment.kind == EntryKind.COMMISSIONED:
        birth = _born.decode(moment.payload)
        if birth.identity == identity:
            return word("commissioned", spoken)
        return word("took_in" if birth.parent == identity else "replaced", spoken)
    end = _ended.decode(moment.payload)
    if end.identity == identity:
        return word("decommissioned", spoken)
    return word("replaced" if end.successor == identity else "holder_ended", spoken)


def birth_why(moment: Moment, identity: str, spoken: str) -> str:
    """The rest of what the entry says. Raises what decoding does."""
    if moment.kind == EntryKind.COMMISSIONED:
        return ", ".join(_of_birth(_born.decode(moment.payload), identity, spoken))
    end = _ended.decode(moment.payload)
    told = [word(end.reason, spoken)]
    if end.identity != identity:
        told.insert(0, short(end.identity))
    if end.successor is not None and end.successor != identity:
        told.append(word("now_under", spoken, short(end.successor)))
    return ", ".join(told)


def _of_birth(birth: Commissioned, identity: str, spoken: str) -> list[str]:
    kind = word(birth.packing, spoken)
    if birth.identity != identity:
        return [f"{kind} {short(birth.identity)}"]
    told = [kind]
    if birth.quantity > 1:
        told.append(word("holds", spoken, f"{birth.quantity:,} × {birth.item}"))
    if birth.batch:
        told.append(word("batch", spoken, birth.batch))
    if birth.expiry:
        told.append(word("expires", spoken, birth.expiry))
    if birth.parent:
        told.append(word("put_in", spoken, short(birth.parent)))
    if birth.replaces:
        told.append(word("instead_of", spoken, short(birth.replaces)))
    return told
