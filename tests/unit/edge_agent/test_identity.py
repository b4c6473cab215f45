"""What a tag or a code names: one identity for one thing, whatever carries it."""

from __future__ import annotations

import gc
import json
import os
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.epc_uri import epc_uri_to_uri
from contracts.gs1_keys import GS1_CHARACTERS, check_digit, escaped
from edge_agent.core.epc_binary import COMPANY
from edge_agent.core.identity import RAW_BYTES_MAX, identity_of_code, identity_of_epc

DATA = Path(
    os.environ.get(
        "TALLYGATE_CONFORMANCE_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"
    )
)
ROOT = "https://id.gs1.org"

PUBLISHED_EPCS = {
    # GS1 Tag Data Standard, the examples of its appendix: hexadecimal EPC memory and its EPC URI.
    "3074257BF7194E4000001A85": "urn:epc:id:sgtin:0614141.812345.6789",
    "3674257BF6B7A659B2C2BF1000000000000000000000000000": "urn:epc:id:sgtin:0614141.712345.32a%2Fb",
    "3174257BF4499602D2000000": "urn:epc:id:sscc:0614141.1234567890",
    "3274257BF46072000000162E": "urn:epc:id:sgln:0614141.12345.5678",
    "3974257BF46072CD9615F8800000000000000000000000000000": "urn:epc:id:sgln:0614141.12345.32a%2Fb",
    "3376451FD40C0E400000162E": "urn:epc:id:grai:9521141.12345.5678",
    "3776451FD40C0E59B2C2BF1000000000000000000000": "urn:epc:id:grai:9521141.12345.32a%2Fb",
    "3476451FD40000000000162E": "urn:epc:id:giai:9521141.5678",
    "3876451FD59B2C2BF10000000000000000000000000000000000": "urn:epc:id:giai:9521141.32a%2Fb",
    "2D76451FD4499602D2000000": "urn:epc:id:gsrn:9521141.1234567890",
    "2E76451FD4499602D2000000": "urn:epc:id:gsrnp:9521141.1234567890",
    "2C76451FD46072000000162E": "urn:epc:id:gdti:9521141.12345.5678",
    "3E76451FD7039B061438997367D0C18B266D1AB66EE0": (
        "urn:epc:id:gdti:9521141.98765.ABCDefgh012345678"
    ),
    "3C76451FD400C0E680003039": "urn:epc:id:cpi:9521141.98765.12345",
    "3F76451FD612640000019907": "urn:epc:id:sgcn:9521141.67890.04711",
    "4076451FD40C0E40820000000F54": "urn:epc:id:itip:9521141.012345.01.02.981",
    "4176451FD40C0E4082DBDD8B36600000000000000000000000000000": (
        "urn:epc:id:itip:9521141.012345.01.02.mw133"
    ),
}


@pytest.mark.parametrize(("memory", "epc_uri"), PUBLISHED_EPCS.items())
def test_a_published_epc_and_its_uri_are_one_identity(memory: str, epc_uri: str) -> None:
    uri = epc_uri_to_uri(epc_uri)
    assert uri is not None
    assert identity_of_epc(bytes.fromhex(memory)) == uri
    assert identity_of_code(epc_uri.encode()) == uri


