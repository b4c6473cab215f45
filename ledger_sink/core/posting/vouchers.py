"""Read me first: from a document to its vouchers, and to what stock is worth behind it.

Line by line: `amounts` works out what the line is about in money and moves the item's stock
(`valuation`), drawing on earlier documents (`clearing`); `rules` say which accounts that concerns.
Remainders of valuation become revaluation vouchers by the rule for revaluations. A reversal takes
the vouchers of its document again, in red. All that is made is checked here once more: it
balances, and its stock lines fit the movement and the valuation to the cent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from contracts.accounting import Account, Side
from contracts.books import LINES_MAX, Movement, PlaceKind
from contracts.documents import DocumentKind, EnteredDocument, EnteredLine
from contracts.vouchers import ItemValuation, Occasion, Voucher, VoucherLine
from ledger_sink.core.posting.accounting import VALUED, Accounting, Made, Problems, Related
from ledger_sink.core.posting.amounts import WORK, Desk, LineAmounts
from ledger_sink.core.posting.charts import full_part
from ledger_sink.core.posting.money import (
    PRICE_DECIMALS,
    WORKING,
    ZERO,
    amount_text,
    quantity_text,
    rounded,
)
from ledger_sink.core.posting.reversal import reverse
from ledger_sink.core.posting.rules import (
    BrokenRuleError,
    Facts,
    Rule,
    Template,
    first_that_holds,
)
from ledger_sink.core.posting.valuation import valuation_of

AMOUNT_LIMIT = Decimal(10) ** 15
"""An amount has up to fifteen digits before its point, as a quantity has."""


class Draft(NamedTuple):
    """A voucher line with the name of the rule that made it."""

    rule: str
    line: VoucherLine


def make_vouchers(
    document: EnteredDocument,
    movement: Movement | None,
    accounting: Accounting,
    place_kinds: Mapping[str, PlaceKind],
    valuations: Mapping[str, ItemValuation],
    related: Related,
) -> Made | Problems:
    """The vouchers of a document and the valuations that it changes; or what is wrong with it.

    `valuations` are those of all items that the document names, components too; an item without
    one has no stock yet. `place_kinds` are those of all locations that the movement names.
    """
    moved = valued_changes(movement, accounting, place_kinds)
    if document.kind is not DocumentKind.REVERSAL and document.kind not in WORK:
        return Made()
    desk = Desk(document, accounting, place_kinds, valuations, related)
    maker = _Maker(desk, "" if movement is None else movement.id)
    is_reversal = document.kind is DocumentKind.REVERSAL
    problems = maker.reverse(related) if is_reversal else maker.post()
    problems = problems or [*maker.revalue(), *_unfit(desk, maker.vouchers, moved)]
    if problems:
        return tuple(problems)
    booked = {line.item for voucher in maker.vouchers for line in voucher.lines}
    after = [valuation_of(one, desk.decimals) for one in desk.stocks.values() if one.item in booked]
    changed = tuple(one for one in after if one != valuations.get(one.item))
    return Made(tuple(maker.vouchers), changed)


def valued_changes(
    movement: Movement | None, accounting: Accounting, place_kinds: Mapping[str, PlaceKind]
) -> dict[str, Decimal]:
    """By how much a movement changes each item's valued stock, in base units."""
    changes: dict[str, Decimal] = {}
    for one in () if movement is None else movement.postings:
        is_inside = place_kinds.get(one.location) in VALUED
        if is_inside and not one.owner and one.item in accounting.costings:
            changes[one.item] = changes.get(one.item, ZERO) + Decimal(one.quantity)
    return changes


