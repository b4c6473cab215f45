"""Checks a set of posting rules before it counts: every mistake by rule, line and field.

A condition is checked by its names first, then by trying it: over every value that its fields can
have as far as it can tell them apart (the words that it names, another word, none). In each of
these situations the first rule that applies must make a voucher that balances whatever the
amounts are, books the stock that moves, and clears what waits; and there must be one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import product

import cel

from contracts.accounting import (
    Amount,
    Chart,
    Mode,
    PostingRule,
    PostingRules,
    ReceiptPolicy,
    ShipmentPolicy,
    Side,
)
from contracts.books import Disposition
from contracts.documents import DocumentKind
from ledger_sink.core.posting.accounting import Accounting
from ledger_sink.core.posting.charts import INVENTORY, account_of, check_chart, full_part
from ledger_sink.core.posting.meanings import MEANINGS, Sum
from ledger_sink.core.posting.rules import (
    FAILURES,
    FIELD,
    FIELDS,
    STRING,
    Condition,
    answer,
    condition,
    program,
    without_strings,
)

SITUATIONS_MAX = 20_000
"""Of one kind of document: some seconds of trying."""
FUNCTIONS = frozenset(
    {
        *("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_&&_", "_||_", "!_", "@in", "_?_:_"),
        *("startsWith", "endsWith", "contains", "matches", "size"),
    }
)
"""What a condition may use: it compares words. Arithmetic is none of its business."""
NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
OTHER_WORD = "another word"
WORDS: Mapping[tuple[str, str], type[StrEnum]] = {
    ("settings", "mode"): Mode,
    ("settings", "receipt"): ReceiptPolicy,
    ("settings", "shipment"): ShipmentPolicy,
    ("line", "disposition"): Disposition,
}
"""Fields that can say only so much."""
Situation = Mapping[tuple[str, str], str | bool]


def check_accounting(accounting: Accounting) -> list[str]:
    """What is wrong with how a site would keep its books; ask before any of it is deployed.

    Rules, their chart, and the stock classes of the items.
    """
    mistakes = check_rules(accounting.rules, accounting.chart)
    for item, costing in accounting.costings.items():
        part = full_part(INVENTORY, costing.stock_class)
        if part not in accounting.chart.parts:
            mistakes.append(f"costing of {item}, stock_class: the chart has no part {part}")
    return mistakes


def check_rules(rules: PostingRules, chart: Chart) -> list[str]:
    """What is wrong with a rule set over a chart, all of it; empty: nothing."""
    mistakes = [f"chart: {mistake}" for mistake in check_chart(chart)]
    names = Counter(rule.id for rule in rules.rules)
    mistakes += [f"rule {name}: the name comes twice" for name, n in names.items() if n > 1]
    for rule in rules.rules:
        mistakes += _written(rule, chart)
    if not mistakes:
        for kind in MEANINGS:
            mistakes += _tried(kind, rules, chart)
    return mistakes


def _written(rule: PostingRule, chart: Chart) -> Iterator[str]:
    """What is wrong with a rule as it stands."""
    place = f"rule {rule.id}"
    meaning = MEANINGS.get(rule.document)
    if meaning is None:
        yield f"{place}, document: a {rule.document} has no voucher"
        return
    if not rule.lines:
        yield f"{place}, lines: there are none"
    yield from (f"{place}, when: {text}" for text in check_condition(rule.when))
    for number, line in enumerate(rule.lines, 1):
        where = f"{place}, line {number}"
        yield from (f"{where}, when: {text}" for text in check_condition(line.when))
        if line.amount not in meaning.amounts:
            known = ", ".join(meaning.amounts)
            yield f"{where}, amount: a {rule.document} has no {line.amount}; it has {known}"
        parts = [part for part in chart.parts if part.startswith(f"{INVENTORY}.")]
        if line.part == INVENTORY and not parts:
            yield f"{where}, part: the chart has no part {INVENTORY}.(stock class)"
        elif line.part != INVENTORY and line.part not in chart.parts:
            yield f"{where}, part: the chart has no part {line.part}"


def check_condition(text: str) -> list[str]:
    """What is wrong with a condition by itself: its grammar, its names, what it answers."""
    if not text.strip():
        return []
    try:
        references = program(text).references()
    except ValueError as error:
        return [f"it is no CEL: {' '.join(str(error).split())}"]
    mistakes = [
        f"{name} is not known here; there are {', '.join(FIELDS)}"
        for name in references["variables"]
        if name not in FIELDS
    ]
    mistakes += [
        f"{name.strip('_@')} cannot be used here: a condition compares words, it does not work out"
        for name in references["functions"]
        if name not in FUNCTIONS
    ]
    asked = condition(text)
    mistakes += [
        f"{name} has no field {field}; it has {', '.join(FIELDS[name])}"
        for name, field in asked.fields
        if field not in FIELDS[name]
    ]
    bare = NAME.findall(FIELD.sub("", without_strings(text)))
    mistakes += [
        f"{name} is many things: say which, as in {name}.{FIELDS[name][0]}"
        for name in FIELDS
        if name in bare
    ]
    return mistakes or list(_answers(asked, [asked]))


def _answers(asked: Condition, conditions: Sequence[Condition]) -> Iterator[str]:
    """Whether a condition says yes or no whatever its fields are."""
    situations = _situations(None, conditions, ())
    if situations is None:
        yield f"it has more than {SITUATIONS_MAX} cases: name fewer words"
        return
    for situation in situations:
        try:
            said = answer(asked, tuple(situation[field] for field in asked.fields))
        except FAILURES as error:
            text = " ".join(str(error).split())
            yield f"it fails{_when(situation)}: {text}"
            return
        if not isinstance(said, bool):
            yield f"it must be true or false, and is {said!r}{_when(situation)}"
            return


def _tried(kind: DocumentKind, rules: PostingRules, chart: Chart) -> Iterator[str]:
    """What goes wrong with documents of a kind."""
    mine = [rule for rule in rules.rules if rule.document is kind]
    conditions = [condition(rule.when) for rule in mine]
    conditions += [condition(line.when) for rule in mine for line in rule.lines]
    classes = [part.partition(".")[2] for part in chart.parts if part.startswith(f"{INVENTORY}.")]
    situations = _situations(kind, conditions, classes)
    if situations is None:
        yield f"{kind}: its rules have more than {SITUATIONS_MAX} cases: name fewer words"
        return
    used: set[str] = set()
    found: dict[str, str] = {}
    for situation in situations:
        rule = next((one for one in mine if _holds(one.when, situation)), None)
        if rule is None:
            found.setdefault(f"{kind}: no rule applies", _when(situation))
            continue
        used.add(rule.id)
        for mistake in _misbooked(rule, chart, situation):
            found.setdefault(f"rule {rule.id}, lines: {mistake}", _when(situation))
    yield from (f"{mistake}{when}" for mistake, when in found.items())
    for rule in mine:
        if rule.id not in used:
            yield f"rule {rule.id}, when: it never applies, the rules before it take everything"


def _misbooked(rule: PostingRule, chart: Chart, situation: Situation) -> Iterator[str]:
    """What is wrong with the voucher of a rule in a situation."""
    meaning = MEANINGS[rule.document]
    balance: Counter[str] = Counter()
    stock: Counter[str] = Counter()
    clearing: Counter[str] = Counter()
    stock_lines = 0
    for line in rule.lines:
        if not _holds(line.when, situation):
            continue
        sign = 1 if line.side is Side.DEBIT else -1
        amount = {name: sign * n for name, n in meaning.amounts[line.amount].items()}
        account = account_of(chart, line.part)
        _add(balance, amount)
        if line.part == INVENTORY or (account is not None and account.is_stock):
            _add(stock, amount)
            stock_lines += 1
        if line.part == meaning.clearing:
            _add(clearing, amount)
    if balance:
        yield "debits and credits are not the same"
    is_transfer = rule.document in {DocumentKind.TRANSFER_OUT, DocumentKind.TRANSFER_IN}
    expected = 2 if is_transfer else int(bool(meaning.stock))
    if stock_lines != expected or stock != dict(meaning.stock):
        yield f"stock accounts must get {_told(meaning.stock, rule.document, expected)}"
    if meaning.clearing and not any(clearing == dict(one) for one in meaning.cleared):
        yield f"the part {meaning.clearing} must get {Amount.CLEARED} on the side that settles it"


def _told(stock: Sum, kind: DocumentKind, expected: int) -> str:
    """What stock accounts must get, in words."""
    if expected != 1:
        return "a debit and a credit of the same" if expected else "nothing by it"
    amount = Amount.DIFFERENCE if kind is DocumentKind.REVALUATION else Amount.COST
    return f"one {'debit' if min(stock.values()) > 0 else 'credit'} of {amount}"


def _add(total: Counter[str], amount: Sum) -> None:
    """Add unknowns; what cancels out is gone."""
    for name, n in amount.items():
        total[name] += n
        if not total[name]:
            del total[name]


def _holds(text: str, situation: Situation) -> bool:
    """Whether a condition that was checked is true there."""
    asked = condition(text)
    values = tuple(situation[field] for field in asked.fields)
    return not asked.text or answer(asked, values) is True


def _situations(
    kind: DocumentKind | None, conditions: Sequence[Condition], classes: Sequence[str]
) -> Iterator[Situation] | None:
    """All that conditions can tell apart; none: too much. Without a kind: of any."""
    fields = dict.fromkeys(field for one in conditions for field in one.fields)
    words = dict.fromkeys(word for one in conditions for word in _words(one.text))
    choices: list[Sequence[str | bool]] = []
    size = 1
    for field in fields:
        choices.append(_choices(field, kind, tuple(words), classes))
        size *= len(choices[-1])
        if size > SITUATIONS_MAX:
            return None
    return (dict(zip(fields, values, strict=True)) for values in product(*choices))


def _choices(
    field: tuple[str, str],
    kind: DocumentKind | None,
    words: Sequence[str],
    classes: Sequence[str],
) -> Sequence[str | bool]:
    """What a field can say."""
    if field == ("document", "is_department"):
        return (False, True)
    if field == ("document", "kind"):
        # The remainders of all kinds are booked by the rules for revaluations.
        is_any = kind is None or kind is DocumentKind.REVALUATION
        return [str(one) for one in MEANINGS] if is_any else [str(kind)]
    if field in WORDS:
        return [str(one) for one in WORDS[field]]
    if field == ("line", "stock_class") and classes:
        return classes
    return list(dict.fromkeys(["", OTHER_WORD, *words]))


def _words(text: str) -> Iterator[str]:
    """The words that a condition names."""
    for literal in STRING.findall(text):
        word = cel.evaluate(literal)
        if isinstance(word, str):
            yield word


def _when(situation: Situation) -> str:
    """A situation in words."""
    told = [f"{name}.{field} is {value!r}" for (name, field), value in situation.items()]
    return f" when {' and '.join(told)}" if told else ""
