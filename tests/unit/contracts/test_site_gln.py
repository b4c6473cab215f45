"""GS1 location numbers in the site file."""

from __future__ import annotations

import pytest

from contracts.site import SiteFile, read_site, site_map

SITE = """site = "demo"
{site}
[[gateways]]
id = "dock"

[[zones]]
id = "stage"
{zone}
[[zones]]
id = "yard"

[[gates]]
id = "door"
inner = "stage"
outer = "yard"
{gate}
"""


def written(site: str = "", zone: str = "", gate: str = "") -> str:
    return SITE.format(site=site, zone=zone, gate=gate)


def test_places_have_their_locations() -> None:
    read = read_site(
        written(
            'gln = "4012345000016"',
            'gln_extension = "stage/1"',
            'gln = "9012345000011"\ngln_extension = "d"',
        )
    )
    assert isinstance(read, SiteFile), read
    places = site_map(read)
    assert places.sgln == "https://id.gs1.org/414/4012345000016"
    assert places.zones[0].sgln == "https://id.gs1.org/414/4012345000016/254/stage%2F1"
    assert places.zones[1].sgln == ""
    assert places.gates[0].sgln == "https://id.gs1.org/414/9012345000011/254/d"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (written('gln = "4012345000017"'), "gln: '4012345000017': must be a GLN: 13 digits"),
        (written(zone='gln = "401234500001"'), "zones[0].gln: '401234500001': must be a GLN"),
        (written(gate='gln_extension = ""'), "gates[0].gln_extension: '': must be 1 to 20"),
        (written(gate='gln_extension = "门"'), "gates[0].gln_extension: '门': must be 1 to 20"),
        (
            written(zone='gln_extension = "a"'),
            "zones[0].gln_extension: stands for nothing without a gln",
        ),
    ],
)
def test_a_wrong_number_is_told_with_its_line(text: str, told: str) -> None:
    read = read_site(text)
    assert isinstance(read, list)
    (mistake,) = read
    assert told in f"{mistake.path}: {mistake.problem}"
    assert text.splitlines()[(mistake.line or 0) - 1].startswith("gln")
