"""The site file's table `[devices.handheld]`: the agent's HTTP interface for handhelds' scans.

One device of this kind is one interface; the handhelds that may use it are its `clients`, the
people who may sign in at them its `persons`. Secrets and PINs are never in the file, only their
hashes: `python -m edge_agent handheld-secret` makes both.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from contracts.site_base import Name, Table

HASH_PATTERN = (
    r"scrypt:(1[0-9]|20):([1-9]|1[0-6]):([1-9]|1[0-6]):[A-Za-z0-9_-]{22}:[A-Za-z0-9_-]{43}"
)
"""Scrypt's log2 of N, r and p, then 16 bytes of salt and 32 of hash in base64url."""
CODE_CHARACTERS_MAX = 64
"""Of a place's label, a document's number."""


def _hash_line(value: str) -> str:
    if not re.fullmatch(HASH_PATTERN, value):
        raise ValueError("must be a hash: python -m edge_agent handheld-secret makes one")
    return value


SecretHash = Annotated[str, AfterValidator(_hash_line)]
FilePath = Annotated[str, Field(min_length=1, max_length=4_096)]


class ClientTable(Table):
    """A handheld."""

    id: Name
    secret: SecretHash
    """Hash of the secret that is typed or scanned into the handheld once."""


class PersonTable(Table):
    """Somebody who may sign in."""

    id: Annotated[str, Field(max_length=CODE_CHARACTERS_MAX, pattern=r"^\S([^\x00-\x1f\x7f]*\S)?$")]
    """What is entered at the handheld and in the ledger: a staff number, say."""
    pin: SecretHash
    """Hash of the person's PIN or password."""


class PlaceTable(Table):
    """A label at a bin or zone that people scan to say where they are."""

    code: Annotated[str, Field(min_length=1, max_length=CODE_CHARACTERS_MAX)]
    """The label's text."""
    location: str
    """The zone or gate in which it is."""


class HandheldTable(Table):
    """Who may send scans, and how."""

    certificate: FilePath | None = None
    """File with the interface's TLS certificate and its chain (PEM)."""
    key: FilePath | None = None
    """File with the certificate's key (PEM)."""
    plain: bool = False
    """True: no TLS, although others than this machine can connect: PINs travel readable."""
    sign_in_s: Annotated[float, Field(ge=60, le=86_400)] = 28_800.0
    """How long a sign-in holds for new scans, if nobody signs out before."""
    replay_days: Annotated[float, Field(ge=1, le=90)] = 14.0
    """A scan may arrive this late, and as long it is known again."""
    requests_per_s: Annotated[float, Field(ge=0.1, le=1000)] = 10.0
    """Of one handheld, in the long run; short bursts may be faster."""
    scans_per_s: Annotated[float, Field(ge=1, le=100_000)] = 50.0
    """Of one handheld, in the long run; what it gathered offline may come faster."""
    clients: list[ClientTable] = []
    persons: list[PersonTable] = []
    places: list[PlaceTable] = []
