"""EPC URIs (`urn:epc:id:sgtin:0614141.112345.400`) to the canonical URI of what they name.

Some 2D codes and middleware write EPCs so; patterns (`urn:epc:idpat:`) name classes.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

from contracts import gs1_keys
from contracts.gs1_keys import GS1_CHARACTERS, Key

_EPC = re.compile(r"urn:epc:(id|class):([a-z]+):([0-9]{6,12})\.([^.]*)(?:\.(.+))?\Z")


class Form(NamedTuple):
    """What the parts of a scheme's URI look like."""

    key: Key
    digits: int | None
    """Company prefix and reference together; None where the reference is no number."""
    serial_max: int
    """Characters of the serial; 0 where the scheme has none."""


_FORMS = {
    "sgtin": Form(gs1_keys.sgtin, 13, 20),
    "sscc": Form(gs1_keys.sscc, 17, 0),
    "sgln": Form(gs1_keys.sgln, 12, 20),
    "pgln": Form(gs1_keys.pgln, 12, 0),
    "grai": Form(gs1_keys.grai, 12, 16),
    "gsrn": Form(gs1_keys.gsrn, 17, 0),
    "gsrnp": Form(gs1_keys.gsrnp, 17, 0),
    "gdti": Form(gs1_keys.gdti, 12, 17),
    "sgcn": Form(gs1_keys.sgcn, 12, 12),
    "gsin": Form(gs1_keys.gsin, 16, 0),
    "upui": Form(gs1_keys.upui, 13, 28),
    "lgtin": Form(gs1_keys.lgtin, 13, 20),
    "itip": Form(gs1_keys.itip, 13, 26),
    "cpi": Form(gs1_keys.cpi, None, 12),
    "giai": Form(gs1_keys.giai, None, 0),
    "ginc": Form(gs1_keys.ginc, None, 0),
}
_KEY_CHARACTERS_MAX = 30
"""GIAI, GINC and CPI: company prefix and reference together."""
_NUMERIC_SERIALS = ("sgcn", "cpi")
_PIECES = re.compile(r"([0-9]{2})\.([0-9]{2})\.(.+)\Z")


def epc_uri_to_uri(text: str) -> str | None:
    """The canonical URI of what an EPC URI names, or None where it is none that we know."""
    match = _EPC.match(text)
    form = _FORMS.get(match[2]) if match else None
    if match is None or form is None or (match[1] == "class") != (match[2] == "lgtin"):
        return None
    company, reference = match[3], unquote(match[4])
    serial = match[5] or ""
    if match[2] == "itip":
        pieces = _PIECES.match(serial)
        if pieces is None:
            return None
        serial = pieces[1] + pieces[2] + pieces[3]
    serial = unquote(serial)
    if not _is_reference(form, company, reference) or not _is_serial(form, match[2], serial):
        return None
    return form.key(company, reference, serial)


def _is_reference(form: Form, company: str, reference: str) -> bool:
    if form.digits is None:
        fits = 0 < len(reference) <= _KEY_CHARACTERS_MAX - len(company)
        # A part's reference may hold `#`, which no other field can.
        return fits and (GS1_CHARACTERS | {"#"}).issuperset(reference)
    is_number = reference.isascii() and (reference.isdigit() or not reference)
    return is_number and len(company) + len(reference) == form.digits


def _is_serial(form: Form, scheme: str, serial: str) -> bool:
    if not form.serial_max:
        return not serial
    if scheme in _NUMERIC_SERIALS and not (serial.isascii() and serial.isdigit()):
        return False
    return 0 < len(serial) <= form.serial_max and GS1_CHARACTERS.issuperset(serial)
