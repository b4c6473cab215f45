"""Documents into the books: plan, voucher, post, and once more what others were faster with.

A batch is loaded at once and planned document by document, each on what the one before leaves.
The ledger judges again; what became stale, or hung on a document that was refused, is loaded and
planned anew. What cannot be planned is refused with all its mistakes, and kept as a reject.

Persons are replaced by their pseudonyms before anything is planned: no name gets into the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from contracts.codec import canonical, reject
from contracts.documents import Document
from contracts.events import Entry, EntryKind
from contracts.ids import content_id
from contracts.vouchers import Voucher
from ledger_sink.books import Books, Posted, Prepared
from ledger_sink.core.posting.accounting import Made, Related
from ledger_sink.core.posting.entered import is_same
from ledger_sink.core.posting.plan import Planned, plan, released
from ledger_sink.core.posting.vouchers import make_vouchers
from ledger_sink.core.verification import Fault, Finding
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.posting_world import Loaded, Loader
from ledger_sink.pseudonyms import disguised_documents
from ledger_sink.redaction import Persons

BATCH_DOCUMENTS = 300
"""Documents of one round: one load and one transaction."""
POSTINGS_AT_ONCE = 50_000
"""A round ends behind the document that brings its lines to so many: the server needs a few kB for
each, and no message may be above 1 GB."""
STALE_MAX = 100
"""How often a document is prepared again because somebody else was faster with the same item."""
PROBLEM_MAX = 2_000
"""Characters of a refusal, as the ledger has them."""
REFUSED_MAX = 10
"""How often the ledger may refuse what could be planned on what it had a moment ago."""


class PostedDocument(NamedTuple):
    """What became of a document."""

    id: str
    """Its number."""
    outcome: str
    """`entered`, `known` (the same was there) or `refused`."""
    seq: int | None
    """Its entry."""
    problem: str | None
    """Why it was refused: each reason with its line."""


@dataclass
class _Turn:
    """A document that waits for its outcome."""

    place: int
    document: Document
    """Persons by pseudonym, once it is in a round."""
    stale: int = 0
    refusals: int = 0
    """By the ledger, of what could be planned."""
    refused: Prepared | None = None
    """What it refused last: the same again is refused for good."""


@dataclass
class _Round:
    """Documents that are prepared together."""

    loaded: Loaded
    turns: list[_Turn] = field(default_factory=list)
    prepared: list[tuple[_Turn, Prepared]] = field(default_factory=list)
    known: list[tuple[_Turn, int]] = field(default_factory=list)
    mistakes: list[tuple[_Turn, tuple[str, ...]]] = field(default_factory=list)
    postings: int = 0
    """Of all that is prepared."""


class DocumentPosting:
    """Posts documents of one site; the login needs `ledger_appender` and `ledger_reader`."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._ledger: PostgresLedger = books.ledger
        self._loader = Loader(self._ledger, books)
        self._persons = Persons(self._ledger)

    def post(
        self,
        documents: Sequence[Document],
        at_us: int,
        told: Callable[[int], None] | None = None,
    ) -> list[PostedDocument]:
        """Post documents in order; a refused one harms none that does not hang on it.

        `at_us` is the recorded time, in UTC microseconds; `told` is called with the number of
        documents that have their outcome. Raises psycopg.Error.
        """
        waiting = [_Turn(place, document) for place, document in enumerate(documents)]
        done: dict[int, PostedDocument] = {}
        while waiting:
            turns = _next_round(waiting)
            finished = self._post_round(turns, at_us)
            done |= {turn.place: posted for turn, posted in finished}
            waiting = [turn for turn in waiting if turn.place not in done]
            if told is not None:
                told(len(done))
        return [done[place] for place in range(len(documents))]

    def release_expired(self, at_us: int) -> list[str]:
        """Set free what is allocated to orders beyond their time, or closed; gives the orders."""
        freed = []
        for (order,) in self._loader.rows("to_release", at_us=at_us):
            loaded = self._loader.load([], orders=[order])
            ((number,),) = self._loader.rows("releases", order_id=order)
            movement = released(loaded.world, order, number + 1, at_us)
            if movement is None:
                continue
            (posted,) = self._books.post([movement], at_us)
            # Refused: somebody took it meanwhile, and the next call sees what is left.
            if posted.outcome == "entered":
                freed.append(order)
        return freed

    def verify(self) -> list[Finding]:
        """Where contents of containers or allocations are not what the postings say."""
        return [
            Finding(
                Fault.POSTING,
                None,
                None,
                f"{what} of {name}: item {item} at {location} is {posted}, not {kept}",
            )
            for what, name, item, location, kept, posted in self._loader.rows("wrong_stock")
        ]

    def _post_round(self, turns: list[_Turn], at_us: int) -> list[tuple[_Turn, PostedDocument]]:
        """Prepare and post; the outcomes that count. Others wait for another round."""
        this = _Round(self._load([turn.document for turn in turns], at_us), turns)
        documents = [turn.document for turn in turns]
        known = this.loaded.world.documents
        disguised = disguised_documents(self._persons, documents, known, at_us)
        for turn, document in zip(turns, disguised, strict=True):
            turn.document = document
            self._prepare(this, turn, at_us)
            if this.postings >= POSTINGS_AT_ONCE:
                break
        prepared = [one for _, one in this.prepared]
        posted: list[Posted] = []
        if prepared:
            posted = self._books.post_documents(prepared, this.loaded.bases, at_us)
        finished = [
            (turn, PostedDocument(turn.document.id, "known", seq, None)) for turn, seq in this.known
        ]
        places = {turn.place: number for number, turn in enumerate(turns)}
        first_undone = len(turns)
        for (turn, each), one in zip(this.prepared, posted, strict=True):
            outcome = self._judge(turn, each, one)
            if outcome is not None:
                finished.append((turn, outcome))
            if one.outcome != "entered":
                first_undone = min(first_undone, places[turn.place])
        for turn, mistakes in this.mistakes:
            # What hung on a document that was not entered after all may be right now.
            if places[turn.place] < first_undone:
                finished.append((turn, self._refuse(turn.document, mistakes, at_us)))
        return finished

    def _load(self, documents: Sequence[Document], at_us: int) -> Loaded:
        """What the documents need; the first ones enter the chart and the rules that ship."""
        loaded = self._loader.load(documents)
        if loaded.is_bare:
            self._books.put_shipped(at_us)
            loaded = self._loader.load(documents)
        return loaded

    def _prepare(self, this: _Round, turn: _Turn, at_us: int) -> None:
        """Plan one document and make its vouchers, on what those before it leave."""
        document, world = turn.document, this.loaded.world
        known = world.documents.get(document.id)
        if known is not None:
            if is_same(document, known, world.movements.get(document.id)):
                this.known.append((turn, this.loaded.entries[document.id]))
            else:
                text = f"number {document.id} stands for another document: give it a new one"
                this.mistakes.append((turn, (text,)))
            return
        planned = plan(document, world, at_us)
        if not isinstance(planned, Planned):
            this.mistakes.append((turn, planned))
            return
        made = self._vouchers(this.loaded, planned)
        if not isinstance(made, Made):
            this.mistakes.append((turn, made))
            return
        world.take(*planned)
        this.loaded.valuations.update({one.item: one for one in made.valuations})
        this.loaded.vouchers[document.id] = made.vouchers
        if planned.movement is not None:
            this.postings += len(planned.movement.postings)
        this.prepared.append((turn, Prepared(*planned, made.vouchers, made.valuations)))

    @staticmethod
    def _vouchers(loaded: Loaded, planned: Planned) -> Made | tuple[str, ...]:
        """The vouchers of a document that was planned."""
        world = loaded.world
        family = [
            other
            for other in world.kin_of(planned.document.refers)
            if other.id != planned.document.id
        ]
        vouchers: list[Voucher] = []
        for other in family:
            vouchers += loaded.vouchers.get(other.id, ())
        return make_vouchers(
            planned.document,
            planned.movement,
            loaded.accounting,
            {name: place.kind for name, place in world.places.items()},
            loaded.valuations,
            Related(tuple(family), tuple(vouchers)),
        )

    @staticmethod
    def _judge(turn: _Turn, prepared: Prepared, posted: Posted) -> PostedDocument | None:
        """The outcome that counts; None: prepare it again."""
        if posted.outcome == "skipped":
            return None
        if posted.outcome == "stale":
            turn.stale += 1
            text = "others change the same all the time: post it again later"
            is_last = turn.stale >= STALE_MAX
            return PostedDocument(turn.document.id, "refused", None, text) if is_last else None
        if posted.outcome == "refused" and turn.refused != prepared:
            turn.refused = prepared
            turn.refusals += 1
            # Somebody may have taken meanwhile what it was planned on: what is left may do.
            if turn.refusals < REFUSED_MAX:
                return None
        return PostedDocument(turn.document.id, *posted)

    def _refuse(self, document: Document, mistakes: Sequence[str], at_us: int) -> PostedDocument:
        """Keep a document that cannot be posted, with all that is wrong with it."""
        problem = "; ".join(mistakes)
        if len(problem) > PROBLEM_MAX:
            problem = f"{problem[: PROBLEM_MAX - 3]}..."
        raw = document.model_dump_json().encode()
        entry = Entry(
            id=content_id("refused document", problem, raw),
            kind=EntryKind.REJECT,
            happened_us=at_us,
            identity=None,
            location=None,
            payload=canonical(reject("books", problem, raw, at_us)),
        )
        # Refused before for the same reasons: that is known already.
        if not self._loader.rows("is_entered", id=entry.id):
            self._ledger.append([entry], at_us)
        return PostedDocument(document.id, "refused", None, problem)


def _next_round(waiting: Sequence[_Turn]) -> list[_Turn]:
    """The next documents up to the second of a number, which must see the first in the book."""
    found: dict[str, _Turn] = {}
    for turn in waiting[:BATCH_DOCUMENTS]:
        if turn.document.id in found:
            break
        found[turn.document.id] = turn
    return list(found.values())
