"""The site file's table of Bluetooth beacons: what it takes, and how it explains mistakes."""

from __future__ import annotations

import re
from pathlib import Path

from contracts.site import SiteFile, read_site
from contracts.site_ble import BleTable, kind_of_tag, long_uuid, matches

SITE = """
site = "demo"
[[zones]]
id = "stage"
[[gateways]]
id = "dock"
[[devices]]
id = "radio"
gateway = "dock"
kind = "ble"
location = "stage"
[devices.ble]
"""


def table_of(text: str) -> BleTable:
    found = read_site(SITE + text)
    assert isinstance(found, SiteFile), found
    return found.devices[0].ble


def mistakes_in(text: str) -> list[str]:
    found = read_site(SITE + text)
    assert isinstance(found, list)
    return [mistake.text() for mistake in found]


def test_a_radio_needs_no_more_than_its_place() -> None:
    table = table_of("")
    assert table.formats == ["ibeacon", "eddystone_uid", "altbeacon"]
    assert table.scan == "auto"
    assert table.report_every_s == 1.0


def test_patterns_addresses_and_tags_are_written_as_people_write_them() -> None:
    table = table_of(
        """
addresses = ["AC:23:3F:*"]
allow = ["ble:minew:*"]
tags = [
    { match = "ble:minew:00*", kind = "badge" },
    { match = "ble:minew:*", kind = "asset" },
]
[[devices.ble.patterns]]
name = "minew"
service = "FFE1"
prefix = "A1 01"
id_at = 7
id_bytes = 6
"""
    )
    (pattern,) = table.patterns
    assert pattern.service == "0000ffe1-0000-1000-8000-00805f9b34fb"
    assert pattern.prefix == b"\xa1\x01"
    assert table.addresses == ["ac:23:3f:*"]
    assert kind_of_tag("ble:minew:0011", table) == "badge"
    assert kind_of_tag("ble:minew:1100", table) == "asset"
    assert kind_of_tag("ble:other:1100", table) is None


def test_every_mistake_is_explained_at_once() -> None:
    text = """
adapter = "usb0"
formats = ["ibeacon", "eddystone"]
addresses = ["AC:23:3F", "*"]
allow = ["ibeacon:*", "ble:*:1"]
report_every_s = 0
tags = [{ match = "ble:x", kind = "person" }]
[[devices.ble.patterns]]
name = "ibeacon"
company = 76
service = "feaa"
prefix = "xyz"
id_at = 0
id_bytes = 0
[[devices.ble.patterns]]
name = "none"
id_at = 0
id_bytes = 1
"""
    said = "\n".join(mistakes_in(text))
    for words in (
        "devices[0].ble.adapter",
        "devices[0].ble.formats[1]",
        "'AC:23:3F': must be an address such as",
        "'*': must be an address such as",
        "'ibeacon:*': must be an identity such as",
        "'ble:*:1': may have a * only at its end",
        "devices[0].ble.report_every_s",
        "devices[0].ble.tags[0].kind",
        "'ibeacon': is the name of a format; take another",
        "'xyz': must be bytes in hexadecimal, such as '0215'",
        "devices[0].ble.patterns[0].id_bytes",
        "a pattern has either company or service",
    ):
        assert words in said, said


def test_the_example_of_the_documentation_is_right() -> None:
    page = Path(__file__).parents[3] / "docs" / "devices" / "ble.md"
    example, parameters = re.findall(r"```toml\n(.*?)```", page.read_text(), flags=re.DOTALL)
    zone = '[[zones]]\nid = "packing"\n'
    gateway = '[[gateways]]\nid = "hall"\n'
    found = read_site(f'site = "demo"\n{zone}{parameters}{gateway}{example}')
    assert isinstance(found, SiteFile), found
    assert kind_of_tag("ble:minew:ac233f010203", found.devices[0].ble) == "asset"


def test_uuids_are_one_whatever_their_length() -> None:
    assert long_uuid("0xFEAA") == long_uuid("0000feaa") == long_uuid("feaa")
    assert long_uuid("F7826DA6-4FA2-4E98-8024-BC5B71E0893E").startswith("f7826da6-")


def test_a_star_at_the_end_stands_for_the_rest() -> None:
    assert matches("ble:a:1", "ble:a:*")
    assert matches("ble:a:1", "ble:a:1")
    assert not matches("ble:a:1", "ble:a:")
    assert not matches("ble:b:1", "ble:a:*")
