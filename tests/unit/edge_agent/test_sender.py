"""What of the spool is published when, and when it may be forgotten."""

from __future__ import annotations

from contracts.commands import Acknowledgement, BridgeRun, SendAgain
from contracts.reads import SpooledBatch
from edge_agent.core.sender import RESEND_AFTER_S, RESEND_AFTER_S_MAX, Sender

ID = "5" * 32
OTHER = "6" * 32


class Spool:
    """A spool in memory with numbered payloads."""

    def __init__(self, batches: int = 0) -> None:
        self.id = ID
        self.lowest = 1
        self.sequence = batches

    def take(self, first: int, count: int) -> list[SpooledBatch]:
        """Batches in order."""
        last = min(first + count - 1, self.sequence)
        return [
            SpooledBatch(spool=self.id, sequence=each, lowest=self.lowest, payload=b"%d" % each)
            for each in range(max(first, self.lowest), last + 1)
        ]

    def acknowledge(self, sequence: int) -> bool:
        """Forget."""
        self.lowest = sequence + 1
        return True


def sender_of(batches: int, *, window: int = 100) -> tuple[Sender, Spool]:
    spool = Spool(batches)
    return Sender(spool, now_s=0.0, window=window), spool


def due(sender: Sender, now_s: float = 0.0, limit: int = 1000) -> list[int]:
    return [batch.sequence for batch in sender.due(now_s, limit)]


def acknowledge(sender: Sender, sequence: int, now_s: float = 0.0, spool: str = ID) -> None:
    sender.acknowledged(Acknowledgement(spool=spool, sequence=sequence), now_s)


def test_batches_go_out_once_and_in_order() -> None:
    sender, spool = sender_of(5)
    assert due(sender, limit=2) == [1, 2]
    assert due(sender) == [3, 4, 5]
    assert due(sender) == []
    spool.sequence = 6
    assert due(sender) == [6]


def test_a_batch_is_kept_until_the_ledger_has_it() -> None:
    sender, spool = sender_of(5)
    due(sender)
    assert spool.lowest == 1
    acknowledge(sender, 3)
    assert spool.lowest == 4


def test_only_so_many_are_under_way() -> None:
    sender, _ = sender_of(10, window=4)
    assert due(sender) == [1, 2, 3, 4]
    assert due(sender) == []
    acknowledge(sender, 2)
    assert due(sender) == [5, 6]


def test_a_new_run_of_the_bridge_gets_everything_again() -> None:
    sender, _ = sender_of(4)
    sender.bridge_run(BridgeRun(run=1, log="a"), 0.0)
    due(sender)
    acknowledge(sender, 1)
    sender.bridge_run(BridgeRun(run=1, log="a"), 0.0)
    assert due(sender) == []
    sender.bridge_run(BridgeRun(run=2, log="a"), 0.0)
    assert due(sender) == [2, 3, 4]


def test_a_connection_made_anew_gets_everything_again() -> None:
    sender, _ = sender_of(3)
    due(sender)
    sender.connected(0.0)
    assert due(sender) == [1, 2, 3]


def test_the_bridge_asks_from_a_sequence_on() -> None:
    sender, _ = sender_of(5)
    due(sender)
    sender.send_again(SendAgain(spool=ID, sequence=4))
    assert due(sender) == [4, 5]
    sender.send_again(SendAgain(spool=OTHER, sequence=1))
    assert due(sender) == []


def test_asking_for_what_was_not_sent_yet_skips_nothing() -> None:
    sender, _ = sender_of(5)
    assert due(sender, limit=2) == [1, 2]
    sender.send_again(SendAgain(spool=ID, sequence=5))
    assert due(sender) == [3, 4, 5]


def test_an_acknowledgement_that_stays_away_is_answered_with_everything() -> None:
    """Each time after a longer wait, because the ledger may be down for long."""
    sender, _ = sender_of(2)
    due(sender, 0.0)
    assert due(sender, RESEND_AFTER_S - 0.1) == []
    assert due(sender, RESEND_AFTER_S) == [1, 2]
    assert due(sender, 2.9 * RESEND_AFTER_S) == []
    assert due(sender, 3.0 * RESEND_AFTER_S) == [1, 2]
    now_s = 3.0 * RESEND_AFTER_S
    for _ in range(10):
        now_s += RESEND_AFTER_S_MAX
        assert due(sender, now_s) == [1, 2]
    acknowledge(sender, 1, now_s)
    assert due(sender, now_s + RESEND_AFTER_S) == [2]


def test_being_asked_does_not_put_off_the_resend() -> None:
    """A bridge that asks for the wrong thing must not keep us from sending all."""
    sender, _ = sender_of(3)
    due(sender, 0.0)
    for step in range(1, 5):
        sender.send_again(SendAgain(spool=ID, sequence=3))
        assert due(sender, step) == [3]
    assert due(sender, RESEND_AFTER_S) == [1, 2, 3]


def test_an_acknowledgement_of_another_spool_means_nothing() -> None:
    sender, spool = sender_of(3)
    due(sender)
    acknowledge(sender, 3, spool=OTHER)
    assert spool.lowest == 1


def test_an_old_acknowledgement_means_nothing() -> None:
    sender, spool = sender_of(3)
    due(sender)
    acknowledge(sender, 2)
    acknowledge(sender, 1)
    assert spool.lowest == 3


def test_more_than_was_ever_sent_means_that_it_was_put_back() -> None:
    """From then on nothing is forgotten, until the spool has another id."""
    sender, spool = sender_of(3)
    due(sender)
    acknowledge(sender, 7)
    assert sender.is_set_back
    spool.sequence = 9
    acknowledge(sender, 9)
    assert spool.lowest == 1
    spool.id = OTHER
    sender.started_over(0.0)
    assert not sender.is_set_back
    assert due(sender) == list(range(1, 10))
    acknowledge(sender, 9, spool=OTHER)
    assert spool.lowest == 10


def test_so_does_more_than_was_sent_even_if_the_spool_has_come_that_far_again() -> None:
    """It was put back, and went on in the dark under numbers that the ledger knows."""
    sender, spool = sender_of(3)
    spool.sequence = 20
    acknowledge(sender, 7)
    assert sender.is_set_back
    assert spool.lowest == 1


def test_what_was_acknowledged_while_we_were_away_is_forgotten_at_once() -> None:
    """The acknowledgement is retained; nothing was sent yet in this process."""
    sender, spool = sender_of(5)
    acknowledge(sender, 4)
    assert spool.lowest == 5
    assert due(sender) == [5]


def test_it_says_when_it_has_something_to_do() -> None:
    sender, spool = sender_of(0)
    assert sender.next_due_s(1.0) is None
    spool.sequence = 2
    assert sender.next_due_s(1.0) == 1.0
    due(sender, 1.0)
    assert sender.next_due_s(1.0) == 1.0 + RESEND_AFTER_S
    acknowledge(sender, 2, 2.0)
    assert sender.next_due_s(2.0) is None


def test_sent_batches_tell_what_the_spool_still_holds() -> None:
    sender, _ = sender_of(3)
    due(sender)
    acknowledge(sender, 1)
    sender.connected(0.0)
    assert [(batch.lowest, batch.spool) for batch in sender.due(0.0, 10)] == [(2, ID)] * 2
