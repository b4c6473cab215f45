"""What is written on simulated tags agrees with GS1's own examples."""

import pytest

from firmware_sim.core import epc


def test_a_known_sgtin_gives_its_known_epc() -> None:
    """GS1's example of the Tag Data Standard: 0614141.812345.6789 with filter 3."""
    gtin = epc.gtin14(8, "0614141", 12345)
    assert gtin == "80614141123458"
    assert epc.sgtin_96(gtin, 7, 6789, 3).hex() == "3074257bf7194e4000001a85"


def test_a_known_sscc_gives_its_known_epc() -> None:
    """0614141.1234567890 with filter 3."""
    sscc = epc.sscc18(1, "0614141", 234567890)
    assert sscc == "106141412345678908"
    assert epc.sscc_96(sscc, 7, 3).hex() == "3174257bf4499602d2000000"


def test_a_known_lettered_serial_gives_its_known_epc() -> None:
    """0614141.712345 with serial 32a/b of the standard, here without the slash: 7 bits each."""
    gtin = epc.gtin14(7, "0614141", 12345)
    code = epc.sgtin_198(gtin, 7, "32a")
    assert len(code) == 26
    value = int.from_bytes(code, "big") >> 10
    assert value >> 190 == 0x36
    assert (value >> 119 & 0x1FFFFF) == ord("3") << 14 | ord("2") << 7 | ord("a")


def test_an_epc_without_errors_says_its_own_identity() -> None:
    """Reading back what was written, for both schemes."""
    gtin = epc.gtin14(1, "6901234", 77)
    assert epc.identity_of_ghost(epc.sgtin_96(gtin, 7, 42)) == epc.gtin_identity(gtin, "42")
    sscc = epc.sscc18(3, "6901234", 5)
    assert epc.identity_of_ghost(epc.sscc_96(sscc, 7)) == epc.sscc_identity(sscc)


@pytest.mark.parametrize("code", ["e280689400004001", "ff74257bf7194e4000001a85", ""])
def test_an_epc_of_no_scheme_is_raw(code: str) -> None:
    """Foreign tags keep their bytes as their name."""
    assert epc.identity_of_ghost(bytes.fromhex(code)) == f"raw:{code}"


def test_a_reference_beyond_its_digits_is_raw() -> None:
    """24 bits of prefix hold more than seven digits: such bits are no GS1 key."""
    value = 0x30 << 88 | 5 << 82 | 0xFFFFFF << 58 | 1
    code = value.to_bytes(12, "big")
    assert epc.identity_of_ghost(code) == f"raw:{code.hex()}"