class _Maker:
    """Makes the vouchers of one document."""

    def __init__(self, desk: Desk, movement: str) -> None:
        self.vouchers: list[Voucher] = []
        self._desk = desk
        self._document = desk.document
        self._accounting = desk.accounting
        self._movement = movement
        settings = self._accounting.settings
        self._set = f"{settings.rules}/{self._accounting.rules_version}"
        party = self._accounting.parties.get(self._document.party)
        self._facts: dict[str, Mapping[str, str | bool]] = {
            "document": {
                "kind": str(self._document.kind),
                "party": self._document.party,
                "currency": self._document.currency or settings.base_currency,
                "warehouse": self._document.warehouse,
                "person": self._document.person,
                "refers": self._document.refers,
                "reason": self._document.reason,
                "is_department": party is not None and party.is_department,
            },
            "settings": {
                "mode": str(settings.mode),
                "receipt": str(settings.receipt),
                "shipment": str(settings.shipment),
            },
        }

    def post(self) -> list[str]:
        """The vouchers of the lines; what is wrong with them."""
        drafts: list[Draft] = []
        problems = []
        for line in self._document.lines:
            worked = self._desk.work(line)
            if worked is None:
                continue
            made = worked if isinstance(worked, str) else self._drafts(line, worked)
            if isinstance(made, str):
                problems.append(f"line {line.line}: {made}")
            else:
                drafts += made
        if not problems:
            self._add(drafts, Occasion.POSTING)
        return problems

    def revalue(self) -> list[str]:
        """The vouchers of the remainders; what is wrong with them."""
        drafts: list[Draft] = []
        problems = []
        for line, remainder in self._desk.remainders:
            made = self._drafts(line, LineAmounts(difference=remainder), DocumentKind.REVALUATION)
            if isinstance(made, str):
                problems.append(f"line {line.line}: {made}")
            else:
                drafts += made
        self._add(drafts, Occasion.REVALUATION)
        return problems

    def reverse(self, related: Related) -> list[str]:
        """The vouchers of a reversal; why it is refused."""
        taken = reverse(self._desk, related)
        if isinstance(taken, str):
            return [taken]
        for voucher in taken:
            self.vouchers.append(
                self._voucher(voucher.rule, Occasion.REVERSAL, voucher.lines, voucher.id)
            )
        return []

    def _drafts(
        self, line: EnteredLine, amounts: LineAmounts, kind: DocumentKind | None = None
    ) -> list[Draft] | str:
        """The voucher lines that the first rule makes of a line; or why it cannot."""
        facts = {**self._facts, "line": self._line_facts(line)}
        rules = self._accounting.compiled.get(kind or self._document.kind, ())
        name = self._accounting.settings.rules
        try:
            rule = first_that_holds(rules, facts)
            if rule is None:
                return f"no posting rule of the set {name} applies to it: add one"
            drafts = self._fill(rule, line, amounts, facts)
        except BrokenRuleError as error:
            return f"in the set of posting rules {name} {error}: correct it"
        return drafts if isinstance(drafts, str) else self._checked(rule, line, amounts, drafts)

    def _fill(
        self, rule: Rule, line: EnteredLine, amounts: LineAmounts, facts: Facts
    ) -> list[Draft] | str:
        """A rule's templates with a line's amounts."""
        drafts = []
        for template in rule.lines:
            if not template.when.holds(facts):
                continue
            amount = amounts.of(template.amount)
            if amount is None and not self._document.is_physical:
                return f"{line.item} has no price, and the rule {rule.id} books one: give it"
            amount = amount or ZERO
            if abs(amount) >= AMOUNT_LIMIT:
                return f"{amount:f} for {line.item} is more than the books can hold"
            if not amount and not amounts.quantity:
                continue
            account = self._account(template.part, line.item)
            if isinstance(account, str):
                return account
            if amount or account.is_stock:
                made = self._line(template, account, line, amounts, amount)
                drafts.append(Draft(f"{self._set}/{rule.id}", made))
        return drafts

    def _checked(
        self, rule: Rule, line: EnteredLine, amounts: LineAmounts, drafts: list[Draft]
    ) -> list[Draft] | str:
        """The drafts, if they balance."""
        debit = sum((Decimal(one.line.debit) for one in drafts), ZERO)
        credit = sum((Decimal(one.line.credit) for one in drafts), ZERO)
        if debit != credit:
            return (
                f"the rule {rule.id} does not balance for {line.item}: "
                f"{debit} debit, {credit} credit: correct the rule"
            )
        if amounts.quantity and not any(
            one.line.account in self._accounting.stock_accounts for one in drafts
        ):
            return f"the rule {rule.id} books no stock account for {line.item}: correct the rule"
        return drafts

    def _account(self, part: str, item: str) -> Account | str:
        """The account that plays a part."""
        costing = self._accounting.costings.get(item)
        name = full_part(part, "" if costing is None else costing.stock_class)
        account = self._accounting.accounts.get(name)
        if account is None:
            chart = self._accounting.settings.chart
            return f"the chart {chart} has no account for the part {name} of {item}: add it"
        return account

    def _line(
        self,
        template: Template,
        account: Account,
        line: EnteredLine,
        amounts: LineAmounts,
        amount: Decimal,
    ) -> VoucherLine:
        """One voucher line; a negative amount goes to the other side."""
        is_debit = template.side is Side.DEBIT
        sign = 1 if is_debit else -1
        text = amount_text(abs(amount), self._desk.decimals)
        on_debit = is_debit == (amount >= 0)
        foreign = amounts.currency_of(template.amount)
        is_priced = foreign is not None
        currency = self._document.currency
        if currency in {"", self._accounting.settings.base_currency} or foreign is None:
            currency, foreign = "", None
        return VoucherLine(
            account=account.code,
            debit=text if on_debit else "0",
            credit="0" if on_debit else text,
            item=line.item,
            quantity=quantity_text(sign * amounts.quantity) if account.is_stock else "0",
            price=_price(line) if is_priced else "",
            tax=line.tax if is_priced else "",
            currency=currency,
            currency_amount=(
                "" if foreign is None else amount_text(sign * foreign, self._desk.decimals)
            ),
            party="" if account.is_stock else self._document.party,
            document_line=line.line,
        )

    def _line_facts(self, line: EnteredLine) -> Mapping[str, str | bool]:
        """What conditions see of a line."""
        costing = self._accounting.costings.get(line.item)
        return {
            "item": line.item,
            "location": line.location,
            "to_location": line.to_location,
            "batch": line.batch,
            "disposition": line.disposition,
            "owner": line.owner,
            "reason": line.reason,
            "stock_class": "" if costing is None else costing.stock_class,
        }

    def _add(self, drafts: Sequence[Draft], occasion: Occasion) -> None:
        """One voucher for each rule, in order; more where one would be too long."""
        for rule in dict.fromkeys(draft.rule for draft in drafts):
            page: list[VoucherLine] = []
            mine = (draft.line for draft in drafts if draft.rule == rule)
            for _, some in groupby(mine, key=lambda line: line.document_line):
                block = tuple(some)
                if len(page) + len(block) > LINES_MAX:
                    self.vouchers.append(self._voucher(rule, occasion, tuple(page)))
                    page.clear()
                page += block
            self.vouchers.append(self._voucher(rule, occasion, tuple(page)))

    def _voucher(
        self, rule: str, occasion: Occasion, lines: tuple[VoucherLine, ...], reverses: str = ""
    ) -> Voucher:
        return Voucher(
            id=f"{self._document.id}/v{len(self.vouchers) + 1}",
            document=self._document.id,
            movement=self._movement,
            rule=rule,
            occasion=occasion,
            happened_us=self._document.happened_us,
            currency=self._accounting.settings.base_currency,
            lines=lines,
            reverses=reverses,
            is_proposal=self._accounting.is_proposal,
        )


