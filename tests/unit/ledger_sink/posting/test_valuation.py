"""What stock is worth, step by step, in the cases where it is easy to be wrong."""

from __future__ import annotations

from decimal import Decimal

import pytest

from contracts.vouchers import Method
from ledger_sink.core.posting.money import quantity_text
from ledger_sink.core.posting.valuation import (
    LAYERS_MAX,
    Back,
    Batch,
    Step,
    Stock,
    add_difference,
    revalue,
    stock_of,
    take_back,
    take_in,
    take_out,
    valuation_of,
)


def number(value: object) -> Decimal:
    return Decimal(str(value))


def fifo(*layers: tuple[str, object, object], price: object = 0) -> Stock:
    """Stock with these layers."""
    batches = tuple(Batch(name, number(many), number(worth)) for name, many, worth in layers)
    quantity = sum((one.quantity for one in batches), Decimal(0))
    value = sum((one.value for one in batches), Decimal(0))
    return Stock("lamp", Method.FIFO, quantity, value, number(price), batches)


def average(quantity: object, value: object, price: object = 0) -> Stock:
    """Stock at an average."""
    return Stock("lamp", Method.MOVING_AVERAGE, number(quantity), number(value), number(price))


def layers(step: Step) -> list[tuple[str, str, str]]:
    return [
        (one.document, quantity_text(one.quantity), quantity_text(one.value))
        for one in step.stock.layers
    ]


def state(step: Step) -> tuple[str, ...]:
    """Quantity, value, and the remainder."""
    stock = step.stock
    return tuple(map(quantity_text, (stock.quantity, stock.value, step.remainder)))


def back(quantity: object, value: object, *sources: str, document: str = "A") -> Back:
    return Back(document, "X", number(quantity), number(value), frozenset({document, *sources}))


def test_the_last_one_out_takes_the_rest_of_the_value() -> None:
    """Three for 10.00: 3.33, 3.34, 3.33."""
    stock, costs = average(3, "10"), []
    for _ in range(3):
        step = take_out(stock, Decimal(1), 2)
        stock = step.stock
        costs.append(str(step.cost))
    assert costs == ["3.33", "3.34", "3.33"]
    assert (stock.quantity, stock.value) == (0, 0)


def test_fifo_takes_the_oldest_first_and_splits_the_one_where_it_ends() -> None:
    """3 of 2, 2 and 5: both old ones of the first, one of the second."""
    step = take_out(fifo(("A", 2, "10"), ("B", 2, "15.01"), ("C", 5, "1")), Decimal(3), 2)
    assert step.cost == Decimal("17.51")
    assert layers(step) == [("B", "1", "7.5"), ("C", "5", "1")]


@pytest.mark.parametrize("method", Method)
def test_what_goes_out_below_zero_costs_the_last_known_price(method: Method) -> None:
    """2 are there for 10.00, 5 go: the two, and three at 6.00."""
    stock = average(2, "10", 6) if method is Method.MOVING_AVERAGE else fifo(("A", 2, 10), price=6)
    step = take_out(stock, Decimal(5), 2)
    assert step.cost == Decimal(28)
    assert (step.stock.quantity, step.stock.value) == (-3, Decimal(-18))
    assert step.stock.layers == ()


@pytest.mark.parametrize("method", Method)
def test_a_receipt_into_a_hole_says_what_the_hole_really_cost(method: Method) -> None:
    """-3 were booked at 18.00; 10 come for 70.00: 7 are left at 7.00, the 3 cost 3.00 more."""
    hole = Stock("lamp", method, Decimal(-3), Decimal(-18), Decimal(6))
    step = take_in(hole, "R", Decimal(10), Decimal(70), 2)
    assert state(step) == ("7", "49", "-3")
    assert step.stock.price == 7
    assert layers(step) == ([("R", "7", "49")] if method is Method.FIFO else [])


