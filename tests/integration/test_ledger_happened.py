"""What had happened by an instant, for any past: late by years, many keys, owners and serials.

Held against the plain sum over all postings, which is what the answer means.
"""

from __future__ import annotations

import random
from typing import Any

import psycopg
import pytest

from contracts.books import BookPlace, Disposition, Movement, Posting
from ledger_sink.books import Books
from ledger_sink.postgres_ledger import PostgresLedger, connect
from tests.support.document_books import ITEMS, PLACES
from tests.support.servers import Fresh

SECOND_US = 1_000_000
YEAR_US = 365 * 86_400 * SECOND_US
BEGAN_US = 1_700_000_000 * SECOND_US
LONG_US = 2**30
"""From here on a posting is long late, and is found in another way."""
LATE_US = (
    -60 * SECOND_US, -1, 0, 1, 90 * SECOND_US, LONG_US - 1, LONG_US, LONG_US + 1, 2 * LONG_US,
    86_400 * SECOND_US, YEAR_US, 9 * YEAR_US,
)  # fmt: skip
MOVEMENTS = 250
INSTANTS = 150
SUM = """
select p.location, p.batch, p.serial, p.disposition, p.reservation, p.owner, sum(p.quantity)
from ledger.postings p
where p.site = %(site)s and p.item = %(item)s and p.happened_us <= %(happened)s
    and p.recorded_us <= %(recorded)s
group by 1, 2, 3, 4, 5, 6 having sum(p.quantity) <> 0 order by 1, 2, 3, 4, 5, 6
"""
ANSWER = """
select b.location, b.batch, b.serial, b.disposition, b.reservation, b.owner, b.quantity
from ledger.book_happened(%(site)s, %(item)s, %(happened)s, %(recorded)s) b
order by 1, 2, 3, 4, 5, 6
"""


def any_movement(dice: random.Random, number: int, at_us: int) -> Movement:
    """From somewhere to somewhere, of any item, in any state, at any time before."""
    item = dice.choice(["bolt", "drug", "pump", "sand", "oil"])
    same: dict[str, Any] = {
        "item": item,
        "batch": dice.choice(["late", "soon"]) if item == "drug" else "",
        "serial": f"S{dice.randrange(12)}" if item == "pump" else "",
        "owner": dice.choice(["", "", "ACME"]),
    }
    quantity = 1 if item == "pump" else dice.randint(1, 30)
    places = ["A", "B", "C", "supplier", "customer", "in_transit"]
    origin = dice.choice(["supplier", "supplier", *places])
    return Movement(
        id=f"m{number}",
        document="D",
        step="goods_receipt",
        happened_us=max(at_us - dice.choice(LATE_US), 1),
        postings=(
            Posting(**same, location=origin, quantity=f"-{quantity}"),
            Posting(
                **same,
                location=dice.choice([place for place in places if place != origin]),
                quantity=f"{quantity}",
                disposition=dice.choice([Disposition.AVAILABLE, Disposition.FROZEN]),
            ),
        ),
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_is_the_plain_sum_at_any_instant(
    connection: psycopg.Connection[Any], embedded: Fresh, seed: int
) -> None:
    """The database's owner and a reader of the site are told the same."""
    dice = random.Random(seed)
    at_us = BEGAN_US
    outcomes = []
    for site in ("other", "demo"):
        books = Books(PostgresLedger(connection, site))
        for item in ITEMS.values():
            books.put(item, 1)
        for location, (kind, warehouse) in PLACES.items():
            books.put(BookPlace(location=location, kind=kind, warehouse=warehouse), 1)
        for number in range(MOVEMENTS):
            at_us += dice.choice(
                [-SECOND_US, 0, 1, SECOND_US, LONG_US // 2, 30 * 86_400 * SECOND_US]
            )
            outcomes += books.post([any_movement(dice, number, at_us)], at_us)
    entered = sum(one.outcome == "entered" for one in outcomes)
    assert entered > MOVEMENTS // 2, "enough of it is possible"
    moments = connection.execute(
        "select happened_us from ledger.postings union select recorded_us from ledger.postings"
    ).fetchall()
    edges = [moment + shift for (moment,) in moments for shift in (-1, 0, 1)]
    compared = 0
    with connect(embedded.postgres_url, "ledger_reader") as reader:
        for _ in range(INSTANTS):
            asked = {
                "site": "demo",
                "item": dice.choice(["bolt", "drug", "pump", "sand", "oil"]),
                "happened": dice.choice(edges),
                "recorded": dice.choice([*edges, 2**53, 2**53]),
            }
            expected = connection.execute(SUM, asked).fetchall()
            assert connection.execute(ANSWER, asked).fetchall() == expected, asked
            assert reader.execute(ANSWER, asked).fetchall() == expected, asked
            compared += bool(expected)
    assert compared > INSTANTS // 4, "most instants have a book"