def _price(line: EnteredLine) -> str:
    """A line's price for one base unit, in the document's currency; empty: it has none."""
    if not line.price:
        return ""
    whole = WORKING.multiply(Decimal(line.price), Decimal(line.unit_quantity))
    price = WORKING.divide(whole, abs(Decimal(line.quantity)))
    return quantity_text(rounded(price, PRICE_DECIMALS))


def _unfit(desk: Desk, vouchers: Sequence[Voucher], moved: Mapping[str, Decimal]) -> Iterator[str]:
    """Where the stock lines of the vouchers fit neither the movement nor the valuation."""
    quantities: dict[str, Decimal] = {}
    values: dict[str, Decimal] = {}
    for voucher in vouchers:
        for line in voucher.lines:
            if line.account in desk.accounting.stock_accounts:
                item, value = line.item, Decimal(line.debit) - Decimal(line.credit)
                quantities[item] = quantities.get(item, ZERO) + Decimal(line.quantity)
                values[item] = values.get(item, ZERO) + value
    for item in dict.fromkeys([*quantities, *moved, *desk.stocks]):
        booked, change = quantities.get(item, ZERO), moved.get(item, ZERO)
        if booked != change:
            yield (
                f"{_place(desk, item)}: the movement changes the valued stock of {item} by "
                f"{change:f}, its vouchers by {booked:f}: what stands in the house and is ours "
                "must be booked, and nothing else"
            )
        before, after = desk.before(item), desk.stock(item)
        gained = values.get(item, ZERO)
        if after.value - before.value != gained or after.quantity - before.quantity != booked:
            yield (
                f"{_place(desk, item)}: the rules book {gained:f} on the stock accounts of "
                f"{item}, but its value changes by {after.value - before.value:f}: correct them"
            )


def _place(desk: Desk, item: str) -> str:
    """The first line about an item, in words."""
    numbers = [line.line for line in desk.document.lines if line.item == item]
    return f"line {numbers[0]}" if numbers else "the document"
