"""A scanned code to the canonical URI of what it names: GS1 element strings and Digital Links.

Element strings and links are read by `biip`. The symbology identifier that a scanner may put in
front (`]C1` is GS1-128, `]d2` GS1 DataMatrix, `]E0` EAN-13) decides which reading is tried; without
one, only forms that carry a check digit or brackets are believed, because a plain number is more
often an order number than a GS1 key. A key whose check digit is wrong names nothing.

Of all that a label says, the identity is the key and the one qualifier that makes it an instance
(or a lot). Expiry, weight and the like are no part of it; they stay in the evidence.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from biip import BiipException, ParseConfig
from biip.gs1_digital_link_uris import GS1DigitalLinkURI
from biip.gs1_messages import GS1Message

from contracts.epc_uri import epc_uri_to_uri
from contracts.gs1_keys import GS1_CHARACTERS, ROOT, escaped, is_checked
from contracts.symbologies import symbology_of

Elements = dict[str, str]
"""Application identifier to value."""

SEPARATOR = "\x1d"
"""What stands for FNC1 between element strings."""
_AIM = re.compile(r"\][A-Za-z][0-9A-Za-z]")
_TRADE_ITEM_SYMBOLOGIES = ("]E0", "]E3", "]E4", "]I1")
_UNCHECKED_ITF = "]I0"
"""ITF whose check digit the scanner did not look at: an ITF-14 all the same, if it is right."""
_WITH_ADD_ON = "]E3"
_ADD_ON_LENGTHS = (2, 5)
_EAN_LENGTHS = (12, 13)
_GTIN_LENGTHS = (8, 12, 13, 14)
_SSCC_LENGTH = 18
_GTIN_LENGTH = 14
# Wrong dates on a label say nothing about which thing it is on.
_CONFIG = ParseConfig(gs1_element_strings_verify_date=False, rcn_verify_variable_measure=False)


class _Key(NamedTuple):
    """A key and what may qualify it, the most telling first."""

    ai: str
    qualifiers: tuple[str, ...] = ()
    checked: int = 0
    """So many first digits end in their check digit; 0 for a key without."""


_KEYS = (
    _Key("00", checked=18),
    _Key("01", ("21", "235", "10"), checked=14),
    _Key("8006", ("21", "10"), checked=14),
    _Key("8010", ("8011",)),
    _Key("8003", checked=14),
    _Key("8004"),
    _Key("8018", checked=18),
    _Key("8017", checked=18),
    _Key("253", checked=13),
    _Key("255", checked=13),
    _Key("401"),
    _Key("402", checked=17),
    _Key("414", ("254",), checked=13),
    _Key("417", checked=13),
)
"""What a label can be about; where several keys stand on one, the first of these."""

_NAMES = {
    "gtin": "01", "itip": "8006", "cpid": "8010", "gln": "414", "party": "417", "gsrnp": "8017",
    "gsrn": "8018", "gcn": "255", "sscc": "00", "gdti": "253", "ginc": "401", "gsin": "402",
    "grai": "8003", "giai": "8004", "cpv": "22", "lot": "10", "ser": "21", "tpx": "235",
    "cpsn": "8011", "glnx": "254",
}  # fmt: skip
"""Words that early Digital Links have instead of numbers."""
_BLANKS_BETWEEN = re.compile(r" +\(")
"""People write blanks between the elements of a label."""
_KEY_SEGMENTS = {key.ai for key in _KEYS} | {
    name for name, ai in _NAMES.items() if any(key.ai == ai for key in _KEYS)
}


def without_aim(text: str) -> str:
    """A code without the symbology identifier that a scanner may have put in front."""
    return text[3:] if _AIM.match(text) else text


def aim_of(text: str) -> str:
    """The symbology identifier in front of a code, such as `]C1`; empty where there is none."""
    return text[:3] if _AIM.match(text) else ""


def code_to_uri(text: str) -> str | None:
    """The canonical URI of what a scanned code names, or None where it is no GS1 code."""
    data = without_aim(text)
    aim = text[: len(text) - len(data)]
    if data.startswith("urn:epc:"):
        return epc_uri_to_uri(data)
    try:
        return elements_to_uri(_elements(aim, data))
    except (BiipException, ValueError, LookupError):
        # Arriving data: biip raises its own, and ValueError or LookupError where it meets more
        # than it expected.
        return None


def _elements(aim: str, data: str) -> Elements:
    """The label's element strings by AI; none where it is not to be believed."""
    if data[:8].lower().startswith(("https://", "http://")):
        return _by_ai(GS1DigitalLinkURI.parse(_with_numbers(data), config=_CONFIG))
    if (symbology_of(aim) or "").startswith("gs1_"):
        return _by_ai(GS1Message.parse(data.lstrip(SEPARATOR), config=_CONFIG))
    if aim == _WITH_ADD_ON:
        data = _without_add_on(data)
    is_plain = aim in ("", _UNCHECKED_ITF)
    if aim in _TRADE_ITEM_SYMBOLOGIES or (is_plain and len(data) in _GTIN_LENGTHS):
        return {"01": data.zfill(_GTIN_LENGTH)} if len(data) in _GTIN_LENGTHS else {}
    if data.startswith("(") and not aim:
        data = _BLANKS_BETWEEN.sub("(", data)
        message = GS1Message.parse_hri(data, config=_CONFIG)
        # The library passes over what it does not understand, and two units would become one.
        written = "".join(f"({one.ai.ai}){one.value}" for one in message.element_strings)
        return _by_ai(message) if written == data else {}
    believed = (
        SEPARATOR in data
        or (data.startswith("00") and len(data) == len("00") + _SSCC_LENGTH)
        or (data.startswith("01") and is_checked(data[2 : 2 + _GTIN_LENGTH]))
    )
    if believed and not aim:
        return _by_ai(GS1Message.parse(data.lstrip(SEPARATOR), config=_CONFIG))
    return {}


