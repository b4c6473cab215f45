"""The charts of accounts and the posting rules that ship, used until a site deploys its own."""

from __future__ import annotations

from functools import cache
from importlib import resources

from contracts.accounting import Chart, PostingRules

CHARTS = ("china", "international")
"""The names of the charts."""
RULES = "default"
"""The name of the rule set."""


@cache
def default_chart(name: str) -> Chart:
    """The chart of this name, one of `CHARTS`."""
    return Chart.model_validate_json(_read(f"chart_{name}.json"))


@cache
def default_rules() -> PostingRules:
    """The posting rules for every kind of document that has vouchers."""
    return PostingRules.model_validate_json(_read(f"rules_{RULES}.json"))


def _read(file: str) -> bytes:
    return (resources.files(__name__) / file).read_bytes()
