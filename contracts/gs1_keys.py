"""Canonical GS1 Digital Link URIs from the parts of GS1 keys.

Parts are a company prefix, a reference and a serial as EPCs carry them, without check digits and
without any escaping. Each function gives the URI of the instance, or of the class where a key has
no serial. The form is the one that the CBV event hash uses: `https://id.gs1.org`, numeric AIs, the
key and the one qualifier that makes it an instance, no query.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

ROOT = "https://id.gs1.org"
GS1_CHARACTERS = frozenset(
    "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
)
"""Encodable character set 82 of the GS1 General Specifications."""
CHECKED_DIGITS_MIN = 8
"""The shortest number with a check digit is a GTIN-8."""
UNESCAPED = "-._';=~"
"""Beside letters and digits; GS1 Digital Link escapes every other character of a value."""


def escaped(value: str) -> str:
    """A value as it stands in a canonical URI."""
    return value if value.isalnum() and value.isascii() else quote(value, safe=UNESCAPED)


def check_digit(digits: str) -> str:
    """The GS1 check digit of a number that lacks it."""
    return str(-(3 * sum(map(int, digits[-1::-2])) + sum(map(int, digits[-2::-2]))) % 10)


def is_checked(digits: str) -> bool:
    """Whether it is a number that ends in its own check digit."""
    if len(digits) < CHECKED_DIGITS_MIN or not (digits.isascii() and digits.isdigit()):
        return False
    return check_digit(digits[:-1]) == digits[-1]


def _checked(digits: str) -> str:
    return digits + check_digit(digits)


def _gtin(company: str, item: str) -> str:
    """GTIN-14: the item reference's first digit is the indicator, which moves to the front."""
    return _checked(item[0] + company + item[1:])


def sgtin(company: str, item: str, serial: str) -> str:
    """A trade item."""
    return f"{ROOT}/01/{_gtin(company, item)}/21/{escaped(serial)}"


def upui(company: str, item: str, serial: str) -> str:
    """A unit pack of tobacco: a trade item with a third party's serial."""
    return f"{ROOT}/01/{_gtin(company, item)}/235/{escaped(serial)}"


def lgtin(company: str, item: str, lot: str) -> str:
    """A lot of a trade item: a class."""
    return f"{ROOT}/01/{_gtin(company, item)}/10/{escaped(lot)}"


def sscc(company: str, reference: str, _: str) -> str:
    """A logistic unit."""
    return f"{ROOT}/00/{_checked(reference[0] + company + reference[1:])}"


def sgln(company: str, location: str, extension: str) -> str:
    """A location; the extension 0 says that there is none."""
    gln = f"{ROOT}/414/{_checked(company + location)}"
    return gln if extension == "0" else f"{gln}/254/{escaped(extension)}"


def pgln(company: str, party: str, _: str) -> str:
    """A party."""
    return f"{ROOT}/417/{_checked(company + party)}"


def grai(company: str, asset: str, serial: str) -> str:
    """A returnable asset."""
    return f"{ROOT}/8003/{_checked('0' + company + asset)}{escaped(serial)}"


def giai(company: str, asset: str, _: str) -> str:
    """An individual asset."""
    return f"{ROOT}/8004/{company}{escaped(asset)}"


def gsrn(company: str, service: str, _: str) -> str:
    """A recipient of a service."""
    return f"{ROOT}/8018/{_checked(company + service)}"


def gsrnp(company: str, service: str, _: str) -> str:
    """A provider of a service."""
    return f"{ROOT}/8017/{_checked(company + service)}"


def gdti(company: str, document: str, serial: str) -> str:
    """A document."""
    return f"{ROOT}/253/{_checked(company + document)}{escaped(serial)}"


def sgcn(company: str, coupon: str, serial: str) -> str:
    """A coupon."""
    return f"{ROOT}/255/{_checked(company + coupon)}{serial}"


def cpi(company: str, part: str, serial: str) -> str:
    """A component or part."""
    return f"{ROOT}/8010/{company}{escaped(part)}/8011/{serial}"


def ginc(company: str, consignment: str, _: str) -> str:
    """A consignment."""
    return f"{ROOT}/401/{company}{escaped(consignment)}"


def gsin(company: str, shipper: str, _: str) -> str:
    """A shipment."""
    return f"{ROOT}/402/{_checked(company + shipper)}"


def itip(company: str, item: str, rest: str) -> str:
    """A piece of a trade item; `rest` is piece and total, two digits each, then the serial."""
    return f"{ROOT}/8006/{_gtin(company, item)}{rest[:4]}/21/{escaped(rest[4:])}"


Key = Callable[[str, str, str], str]
"""Company prefix, reference and serial to the canonical URI."""