PUBLISHED_LINKS = {
    # The standard's summary of examples (annex E.3): EPC memory and GS1 Digital Link. Those with
    # two plusses carry a host name behind the key.
    "3066C4409047E140075BCD15": "/01/09506000134352/21/123456789",
    "3666C4409047E159B2C2BF100000000000000000000000000000": "/01/09506000134352/21/32a%2Fb",
    "F73795211411234538566CB0AFC4": "/01/79521141123453/21/32a%2Fb",
    "FB342CDE795211411234538566CB0AFC4": "/01/79521141123453/21/32a%2Fb",
    "FD3795211411234538566CB0AFC525065F1876F0D996D800": "/01/79521141123453/21/32a%2Fb",
    "FC342CDE795211411234538566CB0AFC525065F1876F0D996D80": "/01/79521141123453/21/32a%2Fb",
    "311BA1B300CE0A6A83000000": "/00/095201234567891235",
    "F90095201234567891235": "/00/095201234567891235",
    "F2395211411234548566CB0AFC4": "/414/9521141123454/254/32a%2Fb",
    "E9395211411234548566CB0AFC525065F1876F0D996D8000": "/414/9521141123454/254/32a%2Fb",
    "F13095211411234548566CB0AFC4": "/8003/0952114112345432a%2Fb",
    "FA3952114132E83C2BF10": "/8004/952114132a%2Fb",
    "EE3952114132E83C2BF1494197C61DBC3665B600": "/8004/952114132a%2Fb",
    "F43952114112345678906": "/8018/952114112345678906",
    "F53952114112345678906": "/8017/952114112345678906",
    "F6395211411234540458B8": "/253/95211411234545678",
    "F0395211415E87A145BAFB4D19A8C0E4": "/8010/95211415PQ7%2FZ43/8011/12345",
    "F839521141678909509338": "/255/952114167890904711",
    "EC3952114167890950933C94197C61DBC3665B60": "/255/952114167890904711",
    "F3309521141123454010266AE27FDF35": "/8006/095211411234540102/21/rif981",
}


@pytest.mark.parametrize(("memory", "path"), PUBLISHED_LINKS.items())
def test_a_published_epc_has_its_published_link(memory: str, path: str) -> None:
    whole_bytes = memory + "0" * (len(memory) % 2)
    assert identity_of_epc(bytes.fromhex(whole_bytes)) == ROOT + path


def test_the_unit_of_the_standard_has_this_identity() -> None:
    assert (
        epc_uri_to_uri("urn:epc:id:sgtin:0614141.112345.400") == f"{ROOT}/01/10614141123459/21/400"
    )
    assert identity_of_epc(bytes.fromhex("3074257BF7194E4000001A85")) == (
        f"{ROOT}/01/80614141123458/21/6789"
    )
    assert identity_of_epc(bytes.fromhex("3174257BF4499602D2000000")) == (
        f"{ROOT}/00/106141412345678908"
    )


def documents() -> list[Path]:
    return sorted((DATA / "event_hash").glob("*.jsonld"))


def identifiers_in(value: object) -> set[str]:
    """Every EPC URI and Digital Link anywhere in a document."""
    if isinstance(value, dict):
        return set().union(*map(identifiers_in, value.values()), set())
    if isinstance(value, list):
        return set().union(*map(identifiers_in, value), set())
    is_epc = isinstance(value, str) and value.startswith(("urn:epc:id", "urn:epc:class"))
    return {str(value)} if is_epc else set()


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.stem)
def test_epc_uris_become_what_the_event_hash_vectors_say(path: Path) -> None:
    """Each EPC URI of the document stands, in its canonical form, in the document's pre-hash."""
    pre_hash = path.with_suffix(".prehashes").read_text()
    for text in identifiers_in(json.loads(path.read_text())):
        if "idpat" in text:
            continue
        uri = epc_uri_to_uri(text)
        assert uri is not None, text
        if path.stem != "epcisDocWithAllGS1Keys":  # Its pre-hash file is damaged in places.
            assert uri in pre_hash, text


def test_vectors_were_found() -> None:
    assert len(documents()) > 5


def test_all_forms_of_the_normalisation_vector_agree() -> None:
    path = DATA / "event_hash" / "epclist_normalisation.jsonld"
    [event] = json.loads(path.read_text())["epcisBody"]["eventList"]
    pre_hash = path.with_suffix(".prehashes").read_text()
    expected = set(re.findall(r"epc=(https://id\.gs1\.org.*?)(?=epc=|action=)", pre_hash))
    assert {identity_of_code(text.encode()) for text in event["epcList"]} == expected


CLASS_CODES = {
    b"]E09506000134352": f"{ROOT}/01/09506000134352",
    b"9506000134352": f"{ROOT}/01/09506000134352",
    b"]C1010950600013435210L1": f"{ROOT}/01/09506000134352/10/L1",
    b"(01)09506000134352(10)L1(17)261231": f"{ROOT}/01/09506000134352/10/L1",
    b"https://shop.example/gtin/9506000134352/lot/L1": f"{ROOT}/01/09506000134352/10/L1",
}


