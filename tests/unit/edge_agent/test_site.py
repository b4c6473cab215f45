"""The site file: a right one becomes a map, a wrong one tells every mistake with its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.places import AntennaPlace, Geometry, Side, SignalPlace
from contracts.site import SiteFile, read_site, site_map
from contracts.site_mistakes import Mistake

GOOD = """
site = "demo"
[[zones]]
id = "stage"
name = "Staging"
warehouse = "main"
[zones.parameters]
silence_s = 2.5
rssi_min_dbm = -70
stronger_db = 4.5
[[zones]]
id = "yard-1"
outside = true
[[zones]]
id = "packing"
[[gates]]
id = "door-1"
inner = "stage"
outer = "yard-1"
light = "dock/door-1/1"
[gates.parameters]
reads_min = 3
[[gates]]
id = "conveyor"
inner = "stage"
outer = "packing"
geometry = "line"
direction = "in"
[[gateways]]
id = "dock"
[[devices]]
id = "door-1"
gateway = "dock"
kind = "llrp"
host = "127.0.0.1"
port = 5084
[devices.llrp]
session = 2
power_dbm = 27.5
[[devices.antennas]]
number = 1
location = "door-1"
side = "outer"
[[devices.antennas]]
number = 2
location = "door-1"
side = "inner"
[[devices.inputs]]
port = 1
gate = "door-1"
side = "outer"
[[devices]]
id = "belt"
gateway = "dock"
kind = "scanner"
host = "127.0.0.1"
port = 5090
location = "conveyor"
"""


def site_of(text: str) -> SiteFile:
    site_file = read_site(text)
    assert isinstance(site_file, SiteFile), [mistake.text() for mistake in site_file]
    return site_file


def mistakes_in(text: str) -> list[Mistake]:
    found = read_site(text)
    assert isinstance(found, list)
    return found


def test_a_good_file_becomes_a_map_in_units_of_the_wire() -> None:
    places = site_map(site_of(GOOD))
    assert places.site == "demo"
    stage = places.zones[0]
    assert (stage.id, stage.name, stage.warehouse, stage.outside) == (
        "stage",
        "Staging",
        "main",
        False,
    )
    assert stage.parameters.silence_us == 2_500_000
    assert stage.parameters.rssi_min_cdbm == -7_000
    assert stage.parameters.stronger_cdbm == 450
    assert stage.parameters.memory_us == 10_000_000
    assert places.zones[1].outside
    door, belt = places.gates
    assert (door.geometry, door.light, door.parameters.reads_min) == (
        Geometry.ROWS,
        "dock/door-1/1",
        3,
    )
    assert (belt.geometry, belt.direction) == (Geometry.LINE, "in")
    assert places.antennas == (
        AntennaPlace(device="door-1", antenna=1, location="door-1", side=Side.OUTER),
        AntennaPlace(device="door-1", antenna=2, location="door-1", side=Side.INNER),
        AntennaPlace(device="belt", antenna=0, location="conveyor", side=Side.BOTH),
    )
    assert places.signals == (SignalPlace(device="door-1", port=1, gate="door-1", side=Side.OUTER),)
    assert places.gateways == {"door-1": "dock", "belt": "dock"}


BAD_LINES = [
    # What is written in GOOD, what stands there instead, the field, and what the mistake says.
    ("silence_s = 2.5", "silense_s = 2.5", "zones[0].parameters.silense_s", "'silence_s'"),
    ("rssi_min_dbm = -70", "rssi_min_dbm = -700", "zones[0].parameters.rssi_min_dbm", "-200"),
    ("silence_s = 2.5", "silence_s = -1", "zones[0].parameters.silence_s", "0"),
    ("silence_s = 2.5", "silence_s = inf", "zones[0].parameters.silence_s", "finite|less"),
    ("outside = true", 'outside = "yes"', "zones[1].outside", "'yes'"),
    ('inner = "stage"', 'inner = "stgae"', "gates[0].inner", "'stage'"),
    ('light = "dock/door-1/1"', 'light = "door-1"', "gates[0].light", "gateway/device/output"),
    ('light = "dock/door-1/1"', 'light = "dock/dor-1/1"', "gates[0].light", "'dock/door-1'"),
    ('direction = "in"', 'direction = "up"', "gates[1].direction", "'in' or 'out'"),
    ('geometry = "line"\ndirection = "in"', 'geometry = "line"', "gates[1].direction", "missing"),
    ('geometry = "line"', 'geometry = "rows"', "gates[1].direction", "only a gate"),
    ('gateway = "dock"', 'gateway = "dokc"', "devices[0].gateway", "'dock'"),
    ('kind = "llrp"', 'kind = "lrp"', "devices[0].kind", "'llrp', 'scanner'"),
    ("port = 5084", "port = 99999", "devices[0].port", "65535"),
    ("port = 5084", 'port = "5084"', "devices[0].port", "'5084'"),
    ("port = 5090", "port = 5084", "devices[1].port", "devices[0]"),
    ("session = 2", "session = 4", "devices[0].llrp.session", "3"),
    ("number = 2", "number = 1", "devices[0].antennas[1].number", "devices[0].antennas[0]"),
    ("number = 2", "number = 0", "devices[0].antennas[1].number", "1"),
    ('gate = "door-1"', 'gate = "stage"', "devices[0].inputs[0].gate", "conveyor, door-1"),
    ('id = "belt"', 'id = "door-1"', "devices[1].id", "devices[0]"),
    ('id = "packing"', 'id = "door-1"', "gates[0].id", "zones[2]"),
    ('id = "belt"', 'id = "a/b"', "devices[1].id", "letters"),
    ('location = "conveyor"', 'location = "belt"', "devices[1].location", "conveyor"),
    ('location = "conveyor"', "", "devices[1].location", "missing"),
    ('host = "127.0.0.1"', "", "devices[0].host", "missing"),
    ('site = "demo"', 'site = "a b"', "site", "letters"),
]


@pytest.mark.parametrize(("right", "wrong", "path", "says"), BAD_LINES)
def test_a_mistake_names_its_field_and_what_is_allowed(
    right: str, wrong: str, path: str, says: str
) -> None:
    assert right in GOOD
    found = [
        mistake for mistake in mistakes_in(GOOD.replace(right, wrong, 1)) if mistake.path == path
    ]
    assert found
    assert any(part in found[0].problem for part in says.split("|"))
    assert found[0].line is not None


def test_all_mistakes_come_at_once_and_in_order() -> None:
    text = (
        GOOD.replace("session = 2", "session = 9")
        .replace('inner = "stage"', 'inner = "nowhere"', 1)
        .replace("port = 5090", "prot = 5090")
    )
    found = mistakes_in(text)
    assert [mistake.path for mistake in found] == [
        "gates[0].inner",
        "devices[0].llrp.session",
        "devices[1].port",
        "devices[1].prot",
    ]
    lines = text.splitlines()
    assert "nowhere" in lines[(found[0].line or 0) - 1]
    assert "session = 9" in lines[(found[1].line or 0) - 1]
    assert "prot" in lines[(found[3].line or 0) - 1]
    assert found[0].text().startswith(f"line {found[0].line}: gates[0].inner: 'nowhere' is no zone")


def test_what_is_no_toml_names_its_line() -> None:
    [mistake] = mistakes_in('site = "demo"\nzones = ?\n')
    assert mistake.line is not None
    assert "not TOML" in mistake.text()


HUGE = "0x" + "F" * 5_000


@pytest.mark.parametrize(
    ("right", "wrong", "path"),
    [
        ("port = 5090", "port = {}", "devices[1].port"),
        ("port = 5090", f"port = {HUGE}", "devices[1].port"),
        ("number = 2", f"number = {HUGE}", "devices[0].antennas[1].number"),
        ("number = 1", f"number = {HUGE}", "devices[0].antennas[0].number"),
        ('id = "packing"', f"id = {HUGE}", "zones[2].id"),
        ('id = "belt"', f"id = {HUGE}", "devices[1].id"),
        ('host = "127.0.0.1"', 'host = ["10.0.0.7"]', "devices[0].host"),
        ('host = "127.0.0.1"', f"host = {HUGE}", "devices[0].host"),
        ('kind = "scanner"', 'kind = ["llrp"]', "devices[1].kind"),
        ("session = 2", 'antenna_power_dbm = { "²" = 1.0 }', "devices[0].llrp.antenna_power_dbm"),
        ('light = "dock/door-1/1"', 'light = "dock/door-1/²"', "gates[0].light"),
        ('"dock/door-1/1"', f'"dock/door-1/{"9" * 5_000}"', "gates[0].light"),
        ("port = 5090", f"port = {'1' * 5_000}", ""),
    ],
)
def test_a_value_of_any_type_and_size_is_told_and_raises_nothing(
    right: str, wrong: str, path: str
) -> None:
    assert right in GOOD
    told = [one for one in mistakes_in(GOOD.replace(right, wrong, 1)) if one.path == path]
    assert told
    assert all(len(one.text()) < 250 for one in told)


SECOND = """
[[gateways]]
id = "yard"
[[devices]]
id = "{name}"
gateway = "{gateway}"
kind = "scanner"
location = "conveyor"
{more}
[devices.scanner]
connection = "{connection}"
"""


@pytest.mark.parametrize(
    ("first", "second", "gateway", "told"),
    [
        ('host = "0.0.0.0"\nport = 8443', 'host = "0.0.0.0"\nport = 8443', "yard", None),
        ("port = 9000", "port = 9000", "dock", "9000 at this gateway is already devices[2]"),
        ('host = "0.0.0.0"\nport = 9000', "port = 9000", "dock", "9000 at this gateway"),
    ],
)
def test_only_listeners_of_one_gateway_share_no_port(
    first: str, second: str, gateway: str, told: str | None
) -> None:
    one = SECOND.format(name="one", gateway="dock", more=first, connection="server")
    other = SECOND.format(name="other", gateway=gateway, more=second, connection="server")
    text = GOOD + one + other.replace('[[gateways]]\nid = "yard"\n', "")
    if told is None:
        site_of(text)
    else:
        [mistake] = mistakes_in(text)
        assert mistake.path == "devices[3].port"
        assert told in mistake.problem


def test_a_serial_port_of_a_gateway_has_one_device() -> None:
    wire = 'serial = "/dev/ttyUSB0"\n'
    one = SECOND.format(name="one", gateway="dock", more="", connection="serial") + wire
    other = one.replace('"one"', '"other"').replace('[[gateways]]\nid = "yard"\n', "")
    [mistake] = mistakes_in(GOOD + one + other)
    assert mistake.path == "devices[3].scanner.serial"
    assert "'/dev/ttyUSB0' at this gateway is already devices[2]" in mistake.problem
    site_of(GOOD + one + other.replace('gateway = "dock"', 'gateway = "yard"'))


@pytest.mark.parametrize(
    ("table", "path"),
    [
        ('mqtt]\nauthority = "/a"\nqos = 3', "mqtt.authority"),
        ('handheld]\ncertificate = "a"\nsign_in_s = "x"', "handheld.key"),
        ("llrp]\nstop_after_s = 1.0\nsession = 9", "llrp.stop_after_s"),
        ('[ble.patterns]]\nname = "x"\nid_at = 1\nid_bytes = 99', "ble.patterns[0]"),
        ('[scanner.codes]]\npattern = "a"\ngtni = 1', "scanner.codes[0].pattern"),
    ],
)
def test_what_does_not_go_together_is_told_beside_a_wrong_field(table: str, path: str) -> None:
    front = "[[devices." if table.startswith("[") else "[devices."
    written = GOOD.replace("[devices.llrp]\nsession = 2\npower_dbm = 27.5\n", "")
    at = written.index('[[devices]]\nid = "belt"')
    found = mistakes_in(f"{written[:at]}{front}{table.removeprefix('[')}\n{written[at:]}")
    assert any(one.path == f"devices[0].{path}" and one.line for one in found), found
    assert len([one for one in found if one.path.startswith("devices[0].")]) > 1


def test_a_byte_order_mark_at_the_beginning_is_no_mistake() -> None:
    assert site_of("\ufeff" + GOOD) == site_of(GOOD)


def test_a_line_of_blanks_behind_a_bracket_takes_no_time() -> None:
    """A search that is cubic in the blanks would take hours here."""
    text = 'site = "s"\nnote = """\n[' + " " * 20_000 + 'x\n"""\n'
    assert {one.path for one in mistakes_in(text)} == {"note", "gateways"}


def test_an_empty_file_says_what_is_missing() -> None:
    assert {mistake.path for mistake in mistakes_in("")} == {"site", "gateways"}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(st.text(max_size=200))
def test_any_text_is_a_site_or_mistakes(text: str) -> None:
    assert isinstance(read_site(text), SiteFile | list)


@given(st.integers(0, len(GOOD) - 1), st.text(max_size=6))
def test_a_good_file_spoiled_anywhere_is_a_site_or_mistakes(place: int, text: str) -> None:
    found = read_site(GOOD[:place] + text + GOOD[place + 1 :])
    assert isinstance(found, SiteFile) or found
