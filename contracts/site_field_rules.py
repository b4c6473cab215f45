"""What the fields of one device's tables need of each other, looked at in the text as parsed.

The models would tell such a mistake only where every single field of the table is right; here it is
told together with all the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from contracts.code_patterns import KEYS, QUALIFIERS, compiled

Told = Iterator[tuple[str, str]]
"""Fields, seen from the device, and what is wrong with them."""
Written = Mapping[str, object]
SHOWN_MAX = 64
"""Characters: no id and no code may be longer."""


def field_mistakes(device: Written) -> Told:
    """All that does not go together within the tables of a device."""
    yield from _llrp(_table(device, "llrp"))
    yield from _mqtt(_table(device, "mqtt"))
    yield from _ble(_table(device, "ble"))
    yield from _scanner(_table(device, "scanner"))
    yield from _handheld(_table(device, "handheld"))


def _table(device: Written, name: str) -> Written:
    """A table of the device; what is none is empty, and the models tell of it."""
    found = device.get(name)
    return found if isinstance(found, dict) else {}


def _listed(table: Written, name: str) -> Iterator[tuple[int, Written]]:
    """The tables in a list, by their place."""
    listed = table.get(name)
    for place, inner in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(inner, dict):
            yield place, inner


def _llrp(table: Written) -> Told:
    if table.get("start") is not None:
        return
    problem = "'stop' and 'stop_after_s' need 'start': nothing would begin again"
    for name in ("stop", "stop_after_s"):
        if table.get(name):
            yield f"llrp.{name}", problem


def _mqtt(table: Written) -> Told:
    broker = table.get("broker")
    is_encrypted = isinstance(broker, str) and broker.startswith("mqtts://")
    if table.get("authority") is not None and not is_encrypted:
        yield "mqtt.authority", "authority needs broker = 'mqtts://...'"


def _ble(table: Written) -> Told:
    for place, pattern in _listed(table, "patterns"):
        if (pattern.get("company") is None) == (pattern.get("service") is None):
            yield f"ble.patterns[{place}]", "a pattern has either company or service"


def _scanner(table: Written) -> Told:
    for place, code in _listed(table, "codes"):
        problem = _pattern_problem(code)
        if problem:
            yield f"scanner.codes[{place}].pattern", problem


def _pattern_problem(code: Written) -> str:
    """Why a pattern names nothing that counts; empty where it does, or where it is no pattern."""
    pattern = code.get("pattern")
    try:
        parts = set(compiled(pattern).groupindex) if isinstance(pattern, str) else None
    except ValueError:
        parts = None
    if parts is None or parts.difference(KEYS, QUALIFIERS):
        return ""
    keys = [key for key in KEYS if key in parts] + ["gtin"] * (code.get("gtin") is not None)
    if len(keys) != 1:
        return f"must name one of {', '.join(KEYS)}: as a group (?P<gtin>...), or gtin = beside it"
    if keys != ["gtin"] and parts.intersection(QUALIFIERS):
        return f"{' and '.join(QUALIFIERS)} stand only beside a gtin"
    return ""


def _handheld(table: Written) -> Told:
    for name, other in (("certificate", "key"), ("key", "certificate")):
        if table.get(name) is None and table.get(other) is not None:
            yield f"handheld.{name}", "is missing: certificate and key go together"
    for name, field in (("clients", "id"), ("persons", "id"), ("places", "code")):
        values = [(place, inner.get(field)) for place, inner in _listed(table, name)]
        texts = [(place, value) for place, value in values if isinstance(value, str)]
        last = {value: place for place, value in texts}
        for value, times in Counter(value for _, value in texts).items():
            if times > 1:
                path = f"handheld.{name}[{last[value]}].{field}"
                yield path, f"{value[:SHOWN_MAX]!r} stands there {times} times"