@pytest.mark.parametrize(("code", "uri"), CLASS_CODES.items())
def test_a_class_level_code_stays_a_class(code: bytes, uri: str) -> None:
    assert identity_of_code(code) == uri


UNIT_CODES = [
    b"]C10109506000134352211234",
    b"]d20109506000134352211234\x1d10AB",
    b"]Q3010950600013435210AB\x1d211234",
    b"0109506000134352211234",
    b"(01)09506000134352(21)1234",
    b"https://id.gs1.org/01/09506000134352/21/1234",
    b"HTTPS://EXAMPLE.COM/some/path/01/09506000134352/10/AB/21/1234?17=261231",
    b"https://example.com/gtin/9506000134352/ser/1234",
    b"]Q1https://example.com/01/9506000134352/21/1234",
    b"urn:epc:id:sgtin:9506000.013435.1234",
]


@pytest.mark.parametrize("code", UNIT_CODES)
def test_a_label_and_the_tag_of_one_unit_are_one_identity(code: bytes) -> None:
    tag = encode_96(0x30, "9506000", "013435", 1234, 38)
    assert identity_of_code(code) == identity_of_epc(tag) == f"{ROOT}/01/09506000134352/21/1234"


NO_GS1_CODES = [
    b"hello",
    b"",
    b"]",
    b"]C1",
    b"(",
    b"http://[",
    b"\xff\x00",
    b"12345678901234",  # Wrong check digit.
    b"]C10109506000134353211234",  # Wrong check digit.
    b"https://id.gs1.org/01/09506000134352/21",
    b"https://id.gs1.org/99/1",
    b"urn:epc:id:sgtin:0614141.12345.1",  # One digit short.
    b"urn:epc:id:gid:1.2.3",
]


@pytest.mark.parametrize("code", NO_GS1_CODES)
def test_what_names_nothing_of_gs1_is_raw(code: bytes) -> None:
    content = code[3:] if code.startswith(b"]C1") else code
    assert identity_of_code(code) == f"raw:{content.hex()}"


def test_an_epc_with_bits_that_mean_nothing_is_raw() -> None:
    for memory in (
        "3174257BF4499602D2000001",  # An SSCC whose unused bits are set.
        "307C257BF7194E4000001A85",  # Partition 7.
        "3074257BF7194E4000001A",  # Too short.
        "3074257BF7194E4000001A8501",  # Something behind the end.
        "3563C3F3BF7194E40001A850",  # GID has no Digital Link.
        "E280116060000209",  # A TID-like number.
        "F73795211411234438566CB0AFC4",  # SGTIN+ with a wrong check digit.
        "F73795211411234538566C",  # SGTIN+ that ends within its serial.
        "F7379521141123453C50",  # SGTIN+ whose encoding does not exist.
    ):
        raw = bytes.fromhex(memory)
        assert identity_of_epc(raw) == f"raw:{raw.hex()}"


def test_zeros_behind_an_epc_are_padding() -> None:
    memory = bytes.fromhex("3074257BF7194E4000001A85")
    assert identity_of_epc(memory + bytes(4)) == identity_of_epc(memory)


def test_a_long_raw_code_has_a_short_identity() -> None:
    assert len(identity_of_code(b"x" * 4096)) < 100
    assert identity_of_code(b"x" * 4096) != identity_of_code(b"x" * 4095)


@given(st.binary(max_size=80))
def test_any_bytes_have_an_identity(content: bytes) -> None:
    for identity in (identity_of_epc(content), identity_of_code(content)):
        assert identity.startswith((f"{ROOT}/", "raw:"))
        assert identity.isascii()
        assert len(identity) <= 2 * RAW_BYTES_MAX + len("raw:")


FRAMES = st.sampled_from(
    ["]C1", "]d2", "]Q3", "]E0", "]I1", "(01)", "01", "00", "https://x/01/", ""]
)


@given(FRAMES, st.text(st.characters(max_codepoint=300), max_size=60))
def test_anything_in_a_gs1_frame_has_an_identity(frame: str, rest: str) -> None:
    assert identity_of_code((frame + rest).encode()).startswith((f"{ROOT}/", "raw:"))


class Item(NamedTuple):
    """A trade item with a serial."""

    partition: int
    company: str
    reference: str
    serial: int


