"""Amounts are exact, rounded half up, and shared out without losing a cent."""

from decimal import Decimal

from ledger_sink.core.posting.money import (
    amount_text,
    price_line,
    quantity_text,
    rounded,
    share,
    times,
    unit_cost,
)


def test_half_a_cent_goes_up_and_below_zero_away_from_it() -> None:
    """As on paper: 0.125 is 0.13, and -0.125 is -0.13."""
    assert rounded(Decimal("0.125"), 2) == Decimal("0.13")
    assert rounded(Decimal("-0.125"), 2) == Decimal("-0.13")
    assert rounded(Decimal("0.1249999999"), 2) == Decimal("0.12")


def test_a_line_has_its_amounts_rounded_one_after_the_other() -> None:
    """3 at 33.335 are 100.01 (100.005); 13 % of that are 13.00; at 7.0825 both in yuan."""
    amounts = price_line(
        Decimal(3), Decimal("33.335"), Decimal("0.13"), Decimal("7.0825"), money_decimals=2
    )
    assert amounts.net == Decimal("100.01")
    assert amounts.tax_amount == Decimal("13.00")
    assert amounts.net_base == Decimal("708.32")
    assert amounts.tax_base == Decimal("92.07")


def test_a_currency_without_cents_has_none() -> None:
    """Yen."""
    amounts = price_line(Decimal("2.5"), Decimal(333), Decimal("0.1"), Decimal(1), 0)
    assert amounts == (Decimal(833), Decimal(83), Decimal(833), Decimal(83))


def test_the_largest_numbers_that_are_written_stay_exact() -> None:
    """Fifteen digits and six decimals each; a machine's float has sixteen in all."""
    most = Decimal("999999999999999.999999")
    assert times(most, most, 2) == Decimal("999999999999999999998000000000.00")
    assert times(most, Decimal("0.000001"), 2) == Decimal("1000000000.00")


def test_shares_of_what_is_left_end_at_nothing() -> None:
    """Three thirds of 10.00, each of the rest."""
    left, shares = Decimal("10.00"), []
    for pieces in (3, 2, 1):
        shares.append(share(left, Decimal(1), Decimal(pieces), 2))
        left -= shares[-1]
    assert shares == [Decimal("3.33"), Decimal("3.34"), Decimal("3.33")]
    assert left == 0


def test_a_unit_cost_is_kept_to_six_decimals() -> None:
    """A third is not exact, and is never multiplied back for what leaves wholly."""
    assert unit_cost(Decimal(10), Decimal(3)) == Decimal("3.333333")
    assert unit_cost(Decimal(20), Decimal(3)) == Decimal("6.666667")


def test_numbers_are_written_in_one_way() -> None:
    """Amounts with their cents, quantities without zeros behind, nothing as 0."""
    assert amount_text(Decimal("12.5"), 2) == "12.50"
    assert amount_text(Decimal("0.00"), 2) == "0"
    assert amount_text(Decimal(-3), 0) == "-3"
    assert quantity_text(Decimal("100.500")) == "100.5"
    assert quantity_text(Decimal("-0.000")) == "0"
    assert quantity_text(Decimal("1E+3")) == "1000"
