"""What a scanner's codes name: symbologies, the site's own patterns, and mistakes in its table."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.code_patterns import compiled
from contracts.site import SiteFile, read_site
from contracts.site_scanner import ScannerTable
from contracts.symbologies import IDENTIFIERS, symbology_of
from edge_agent.core.code_patterns import code_reader
from edge_agent.core.framing import MAKERS
from edge_agent.core.identity import identity_of_code

ROOT = "https://id.gs1.org"
UNIT = f"{ROOT}/01/09506000134352/21/A7"
KIND = f"{ROOT}/01/09506000134352"


def identity(code: bytes, **fields: object) -> str:
    return code_reader(ScannerTable.model_validate(fields))(code)


def codes(*patterns: str, **more: object) -> dict[str, object]:
    return {"codes": [{"pattern": pattern} | more for pattern in patterns]}


@pytest.mark.parametrize(
    ("code", "named"),
    [
        (b"]C10109506000134352" + b"21A7", UNIT),
        (b"]d2010950600013435221A7\x1d10L", UNIT),
        (b"]d5010950600013435221A7", UNIT),
        (b"]Q310L\x1d010950600013435221A7", UNIT),
        (b"]Q4010950600013435221A7", UNIT),
        (b"]J1010950600013435221A7", UNIT),
        (b"]e00109506000134352", KIND),
        (b"]e1010950600013435221A7", UNIT),
        (b"]E09506000134352", KIND),
        (b"]E3950600013435212", KIND),
        (b"]E3950600013435212345", KIND),
        (b"]E495050003", f"{ROOT}/01/00000095050003"),
        (b"]I109506000134352", KIND),
        (b"]I009506000134352", KIND),
        (b"]C100106141412345678908", f"{ROOT}/00/106141412345678908"),
        (b"]Q1https://example.com/01/09506000134352/21/A7", UNIT),
        (b"]d1https://id.gs1.org/00/106141412345678908", f"{ROOT}/00/106141412345678908"),
    ],
)
def test_the_symbology_says_how_a_code_is_read(code: bytes, named: str) -> None:
    assert identity_of_code(code) == named


@pytest.mark.parametrize(
    "code",
    [b"]C0010950600013435221A7", b"]Q1hello", b"]I009506000134353", b"]A09506000134352", b"]E3123"],
)
def test_a_symbol_that_is_none_of_gs1_stays_raw(code: bytes) -> None:
    assert identity_of_code(code) == f"raw:{code[3:].hex()}"


def test_every_symbology_is_known_by_its_identifier() -> None:
    assert {name: symbology_of(sign) for name, sign in IDENTIFIERS.items()} == {
        name: name for name in IDENTIFIERS
    }
    assert symbology_of("]?9") is None
    assert symbology_of("") is None


def test_a_scanner_without_identifiers_is_told_what_it_reads() -> None:
    plain = b"010950600013435221A7\x1d10L"
    assert identity(plain, symbology="gs1_data_matrix") == UNIT
    assert identity(b"10L\x1d010950600013435221A7", symbology="gs1_128") == UNIT
    assert identity(b"9506000134352", symbology="code39") == f"raw:{b'9506000134352'.hex()}"
    assert identity(b"]E09506000134352", symbology="code39") == KIND


def test_fnc1_may_come_as_another_text() -> None:
    assert identity(b"]C110L~010950600013435221A7~", fnc1="~") == UNIT
    assert identity(b"]d210L{FNC1}010950600013435221A7", fnc1="{FNC1}") == UNIT
    assert identity(b"]d210L\x1e010950600013435221A7", fnc1="<RS>") == UNIT


@pytest.mark.parametrize(
    ("code", "pattern", "named"),
    [
        (b"9506000134352-A7", r"(?P<gtin>\d{13})-(?P<serial>\w{1,20})", UNIT),
        (b"]C09506000134352-A7", r"(?P<gtin>\d{13})-(?P<serial>\w{1,20})", UNIT),
        (b"W9506000134352L5", r"W(?P<gtin>\d{13})L(?P<lot>\d+)", f"{KIND}/10/5"),
        (b"9506000134352", r"(?P<gtin>\d{13})(-(?P<serial>\w+))?", KIND),
        (b"PAL/106141412345678908", r"PAL/(?P<sscc>\d{18})", f"{ROOT}/00/106141412345678908"),
        (b"BOX 950600012345", r"BOX (?P<giai>\d+)", f"{ROOT}/8004/950600012345"),
        (b"G09506000134376007", r"G(?P<grai>\d+)", f"{ROOT}/8003/09506000134376007"),
        ("件号A7".encode(), r"件号(?P<serial>\w+)", UNIT),
    ],
)
def test_a_sites_own_codes_name_things_of_gs1(code: bytes, pattern: str, named: str) -> None:
    more = {"gtin": "9506000134352"} if "gtin" not in pattern and "serial" in pattern else {}
    assert identity(code, **codes(pattern, **more)) == named


def test_the_first_pattern_that_leads_to_something_right_counts() -> None:
    both = codes(r"(?P<gtin>\d{13})-\w+", r"(?P<gtin>\d{13})-(?P<serial>\w+)")
    assert identity(b"9506000134352-A7", **both) == KIND
    wrong = b"9506000134353-A7"
    assert identity(wrong, **both) == f"raw:{wrong.hex()}"
    assert identity(b"hello", **both) == f"raw:{b'hello'.hex()}"


def test_a_pattern_may_be_for_some_symbologies_only() -> None:
    only = codes(r"(?P<serial>\w+)", gtin="9506000134352", symbologies=["code39"])
    assert identity(b"]A0A7", **only) == UNIT
    assert identity(b"]C0A7", **only) == f"raw:{b'A7'.hex()}"
    assert identity(b"A7", **only) == f"raw:{b'A7'.hex()}"
    assert identity(b"A7", symbology="code39", **only) == UNIT


def test_a_symbol_of_gs1_says_itself_what_it_is() -> None:
    greedy = codes(r"(?P<serial>\w{1,20}).*", gtin="9506000134376")
    assert identity(b"]C1010950600013435221A7", **greedy) == UNIT


def test_what_is_longer_than_gs1_allows_names_nothing() -> None:
    code = b"9506000134352-" + b"A" * 21
    for pattern in (r"(?P<gtin>\d{13})-(?P<serial>\w+)", r"(?P<giai>.+)"):
        assert identity(code, **codes(pattern)) == f"raw:{code.hex()}"


def test_no_pattern_takes_long_whatever_is_scanned() -> None:
    evil = codes(r"(?P<serial>((a+)+)+b|(a|aa)+c|(.*)*d)", gtin="9506000134352")
    read = code_reader(ScannerTable.model_validate(evil))
    started = time.monotonic()
    for length in range(900, 1_000):
        read(b"a" * length)
    assert time.monotonic() - started < 2.0
    assert read(b"aab") == f"{KIND}/21/aab"


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.tuples(
            st.sampled_from([*IDENTIFIERS.values(), "", "https://", "(01)"]), st.binary(max_size=40)
        ).map(lambda parts: parts[0].encode() + parts[1]),
    )
)
def test_any_code_has_an_identity_and_always_the_same(code: bytes) -> None:
    fields = codes(r"(?P<gtin>\d{8,14})(?P<serial>.*)", r"(?P<sscc>.{18})", r"(?P<giai>.+)")
    for table in ({}, fields | {"fnc1": "0"}, {"symbology": "gs1_qr"}):
        found = identity(code, **table)
        assert found == identity(code, **table)
        assert found.startswith(("raw:", ROOT))
        assert len(found) <= 512


SITE = """
site = "demo"
[[zones]]
id = "stage"
[[gateways]]
id = "dock"
[[devices]]
id = "belt"
gateway = "dock"
kind = "scanner"
location = "stage"
host = "127.0.0.1"
port = 2112
[devices.scanner]
"""


def mistakes(text: str) -> list[str]:
    found = read_site(SITE + text)
    return [one.text() for one in found] if isinstance(found, list) else []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('start = "<SXT>"', "no control character <SXT>"),
        ('fnc1 = "<RSS>"', "no control character <RSS>"),
        ('serial = "spy:///dev/ttyS0?file=x"', "must be a port such as /dev/ttyUSB0"),
        ('serial = "socket://host"', "must be a port such as /dev/ttyUSB0"),
        ('connection = "serial"', "scanner.serial: is missing"),
        ("baud = 1", "greater than or equal to 50"),
        ("stop_bits = 3", "must be 1, 1.5 or 2"),
        ('parity = "odd one"', "'none', 'even', 'odd', 'mark' or 'space'"),
        ('maker = "acme"', "'generic', 'cognex'"),
        ('symbology = "barcode"', "'code39'"),
        ("no_read = 5", "valid list"),
        ('no_read = ["NR", "<XYZ>"]', "no control character <XYZ>"),
        ('[[devices.scanner.codes]]\npattern = "("', "no pattern of RE2"),
        ('[[devices.scanner.codes]]\npattern = "(?P<who>.)"', "no part 'who'"),
        ('[[devices.scanner.codes]]\npattern = "(?P<serial>.)"', "must name one of gtin"),
        (
            '[[devices.scanner.codes]]\npattern = "(?P<sscc>.)(?P<lot>.)"',
            "stand only beside a gtin",
        ),
        ('[[devices.scanner.codes]]\npattern = "(?P<gtin>.)"\ntpye = 1', "no such field"),
    ],
)
def test_a_mistake_in_the_table_is_told_with_its_place(text: str, told: str) -> None:
    (found,) = mistakes(text)
    assert told in found
    assert found.startswith("line ")


def test_a_full_table_is_no_mistake() -> None:
    assert not mistakes(
        """
