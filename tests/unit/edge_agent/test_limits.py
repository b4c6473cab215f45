"""How often somebody may ask, and what a wrong PIN costs."""

from __future__ import annotations

import pytest

from contracts.site import SiteFile, read_site
from edge_agent.core.limits import LOCK_US_MAX, NAMES_MAX, WRONG_MAX, LockOut, Rate
from edge_agent.core.secret_hash import COST, DUMMY, hash_line, is_secret

SECOND_US = 1_000_000
CHEAP = (10, 1, 1)


def test_a_burst_is_allowed_and_then_so_many_a_second() -> None:
    rate = Rate(2.0, 3.0)
    assert [rate.wait_s("a", 0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert rate.wait_s("b", 0) == 0.0
    assert rate.wait_s("a", SECOND_US // 2) == 0.0
    assert rate.wait_s("a", SECOND_US // 2) == 0.5


def test_many_at_once_count_as_many_and_more_than_the_burst_as_the_burst() -> None:
    rate = Rate(1.0, 10.0)
    assert rate.wait_s("a", 0, count=8) == 0.0
    assert rate.wait_s("a", 0, count=8) == 6.0
    assert rate.wait_s("a", 0, count=1) == 0.0
    assert rate.wait_s("b", 0, count=500) == 0.0


def test_a_flood_of_names_is_forgotten_from_the_oldest_on() -> None:
    rate = Rate(1.0, 1.0)
    for number in range(NAMES_MAX + 5):
        assert rate.wait_s(str(number), 0) == 0.0
    assert len(rate._rooms) == NAMES_MAX


def test_wrong_pins_lock_longer_and_longer_and_a_right_one_forgives() -> None:
    locks = LockOut()
    at_us = 0
    for _ in range(WRONG_MAX - 1):
        assert locks.wait_s("a", at_us) == 0.0
    locks.right("a")
    waits = []
    for _ in range(WRONG_MAX + 9):
        while wait_s := locks.wait_s("a", at_us):
            waits.append(wait_s)
            at_us += round(wait_s * SECOND_US)
    assert waits == [60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600]
    assert locks.is_locked("a", at_us)
    assert not locks.is_locked("a", at_us + LOCK_US_MAX)
    assert not locks.is_locked("b", at_us)


def test_a_try_counts_before_it_is_known_to_be_wrong() -> None:
    """Many tries at the same time are no way round."""
    locks = LockOut()
    assert [locks.wait_s("a", 0) > 0 for _ in range(8)] == [False] * WRONG_MAX + [True] * 3


def test_a_secret_is_known_by_its_hash_and_nothing_else_is() -> None:
    line = hash_line("4711", b"s" * 16, CHEAP)
    assert line.startswith("scrypt:10:1:1:")
    assert is_secret("4711", line)
    assert not is_secret("4712", line)
    assert not is_secret("", line)
    assert hash_line("4711", b"t" * 16, CHEAP) != line


def test_the_usual_figures_are_taken_by_the_site_file_and_the_dummy_is_nobody_s() -> None:
    line = hash_line("x", b"s" * 16, COST)
    assert is_secret("x", line)
    assert not is_secret("x", DUMMY)
    for each in (line, DUMMY):
        assert isinstance(site_with(f'secret = "{each}"'), SiteFile)


def site_with(secret: str = "", table: str = "", host: str = "127.0.0.1", more: str = "") -> object:
    return read_site(
        f"""site = "demo"
[[zones]]
id = "stage"
[[gateways]]
id = "dock"
[[devices]]
id = "handhelds"
gateway = "dock"
kind = "handheld"
host = "{host}"
port = 8443
[devices.handheld]
{table}
[[devices.handheld.clients]]
id = "pda-1"
{secret}
{more}
"""
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"secret": 'secret = "plain"'}, "secret: what stands there: must be a hash: python"),
        ({"secret": ""}, "is missing"),
        ({"table": 'certificate = "a.crt"'}, "go together"),
        ({"host": "0.0.0.0"}, "PINs would travel readable"),
        ({"more": '[[devices.handheld.clients]]\nid = "pda-1"'}, "is missing"),
        (
            {"more": '[[devices.handheld.places]]\ncode = "A"\nlocation = "nowhere"'},
            "is no zone or gate",
        ),
        (
            {"more": '[[devices.handheld.places]]\ncode = "A"\nlocation = "stage"\n' * 2},
            "'A' stands there 2 times",
        ),
    ],
)
def test_mistakes_in_the_table_are_named(changes: dict[str, str], words: str) -> None:
    right = {"secret": f'secret = "{DUMMY}"'}
    found = site_with(**(right | changes))
    assert isinstance(found, list)
    assert any(words in mistake.text() for mistake in found), found


def test_a_table_without_tls_is_good_where_that_is_asked_for() -> None:
    secret = f'secret = "{DUMMY}"'
    assert isinstance(site_with(secret, "plain = true", "0.0.0.0"), SiteFile)
    assert isinstance(site_with(secret, 'certificate = "a"\nkey = "b"', "0.0.0.0"), SiteFile)
