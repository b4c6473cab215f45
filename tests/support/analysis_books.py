"""Two sites in one database for tests of analysis: what is looked at, and a stranger beside it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg

from contracts.accounting import BookDataKind, Planning
from contracts.documents import Document
from ledger_sink.books import Books
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.posting import DocumentPosting
from tests.support.document_books import NOW_US, document, line, set_up


def new_books(connection: psycopg.Connection[Any], site: str) -> Books:
    """A site's books."""
    made = Books(PostgresLedger(connection, site))
    set_up(made)
    made.put_data(BookDataKind.PLANNING, "bolt", Planning(safety_stock=Decimal(5)), 1)
    return made


def stranger() -> list[Document]:
    """Documents of the other site, under ids and in places that the first has too."""
    return [
        document("D0", "opening", line("bolt", 997, price="7", location="A"), day=0),
        document("D1", "purchase_order", line("bolt", 991, location="A"), party="ACME"),
        document("D2", "sales_order", line("bolt", 983), warehouse="W1", approved_by="boss"),
        document(
            "D3",
            "adjustment",
            line("bolt", -9, location="A", reason="mispick"),
            approved_by="boss",
            case="C",
        ),
    ]


def post(books: Books, *documents: Document, at_us: int = NOW_US) -> None:
    """Post documents, all of which are right."""
    posted = DocumentPosting(books).post(documents, at_us)
    assert [(one.outcome, one.problem) for one in posted] == [("entered", None)] * len(documents)
