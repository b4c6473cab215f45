"""Who waits for a word hears it when all of what was brought is on the disk, and never wrongly."""

from __future__ import annotations

import random

from contracts.clock import REAL_TIME
from contracts.reads import Read, ReadBatch, Reject
from edge_agent.core.batcher import BATCH_READS_MAX, Heard
from edge_agent.intake import Intake
from edge_agent.tickets import Ticket, Tickets


def read(name: str) -> Read:
    return Read(identity=name, device="d", antenna=0, first_us=1, last_us=1, received_us=1, count=1)


def reject(name: str) -> Reject:
    return Reject(source=name, reason="odd", raw=b"", raw_length=0, at_us=1)


async def test_a_ticket_is_answered_when_its_batch_is_on_the_disk() -> None:
    intake = Intake(REAL_TIME, floor_us=0)
    ticket = await intake.put_with_ticket(Heard(reads=(read("a"),)), received_us=1)
    batch = intake.take()
    assert not ticket.done()
    intake.spooled(batch, kept=True)
    assert ticket.result() is True


async def test_a_refused_batch_refuses_the_tickets_of_what_it_carried_and_no_others() -> None:
    intake = Intake(REAL_TIME, floor_us=0)
    first = await intake.put_with_ticket(Heard(reads=(read("a"),)), received_us=1)
    refused = intake.take()
    second = await intake.put_with_ticket(Heard(reads=(read("b"),)), received_us=1)
    kept = intake.take()
    intake.spooled(refused, kept=False)
    assert first.result() is False
    assert not second.done()
    intake.spooled(kept, kept=True)
    assert second.result() is True


async def test_what_is_cut_in_two_batches_is_kept_only_when_both_are() -> None:
    for fates in ((True, True), (True, False), (False, True)):
        intake = Intake(REAL_TIME, floor_us=0)
        reads = tuple(read(str(number)) for number in range(BATCH_READS_MAX + 1))
        ticket = await intake.put_with_ticket(Heard(reads=reads), received_us=1)
        for kept in fates:
            assert not ticket.done()
            intake.spooled(intake.take(), kept=kept)
        assert ticket.result() is all(fates)


async def test_nothing_put_is_kept_at_once() -> None:
    intake = Intake(REAL_TIME, floor_us=0)
    assert (await intake.put_with_ticket(Heard(), received_us=1)).result() is True


async def test_a_batch_that_nobody_waits_for_is_no_trouble() -> None:
    intake = Intake(REAL_TIME, floor_us=0)
    await intake.put(Heard(reads=(read("a"),)), received_us=1)
    intake.spooled(intake.take(), kept=True)
    intake.spooled(ReadBatch(gateway_us=0), kept=False)


async def test_any_mixture_of_kinds_and_fates_is_told_as_it_was() -> None:
    """Against a plain account: a ticket is true if every thing of its own was in a kept batch."""
    seed = random.randrange(1 << 32)
    dice = random.Random(seed)
    for _ in range(200):
        tickets = Tickets()
        lines: tuple[list[str], list[str]] = ([], [])
        brought: list[tuple[Ticket, list[str]]] = []
        fate: dict[str, bool] = {}
        count = 0
        while brought == [] or any(lines) or dice.random() < 0.7:
            if dice.random() < 0.5:
                names = [f"{count}.{each}" for each in range(dice.randrange(4))]
                kinds = [dice.randrange(2) for _ in names]
                count += 1
                for name, kind in zip(names, kinds, strict=True):
                    lines[kind].append(name)
                heard = Heard(
                    reads=tuple(read(n) for n, k in zip(names, kinds, strict=True) if k == 0),
                    rejects=tuple(reject(n) for n, k in zip(names, kinds, strict=True) if k == 1),
                )
                tickets.put(heard)
                brought.append((tickets.ticket(heard), names))
                continue
            out = [
                [line.pop(0) for _ in range(min(len(line), dice.randrange(4)))] for line in lines
            ]
            batch = ReadBatch(
                gateway_us=0,
                reads=tuple(map(read, out[0])),
                rejects=tuple(map(reject, out[1])),
            )
            tickets.took(batch)
            kept = dice.random() < 0.7
            fate |= dict.fromkeys(out[0] + out[1], kept)
            tickets.spooled(batch, kept=kept)
            for ticket, names in brought:
                assert ticket.done() == all(name in fate for name in names), f"seed {seed}"
                if ticket.done():
                    assert ticket.result() == all(fate[name] for name in names), f"seed {seed}"