@st.composite
def items(draw: st.DrawFn) -> Item:
    partition = draw(st.integers(0, 6))
    digits = draw(st.text("0123456789", min_size=13, max_size=13))
    cut = COMPANY[partition][1]
    return Item(partition, digits[:cut], digits[cut:], draw(st.integers(0, 2**38 - 1)))


def encode_96(header: int, company: str, reference: str, serial: int, serial_bits: int) -> bytes:
    """A test's own SGTIN-96-like encoder: 44 bits for both numbers, split by partition."""
    partition = 12 - len(company)
    company_bits, _ = COMPANY[partition]
    value = header
    for number, bits in (
        (3, 3),
        (partition, 3),
        (int(company), company_bits),
        (int(reference or "0"), 44 - company_bits),
        (serial, serial_bits),
    ):
        value = value << bits | number
    return value.to_bytes(12, "big")


def encode_198(item: Item, serial: str) -> bytes:
    """The same with a serial of 7-bit characters."""
    value = int.from_bytes(encode_96(0x36, item.company, item.reference, 0, 38), "big") >> 38
    for character in serial.ljust(20, "\0"):
        value = value << 7 | ord(character)
    return (value << 10).to_bytes(26, "big")


@given(items())
def test_element_string_link_and_epc_of_one_unit_agree(item: Item) -> None:
    body = item.reference[0] + item.company + item.reference[1:]
    gtin = body + check_digit(body)
    tag = identity_of_epc(encode_96(0x30, item.company, item.reference, item.serial, 38))
    assert tag == f"{ROOT}/01/{gtin}/21/{item.serial}"
    for code in (
        f"]C101{gtin}21{item.serial}",
        f"(01){gtin}(21){item.serial}",
        f"https://example.org/01/{gtin}/21/{item.serial}",
        f"urn:epc:id:sgtin:{item.company}.{item.reference}.{item.serial}",
    ):
        assert identity_of_code(code.encode()) == tag


@given(items(), st.text(sorted(GS1_CHARACTERS), min_size=1, max_size=20))
def test_any_serial_of_gs1_agrees_between_label_and_tag(item: Item, serial: str) -> None:
    body = item.reference[0] + item.company + item.reference[1:]
    gtin = body + check_digit(body)
    tag = identity_of_epc(encode_198(item, serial))
    assert tag == f"{ROOT}/01/{gtin}/21/{escaped(serial)}"
    assert identity_of_code(f"]d201{gtin}21{serial}".encode()) == tag
    assert identity_of_code(tag.encode()) == tag


@given(st.integers(0, 6), st.text("0123456789", min_size=17, max_size=17))
def test_a_pallet_label_and_its_tag_agree(partition: int, digits: str) -> None:
    cut = COMPANY[partition][1]
    company, reference = digits[:cut], digits[cut:]
    company_bits = COMPANY[partition][0]
    value = 0x31 << 6 | 0 << 3 | partition
    value = value << company_bits | int(company)
    value = (value << (58 - company_bits) | int(reference)) << 24
    body = reference[0] + company + reference[1:]
    sscc = body + check_digit(body)
    assert identity_of_epc(value.to_bytes(12, "big")) == f"{ROOT}/00/{sscc}"
    assert identity_of_code(f"]C100{sscc}".encode()) == f"{ROOT}/00/{sscc}"
    assert identity_of_code(f"00{sscc}".encode()) == f"{ROOT}/00/{sscc}"


@pytest.mark.parametrize("serial", ["A(B", "A(C", "A(10B", "(B"])
def test_brackets_that_are_no_element_name_no_other_unit(serial: str) -> None:
    """What a label shows in brackets is believed only if all of it is understood."""
    assert identity_of_code(f"(01)09506000134352(21){serial}".encode()).startswith("raw:")


def test_long_codes_and_tags_are_not_remembered() -> None:
    before = len(gc.get_objects())
    for number in range(2_000):
        identity_of_code(b"%d" % number + b"x" * 4_000)
        identity_of_epc(b"\x30" * 4_000 + b"%d" % number)
    assert len(gc.get_objects()) - before < 1_000
    assert identity_of_code(b"x" * 4_000) == identity_of_code(b"x" * 4_000)