def _without_add_on(data: str) -> str:
    """An EAN-13 or UPC-A without the two or five digits of a magazine's issue behind it."""
    for digits in _ADD_ON_LENGTHS:
        if len(data) - digits in _EAN_LENGTHS:
            return data[:-digits]
    return data


def _by_ai(message: GS1Message | GS1DigitalLinkURI) -> Elements:
    return {element.ai.ai: element.value for element in message.element_strings}


def _with_numbers(link: str) -> str:
    """A Digital Link with numeric AIs; only the places where keys stand are touched."""
    parts = urlsplit(link)
    segments = parts.path.split("/")
    first = next(
        (place for place, segment in enumerate(segments) if segment.lower() in _KEY_SEGMENTS), None
    )
    if first is None:
        return link
    for place in range(first, len(segments), 2):
        segments[place] = _NAMES.get(segments[place].lower(), segments[place])
    return urlunsplit(parts._replace(path="/".join(segments)))


def elements_to_uri(elements: Elements) -> str | None:
    """The identity in a label's element strings."""
    for key in _KEYS:
        value = elements.get(key.ai, "")
        if not value:
            continue
        if not _is_sound(value) or (key.checked and not is_checked(value[: key.checked])):
            return None
        uri = f"{ROOT}/{key.ai}/{escaped(value)}"
        for ai in key.qualifiers:
            qualifier = elements.get(ai, "")
            # The extension 0 says that there is none.
            if qualifier and (ai, qualifier) != ("254", "0"):
                return f"{uri}/{ai}/{escaped(qualifier)}" if _is_sound(qualifier) else None
        return uri
    return None


def _is_sound(value: str) -> bool:
    """Whether GS1 allows all its characters; a part's reference may also hold `#`."""
    return (GS1_CHARACTERS | {"#"}).issuperset(value)