connection = "serial"
serial = "rfc2217://10.0.0.7:4001?ign_set_control"
baud = 19200
data_bits = 7
parity = "even"
stop_bits = 1.5
flow = "rts_cts"
maker = "datalogic"
start = "<STX>"
end = "\\u0003"
no_read = "NOREAD"
heartbeat = ["HB", "OK,*"]
keepalive = "||>GET DEVICE.TYPE<CR><LF>"
keepalive_s = 5
separator = ";"
symbology = "gs1_128"
[[devices.scanner.codes]]
pattern = '(?P<gtin>\\d{13})-(?P<serial>\\w+)'
symbologies = ["code39", "code128"]
"""
    )


def test_a_pattern_too_long_or_too_large_is_refused() -> None:
    for pattern in ("a" * 501, "(" + "a{900}" * 20 + "){900}"):
        with pytest.raises(ValueError, match=r"longer than|RE2"):
            compiled(pattern)


def test_the_examples_of_the_documentation_are_right() -> None:
    page = (Path(__file__).parents[3] / "docs/devices/scanner.md").read_text()
    device, patterns = re.findall(r"```toml\n(.*?)```", page, flags=re.DOTALL)
    zone = SITE.partition("[[devices]]")[0].replace('"stage"', '"conveyor"')
    site = read_site(zone + device + patterns)
    assert isinstance(site, SiteFile), site
    table = site.devices[0].scanner
    assert table.maker == "sick"
    read = code_reader(table)
    assert read(b"9506000134352-A7") == UNIT
    assert read(b"]A0W004711") == f"{KIND}/21/004711"
    assert set(re.findall(r"\| `(\w+)` \|.*\|.*\|", page.partition("| `maker` |")[2])) == set(
        MAKERS
    )
