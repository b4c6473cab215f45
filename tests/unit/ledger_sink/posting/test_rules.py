"""Rules pick the voucher; mistakes in them are found before they count."""

from __future__ import annotations

import json

import pytest
from posting_builders import accounting

from contracts.accounting import Chart, Costing, PostingRules
from ledger_sink.core.posting.charts import check_chart
from ledger_sink.core.posting.rule_check import check_accounting, check_condition, check_rules
from ledger_sink.core.posting.rules import condition, first_that_holds, rules_by_kind
from ledger_sink.defaults import CHARTS, default_chart, default_rules

SCRAP = [("debit", "scrap_loss", "cost"), ("credit", "inventory", "cost")]
FACTS = {
    "document": {"kind": "scrap", "reason": "broken", "is_department": False},
    "line": {"item": "lamp", "stock_class": "raw"},
    "settings": {"mode": "standalone"},
}


def changed(**rules: object) -> PostingRules:
    """The rules that ship with some replaced (None: left out), by their names."""
    said = json.loads(default_rules().model_dump_json())
    kept = [rule for rule in said["rules"] if rule["id"] not in rules]
    new = [
        one
        for some in rules.values()
        if some
        for one in (some if isinstance(some, list) else [some])
    ]
    return PostingRules.model_validate({"rules": [*new, *kept]})


def rule(name: str, document: str, lines: list, when: str = "") -> dict:
    """A rule; each line is side, part, amount and perhaps a condition."""
    names = ("side", "part", "amount", "when")
    written = [dict(zip(names, line, strict=False)) for line in lines]
    return {"id": name, "document": document, "when": when, "lines": written}


def mistakes(**rules: object) -> list[str]:
    return check_rules(changed(**rules), default_chart("china"))


@pytest.mark.parametrize("name", CHARTS)
def test_what_ships_is_without_mistakes(name: str) -> None:
    """Each chart with the rules."""
    assert check_rules(default_rules(), default_chart(name)) == []


def test_the_charts_that_ship_play_the_same_parts() -> None:
    """So that a site can change its chart without changing its rules."""
    china, international = (default_chart(name) for name in CHARTS)
    assert set(china.parts) == set(international.parts)
    assert len(set(china.parts.values())) == len(china.parts)


def test_the_first_rule_that_holds_is_taken() -> None:
    """In the order of the set."""
    rules = changed(
        scrap=[
            rule("broken", "scrap", SCRAP, "document.reason == 'broken'"),
            rule("other", "scrap", SCRAP),
        ]
    )
    scrap = rules_by_kind(rules)["scrap"]
    assert first_that_holds(scrap, FACTS).id == "broken"
    lost = {**FACTS, "document": {**FACTS["document"], "reason": "lost"}}
    assert first_that_holds(scrap, lost).id == "other"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", True),
        ("line.stock_class in ['raw', 'finished']", True),
        ("!document.is_department && line.item.startsWith('la')", True),
        ("document.reason != 'broken' || settings.mode == 'erp_led'", False),
        ("'line.item is a word' == line.item", False),
    ],
)
def test_a_condition_is_answered(text: str, *, says: bool) -> None:
    """Over what it sees of document, line and settings."""
    assert check_condition(text) == []
    assert condition(text).holds(FACTS) is says


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("line.item ==", "it is no CEL"),
        ("line.colour == 'red'", "line has no field colour; it has item, location"),
        ("supplier == 'x'", "supplier is not known here; there are document, line, settings"),
        ("line == 'lamp'", "line is many things: say which, as in line.item"),
        ("line['item'] == 'lamp'", "line is many things"),
        ("line.item", "it must be true or false, and is '' when line.item is ''"),
        ("line.item > 3", "it fails when line.item is ''"),
        ("line.item.matches('(')", "not a valid regex"),
        ("size(line.item) * 2 > 3", "* cannot be used here"),
        ("document.is_department ? true : line.item", "it must be true or false, and is ''"),
        ("document.kind == 'scrap' && document.colour == 'red'", "document has no field colour"),
        ("true || nobody", "nobody is not known here"),
        ("[1, 2].exists(x, x == 1)", "x is not known here"),
    ],
)
def test_a_wrong_condition_is_told(text: str, mistake: str) -> None:
    """Also where it would only fail for some document, or never be asked."""
    assert mistake in " ".join(check_condition(text))


def test_a_mistake_names_rule_line_and_field() -> None:
    """All of them at once."""
    wrong = rule(
        "scrap",
        "scrap",
        [
            ("debit", "scrap_lost", "cost"),
            ("credit", "inventory", "net"),
            ("credit", "inventory", "cost", "line.x == 'y'"),
        ],
        "1 + 1",
    )
    found = mistakes(scrap=wrong)
    assert "rule scrap, line 1, part: the chart has no part scrap_lost" in found
    assert "rule scrap, line 2, amount: a scrap has no net; it has cost" in found
    assert any(one.startswith("rule scrap, line 3, when: line has no field x") for one in found)
    assert any(one.startswith("rule scrap, when: + cannot be used here") for one in found)


def test_a_kind_of_document_without_a_rule_is_told() -> None:
    """And in which case."""
    assert mistakes(scrap=None) == ["scrap: no rule applies"]
    some = rule("scrap", "scrap", SCRAP, "line.stock_class == 'raw'")
    assert mistakes(scrap=some) == ["scrap: no rule applies when line.stock_class is 'finished'"]


def test_a_rule_that_never_applies_is_told() -> None:
    """Because one before it takes everything, or its word is misspelt."""
    both = [rule("all", "scrap", SCRAP), rule("late", "scrap", SCRAP)]
    assert mistakes(scrap=both) == [
        "rule late, when: it never applies, the rules before it take everything"
    ]
    misspelt = [
        rule("erp", "scrap", SCRAP, "settings.mode == 'erp'"),
        rule("scrap", "scrap", SCRAP),
    ]
    assert "rule erp, when: it never applies" in mistakes(scrap=misspelt)[0]


