"""From a document to what is entered of it, and to the movement that it makes. Read me first.

`plan` is pure: the `World` says what is there, and nothing else counts. It finds all mistakes of
a document at once, each with its line. Which stock goes out `allocation` says, what moves with a
container `containers`, where each kind of document moves it `moves`, what it may refer to
`references`, and what is kept of it `entered`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from contracts.books import LINES_MAX, POSTINGS_MAX, TEXT_BYTES_MAX, Movement, Negative, Posting
from contracts.documents import (
    Document,
    DocumentKind,
    DocumentLine,
    EnteredDocument,
    EnteredLine,
    UsedComponent,
)
from ledger_sink.core.posting.allocation import held_by, release
from ledger_sink.core.posting.containers import held
from ledger_sink.core.posting.entered import (
    CURRENCY,
    EPOCH,
    currency_of,
    enter,
    entered_line,
    is_moment,
    microseconds,
    priced,
    used_components,
)
from ledger_sink.core.posting.fields import mistakes_in_fields
from ledger_sink.core.posting.money import quantity_text
from ledger_sink.core.posting.moves import (
    MOVES_CONTAINERS,
    MOVES_STOCK,
    Counted,
    stock_of,
)
from ledger_sink.core.posting.packs import in_base_units
from ledger_sink.core.posting.references import (
    followed,
    mistakes_in_reference,
    open_of,
    over_limit,
)
from ledger_sink.core.posting.world import NOTHING, ORDERS, World, key_of

K = DocumentKind
AHEAD_US_MAX = 60_000_000
"""Clocks differ: what is a minute ahead has happened."""
ID_BYTES_MAX = TEXT_BYTES_MAX - 20
"""Of a document: the ids of its movement and vouchers are a little longer."""
WITHOUT_LINES = (K.REVERSAL, K.ORDER_CLOSED)
"""They are about another document, whole."""
WITHOUT_PRICES = (
    K.GOODS_ISSUE,
    K.SCRAP,
    K.TRANSFER_OUT,
    K.TRANSFER_IN,
    K.RELOCATION,
    K.STATE_CHANGE,
    K.UNPACKING,
)
"""A container's further items need no line of their own, because nobody bills them."""


class Planned(NamedTuple):
    """What becomes of a document."""

    document: EnteredDocument
    movement: Movement | None
    """None: it moves nothing."""


def movement_id(document: str) -> str:
    """The id of a document's movement."""
    return f"{document}/m"


def plan(document: Document, world: World, at_us: int) -> Planned | tuple[str, ...]:
    """What a document leads to, or all that is wrong with it. The world stays as it is.

    `at_us` is the present in UTC microseconds.
    """
    draft = _Draft(document, world)
    draft.mistakes += [(0, text) for text in _mistakes_in_head(document, world, at_us)]
    draft.mistakes += [(0, text) for text in mistakes_in_reference(world, document)]
    try:
        if document.kind in WITHOUT_LINES:
            draft.take_back()
        else:
            draft.take_lines()
    finally:
        draft.put_world_back()
    draft.mistakes += [(0, text) for text in draft.too_many()]
    if draft.mistakes:
        return tuple(
            f"line {line}: {text}" if line else text for line, text in sorted(set(draft.mistakes))
        )
    return draft.planned()


def _mistakes_in_head(document: Document, world: World, at_us: int) -> Iterator[str]:
    """What is wrong with a document before its lines are looked at."""
    if len(document.id.encode()) > ID_BYTES_MAX:
        yield f"its number has more than {ID_BYTES_MAX} bytes"
    yield from _mistakes_in_times(document, world, at_us)
    yield from _mistakes_in_currency(document, world)
    if document.kind is K.ADJUSTMENT and not document.approved_by:
        yield "an adjustment needs its approval: say who approved it last"
    elif document.kind is K.ADJUSTMENT and document.approved_by == document.person:
        yield "who made an adjustment cannot approve it: somebody else has to"
    if document.kind in WITHOUT_LINES and document.lines:
        yield f"a {document.kind} has no lines: it is about all of {document.refers}"
    if document.kind not in WITHOUT_LINES and not document.lines:
        yield "it has no lines"


def _mistakes_in_times(document: Document, world: World, at_us: int) -> Iterator[str]:
    """When it happened, and when it is due."""
    if not is_moment(document.happened_at):
        yield "it happened before 1970 or after the end of the calendar"
    elif microseconds(document.happened_at) > at_us + AHEAD_US_MAX:
        yield "its time has not come yet"
    elif microseconds(document.happened_at) < world.closed_before_us:
        closed = EPOCH + timedelta(microseconds=world.closed_before_us)
        yield f"the period before {closed:%Y-%m-%d %H:%M:%S} UTC is closed"
    if document.due_at is not None and not is_moment(document.due_at):
        yield "it is due before 1970 or after the end of the calendar"


