"""What vouchers are made from, and what making them gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from contracts.accounting import (
    Account,
    BillOfMaterials,
    BookSettings,
    Chart,
    Costing,
    Mode,
    Party,
    PostingRules,
    TaxCode,
)
from contracts.books import PlaceKind
from contracts.documents import DocumentKind, EnteredDocument
from contracts.vouchers import ItemValuation, Voucher
from ledger_sink.core.posting.rules import Rule, rules_by_kind

VALUED = frozenset({PlaceKind.ZONE, PlaceKind.BIN, PlaceKind.IN_TRANSIT})
"""Where stock of ours has a value."""


@dataclass(frozen=True)
class Accounting:
    """How a site keeps its books, as of one entry."""

    settings: BookSettings
    chart: Chart
    rules: PostingRules
    rules_version: int
    """The entry that deployed the rules; 0: they are the ones that ship."""
    taxes: Mapping[str, TaxCode] = field(default_factory=dict)
    """By code."""
    costings: Mapping[str, Costing] = field(default_factory=dict)
    """By item: these are valued."""
    bills: Mapping[str, BillOfMaterials] = field(default_factory=dict)
    """By the item that is made."""
    parties: Mapping[str, Party] = field(default_factory=dict)
    """By id."""

    @cached_property
    def compiled(self) -> Mapping[DocumentKind, tuple[Rule, ...]]:
        """The rules, ready to be asked, by kind of document."""
        return rules_by_kind(self.rules)

    @cached_property
    def stock_accounts(self) -> frozenset[str]:
        """The codes of the accounts that hold the value of stock."""
        return frozenset(one.code for one in self.chart.accounts if one.is_stock)

    @cached_property
    def accounts(self) -> Mapping[str, Account]:
        """The account that plays each part of the chart."""
        by_code = {one.code: one for one in self.chart.accounts}
        return {part: by_code[code] for part, code in self.chart.parts.items() if code in by_code}

    @property
    def is_proposal(self) -> bool:
        """True: the ERP leads, and vouchers are what it is asked to book."""
        return self.settings.mode is Mode.ERP_LED


@dataclass(frozen=True)
class Related:
    """The family of a document: all that hangs together by `refers`, however far.

    That is the document that it refers to, what that one refers to, and all that refer to any of
    these, with the reversals among them: an order, its receipts, their invoices and returns. In
    the order in which they were recorded, without the document itself.
    """

    documents: tuple[EnteredDocument, ...] = ()
    vouchers: tuple[Voucher, ...] = ()
    """All vouchers of these documents."""

    @cached_property
    def by_id(self) -> Mapping[str, EnteredDocument]:
        """The documents by id."""
        return {one.id: one for one in self.documents}

    @cached_property
    def vouchers_of(self) -> Mapping[str, Sequence[Voucher]]:
        """The vouchers by document."""
        found: dict[str, list[Voucher]] = {}
        for one in self.vouchers:
            found.setdefault(one.document, []).append(one)
        return found


@dataclass(frozen=True)
class Made:
    """What a document leads to."""

    vouchers: tuple[Voucher, ...] = ()
    """In order, each balanced."""
    valuations: tuple[ItemValuation, ...] = ()
    """What the items are worth behind it; only those that changed."""


Problems = tuple[str, ...]
"""Why there is no voucher, line by line."""
