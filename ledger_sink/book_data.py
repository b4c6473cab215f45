"""Data of the books as it counts: what was put, else what ships; and whether it holds together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from contracts.accounting import (
    BatchCard,
    BillOfMaterials,
    BookDataKind,
    BookSettings,
    Chart,
    Costing,
    ItemCard,
    Party,
    Planning,
    PostingRules,
    TaxCode,
    Units,
)
from contracts.documents import Written
from ledger_sink.core.posting.accounting import Accounting
from ledger_sink.core.posting.rule_check import check_accounting
from ledger_sink.defaults import CHARTS, RULES, default_chart, default_rules

MODELS: Mapping[BookDataKind, type[Written]] = {
    BookDataKind.SETTINGS: BookSettings,
    BookDataKind.CHART: Chart,
    BookDataKind.RULES: PostingRules,
    BookDataKind.TAX: TaxCode,
    BookDataKind.COSTING: Costing,
    BookDataKind.UNITS: Units,
    BookDataKind.BILL_OF_MATERIALS: BillOfMaterials,
    BookDataKind.PLANNING: Planning,
    BookDataKind.BATCH: BatchCard,
    BookDataKind.ITEM_CARD: ItemCard,
    BookDataKind.PARTY: Party,
}
"""What the body of each kind of data is."""
HANGING_TOGETHER = (
    BookDataKind.SETTINGS,
    BookDataKind.CHART,
    BookDataKind.RULES,
    BookDataKind.COSTING,
)
"""Rules name parts of the chart, items have classes that it knows, settings name both."""
_Body = TypeVar("_Body", bound=Written)


class Kept(NamedTuple):
    """Data of the books that counts now."""

    seq: int
    """The entry that says so."""
    body: Written
    """The model of its kind."""


Known = Mapping[tuple[BookDataKind, str], Kept]
"""By kind and key."""


class AccountingError(ValueError):
    """Data of the books that does not hold together; the message names all mistakes."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        """`mistakes` are whole."""
        super().__init__("; ".join(mistakes))
        self.mistakes = tuple(mistakes)


def settings_of(known: Known) -> BookSettings:
    """The site's settings, else those that a site has from the start."""
    kept = known.get((BookDataKind.SETTINGS, ""))
    return kept.body if kept and isinstance(kept.body, BookSettings) else BookSettings()


def bodies_of(known: Known, what: BookDataKind, model: type[_Body]) -> dict[str, _Body]:
    """The bodies of a kind, by key."""
    return {
        key: kept.body
        for (kind, key), kept in known.items()
        if kind is what and isinstance(kept.body, model)
    }


def shipped(known: Known) -> Iterator[tuple[BookDataKind, str, Written]]:
    """The chart and the rules that ship, where the settings name them and nobody put any."""
    settings = settings_of(known)
    if settings.chart in CHARTS and (BookDataKind.CHART, settings.chart) not in known:
        yield BookDataKind.CHART, settings.chart, default_chart(settings.chart)
    if settings.rules == RULES and (BookDataKind.RULES, RULES) not in known:
        yield BookDataKind.RULES, RULES, default_rules()


def accounting_of(known: Known) -> Accounting:
    """How the site keeps its books; a chart or rules that are nowhere are empty."""
    settings = settings_of(known)
    whole = {**known, **{(what, key): Kept(0, body) for what, key, body in shipped(known)}}
    rules = whole.get((BookDataKind.RULES, settings.rules))
    return Accounting(
        settings=settings,
        chart=chart_of(whole) or Chart(accounts=(), parts={}),
        rules=(
            rules.body if rules and isinstance(rules.body, PostingRules) else PostingRules(rules=())
        ),
        rules_version=rules.seq if rules else 0,
        taxes=bodies_of(known, BookDataKind.TAX, TaxCode),
        costings=bodies_of(known, BookDataKind.COSTING, Costing),
        bills=bodies_of(known, BookDataKind.BILL_OF_MATERIALS, BillOfMaterials),
        parties=bodies_of(known, BookDataKind.PARTY, Party),
    )


def chart_of(known: Known) -> Chart | None:
    """The chart that counts; none: nobody put it."""
    kept = known.get((BookDataKind.CHART, settings_of(known).chart))
    return kept.body if kept and isinstance(kept.body, Chart) else None


def mistakes_in(known: Known) -> list[str]:
    """What is wrong with how a site would keep its books; empty: nothing."""
    return missing_in(known) or check_accounting(accounting_of(known))


def missing_in(known: Known) -> list[str]:
    """The chart and the rules that the settings name and nobody put."""
    settings, there = settings_of(known), {(what, key) for what, key, _ in shipped(known)}
    there |= set(known)
    return [
        f"settings, {what}: there is no {what} {key}: put it before, or name"
        f" {' or '.join(names)}, which ships"
        for what, key, names in (
            (BookDataKind.CHART, settings.chart, CHARTS),
            (BookDataKind.RULES, settings.rules, (RULES,)),
        )
        if (what, key) not in there
    ]
