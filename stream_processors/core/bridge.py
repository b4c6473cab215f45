"""The bridge's decisions: from MQTT messages to the records of the log, in an order that proves.

Per spool only the next sequence is accepted, beginning behind the ledger's acknowledgement. An
accepted batch becomes one part for each partition that has a share in it, and each part names the
part before it in its partition (`previous`), so a worker notices a part that went missing. Ticks
say how far Kafka holds everything, and name each partition's newest part for the same reason.

The caller is the rim: it owns the lease, MQTT, the producer and the ledger's connection. One
`Bridge` is one run; when `restart` gives a reason, the process ends and a new run begins::

    bridge = Bridge(run=run, log=log, partitions=4, acknowledged=ledger.acknowledged(), now_s=now)
    effects = bridge.receive(gateway, payload, token, bridge_us=..., now_s=now)  # a message came
    effects = bridge.tick(bridge_us=...)                       # every TICK_EVERY_S
    done = bridge.delivered(number, offset)                    # Kafka acknowledged a record
    ticket = bridge.ticket                                     # every LEDGER_EVERY_S, and at once
    positions = ledger.positions()                             # after `ask_ledger`: the ticket,
    effects = bridge.take_ledger(                              # the positions and then the
        ticket, ledger.acknowledged(),                         # acknowledgements, in this order
        next_offsets={...}, now_s=now,
    )
    told = ledger.pseudonyms_of(effects.ask_persons)           # after `ask_persons`, when it can
    effects = bridge.take_persons(told, now_s=now)

Records go to Kafka in the order given, through one producer that keeps the order within a
partition and never gives a record up (an error ends the process). Times: `bridge_us` is domain
time, `now_s` seconds of a monotonic wall clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from contracts.codec import decode, encode, reject
from contracts.commands import SendAgain
from contracts.log import SpoolProgress, Tick
from contracts.reads import Loss, ReadBatch, Reject, SpooledBatch
from contracts.topics import is_name
from stream_processors.core.heal import Heal, Probe
from stream_processors.core.keys import SEQUENCE_MAX, SPOOL, SpoolKey
from stream_processors.core.persons import Pseudonyms, persons_of
from stream_processors.core.regroup import Place, loose_part, shares_of
from stream_processors.core.sound import sound_batch

TICK_EVERY_S = 0.2
"""Latency waits on ticks; every partition pays a record for each."""
SEND_AGAIN_EVERY_S = 1.0
"""A spool is asked again at the most so often: each answer is all that it holds."""
LEDGER_EVERY_S = 1.0
"""How often the ledger is asked, beside at once where effects say `ask_ledger`."""
PAYLOAD_BYTES_MAX = 600_000
"""A larger batch might become a part that no log takes; agents stay far below."""
TICKS_WAITING_MAX = 5
"""While Kafka does not answer, no more ticks than these wait for it."""


class Produce(NamedTuple):
    """A record for topic `reads`."""

    number: int
    """Counts up over the run; `delivered` is told it."""
    partition: int
    """Where it goes."""
    value: bytes
    """A `Part` or `Tick`, encoded."""


class Command(NamedTuple):
    """A command for a gateway's topic `cmd`."""

    gateway: str
    """Whose."""
    command: SendAgain
    """What."""


class Effects(NamedTuple):
    """What the rim is to do."""

    produce: Sequence[Produce] = ()
    """Records, in this order."""
    commands: Sequence[Command] = ()
    """To be published; may get lost."""
    done: Sequence[int] = ()
    """Tokens of MQTT messages that may be acknowledged to the MQTT broker."""
    ask_ledger: bool = False
    """True: a decision waits for `take_ledger`."""
    ask_persons: frozenset[str] = frozenset()
    """A batch waits for the pseudonyms of these, in `take_persons`."""


@dataclass(slots=True)
class _Batch:
    """A batch that was accepted, until Kafka has acknowledged its parts."""

    key: SpoolKey
    sequence: int
    gateway_us: int
    token: int
    parts: int = 0
    """So many of its parts Kafka has not acknowledged."""


