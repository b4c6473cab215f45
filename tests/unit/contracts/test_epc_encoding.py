"""GS1 keys on tags and labels: what the encoder writes is what the agent reads, bit for bit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.element_strings import Element, digital_link, element_string, readable
from contracts.epc_encoding import (
    SERIAL_NUMBER_MAX,
    EncodingError,
    Filter,
    prefix_digits_of,
    sgtin_epc,
    sscc_epc,
)
from contracts.gs1_keys import GS1_CHARACTERS, ROOT, check_digit, escaped
from edge_agent.core.identity import identity_of_code, identity_of_epc
from firmware_sim.core import epc as simulated

DIGITS = st.text("0123456789", min_size=13, max_size=13)
SERIALS = st.text(sorted(GS1_CHARACTERS), min_size=1, max_size=20)
NUMBERS = st.integers(0, SERIAL_NUMBER_MAX).map(str)
PREFIX_DIGITS = st.integers(6, 12)
FILTERS = st.integers(0, 7)


def gtin_of(digits: str) -> str:
    return digits + check_digit(digits)


@given(DIGITS, PREFIX_DIGITS, NUMBERS | SERIALS, FILTERS)
def test_the_agent_reads_the_identity_of_every_sgtin_that_is_written(
    digits: str, prefix: int, serial: str, filter_value: int
) -> None:
    gtin = gtin_of(digits)
    epc = sgtin_epc(gtin, prefix, serial, filter_value)
    assert identity_of_epc(epc) == f"{ROOT}/01/{gtin}/21/{escaped(serial)}"
    assert prefix_digits_of(epc) == prefix


@given(DIGITS, PREFIX_DIGITS, st.integers(0, SERIAL_NUMBER_MAX), FILTERS)
def test_numbers_are_written_as_the_simulator_s_own_encoder_writes_them(
    digits: str, prefix: int, serial: int, filter_value: int
) -> None:
    gtin = gtin_of(digits)
    ours = sgtin_epc(gtin, prefix, str(serial), filter_value)
    assert ours == simulated.sgtin_96(gtin, prefix, serial, filter_value)
    assert len(ours) == 12


@given(DIGITS, PREFIX_DIGITS, SERIALS.filter(lambda text: not text.isdigit()), FILTERS)
def test_letters_are_written_as_the_simulator_s_own_encoder_writes_them(
    digits: str, prefix: int, serial: str, filter_value: int
) -> None:
    gtin = gtin_of(digits)
    ours = sgtin_epc(gtin, prefix, serial, filter_value)
    assert ours == simulated.sgtin_198(gtin, prefix, serial, filter_value)
    assert len(ours) == 26


@given(st.text("0123456789", min_size=17, max_size=17), PREFIX_DIGITS, FILTERS)
def test_every_sscc_is_written_as_the_simulator_does_and_read_by_the_agent(
    digits: str, prefix: int, filter_value: int
) -> None:
    sscc = gtin_of(digits)
    epc = sscc_epc(sscc, prefix, filter_value)
    assert epc == simulated.sscc_96(sscc, prefix, filter_value)
    assert identity_of_epc(epc) == f"{ROOT}/00/{sscc}"
    assert prefix_digits_of(epc) == prefix


def test_a_known_unit_has_the_bytes_of_the_standard_s_example() -> None:
    """GS1 Tag Data Standard: urn:epc:tag:sgtin-96:3.0614141.812345.6789."""
    assert sgtin_epc("80614141123458", 7, "6789", 3).hex() == "3074257bf7194e4000001a85"
    assert sscc_epc("106141412345678908", 7, 3).hex() == "3174257bf4499602d2000000"


@pytest.mark.parametrize("serial", ["007", "00", "274877906944", "A1", "9" * 20])
def test_a_serial_that_is_no_plain_number_within_38_bits_takes_the_long_form(serial: str) -> None:
    assert sgtin_epc("80614141123458", 7, serial, Filter.UNIT)[0] == 0x36


@pytest.mark.parametrize(
    ("gtin", "prefix", "serial", "told"),
    [
        ("80614141123459", 7, "1", "check digit"),
        ("0614141123452", 7, "1", "14 digits"),
        ("80614141123458", 5, "1", "6 to 12 digits"),
        ("80614141123458", 7, "", "1 to 20"),
        ("80614141123458", 7, "x" * 21, "1 to 20"),
        ("80614141123458", 7, "a b", "signs that GS1 allows"),
        ("80614141123458", 7, "序", "signs that GS1 allows"),
    ],
)
def test_what_cannot_be_on_a_tag_is_refused_with_the_reason(
    gtin: str, prefix: int, serial: str, told: str
) -> None:
    with pytest.raises(EncodingError, match=told):
        sgtin_epc(gtin, prefix, serial, Filter.UNIT)


def test_element_strings_end_with_fnc1_only_where_something_of_open_length_is_followed() -> None:
    elements = [
        Element("01", "80614141123458"),
        Element("10", "B7"),
        Element("17", "270331"),
        Element("21", "6789"),
    ]
    assert element_string(elements) == "01806141411234581727033110B7\x1d216789"
    assert readable(elements) == "(01)80614141123458(10)B7(17)270331(21)6789"
    assert digital_link(elements) == "https://id.gs1.org/01/80614141123458/10/B7/21/6789?17=270331"


@given(DIGITS, SERIALS, st.none() | SERIALS)
def test_every_symbol_of_a_unit_leads_to_the_identity_of_its_tag(
    digits: str, serial: str, batch: str | None
) -> None:
    gtin = gtin_of(digits)
    elements = [Element("01", gtin), Element("17", "270331")]
    elements += [Element("10", batch)] if batch else []
    elements.append(Element("21", serial))
    identity = identity_of_epc(sgtin_epc(gtin, 7, serial, Filter.UNIT))
    text = element_string(elements)
    for code in (f"]d2{text}", f"]C1{text}", f"]Q3{text}", f"]Q1{digital_link(elements)}"):
        assert identity_of_code(code.encode()) == identity, code
