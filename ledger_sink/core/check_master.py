"""Recomputes master data of the books, and remembers what counts while the rest is recomputed."""

from __future__ import annotations

import msgspec

from contracts.accounting import (
    BillOfMaterials,
    BookDataKind,
    BookSettings,
    Chart,
    Costing,
    Party,
    PostingRules,
    TaxCode,
)
from contracts.books import BookData, BookItem, BookPlace, PeriodClosed, PlaceKind
from ledger_sink.core.check_rows import (
    BOOK_DATA,
    BOOK_ITEMS,
    BOOK_PERIODS,
    BOOK_PLACES,
    Entry,
    Row,
    Table,
    json_form,
)
from ledger_sink.core.posting.accounting import Accounting

_book = msgspec.json.Decoder(BookItem | BookPlace | PeriodClosed | BookData)

SHIPPED_CHANGES = frozenset(
    ("disposition", before, after)
    for before, afters in {
        "inspection": ("available", "frozen", "damaged", "expired"),
        "available": ("inspection", "frozen", "damaged", "expired"),
        "frozen": ("available", "inspection", "damaged", "expired"),
        "damaged": ("inspection", "frozen"),
        "expired": ("inspection", "frozen"),
    }.items()
    for after in afters
) | {
    ("reservation", "none", "allocated"),
    ("reservation", "allocated", "none"),
    ("reservation", "allocated", "picked"),
    ("reservation", "picked", "allocated"),
    ("reservation", "picked", "none"),
}
"""The changes of state that the schema itself allows: axis, before, after."""


NO_CHART = Chart(accounts=(), parts={})


class Master:
    """Master data as of the entry that was taken last."""

    def __init__(self, shipped_rules: PostingRules) -> None:
        """The rules count where a site has none of its own."""
        self.place_kinds: dict[str, PlaceKind] = {}
        self._shipped_rules = shipped_rules
        self._settings = BookSettings()
        self._charts: dict[str, Chart] = {}
        self._rules: dict[str, tuple[PostingRules, int]] = {}
        self._taxes: dict[str, TaxCode] = {}
        self._costings: dict[str, Costing] = {}
        self._bills: dict[str, BillOfMaterials] = {}
        self._parties: dict[str, Party] = {}
        self._accounting: Accounting | None = None

    @property
    def accounting(self) -> Accounting:
        """What vouchers are made from."""
        if self._accounting is None:
            rules, version = self._rules.get(self._settings.rules, (self._shipped_rules, 0))
            self._accounting = Accounting(
                settings=self._settings,
                chart=self._charts.get(self._settings.chart, NO_CHART),
                rules=rules,
                rules_version=version,
                taxes=self._taxes,
                costings=self._costings,
                bills=self._bills,
                parties=self._parties,
            )
        return self._accounting

    def take(self, entry: Entry) -> dict[Table, list[Row]]:
        """The row of an entry of kind `book`. Raises what decoding and validation raise."""
        said = _book.decode(entry.payload)
        if isinstance(said, BookItem):
            counted = (said.base_unit, said.decimals, str(said.tracking), str(said.negative))
            return {BOOK_ITEMS: [(said.item, *counted)]}
        if isinstance(said, BookPlace):
            self.place_kinds[said.location] = said.kind
            return {BOOK_PLACES: [(said.location, str(said.kind), said.warehouse)]}
        if isinstance(said, PeriodClosed):
            return {BOOK_PERIODS: [(said.before_us,)]}
        body = bytes(said.body)
        self._take_data(entry.seq, said.what, said.key, body)
        return {BOOK_DATA: [(said.what, said.key, json_form(body))]}

    def _take_data(self, seq: int, what: str, key: str, body: bytes) -> None:
        self._accounting = None
        match what:
            case BookDataKind.SETTINGS:
                self._settings = BookSettings.model_validate_json(body)
            case BookDataKind.CHART:
                self._charts[key] = Chart.model_validate_json(body)
            case BookDataKind.RULES:
                self._rules[key] = (PostingRules.model_validate_json(body), seq)
            case BookDataKind.TAX:
                self._taxes[key] = TaxCode.model_validate_json(body)
            case BookDataKind.COSTING:
                self._costings[key] = Costing.model_validate_json(body)
            case BookDataKind.BILL_OF_MATERIALS:
                self._bills[key] = BillOfMaterials.model_validate_json(body)
            case BookDataKind.PARTY:
                self._parties[key] = Party.model_validate_json(body)
            case _:
                pass