class _Loose(NamedTuple):
    """A message that is no batch, until Kafka has acknowledged its reject."""

    token: int


class _TickRecord(NamedTuple):
    """A tick's record, until Kafka has acknowledged it."""

    probe: Probe | None


@dataclass(slots=True)
class _Spool:
    """One spool as this run sees it."""

    accepted: int
    """The last sequence taken, or the ledger's: only the next is accepted."""
    acknowledged: int
    """By the ledger."""
    newest_parts: dict[int, int] = field(default_factory=dict)
    """Per partition the newest part's sequence in this run."""
    gateway_us: int = 0
    """Of the batch accepted last."""
    waiting: deque[_Batch] = field(default_factory=deque)
    """Accepted, in order; the first still waits for Kafka."""
    held: int = 0
    """Kafka has all up to this sequence; 0: nothing was accepted in this run."""
    held_us: int = 0
    """The gateway time of that batch."""
    asked_s: float = float("-inf")
    """When it was last asked to send again."""
    suspected: int = 0
    """Its agent holds nothing below this, and `accepted` is not so far: perhaps a loss."""
    suspected_ticket: int = 0
    """The ledger's answer to this ticket, or to a later one, decides it."""
    cut: int = 0
    """Decided: what lies between `accepted` and this is lost."""


class Bridge:
    """One run of the bridge."""

    def __init__(
        self,
        *,
        run: int,
        log: str,
        partitions: int,
        acknowledged: Iterable[tuple[str, str, int]],
        now_s: float,
        heal: Heal | None = None,
    ) -> None:
        self.run = run
        self.log = log
        self.partitions = partitions
        self.restart: str | None = None
        """Why this run must end, in words."""
        self.ticket = 0
        """To be read before the ledger is asked, and given to `take_ledger` with the answer."""
        self._spools: dict[SpoolKey, _Spool] = {
            (gateway, spool): _Spool(accepted=sequence, acknowledged=sequence)
            for gateway, spool, sequence in acknowledged
        }
        self._heal = heal or Heal(now_s=now_s)
        self._number = 0
        self._tick_number = 0
        self._ticks_waiting = 0
        self._undelivered: dict[int, tuple[int, int, _Batch | _Loose | _TickRecord]] = {}
        self._pseudonyms = Pseudonyms()
        self._nameless: dict[SpoolKey, frozenset[str]] = {}
        """Spools whose next batch waits for pseudonyms, and for whose."""
        self._ledger_ends: dict[int, int] = {}
        self._delivered_ends: dict[int, int] = {}

    @property
    def undelivered(self) -> int:
        """Records that Kafka has not acknowledged: read no more messages above a bound."""
        return len(self._undelivered)

    def receive(
        self, gateway: str, payload: bytes, token: int, *, bridge_us: int, now_s: float
    ) -> Effects:
        """A message came on a gateway's topic `reads`; `token` is the caller's name for it."""
        message = _spooled_batch(gateway, payload, bridge_us)
        if isinstance(message, Reject):
            partition, record = loose_part(self.run, gateway, message, self.partitions)
            return Effects(produce=[self._produce(partition, record, _Loose(token))])
        key = (gateway, message.spool)
        spool = self._spools.get(key)
        if spool is None:
            spool = self._spools[key] = _Spool(accepted=0, acknowledged=0)
        if message.sequence <= spool.accepted:
            return Effects(done=[token])
        if message.sequence == spool.accepted + 1:
            return self._accept(key, spool, message, token, now_s)
        if message.sequence == message.lowest and message.lowest <= spool.cut:
            return self._accept(key, spool, message, token, now_s)
        return self._miss(key, spool, message, token, now_s)

    def tick(self, *, bridge_us: int) -> Effects:
        """The next tick, for every partition; nothing while too many wait for Kafka."""
        if self._ticks_waiting > (TICKS_WAITING_MAX - 1) * self.partitions:
            return Effects()
        self._tick_number += 1
        probe = self._heal.tick(self._claims(), self.partitions)
        self._ticks_waiting += self.partitions
        return Effects(
            produce=[
                self._produce(
                    partition, encode(self._tick(partition, bridge_us)), _TickRecord(probe)
                )
                for partition in range(self.partitions)
            ]
        )

    def delivered(self, number: int, offset: int) -> list[int]:
        """Kafka acknowledged a record; gives the tokens of messages that are thereby done."""
        partition, end, record = self._undelivered.pop(number)
        end = max(end, self._delivered_ends.get(partition, 0))
        if offset < end:
            self.restart = (
                f"partition {partition} of log {self.log} went back from offset {end} to "
                f"{offset}: it was emptied or cut"
            )
        self._delivered_ends[partition] = offset + 1
        if isinstance(record, _Loose):
            return [record.token]
        if isinstance(record, _TickRecord):
            self._ticks_waiting -= 1
            if record.probe is not None:
                record.probe.delivered(partition, offset)
            return []
        record.parts -= 1
        return self._advance(self._spools[record.key])

    def take_ledger(
        self,
        ticket: int,
        acknowledged: Iterable[tuple[str, str, int]],
        *,
        next_offsets: Mapping[int, int],
        now_s: float,
    ) -> Effects:
        """What the ledger says; `next_offsets` by partition were read before `acknowledged`.

        A spool that is acknowledged further than this run accepted goes on from there: a run
        before brought it into the log, and the agent may have forgotten it already.
        """
        for gateway, spool_id, sequence in acknowledged:
            spool = self._spools.setdefault((gateway, spool_id), _Spool(0, 0))
            spool.acknowledged = max(spool.acknowledged, sequence)
            spool.accepted = max(spool.accepted, sequence)
        self._ledger_ends = dict(next_offsets)
        self.restart = self.restart or self._heal.judge(
            {key: spool.acknowledged for key, spool in self._spools.items()},
            next_offsets,
            now_s,
        )
        commands = []
        for key, spool in self._spools.items():
            if spool.suspected and ticket >= spool.suspected_ticket:
                if spool.suspected > spool.accepted + 1:
                    spool.cut = spool.suspected
                spool.suspected = 0
                commands.append(self._send_again(key, spool, now_s))
        return Effects(commands=commands)

    def take_persons(self, told: Mapping[str, str], *, now_s: float) -> Effects:
        """What the ledger says of persons: spools that waited for no more are asked to go on."""
        self._pseudonyms.take(told, now_s)
        commands = []
        for key, persons in list(self._nameless.items()):
            if not self._pseudonyms.missing(persons, now_s):
                del self._nameless[key]
                commands.append(self._send_again(key, self._spools[key], now_s))
        return Effects(commands=commands)

    def _accept(
        self, key: SpoolKey, spool: _Spool, message: SpooledBatch, token: int, now_s: float
    ) -> Effects:
        """Take the next batch: its parts, and a loss first where it does not follow directly."""
        place = Place(key=key, sequence=message.sequence, run=self.run)
        content = _content(message.payload, key[0], spool.gateway_us)
        persons = persons_of(content)
        missing = self._pseudonyms.missing(persons, now_s)
        if missing:
            # All of them, so that none runs out while the others are asked for.
            self._nameless[key] = frozenset(persons)
            return Effects(done=[token], ask_persons=frozenset(persons))
        self._nameless.pop(key, None)
        content = self._pseudonyms.disguised(content)
        losses = _losses(key, spool.accepted + 1, message.sequence - 1, content.gateway_us)
        batch = _Batch(key, message.sequence, content.gateway_us, token)
        spool.accepted = message.sequence
        spool.gateway_us = content.gateway_us
        spool.waiting.append(batch)
        records = []
        for partition, share in shares_of(content, place, self.partitions, losses).items():
            value = share.part(
                place,
                previous=spool.newest_parts.get(partition, 0),
                gateway_us=content.gateway_us,
            )
            spool.newest_parts[partition] = message.sequence
            batch.parts += 1
            records.append(self._produce(partition, value, batch))
        return Effects(produce=records, done=self._advance(spool))

    def _miss(
        self, key: SpoolKey, spool: _Spool, message: SpooledBatch, token: int, now_s: float
    ) -> Effects:
        """Batches before this one are missing: it is dropped, and what is missing is asked for."""
        if message.lowest > max(spool.accepted + 1, spool.cut):
            # The agent forgets on the ledger's word alone, so either the ledger has more than we
            # know, or a spool lost its beginning: only the ledger can tell.
            if message.lowest <= spool.suspected:
                return Effects(done=[token])
            self.ticket += 1
            spool.suspected, spool.suspected_ticket = message.lowest, self.ticket
            return Effects(done=[token], ask_ledger=True)
        if now_s - spool.asked_s < SEND_AGAIN_EVERY_S:
            return Effects(done=[token])
        return Effects(done=[token], commands=[self._send_again(key, spool, now_s)])

    @staticmethod
    def _send_again(key: SpoolKey, spool: _Spool, now_s: float) -> Command:
        spool.asked_s = now_s
        return Command(key[0], SendAgain(spool=key[1], sequence=max(spool.accepted + 1, spool.cut)))

    def _produce(
        self, partition: int, value: bytes, record: _Batch | _Loose | _TickRecord
    ) -> Produce:
        self._number += 1
        # The log once reached to where the ledger is, so a record sent from now on lies behind.
        end = self._ledger_ends.get(partition, 0)
        self._undelivered[self._number] = (partition, end, record)
        return Produce(self._number, partition, value)

    @staticmethod
    def _advance(spool: _Spool) -> list[int]:
        """Pass over batches of which Kafka has every part; gives their tokens."""
        done = []
        while spool.waiting and spool.waiting[0].parts == 0:
            batch = spool.waiting.popleft()
            spool.held, spool.held_us = batch.sequence, batch.gateway_us
            done.append(batch.token)
        return done

    def _claims(self) -> dict[SpoolKey, int]:
        return {key: spool.held for key, spool in self._spools.items() if spool.held}

    def _tick(self, partition: int, bridge_us: int) -> Tick:
        return Tick(
            run=self.run,
            number=self._tick_number,
            bridge_us=bridge_us,
            spools=tuple(
                SpoolProgress(
                    gateway=gateway,
                    spool=spool_id,
                    sequence=spool.held,
                    gateway_us=spool.held_us,
                    part=spool.newest_parts.get(partition, 0),
                )
                for (gateway, spool_id), spool in self._spools.items()
                if spool.held
            ),
        )


