"""Identities in the ledger: allocated once, born and ended in entries, and strangers told."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator

import msgspec
import psycopg
import pytest

from contracts.commissioning import Commissioned, Decommissioned, EndReason
from contracts.events import EntryKind, Evidence
from contracts.gs1_keys import ROOT
from contracts.labels import Packing
from ledger_sink.commissioning import Commissioning
from ledger_sink.core.commissioning import (
    CommissioningError,
    Order,
    Series,
    order_of,
    series_of,
    sgtin_series,
    sscc_series,
    successor,
)
from ledger_sink.postgres_ledger import PostgresLedger, connect
from ledger_sink.queries import trace
from tests.support.servers import Fresh

GTIN = "80614141123458"
WRITERS = 8
ROUNDS = 25
PALLET = order_of(
    Order(
        item=GTIN, prefix="0614141", cases=2, units=3, pallet=True, batch="B7", expiry="2027-03-31"
    )
)


@pytest.fixture
def ledger(embedded: Fresh) -> Iterator[PostgresLedger]:
    with connect(embedded.postgres_url) as connection:
        yield PostgresLedger(connection, "demo")


@pytest.fixture
def desk(ledger: PostgresLedger) -> Commissioning:
    return Commissioning(ledger)


def read(ledger: PostgresLedger, identity: str, at_us: int, location: str = "door-1") -> None:
    sighting = Evidence(
        id=f"{identity}{at_us}",
        entry=None,
        identity=identity,
        location=location,
        first_us=at_us,
        last_us=at_us,
        reads=2,
        payload=b"{}",
    )
    assert ledger.add_evidence([sighting], at_us) == 1


def rejects(ledger: PostgresLedger) -> list[str]:
    rows = ledger.connection.execute("select reason from ledger.rejects order by seq").fetchall()
    return [row[0] for row in rows]


def test_many_writers_never_get_the_same_number(embedded: Fresh) -> None:
    """Each draws often, from a series of units and one of carriers."""
    wanted = {sgtin_series(GTIN): 3, sscc_series("0614141", 1): 2}
    drawn: list[tuple[Series, int]] = []
    failed: list[BaseException] = []

    def draw() -> None:
        try:
            with connect(embedded.postgres_url) as connection:
                desk = Commissioning(PostgresLedger(connection, "demo"))
                for _ in range(ROUNDS):
                    for series, numbers in desk.allocate(wanted, 1).items():
                        drawn.extend((series, number) for number in numbers)
        except BaseException as error:  # noqa: BLE001 - told by the test.
            failed.append(error)

    threads = [threading.Thread(target=draw) for _ in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert [one for one, times in Counter(drawn).items() if times > 1] == []
    assert len(drawn) == WRITERS * ROUNDS * 5


def test_numbers_begin_where_asked_and_end_with_the_tag_s_room(desk: Commissioning) -> None:
    series = sgtin_series(GTIN)
    assert desk.allocate({series: 2}, 1000)[series] == [1000, 1001]
    assert desk.allocate({series: 1}, 1)[series] == [1002]
    assert desk.allocate({series: 1}, series.most)[series] == [series.most]
    with pytest.raises(CommissioningError, match="has no 1 numbers left"):
        desk.allocate({series: 1}, 1)


def test_a_serial_that_was_chosen_by_hand_is_skipped(desk: Commissioning) -> None:
    chosen = order_of(Order(item=GTIN, prefix="0614141", units=2, serials=("2", "A-1")))
    desk.order(chosen, 5)
    series = sgtin_series(GTIN)
    assert desk.allocate({series: 3}, 1)[series] == [1, 3, 4]


def test_a_pallet_is_born_with_its_cases_and_units_and_its_life_tells_it(
    ledger: PostgresLedger, desk: Commissioning
) -> None:
    births = desk.order(PALLET, 7)
    pallet, case, unit = births[0], births[1], births[2]
    assert [birth.packing for birth in births] == [
        Packing.PALLET,
        *([Packing.CASE] + [Packing.UNIT] * 3) * 2,
    ]
    assert (pallet.quantity, case.quantity, unit.quantity) == (6, 3, 1)
    assert [one.birth.identity for one in desk.contents(pallet.identity)] == [
        birth.identity for birth in births
    ]
    lives = {birth.identity: trace(ledger, birth.identity).moments for birth in births}
    assert lives[unit.identity][0].kind == EntryKind.COMMISSIONED
    assert msgspec.json.decode(lives[unit.identity][0].payload, type=Commissioned) == unit
    assert [len(lives[one.identity]) for one in (pallet, case, unit)] == [3, 4, 1]


def test_the_same_births_again_change_nothing(ledger: PostgresLedger, desk: Commissioning) -> None:
    births = desk.order(PALLET, 7)
    assert desk.enter(births, 9) == 0
    assert rejects(ledger) == []


def test_an_identity_is_born_once_and_the_second_time_is_a_reject(
    ledger: PostgresLedger, desk: Commissioning
) -> None:
    births = desk.order(PALLET, 7)
    again = msgspec.structs.replace(births[0], batch="B8")
    fresh = msgspec.structs.replace(births[3], identity=f"{ROOT}/01/{GTIN}/21/new", parent=None)
    with pytest.raises(CommissioningError, match="was commissioned before, by entry 1 of site"):
        desk.enter([fresh, again], 8)
    assert desk.contents(fresh.identity) == []
    assert len(rejects(ledger)) == 1
    with pytest.raises(CommissioningError, match="comes twice"):
        desk.enter([fresh, fresh], 8)


def test_another_site_cannot_take_the_same_identity(
    ledger: PostgresLedger, desk: Commissioning
) -> None:
    births = desk.order(PALLET, 7)
    other = Commissioning(PostgresLedger(ledger.connection, "other"))
    with pytest.raises(CommissioningError, match="of site demo"):
        other.enter(births[:1], 8)


def test_nothing_is_put_in_what_is_none_or_no_more(desk: Commissioning) -> None:
    births = desk.order(PALLET, 7)
    end(desk, births[1].identity, 8)
    for parent, told in (
        (births[1].identity, "was decommissioned"),
        (births[2].identity, "is a unit and holds nothing"),
        ("no", "never commissioned"),
    ):
        order = order_of(Order(item=GTIN, prefix="0614141", parent=parent))
        with pytest.raises(CommissioningError, match=told):
            desk.order(order, 9)


def end(desk: Commissioning, identity: str, at_us: int) -> None:
    desk.end([Decommissioned(identity=identity, reason=EndReason.UNPACKED, at_us=at_us)], at_us)


def test_what_a_carrier_held_is_loose_when_it_ends(
    ledger: PostgresLedger, desk: Commissioning
) -> None:
    births = desk.order(PALLET, 7)
    end(desk, births[0].identity, 8)
    (case, *_) = desk.contents(births[1].identity)
    assert (case.birth.parent, case.ended_us) == (None, None)
    (pallet,) = desk.contents(births[0].identity)
    assert pallet.ended_us == 8
    assert EntryKind.DECOMMISSIONED in [m.kind for m in trace(ledger, births[1].identity).moments]
    with pytest.raises(CommissioningError, match="was decommissioned before"):
        end(desk, births[0].identity, 9)
    with pytest.raises(CommissioningError, match="was never commissioned"):
        end(desk, "nobody", 9)
    assert len(rejects(ledger)) == 2


def test_a_new_tag_takes_the_place_of_the_old_one_in_both_directions(
    ledger: PostgresLedger, desk: Commissioning
) -> None:
    births = desk.order(PALLET, 7)
    old = births[1]
    series = series_of(old)
    new = successor(old, desk.allocate({series: 1}, 1)[series][0], 9)
    desk.retag(new, 9)
    assert desk.contents(old.identity)[0].successor == new.identity
    inside = desk.contents(births[0].identity)
    assert len(inside) == len(births)
    assert new.identity in [one.birth.identity for one in inside]
    assert [one.birth.identity for one in desk.contents(new.identity)[1:]] == [
        birth.identity for birth in births[2:5]
    ]
    assert [moment.kind for moment in trace(ledger, new.identity).moments] == [
        EntryKind.COMMISSIONED,
        EntryKind.DECOMMISSIONED,
    ]


def test_tags_that_nobody_should_meet_are_told_and_no_others(
    ledger: PostgresLedger, desk: Commissioning
) -> None:
    births = desk.order(PALLET, 7)
    unit, case = births[2], births[1]
    forged = f"{ROOT}/01/{GTIN}/21/forged"
    read(ledger, unit.identity, 8)
    read(ledger, "https://id.gs1.org/01/00012345678905/21/1", 8)
    read(ledger, case.identity, 8)
    assert desk.unknown_tags(10) == []
    end(desk, case.identity, 10)
    read(ledger, case.identity, 12, "door-2")
    read(ledger, case.identity, 13, "door-3")
    read(ledger, forged, 14)
    found = [tag._asdict() for tag in desk.unknown_tags(10)]
    assert found == [
        {"identity": forged, "problem": "never_commissioned", "successor": None, "first_us": 14,
         "last_us": 14, "reads": 2, "location": "door-1"},
        {"identity": case.identity, "problem": "decommissioned", "successor": None,
         "first_us": 12, "last_us": 13, "reads": 4, "location": "door-3"},
    ]  # fmt: skip


def test_each_birth_and_each_end_is_one_entry(ledger: PostgresLedger, desk: Commissioning) -> None:
    births = desk.order(PALLET, 7)
    end(desk, births[0].identity, 8)
    counts = dict(ledger.connection.execute("select kind, entries from ledger.counts").fetchall())
    assert counts == {"commissioned": 9, "decommissioned": 1}


def test_what_the_ledger_knows_of_identities_follows_from_its_entries_alone(
    ledger: PostgresLedger, desk: Commissioning
) -> None:
    """Random births, new tags and ends; then a replay of the payloads."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - shown where it fails.
    dice, alive = random.Random(seed), []
    for at_us in range(1, 60):
        living = [one for one in alive if desk.contents(one)[0].ended_us is None]
        choice = dice.random()
        if choice < 0.4 or not living:
            order = PALLET._replace(
                cases=dice.randrange(3), units=dice.randrange(1, 3), pallet=dice.random() < 0.5
            )
            alive += [birth.identity for birth in desk.order(order, at_us)]
        elif choice < 0.7:
            old = desk.contents(dice.choice(living))[0].birth
            series = series_of(old)
            new = successor(old, desk.allocate({series: 1}, 1)[series][0], at_us)
            desk.retag(new, at_us)
            alive.append(new.identity)
        else:
            end(desk, dice.choice(living), at_us)
    kept = ledger.connection.execute(
        "select identity, parent, ended_us, successor from ledger.identities order by identity"
    ).fetchall()
    assert kept == sorted(replayed(ledger))


