"""What a person types is the identity that the edge agent would have made of it."""

import pytest

from tallygate.identity import readings

UNIT = "https://id.gs1.org/01/80614141123458/21/6789"
PALLET = "https://id.gs1.org/00/106141410003001341"


@pytest.mark.parametrize(
    "typed",
    [
        UNIT,
        "01/80614141123458/21/6789",
        "/01/80614141123458/21/6789",
        "(01)80614141123458(21)6789",
        "0180614141123458216789",
        "]C10180614141123458216789",
        "https://example.com/01/80614141123458/21/6789",
        "urn:epc:id:sgtin:0614141.812345.6789",
        "3074257BF7194E4000001A85",
        "30 74 25 7b f7 19 4e 40 00 00 1a 85",
        "0x3074257bf7194e4000001a85",
    ],
)
def test_every_way_to_write_a_unit_means_one_identity(typed: str) -> None:
    assert UNIT in readings(typed)


@pytest.mark.parametrize(
    "typed",
    ["106141410003001341", "00106141410003001341", "(00)106141410003001341", PALLET],
)
def test_a_pallet_is_meant_by_its_sscc(typed: str) -> None:
    assert readings(typed)[0] == PALLET


def test_a_barcode_with_a_wrong_check_digit_means_no_unit() -> None:
    assert all(one.startswith("raw:") for one in readings("(01)80614141123459(21)6789"))


def test_a_code_that_is_no_gs1_code_is_known_by_its_bytes() -> None:
    assert readings("PART-77") == [f"raw:{b'PART-77'.hex()}"]
    assert readings("raw:0102") == ["raw:0102", f"raw:{b'raw:0102'.hex()}"]
