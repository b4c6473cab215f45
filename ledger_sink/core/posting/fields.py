"""Which fields a document's kind uses: what it does not use must stay empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from contracts.documents import Document, DocumentKind, DocumentLine
from ledger_sink.core.posting.allocation import WITH_BATCHES, WITH_SERIALS
from ledger_sink.core.posting.world import ORDERS, ItemFacts

K = DocumentKind
WITHOUT_STOCK = (K.PURCHASE_INVOICE, K.SALES_ACCEPTANCE, K.REVALUATION, *ORDERS)
"""They move nothing (but for what a sales order allocates)."""
AT_COST = frozenset(
    {
        *(K.GOODS_ISSUE, K.PRODUCTION_RECEIPT, K.SCRAP, K.ADJUSTMENT),
        *(K.TRANSFER_OUT, K.TRANSFER_IN, K.RELOCATION, K.STATE_CHANGE, K.UNPACKING),
    }
)
"""What they move costs what stock does: a price would be written for nothing."""
USED_BY: Mapping[str, frozenset[DocumentKind]] = {
    "to_location": frozenset({K.RELOCATION, K.TRANSFER_IN}),
    "to_disposition": frozenset({K.STATE_CHANGE, K.RELOCATION, K.TRANSFER_IN}),
    "components": frozenset({K.PRODUCTION_RECEIPT}),
    "price": frozenset(K) - AT_COST,
    "container": frozenset(K) - frozenset(WITHOUT_STOCK),
    "serials": frozenset(K) - frozenset(WITHOUT_STOCK) | {K.SALES_ORDER},
}
"""Of lines. Other fields may stand on any document."""
IS_EMPTY: Mapping[str, Callable[[DocumentLine], bool]] = {
    "to_location": lambda line: not line.to_location,
    "to_disposition": lambda line: line.to_disposition is None,
    "components": lambda line: not line.components,
    "price": lambda line: line.price is None,
    "container": lambda line: not line.container,
    "serials": lambda line: not line.serials,
}


def mistakes_in_fields(document: Document, line: DocumentLine, facts: ItemFacts) -> Iterator[str]:
    """What is wrong with a line by itself."""
    for field, kinds in USED_BY.items():
        if document.kind not in kinds and not IS_EMPTY[field](line):
            yield f"a {document.kind} has no {field}: leave it empty"
    if document.kind is K.ADJUSTMENT and line.quantity == 0:
        yield "a quantity of 0 adjusts nothing"
    if document.kind is not K.ADJUSTMENT and line.quantity <= 0:
        yield f"quantity {line.quantity} of item {line.item}: it must be above zero"
    yield from _mistakes_in_tracking(line, facts)
    yield from _mistakes_by_kind(document.kind, line)


def _mistakes_in_tracking(line: DocumentLine, facts: ItemFacts) -> Iterator[str]:
    """Batches and serial numbers where the item has none."""
    tracking = facts.book.tracking
    if line.batch and tracking not in WITH_BATCHES:
        yield f"item {line.item} has no batches"
    if line.serials and tracking not in WITH_SERIALS:
        yield f"item {line.item} has no serial numbers"
    if len(set(line.serials)) != len(line.serials):
        yield "a serial number comes twice"


def _mistakes_by_kind(kind: DocumentKind, line: DocumentLine) -> Iterator[str]:
    """What a kind of document cannot do without."""
    if kind is K.STATE_CHANGE and line.to_disposition is None:
        yield "say its state afterwards in to_disposition"
    elif kind is K.STATE_CHANGE and line.to_disposition is line.disposition and not line.container:
        yield f"it is {line.disposition} already"
    if kind is K.UNPACKING and not line.container:
        yield "say which container is taken apart"
    if kind is K.REVALUATION and line.owner:
        yield f"stock of owner {line.owner} has no value in our books"
