"""The table `[devices.mqtt]`: what is allowed, and which topics a filter means."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contracts.site import SiteFile, read_site
from contracts.site_mqtt import is_filter, matches

FRONT = (
    'site = "demo"\n[[zones]]\nid = "stage"\n[[zones]]\nid = "yard"\n[[gates]]\nid = "door-1"\n'
    'inner = "stage"\nouter = "yard"\n[[gateways]]\nid = "dock"\n'
    '[[devices]]\nid = "r-1"\ngateway = "dock"\n'
)


def mistakes(device: str) -> list[str]:
    found = read_site(FRONT + device)
    return [] if isinstance(found, SiteFile) else [mistake.text() for mistake in found]


@pytest.mark.parametrize(
    ("wanted", "topic", "meant"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/b/c", False),
        ("a/+", "a/b", True),
        ("a/+", "a", False),
        ("a/+/c", "a//c", True),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("#", "a/b", True),
        ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True),
        ("a", "b", False),
    ],
)
def test_a_filter_means_topics_as_mqtt_says(wanted: str, topic: str, meant: bool) -> None:
    assert matches(wanted, topic) is meant


def test_filters_have_whole_levels() -> None:
    assert all(map(is_filter, ("a", "+", "#", "a/+/b", "a/#", "/", "spBv1.0/+/+/n/#")))
    assert not any(map(is_filter, ("", "a#", "a/#/b", "a+/b", "+a", "a\0", "x" * 70_000)))


def test_a_good_table_is_read() -> None:
    assert (
        mistakes(
            'kind = "zebra"\nlocation = "stage"\n[devices.mqtt]\ntopic = "zebra/r-1/+"\n'
            'broker = "mqtts://user:pass%40word@broker.local:8884"\nauthority = "/etc/ca.pem"\n'
            'qos = 0\nclock = "uptime"\nshared = true\n'
        )
        == []
    )


def test_mistakes_are_named_all_at_once() -> None:
    found = mistakes(
        'kind = "impinj"\n[devices.mqtt]\ntopic = "a/#/b"\nbroker = "http://x"\nqos = 2\n'
        'clock = "gps"\nformat = "acme"\nsilent_s_max = -1\n'
        '[[devices.antennas]]\nnumber = 1\nlocation = "door-1"\n'
    )
    for field in ("topic", "broker", "qos", "clock", "format", "silent_s_max"):
        assert any(f"mqtt.{field}" in one for one in found), (field, found)
    assert any("must be a topic such as" in one for one in found)
    assert any("mqtt://user:password@host:port" in one for one in found)


def test_an_authority_needs_an_encrypted_broker() -> None:
    found = mistakes(
        'kind = "sparkplug"\n[devices.mqtt]\ntopic = "spBv1.0/#"\nauthority = "/etc/ca.pem"\n'
    )
    assert any("authority needs broker = 'mqtts://...'" in one for one in found)


def test_a_zebra_has_antennas_or_a_place_of_its_own() -> None:
    found = mistakes('kind = "zebra"\n[devices.mqtt]\ntopic = "z"\n')
    assert any("antennas or a location" in one for one in found), found


PAGES = Path(__file__).parents[3] / "docs" / "devices"


@pytest.mark.parametrize("page", ["impinj", "zebra", "zebra-handheld", "ble-gateway", "sparkplug"])
def test_the_example_of_each_page_is_a_good_one(page: str) -> None:
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    examples = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    assert examples
    places = (
        '[[zones]]\nid = "stage"\n[[zones]]\nid = "yard"\n[[zones]]\nid = "cold-store"\n'
        + "".join(
            f'[[gates]]\nid = "{gate}"\ninner = "stage"\nouter = "yard"\n'
            for gate in ("door-1", "door-2")
        )
    )
    for example in examples:
        found = read_site(f'site = "demo"\n{places}[[gateways]]\nid = "dock"\n{example}')
        assert isinstance(found, SiteFile), found
