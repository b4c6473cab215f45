"""What one scanner's codes name: the site's own patterns, then what GS1 says, else `raw:`.

A symbol of GS1 says itself what it is, so patterns are not tried on it. A pattern that fits but
leads to a wrong check digit, or to characters that GS1 does not allow, names nothing: the next one
is tried, and at last the code stays raw, with its bytes as evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from contracts.code_patterns import CODE_CHARACTERS_MAX, compiled
from contracts.site_scanner import CodeTable, ScannerTable
from contracts.symbologies import IDENTIFIERS, symbology_of
from edge_agent.core.barcode import (
    SEPARATOR,
    Elements,
    aim_of,
    code_to_uri,
    elements_to_uri,
    without_aim,
)
from edge_agent.core.identity import identity_of_code, raw_identity

REMEMBERED_MAX = 16_384
"""About 4 MB for a scanner that needs more than the common reading."""
GTIN_LENGTHS = (8, 12, 13, 14)
GTIN_LENGTH = 14
CHARACTERS_MAX = {"serial": 20, "lot": 20, "grai": 30, "giai": 30}
"""GS1's limits."""
_AI = {"gtin": "01", "sscc": "00", "grai": "8003", "giai": "8004", "serial": "21", "lot": "10"}


def code_reader(table: ScannerTable) -> Callable[[bytes], str]:
    """What gives the identity of a code of this scanner; it remembers the newest ones."""
    if not (table.codes or table.fnc1 or table.symbology):
        return identity_of_code
    return lru_cache(maxsize=REMEMBERED_MAX)(lambda content: _identity(table, content))


def _identity(table: ScannerTable, content: bytes) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return raw_identity(content)
    aim, data = aim_of(text), without_aim(text)
    if table.fnc1:
        data = data.replace(table.fnc1, SEPARATOR)
    if not aim and table.symbology:
        aim = IDENTIFIERS[table.symbology]
    symbology = symbology_of(aim)
    if not (symbology or "").startswith("gs1_") and len(data) <= CODE_CHARACTERS_MAX:
        for code in table.codes:
            if code.symbologies and symbology not in code.symbologies:
                continue
            uri = _named(code, data)
            if uri is not None:
                return uri
    uri = code_to_uri(aim + data) if content.isascii() else None
    return uri or raw_identity(content)


def _named(code: CodeTable, data: str) -> str | None:
    """What a code names by one pattern, if it fits."""
    if not data.isprintable() and SEPARATOR not in data:
        return None
    found = compiled(code.pattern).fullmatch(data)
    if found is None:
        return None
    parts = {name: value for name, value in found.groupdict().items() if value}
    if code.gtin is not None:
        parts["gtin"] = code.gtin
    if any(len(parts.get(name, "")) > most for name, most in CHARACTERS_MAX.items()):
        return None
    if "gtin" in parts:
        if len(parts["gtin"]) not in GTIN_LENGTHS:
            return None
        parts["gtin"] = parts["gtin"].zfill(GTIN_LENGTH)
    elements: Elements = {_AI[name]: value for name, value in parts.items()}
    return elements_to_uri(elements)
