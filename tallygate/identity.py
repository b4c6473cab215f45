"""What a person may type to mean an identity, brought to the form in which the ledger keeps it.

The edge agent's own normalisation is used, so a barcode, a tag's bytes and a Digital Link of one
thing are one identity here too.
"""

from __future__ import annotations

import re

from edge_agent.core.identity import identity_of_code, identity_of_epc
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.queries import identities_ending, known_identities
from tallygate.errors import TallygateError
from tallygate.names import ROOT, SHORTENED

IDENTITIES_MAX = 20
"""How many identities an ambiguous end of one names."""
ENDING_MIN = 3
"""Shorter ends mean too many."""

_SHORT_LINK = re.compile(r"/?\d{2,4}/.+")
_HEX = re.compile(r"(0x)?(?:[0-9a-f]{2}[ :-]?)+", re.IGNORECASE)
_EPC_HEX_MIN = 16
"""An EPC has at least 64 bits."""
_SSCC = re.compile(r"\d{18}")


def readings(text: str) -> list[str]:
    """The identities that a text may mean, the likeliest first.

    Such as a Digital Link or what follows its address, a barcode `(01)..(21)..` or `01..21..`, an
    SSCC, an EPC URI or a tag's EPC memory in hexadecimal.
    """
    found = [text] if ":" in text else []
    if _SHORT_LINK.fullmatch(text):
        found.append(ROOT + text.removeprefix("/"))
    codes = [text, f"00{text}"] if _SSCC.fullmatch(text) else [text]
    found += [identity_of_code(code.encode("utf-8")) for code in codes]
    if _HEX.fullmatch(text):
        digits = re.sub(r"[ :-]", "", text.lower().removeprefix("0x"))
        if len(digits) >= _EPC_HEX_MIN:
            found += [identity_of_epc(bytes.fromhex(digits)), f"raw:{digits}"]
    # Any bytes are an identity; one that says something comes first.
    return sorted(dict.fromkeys(found), key=lambda one: one.startswith("raw:") and one != text)


def find_identity(ledger: PostgresLedger, text: str, *, is_booked: bool = False) -> str:
    """The identity that is meant, of those that the ledger knows. Raises TallygateError.

    `is_booked`: the books know it, so it need not have been read.
    """
    # A terminal may hand over bytes that are no UTF-8.
    text = text.encode("utf-8", "replace").decode().strip().removeprefix(SHORTENED)
    meant = readings(text)
    known = known_identities(ledger, meant)
    if known:
        return known[0]
    found = []
    if len(text) >= ENDING_MIN:
        found = identities_ending(ledger, text, IDENTITIES_MAX + 1)
    if len(found) == 1:
        return found[0]
    if is_booked:
        return meant[0]
    if found:
        listed = "\n  ".join(found[:IDENTITIES_MAX])
        more = "\n  and more" if len(found) > IDENTITIES_MAX else ""
        raise TallygateError(f"{text!r} may mean one of several; say which:\n  {listed}{more}")
    said = meant[0]
    understood = "" if said == text or said.startswith("raw:") else f" (understood as {said})"
    raise TallygateError(
        f"nothing was ever read of {text!r}{understood}. Give a barcode such as '(01)..(21)..', an"
        " SSCC, a tag's EPC in hexadecimal, a Digital Link, or the end of one (3 characters or"
        " more)."
    )