def _spooled_batch(gateway: str, payload: bytes, bridge_us: int) -> SpooledBatch | Reject:
    """The batch in a message, or why it is none that a spool can have sent."""
    if not is_name(gateway):
        return reject("bridge", f"no gateway's topic is {gateway!r}", payload, bridge_us)
    message = decode(SpooledBatch, payload, source="bridge", at_us=bridge_us)
    if isinstance(message, Reject):
        return message
    if SPOOL.match(message.spool) is None:
        return reject("bridge", "a spool's id is 32 hexadecimal characters", payload, bridge_us)
    if not 1 <= message.lowest <= message.sequence <= SEQUENCE_MAX:
        return reject(
            "bridge",
            f"sequence {message.sequence} does not go with lowest {message.lowest}",
            payload,
            bridge_us,
        )
    return message


def _content(payload: bytes, gateway: str, gateway_us: int) -> ReadBatch:
    """What a batch holds. What cannot be used takes its place in the sequence as a reject.

    Whoever takes the batch again in a later run must make the very same of it, so the bridge's
    time must not be in it.
    """
    if len(payload) > PAYLOAD_BYTES_MAX:
        reason = f"a batch larger than {PAYLOAD_BYTES_MAX} bytes"
        return ReadBatch(gateway_us=gateway_us, rejects=(reject(gateway, reason, payload, 0),))
    return sound_batch(payload, source=gateway, gateway_us=gateway_us)


def _losses(key: SpoolKey, first: int, last: int, at_us: int) -> tuple[Loss, ...]:
    """The loss of what lies between two accepted batches, if anything does."""
    if first > last:
        return ()
    loss = Loss(
        gateway=key[0],
        spool=key[1],
        reason="spool_cut",
        first_sequence=first,
        last_sequence=last,
        reads=None,
        at_us=at_us,
    )
    return (loss,)
