"""Tickets: who brought something learns when it is on the disk, or that it was refused.

For devices that wait for a word before they forget: a handheld's request, an MQTT message that is
acknowledged by hand. Things leave the intake in the order in which they came, each kind in a line
of its own, so a ticket is known by how many of each kind came before it and with it. A batch that
was refused spoils the tickets of all that it carried.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from contracts.reads import ReadBatch
from edge_agent.core.batcher import Heard

Ticket = asyncio.Future[bool]
"""True: all of it is on the disk. False: some of it was refused, because the spool is full."""

Places = tuple[int, int, int, int]
"""How many reads, rejects, signals and changes."""


class _Waiting(NamedTuple):
    first: Places
    end: Places
    ticket: Ticket


class _Taken(NamedTuple):
    batch: ReadBatch
    """Held, so that its id is no other's."""
    complete: tuple[Ticket, ...]
    begun: tuple[Ticket, ...]


class Tickets:
    """The tickets of one intake."""

    def __init__(self) -> None:
        self._put: Places = (0, 0, 0, 0)
        self._out: Places = (0, 0, 0, 0)
        self._waiting: list[_Waiting] = []
        self._taken: dict[int, _Taken] = {}
        self._spoiled: set[Ticket] = set()

    def put(self, heard: Heard) -> None:
        """Something was put in line."""
        self._put = _plus(self._put, heard)

    def ticket(self, heard: Heard) -> Ticket:
        """A ticket for what was put last."""
        ticket: Ticket = asyncio.get_running_loop().create_future()
        first = _minus(self._put, heard)
        if first == self._put:
            ticket.set_result(True)
            return ticket
        self._waiting.append(_Waiting(first, self._put, ticket))
        return ticket

    def took(self, batch: ReadBatch) -> None:
        """The oldest of each line left with a batch."""
        before, self._out = self._out, _plus(self._out, batch)
        if not self._waiting:
            return
        complete: list[Ticket] = []
        begun: list[Ticket] = []
        waiting: list[_Waiting] = []
        for one in self._waiting:
            shares = list(zip(one.first, one.end, before, self._out, strict=True))
            carried = any(max(first, old) < min(end, new) for first, end, old, new in shares)
            if all(first == end or new >= end for first, end, _, new in shares):
                complete.append(one.ticket)
                assert carried
            else:
                waiting.append(one)
                if carried:
                    begun.append(one.ticket)
        self._waiting = waiting
        if complete or begun:
            self._taken[id(batch)] = _Taken(batch, tuple(complete), tuple(begun))

    def spooled(self, batch: ReadBatch, *, kept: bool) -> None:
        """A batch is on the disk, or was refused."""
        taken = self._taken.pop(id(batch), None)
        if taken is None:
            return
        if not kept:
            self._spoiled.update(taken.begun, taken.complete)
        for ticket in taken.complete:
            if not ticket.done():
                ticket.set_result(ticket not in self._spoiled)
            self._spoiled.discard(ticket)


def _counts(heard: Heard | ReadBatch) -> Places:
    return len(heard.reads), len(heard.rejects), len(heard.signals), len(heard.changes)


def _plus(places: Places, heard: Heard | ReadBatch) -> Places:
    reads, rejects, signals, changes = _counts(heard)
    return places[0] + reads, places[1] + rejects, places[2] + signals, places[3] + changes


def _minus(places: Places, heard: Heard) -> Places:
    reads, rejects, signals, changes = _counts(heard)
    return places[0] - reads, places[1] - rejects, places[2] - signals, places[3] - changes