@pytest.mark.parametrize("method", Method)
def test_a_receipt_that_fills_a_hole_exactly_leaves_nothing_worth_something(
    method: Method,
) -> None:
    """-3 at 18.00, 3 come for 20.00: 2.00 are a difference."""
    hole = Stock("lamp", method, Decimal(-3), Decimal(-18), Decimal(6))
    step = take_in(hole, "R", Decimal(3), Decimal(20), 2)
    assert state(step) == ("0", "0", "-2")
    assert step.stock.layers == ()


@pytest.mark.parametrize("method", Method)
def test_a_receipt_that_does_not_fill_the_hole_tells_the_cost_all_the_same(method: Method) -> None:
    """-5 at nothing, because nobody knew; 2 come at 4.00: the other 3 are owed at 4.00."""
    hole = Stock("lamp", method, Decimal(-5), Decimal(0), Decimal(0))
    step = take_in(hole, "R", Decimal(2), Decimal(8), 2)
    assert state(step) == ("-3", "-12", "-20")
    assert step.stock.price == 4
    assert step.stock.layers == ()


def test_the_price_of_an_average_is_kept_when_nothing_is_left() -> None:
    """It values what is found, or what goes out below zero."""
    step = take_out(average(3, "10", "3.333333"), Decimal(3), 2)
    assert step.stock.price == Decimal("3.333333")


def test_free_goods_lower_the_average_and_cost_nothing_in_fifo() -> None:
    """5 for nothing onto 5 for 10.00."""
    assert take_in(average(5, "10", 2), "R", Decimal(5), Decimal(0), 2).stock.price == 1
    step = take_in(fifo(("A", 5, "10"), price=2), "R", Decimal(5), Decimal(0), 2)
    assert layers(step) == [("A", "5", "10"), ("R", "5", "0")]


def test_a_revaluation_is_spread_over_the_layers_to_the_cent() -> None:
    """3 at 3.33333 are 10.00: the last layer takes the rest."""
    stock = fifo(("A", 1, 1), ("B", 1, 1), ("C", 1, 1), price=1)
    step = revalue(stock, number("3.33333333"), 2)
    assert layers(step) == [("A", "1", "3.33"), ("B", "1", "3.34"), ("C", "1", "3.33")]
    assert state(step) == ("3", "10", "7")
    assert step.stock.price == Decimal("3.333333")


def test_an_invoice_difference_goes_to_what_is_still_there() -> None:
    """10 invoiced, 4 of them here, 5.00 dearer: 2.00 on stock."""
    assert state(add_difference(average(4, 40), Decimal(5), Decimal(10), {"R"}, 2)) == (
        *("4", "42"),
        "2",
    )
    stock = fifo(("A", 9, 90), ("R", 4, 40), price=10)
    step = add_difference(stock, Decimal(5), Decimal(10), {"R"}, 2)
    assert layers(step) == [("A", "9", "90"), ("R", "4", "42")]
    assert step.remainder == 2


def test_an_invoice_difference_is_spread_over_all_layers_of_its_receipts_to_the_cent() -> None:
    """0.10 on three layers of one each; others get nothing."""
    stock = fifo(("R", 1, 10), ("A", 5, 50), ("R", 1, 10), ("Q", 1, 10), price=10)
    step = add_difference(stock, number("0.10"), Decimal(3), {"R", "Q"}, 2)
    assert layers(step) == [
        *(("R", "1", "10.03"), ("A", "5", "50"), ("R", "1", "10.04"), ("Q", "1", "10.03")),
    ]


def test_an_invoice_difference_finds_nothing_where_all_is_gone() -> None:
    """All of it is a price difference then."""
    for stock in (average(0, 0, 10), average(-4, -40, 10), fifo(("B", 9, 90), price=10)):
        step = add_difference(stock, Decimal(5), Decimal(10), {"R"}, 2)
        assert step == Step(stock, Decimal(0), Decimal(0))


