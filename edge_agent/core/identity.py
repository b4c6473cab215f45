"""Identities: what a tag or a code names, in one canonical form.

A barcode (01)(21) and an SGTIN-96 of one unit are one identity, `https://id.gs1.org/01/../21/..`.
What names no GS1 instance or class is `raw:` and the bytes in hexadecimal, so any bytes give an
identity, and equal bytes always the same one. Nothing here raises.

Class-level codes keep a class-level URI (`/01/gtin`, `/01/gtin/10/lot`): they are no instance.

Decoding takes microseconds to a tenth of a millisecond; tags and codes come again and again, so
the newest ones are remembered.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from edge_agent.core.barcode import code_to_uri, without_aim
from edge_agent.core.epc_binary import epc_to_uri
from edge_agent.core.epc_plus import epc_plus_to_uri

REMEMBERED_MAX = 65_536
"""About 20 MB; more than the tags that one gateway sees in a shift at its doors."""
RAW_BYTES_MAX = 128
"""Longer raw codes are named by their digest: an identity is a key in every store behind us."""


KEY_BYTES_MAX = 128
"""Longer ones are worked out each time: what is remembered must stay small whatever comes."""


def identity_of_epc(epc: bytes) -> str:
    """The identity in a tag's EPC memory."""
    return _of_epc(epc) if len(epc) <= KEY_BYTES_MAX else _raw(epc)


def identity_of_code(code: bytes) -> str:
    """The identity in a scanned code, with or without its symbology identifier."""
    return _of_code(code) if len(code) <= KEY_BYTES_MAX else _of_code.__wrapped__(code)


@lru_cache(maxsize=REMEMBERED_MAX)
def _of_epc(epc: bytes) -> str:
    return epc_to_uri(epc) or epc_plus_to_uri(epc) or _raw(epc)


@lru_cache(maxsize=REMEMBERED_MAX)
def _of_code(code: bytes) -> str:
    text = code.decode("latin-1")
    uri = code_to_uri(text) if code.isascii() else None
    return uri or raw_identity(code)


def raw_identity(code: bytes) -> str:
    """The identity of a code that names nothing of GS1: its content, whatever the symbol."""
    return _raw(without_aim(code.decode("latin-1")).encode("latin-1"))


def _raw(content: bytes) -> str:
    if len(content) > RAW_BYTES_MAX:
        return f"raw:sha256:{hashlib.sha256(content).hexdigest()}"
    return f"raw:{content.hex()}"