def _mistakes_in_currency(document: Document, world: World) -> Iterator[str]:
    """The currency and its rate."""
    base, currency = world.settings.base_currency, currency_of(document, world)
    if not CURRENCY.fullmatch(currency):
        yield f"currency {currency} is no code of three capital letters"
    elif currency == base and document.rate != 1:
        yield f"rate {quantity_text(document.rate)}, but {base} is the base currency: its rate is 1"
    elif currency != base and "rate" not in document.model_fields_set:
        yield f"say the rate: how much {base} one {currency} is"


class _Draft:
    """A document on its way to being planned; the world is changed line by line, and put back."""

    def __init__(self, document: Document, world: World) -> None:
        self.document = document
        self.world = world
        self.mistakes: list[tuple[int, str]] = []
        self.postings: list[Posting] = []
        self.reverses = ""
        self._lines: list[EnteredLine] = []
        self._components: list[UsedComponent] = []
        self._taken: dict[int, Decimal] = {}
        self._named = {(one.item, one.batch, one.owner) for one in document.lines}
        other = world.documents.get(document.refers)
        is_for_order = other is not None and other.kind is K.SALES_ORDER
        self._order = document.refers if is_for_order else ""
        if document.kind is K.SALES_ORDER:
            self._order = document.id
        elif document.kind is K.REVERSAL and other is not None:
            self._order = world.order_of(other)

    def take_lines(self) -> None:
        """All lines, and what moves beside them with their containers."""
        for number, line in enumerate(self.document.lines, start=1):
            self._take_line(number, line)
        if self.mistakes:
            return
        for line in self._left_in_containers():
            self._take_line(len(self._lines) + 1, line)
        if self.document.kind is K.SALES_SHIPMENT and self._order:
            for item in dict.fromkeys(line.item for line in self.document.lines):
                self._free_excess(item)

    def _take_line(self, number: int, line: DocumentLine) -> None:
        """One line: its quantity, its price, what it follows and what it moves."""
        document, world = self.document, self.world
        if line.item not in world.items:
            self._wrong(number, f"item {line.item} is not known")
            return
        facts = world.items[line.item]
        found = len(self.mistakes)
        for text in mistakes_in_fields(document, line, facts):
            self._wrong(number, text)
        base = in_base_units(line.quantity, line.unit, facts.book, facts.units)
        follows = followed(world, document, line, self._taken)
        for one in (base, follows):
            if isinstance(one, str):
                self._wrong(number, one)
        if isinstance(base, str) or isinstance(follows, str):
            return
        is_sound = len(self.mistakes) == found
        price = priced(world, document, line, follows)
        if isinstance(price, str):
            self._wrong(number, price)
            price = (None, "")
        self._follow(number, follows, base)
        self._lines.append(entered_line(world, document, number, line, base, follows, price))
        if document.kind is K.PRODUCTION_RECEIPT:
            self._use(number, line, base)
        if is_sound and (document.kind in MOVES_STOCK or self._is_to_allocate()):
            moved = stock_of(world, document, Counted(line=line, base=base, order=self._order))
            if isinstance(moved, str):
                self._wrong(number, moved)
            else:
                self._move(moved)

    def _follow(self, number: int, follows: EnteredLine | None, base: Decimal) -> None:
        """Take from what is left of the line that is followed."""
        if follows is None:
            return
        over = over_limit(self.world, self.document, follows, base, self._taken)
        if over is not None:
            self._wrong(number, over)
        self._taken[follows.line] = self._taken.get(follows.line, NOTHING) + base

    def _use(self, number: int, line: DocumentLine, base: Decimal) -> None:
        """The components that a line of a production receipt used."""
        used = used_components(self.world, number, line, base)
        if isinstance(used, str):
            self._wrong(number, used)
        else:
            self._components += used

    def _is_to_allocate(self) -> bool:
        """A sales order promises stock once it is approved."""
        return self.document.kind is K.SALES_ORDER and bool(self.document.approved_by)

    def _left_in_containers(self) -> list[DocumentLine]:
        """Lines for what else moves with the containers that lines name."""
        document = self.document
        if document.kind not in MOVES_CONTAINERS:
            return []
        firsts: dict[str, tuple[int, DocumentLine]] = {}
        for number, line in enumerate(document.lines, start=1):
            if line.container:
                firsts.setdefault(line.container, (number, line))
        if not firsts:
            return []
        spots: dict[str, set[str]] = {}
        for one in self.postings:
            if one.quantity.startswith("-"):
                spots.setdefault(one.item, set()).add(one.location)
        found: list[DocumentLine] = []
        self.put_world_back()
        for name, (number, line) in firsts.items():
            rest = self._unnamed_in(name, spots.get(line.item, ()))
            for (item, batch, owner), quantity in rest.items():
                if document.kind not in WITHOUT_PRICES:
                    told = f"{quantity_text(quantity)} of item {item}"
                    self._wrong(number, f"{name} also holds {told}: give it a line of its own")
                    continue
                fields = {"item": item, "batch": batch, "owner": owner, "quantity": quantity}
                cleared = {"unit": "", "serials": (), "price": None, "tax": "", "order_line": 0}
                found.append(line.model_copy(update={**fields, **cleared}))
        self.world.apply(self.postings, self._order)
        return found

    def _unnamed_in(
        self, container: str, places: Collection[str]
    ) -> dict[tuple[str, str, str], Decimal]:
        """What is in a container and of no line's item, batch and owner, by these."""
        rest: dict[tuple[str, str, str], Decimal] = {}
        for piece in held(self.world, container, places, ()):
            key = piece.key
            if not self._named & {(key.item, batch, key.owner) for batch in ("", key.batch)}:
                kind = (key.item, key.batch, key.owner)
                rest[kind] = rest.get(kind, NOTHING) + piece.quantity
        return rest

    def _free_excess(self, item: str) -> None:
        """What is allocated beyond what the order still needs is set free."""
        needed = open_of(self.world, self.document, item, self._taken)
        excess = held_by(self.world, self._order, item) - needed
        if excess > 0:
            self._move(release(self.world, self._order, item, excess))

    def take_back(self) -> None:
        """A reversal turns the other document's movement; a closed order releases its stock."""
        other = self.world.documents.get(self.document.refers)
        if other is None or self.mistakes:
            return
        movement = self.world.movements.get(other.id)
        if self.document.kind is K.ORDER_CLOSED or other.kind in ORDERS:
            self._move(release(self.world, other.id))
        elif movement is not None:
            self.reverses = movement.id
            self._move([_turned(one) for one in movement.postings])
            for text in self._gone():
                self._wrong(0, text)

    def _gone(self) -> Iterator[str]:
        """Why what the other document brought cannot be taken back: it is not there any more."""
        world, name = self.world, self.document.refers
        for key in dict.fromkeys(key_of(one) for one in self.postings):
            short = -world.balances[key]
            is_free = (
                self.document.is_physical or world.items[key.item].book.negative is Negative.ALARM
            )
            if short > 0 and world.is_real(key.location) and not is_free:
                told = f"{quantity_text(short)} of item {key.item}"
                yield f"{told} that {name} brought to {key.location} are not there any more"
        for one in self.postings:
            key = key_of(one)
            inside = world.contents.get(one.container, {}).get(key, NOTHING)
            if one.container and inside < 0 and world.is_real(one.location):
                yield f"what {name} put into {one.container} is not in it any more"
            if not one.container and world.loose(key) < min(NOTHING, world.balances[key]):
                told = f"{quantity_text(-world.loose(key))} of item {key.item} at {key.location}"
                yield f"{told} that {name} left loose lie in containers or are gone"

    def _move(self, postings: list[Posting]) -> None:
        self.postings += postings
        self.world.apply(postings, self._order)

    def put_world_back(self) -> None:
        """Undo what lines did to the world."""
        self.world.apply(self.postings, self._order, sign=-1)

    def too_many(self) -> Iterator[str]:
        """What is more than the ledger takes of one document."""
        for many, most, told in (
            (len(self._lines), LINES_MAX, "has {} lines with what else is in its containers"),
            (len(self._components), LINES_MAX, "uses {} components"),
            (len(self.postings), POSTINGS_MAX, "moves {} lines"),
        ):
            if many > most:
                yield f"it {told.format(f'{many:,}')}, more than {most:,}: split it"

    def _wrong(self, number: int, text: str) -> None:
        self.mistakes.append((number, text))

    def planned(self) -> Planned:
        """What the document leads to."""
        document = self.document
        entered = enter(document, self.world, tuple(self._lines), tuple(self._components))
        if not self.postings:
            return Planned(entered, None)
        movement = Movement(
            id=movement_id(document.id),
            document=document.id,
            step=str(document.kind),
            happened_us=entered.happened_us,
            postings=tuple(self.postings),
            person=document.person,
            is_physical=document.is_physical,
            reverses=self.reverses,
        )
        return Planned(entered, movement)


def _turned(posting: Posting) -> Posting:
    """The same line with the sign turned."""
    fields = {name: getattr(posting, name) for name in posting.__struct_fields__}
    return Posting(**{**fields, "quantity": quantity_text(-Decimal(posting.quantity))})


def released(world: World, order: str, number: int, at_us: int) -> Movement | None:
    """The movement that sets free what is allocated to an order; None: nothing is."""
    postings = release(world, order)
    if not postings:
        return None
    return Movement(
        id=f"{order}/released/{number}",
        document=order,
        step="allocation_released",
        happened_us=at_us,
        postings=tuple(postings),
    )