def test_a_lower_invoice_never_makes_stock_worth_less_than_nothing() -> None:
    """100.00 less for 10 of which all are here, now worth 30.00."""
    step = add_difference(average(10, 30), Decimal(-100), Decimal(10), {"R"}, 2)
    assert state(step) == ("10", "0", "-30")
    step = add_difference(fifo(("A", 1, 9), ("R", 10, 30)), Decimal(-100), Decimal(10), {"R"}, 2)
    assert [one.value for one in step.stock.layers] == [9, 0]


def test_a_receipt_taken_back_leaves_its_own_layers_first() -> None:
    """The older layer stays."""
    stock = fifo(("B", 5, 50), ("A", 5, 100), ("C", 5, 60), price=12)
    step = take_back(stock, back(-5, -100), 2)
    assert layers(step) == [("B", "5", "50"), ("C", "5", "60")]
    assert state(step) == ("10", "110", "0")


def test_a_receipt_taken_back_after_part_of_it_went_takes_the_oldest_too() -> None:
    """3 of its 5 are gone at 20.00; 3 of another at 10.00 go in their place: 30.00 too much."""
    stock = fifo(("B", 5, 50), ("A", 2, 40), price=20)
    step = take_back(stock, back(-5, -100), 2)
    assert layers(step) == [("B", "2", "20")]
    assert state(step) == ("2", "20", "30")


def test_an_average_that_is_taken_back_below_nothing_is_worth_nothing() -> None:
    """6 are left at 1.00 of what came for 100.00: 4 of them cannot be worth less than zero."""
    step = take_back(average(6, 6, 1), back(-2, -20), 2)
    assert state(step) == ("4", "0", "14")


@pytest.mark.parametrize("method", Method)
def test_stock_that_is_taken_back_to_nothing_is_worth_nothing(method: Method) -> None:
    """5 at 4.00 each are here; they came at 3.00 each."""
    stock = average(5, 20, 4) if method is Method.MOVING_AVERAGE else fifo(("B", 5, 20), price=4)
    assert state(take_back(stock, back(-5, -15), 2)) == ("0", "0", "-5")


def test_an_issue_taken_back_is_the_newest_layer_at_its_old_cost() -> None:
    """It does not take its old place: recorded order counts."""
    step = take_back(fifo(("B", 1, 7), price=7), back(2, "11"), 2)
    assert layers(step) == [("B", "1", "7"), ("X", "2", "11")]


def test_an_issue_taken_back_into_a_hole_restores_what_was_there() -> None:
    """2 for 21.00, then 5 out at 10.50 each."""
    before = fifo(("A", 2, 21), price=10)
    out = take_out(before, Decimal(5), 2)
    step = take_back(out.stock, back(5, out.cost), 2)
    assert state(step) == ("2", "21", "0")
    assert layers(step) == [("X", "2", "21")]


def test_a_difference_taken_back_leaves_the_layers_that_got_it() -> None:
    """And others only as far as those have not enough left."""
    stock = fifo(("B", 5, 50), ("R", 4, 42), price=10)
    assert layers(take_back(stock, back(0, -2, "R"), 2)) == [("B", "5", "50"), ("R", "4", "40")]
    step = take_back(stock, back(0, -50, "R"), 2)
    assert layers(step) == [("B", "5", "42"), ("R", "4", "0")]
    assert state(step) == ("9", "42", "0")


def test_a_thousand_layers_are_enough_the_oldest_two_become_one() -> None:
    """What the ledger keeps of an item has a limit; no value is lost by it."""
    stock = fifo(*((f"R{n}", 1, n) for n in range(LAYERS_MAX)))
    step = take_in(stock, "NEW", Decimal(1), Decimal(5), 2)
    assert len(step.stock.layers) == LAYERS_MAX
    assert step.stock.layers[0] == Batch("R1", Decimal(2), Decimal(1))
    assert sum(one.value for one in step.stock.layers) == step.stock.value


def test_what_is_kept_comes_back_the_same() -> None:
    """Through the record of the ledger."""
    stock = fifo(("A", "2.5", "10.1"), ("B", 3, "7"), price="4.04")
    assert stock_of(valuation_of(stock, 2)) == stock
    assert valuation_of(stock, 2).value == "17.10"