def test_remainders_of_all_kinds_of_documents_need_a_rule() -> None:
    """The rules for revaluations see the kind that they come from."""
    lines = [("debit", "inventory", "difference"), ("credit", "price_difference", "difference")]
    some = rule("revaluation", "revaluation", lines, "document.kind == 'revaluation'")
    assert mistakes(revaluation=some) == [
        "revaluation: no rule applies when document.kind is 'opening'"
    ]
    both = [some, rule("remainder", "revaluation", lines)]
    assert mistakes(revaluation=both) == []
    other = rule("other", "scrap", SCRAP, "document.kind == 'adjustment'")
    assert "rule other, when: it never applies" in mistakes(other=other)[0]


def test_a_chart_without_inventory_is_told() -> None:
    """Rules that book stock have nowhere to."""
    chart = default_chart("china")
    parts = {part: code for part, code in chart.parts.items() if "inventory." not in part}
    found = check_rules(default_rules(), chart.model_copy(update={"parts": parts}))
    assert "rule scrap, line 2, part: the chart has no part inventory.(stock class)" in found


def test_a_rule_that_cannot_balance_is_told() -> None:
    """Price against cost, or a tax that nobody owes."""
    unequal = rule(
        "receipt_payable",
        "goods_receipt",
        [("debit", "inventory", "cost"), ("credit", "payable", "gross")],
    )
    (found,) = mistakes(receipt_payable=unequal)[:1]
    assert found.startswith("rule receipt_payable, lines: debits and credits are not the same")


def test_a_rule_that_balances_only_sometimes_is_told_with_the_case() -> None:
    """A line's own condition takes it away from the voucher."""
    half = rule(
        "scrap",
        "scrap",
        [
            ("debit", "scrap_loss", "cost", "document.is_department"),
            ("credit", "inventory", "cost"),
        ],
    )
    assert mistakes(scrap=half) == [
        (
            "rule scrap, lines: debits and credits are not the same"
            " when document.is_department is False"
        )
    ]


def test_a_rule_that_books_stock_wrongly_is_told() -> None:
    """Not at all, twice, or on the wrong side."""
    for lines in (
        [("debit", "scrap_loss", "cost"), ("credit", "inventory_adjustment", "cost")],
        [*SCRAP, *SCRAP],
        [("credit", "scrap_loss", "cost"), ("debit", "inventory", "cost")],
    ):
        assert mistakes(scrap=rule("scrap", "scrap", lines)) == [
            "rule scrap, lines: stock accounts must get one credit of cost"
        ]


def test_a_rule_that_leaves_a_clearing_account_open_is_told() -> None:
    """An invoice that books the goods a second time."""
    open_ended = rule(
        "invoice",
        "purchase_invoice",
        [
            ("debit", "price_difference", "net"),
            ("debit", "input_tax", "tax"),
            ("credit", "payable", "gross"),
        ],
    )
    assert mistakes(invoice=open_ended) == [
        (
            "rule invoice, lines: the part goods_received_not_invoiced must get cleared"
            " on the side that settles it"
        )
    ]


def test_a_rule_for_what_has_no_voucher_or_a_name_that_comes_twice_is_told() -> None:
    """And one without lines."""
    found = mistakes(
        scrap=[
            rule("scrap", "scrap", SCRAP),
            rule("scrap", "relocation", SCRAP),
            rule("empty", "adjustment", []),
        ]
    )
    assert found == [
        "rule scrap: the name comes twice",
        "rule scrap, document: a relocation has no voucher",
        "rule empty, lines: there are none",
    ]


def test_too_many_cases_are_told_and_not_tried_for_hours() -> None:
    """Seven fields with a dozen words each."""
    words = ", ".join(f"'{n}'" for n in range(12))
    fields = ("item", "location", "to_location", "batch", "owner", "reason")
    text = " || ".join(f"line.{field} in [{words}]" for field in fields)
    assert "cases: name fewer words" in check_condition(text)[0]


def test_an_item_whose_class_has_no_account_is_told() -> None:
    """Before its first document is refused for it."""
    books = accounting()
    assert check_accounting(books) == []
    books.costings["lamp"] = Costing(stock_class="luxury")
    assert check_accounting(books) == [
        "costing of lamp, stock_class: the chart has no part inventory.luxury"
    ]


def test_mistakes_of_a_chart_are_told() -> None:
    """Codes that come twice, parts without account, stock that is none."""
    chart = Chart.model_validate(
        {
            "accounts": [
                {
                    "code": "1",
                    "name": "Stock",
                    "name_zh": "存货",
                    "kind": "asset",
                    "is_stock": True,
                },
                {"code": "1", "name": "Again", "name_zh": "又", "kind": "asset"},
                {"code": "2", "name": "Debts", "name_zh": "应付", "kind": "liability"},
                {"code": "3", "name": "Odd", "name_zh": "怪", "kind": "expense", "is_stock": True},
            ],
            "parts": {
                "inventory.raw": "2",
                "inventory_in_transit": "3",
                "payable": "1",
                "revenue": "9",
            },
        }
    )
    assert check_chart(chart) == [
        "account 1: it comes twice",
        "part inventory.raw: account 2 must hold stock (is_stock)",
        "part inventory_in_transit: account 3 holds stock and must be an asset",
        "part payable: account 1 holds stock, and this part is none",
        "part revenue: there is no account 9",
    ]
    assert "chart: account 1: it comes twice" in check_rules(default_rules(), chart)