def replayed(ledger: PostgresLedger) -> list[tuple[str, str | None, int | None, str | None]]:
    """Identity, parent, end and successor, by the entries' payloads alone."""
    payloads = ledger.connection.execute(
        "select payload from ledger.entries where kind in ('commissioned', 'decommissioned')"
        " order by seq"
    ).fetchall()
    known: dict[str, tuple[str | None, int | None, str | None]] = {}
    for (payload,) in payloads:
        record = msgspec.json.decode(payload, type=Commissioned | Decommissioned)
        if isinstance(record, Commissioned):
            known[record.identity] = (record.parent, None, None)
            continue
        known[record.identity] = (known[record.identity][0], record.at_us, record.successor)
        for identity, (parent, ended_us, then) in list(known.items()):
            if parent == record.identity and ended_us is None:
                known[identity] = (record.successor, None, then)
    return [(identity, *rest) for identity, rest in known.items()]


def test_only_appenders_may_commission(embedded: Fresh) -> None:
    for role in ("ledger_reader", "ledger_worker", "ledger_bridge"):
        with connect(embedded.postgres_url, role) as connection:
            desk = Commissioning(PostgresLedger(connection, "demo"))
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                desk.allocate({sgtin_series(GTIN): 1}, 1)
    with connect(embedded.postgres_url, "ledger_appender") as connection:
        desk = Commissioning(PostgresLedger(connection, "demo"))
        assert len(desk.order(PALLET, 7)) == 9
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("update ledger.identities set parent = null")
        assert len(desk.contents(desk.order(PALLET, 8)[0].identity)) == 9
