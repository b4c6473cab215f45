"""Posting rules, ready to be asked: which voucher a line of a document leads to.

A rule is data: IF (kind of document, condition in CEL) THEN lines that name a part of the chart
and an amount. Conditions see words only, never money: amounts are worked out beside, exactly.
What a condition may say is checked when a rule set is deployed (`rule_check`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import cel

from contracts.accounting import Amount, PostingRules, Side
from contracts.documents import DocumentKind

CONDITIONS_MAX = 2_000
"""Compiled conditions that are kept: more than one rule set has, and little memory."""
ANSWERS_MAX = 20_000
"""Answers that are kept: an evaluation takes longer than all else that a line needs."""

Facts = Mapping[str, Mapping[str, str | bool]]
"""What a condition sees: `document`, `line`, `settings`, with their fields."""

FIELDS: Mapping[str, tuple[str, ...]] = {
    "document": (
        *("kind", "party", "currency", "warehouse", "person", "refers", "reason"),
        "is_department",
    ),
    "line": (
        *("item", "location", "to_location", "batch", "disposition", "owner", "reason"),
        "stock_class",
    ),
    "settings": ("mode", "receipt", "shipment"),
}
"""The names that a condition may use."""

STRING = re.compile(
    r"""[rRbB]{0,2}(?:'{3}.*?'{3}|"{3}.*?"{3}|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")""", re.DOTALL
)
"""A string literal of CEL."""
FAILURES = (KeyError, RuntimeError, TypeError, ValueError)
"""What compiling and evaluating raise."""
FIELD = re.compile(r"(?<![\w.])(document|line|settings)\s*\.\s*(\w+)")
"""A field of something that a condition sees."""


class BrokenRuleError(ValueError):
    """A condition that was never checked cannot be answered; the message says which and why."""


class Condition(NamedTuple):
    """A condition, compiled, with the fields that it asks for."""

    text: str
    """Empty: always true."""
    fields: tuple[tuple[str, str], ...]

    def holds(self, facts: Facts) -> bool:
        """Whether it is true of these facts. Raises BrokenRuleError."""
        if not self.text:
            return True
        try:
            said = answer(self, tuple(facts[name][field] for name, field in self.fields))
        except FAILURES as error:
            raise BrokenRuleError(f"the condition {self.text!r} fails: {error}") from error
        if not isinstance(said, bool):
            raise BrokenRuleError(f"the condition {self.text!r} is neither true nor false")
        return said


class Template(NamedTuple):
    """One line of a voucher."""

    side: Side
    part: str
    amount: Amount
    when: Condition


class Rule(NamedTuple):
    """A posting rule."""

    id: str
    when: Condition
    lines: tuple[Template, ...]


@lru_cache(maxsize=CONDITIONS_MAX)
def program(text: str) -> cel.Program:
    """The condition, compiled; ValueError where it is no CEL."""
    return cel.compile(text)


@lru_cache(maxsize=ANSWERS_MAX)
def answer(condition: Condition, values: tuple[str | bool, ...]) -> object:
    """What a condition says of its fields' values, in their order."""
    facts: dict[str, dict[str, str | bool]] = {}
    for (name, field), value in zip(condition.fields, values, strict=True):
        facts.setdefault(name, {})[field] = value
    return program(condition.text).execute(facts)


@lru_cache(maxsize=CONDITIONS_MAX)
def condition(text: str) -> Condition:
    """A condition by its text."""
    named = FIELD.findall(without_strings(text))
    return Condition(text.strip(), tuple(dict.fromkeys(named)))


def without_strings(text: str) -> str:
    """A condition with its string literals emptied, so that what is left are names and signs."""
    return STRING.sub("''", text)


def rules_by_kind(rules: PostingRules) -> Mapping[DocumentKind, tuple[Rule, ...]]:
    """The rules of a set that was checked, by kind of document, in their order."""
    found: dict[DocumentKind, list[Rule]] = {}
    for rule in rules.rules:
        lines = tuple(
            Template(one.side, one.part, one.amount, condition(one.when)) for one in rule.lines
        )
        found.setdefault(rule.document, []).append(Rule(rule.id, condition(rule.when), lines))
    return {kind: tuple(some) for kind, some in found.items()}


def first_that_holds(rules: tuple[Rule, ...], facts: Facts) -> Rule | None:
    """The first rule that applies."""
    return next((rule for rule in rules if rule.when.holds(facts)), None)
