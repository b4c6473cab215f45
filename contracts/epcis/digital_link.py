"""GS1 identifiers as EPCIS writes them, in the one form that the event hash is made of.

EPC URIs of instances, classes and patterns, and GS1 Digital Links of any domain with names or
numbers of application identifiers, become the constrained canonical GS1 Digital Link: domain
`id.gs1.org`, numeric identifiers, the key and the one qualifier of the finest level, no query
(CBV 2.0, section 8.9; GS1 Digital Link URI Syntax, section 4).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from contracts.epc_uri import epc_uri_to_uri
from contracts.gs1_keys import ROOT, escaped

GTIN_DIGITS = 14
_PATTERN = re.compile(r"urn:epc:idpat:([a-z]+):(.+)\Z")
_SERIAL_INSIDE = frozenset({"grai", "gdti", "sgcn"})
"""Schemes whose serial stands right behind the key, without an identifier of its own."""


class KeyForm(NamedTuple):
    """A GS1 key that can lead a Digital Link."""

    ai: str
    """Its application identifier."""
    qualifiers: tuple[str, ...]
    """Qualifiers that name a finer level, the finest first."""
    ignored: tuple[str, ...] = ()
    """Qualifiers that may stand there and are left out."""
    value: re.Pattern[str] = re.compile(r".{1,90}\Z")
    """What its value looks like."""


def _digits(length: str) -> re.Pattern[str]:
    return re.compile(rf"[0-9]{{{length}}}\Z")


KEYS = {
    form.ai: form
    for form in (
        KeyForm("00", (), (), _digits("18")),
        KeyForm("01", ("21", "235", "10"), ("22",), re.compile(r"(?:[0-9]{8}|[0-9]{12,14})\Z")),
        KeyForm("253", (), (), re.compile(r"[0-9]{13}.{0,17}\Z")),
        KeyForm("255", (), (), _digits("13,25")),
        KeyForm("401", ()),
        KeyForm("402", (), (), _digits("17")),
        KeyForm("414", ("254",), ("7040",), _digits("13")),
        KeyForm("417", (), ("7040",), _digits("13")),
        KeyForm("8003", (), (), re.compile(r"[0-9]{14}.{0,16}\Z")),
        KeyForm("8004", (), ("7040",)),
        KeyForm("8006", ("21", "10"), ("22",), _digits("18")),
        KeyForm("8010", ("8011",)),
        KeyForm("8017", (), ("8019",), _digits("18")),
        KeyForm("8018", (), ("8019",), _digits("18")),
    )
}
"""By application identifier."""
NAMES = {
    "sscc": "00", "gtin": "01", "gtin-8": "01", "gtin-12": "01", "gtin-13": "01", "gtin-14": "01",
    "gdti": "253", "gcn": "255", "ginc": "401", "gsin": "402", "gln": "414", "party": "417",
    "grai": "8003", "giai": "8004", "itip": "8006", "cpid": "8010", "gsrnp": "8017", "gsrn": "8018",
    "ser": "21", "lot": "10", "cpv": "22", "tpx": "235", "glnx": "254", "cpsn": "8011",
    "srin": "8019", "uic-ext": "7040",
}  # fmt: skip
"""The convenience alphas of GS1 Digital Link, release 1.1, to their identifiers."""


_CLASS_FORMS: Mapping[str, tuple[int | None, frozenset[str]]] = {
    "01": (None, frozenset({"21", "235"})),
    "253": (13, frozenset()),
    "255": (13, frozenset()),
    "8003": (14, frozenset()),
    "8006": (None, frozenset({"21"})),
    "8010": (None, frozenset({"8011"})),
}
"""Keys that can name a class: the length that their value has without the serial inside, where it
stands inside; and the qualifiers that make an instance."""


def is_class(identifier: str) -> bool:
    """Whether a canonical identifier names a class of things and no single one."""
    ai, _, rest = identifier.removeprefix(f"{ROOT}/").partition("/")
    if not identifier.startswith(f"{ROOT}/") or ai not in _CLASS_FORMS:
        return False
    length, serials = _CLASS_FORMS[ai]
    value, *qualifiers = rest.split("/")
    if length is not None:
        return len(value) == length
    return serials.isdisjoint(qualifiers[::2])


def canonical_identifier(text: str) -> str | None:
    """The canonical form of a GS1 identifier; None where the text is none."""
    if text.startswith("urn:epc:"):
        return epc_uri_to_uri(text) or _of_pattern(text)
    if text.startswith(("https://", "http://")):
        return _of_link(text)
    return None


def _of_pattern(text: str) -> str | None:
    """A pattern names the class of what it covers: `urn:epc:idpat:sgtin:4012345.012345.*`."""
    match = _PATTERN.match(text)
    if match is None or not match[2].endswith(".*"):
        return None
    scheme, parts = match[1], match[2].removesuffix("*")
    # A serial that any instance may have; with the key alone it goes again.
    instance = epc_uri_to_uri(f"urn:epc:id:{scheme}:{parts}1")
    if instance is None:
        return None
    if scheme in _SERIAL_INSIDE:
        return instance[:-1]
    head = instance.rpartition("/")[0].rpartition("/")[0]
    return head if len(head) > len(ROOT) else None


def _of_link(text: str) -> str | None:
    try:
        path = urlsplit(text).path
    except ValueError:
        return None
    steps = [unquote(step) for step in path.strip("/").split("/")]
    for start in range(len(steps) - 1):
        form = KEYS.get(_identifier(steps[start]))
        # A path may begin with steps of its own; `gtin-8/01/...` names the key twice.
        if form is None or not form.value.match(steps[start + 1]):
            continue
        return _canonical(form, steps[start + 1], steps[start + 2 :])
    return None


def _canonical(form: KeyForm, value: str, rest: list[str]) -> str | None:
    found: dict[str, str] = {}
    if len(rest) % 2:
        return None
    for name, qualifier in zip(rest[::2], rest[1::2], strict=True):
        identifier = _identifier(name)
        if identifier not in form.qualifiers + form.ignored or not qualifier:
            return None
        found[identifier] = qualifier
    if form.ai == "01":
        value = value.rjust(GTIN_DIGITS, "0")
    uri = f"{ROOT}/{form.ai}/{escaped(value)}"
    for qualifier in form.qualifiers:
        if qualifier in found:
            return f"{uri}/{qualifier}/{escaped(found[qualifier])}"
    return uri


def _identifier(step: str) -> str:
    return NAMES.get(step, step)
