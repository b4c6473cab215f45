"""Sparkplug B edge nodes: whether they and their devices live, and the figures that they tell.

Topics are `spBv1.0/GROUP/TYPE/NODE[/DEVICE]`. A node tells all its metrics in its birth (NBIRTH,
sequence 0), then what changes; each message of a node and of its devices has the next number (0 to
255, around). Its last will (NDEATH) has none, but the number of the birth that it belongs to
(bdSeq): a will that was told late, of a session before this one, changes nothing.

Who comes late, or misses a message, asks the node once for new birth certificates (Rebirth), and
again only after a while, however often something is missing.

STATE messages of other hosts are none of ours and are passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from contracts.site_mqtt import MqttTable
from edge_agent.core.vendors.device_times import milliseconds_us
from edge_agent.core.vendors.events import (
    Alive,
    Ask,
    Event,
    HealthTold,
    Noticed,
    StateTold,
    Unusable,
)
from edge_agent.core.vendors.sparkplug_payload import (
    Metric,
    Payload,
    PayloadError,
    Value,
    payload_of,
    rebirth_command,
    typed,
)

NAMESPACE = "spBv1.0"
SEQUENCES = 256
NODES_MAX = 64
"""Edge nodes that one topic filter may cover."""
DEVICES_MAX = 256
"""Devices of a node that are known, and others that were told dead."""
REBIRTH_US = 30_000_000
"""A node is asked for its birth at most so often, in domain time."""
TEMPERATURE_C_MAX = 1_000
SHOWN_CHARACTERS_MAX = 40
LOST_SHOWN_MAX = 5
"""Nodes and devices that are named as dead."""
BD_SEQ = "bdSeq"
MICROSECONDS_IN_MS = 1_000


class _Known(NamedTuple):
    name: str
    datatype: int


class _Metrics:
    """What a birth certificate said of one node or device, and the newest values."""

    def __init__(self, metrics: Iterable[Metric] = ()) -> None:
        self.by_name: dict[str, _Known] = {}
        self.by_alias: dict[int, _Known] = {}
        self.values: dict[str, Value] = {}
        for metric in metrics:
            known = _Known(metric.name, metric.datatype)
            self.by_name[metric.name] = known
            if metric.alias is not None:
                self.by_alias[metric.alias] = known
            self.values[metric.name] = typed(metric, metric.datatype)

    def take(self, metrics: Iterable[Metric]) -> bool:
        """Take new values; False: one of them is unknown."""
        are_known = True
        for metric in metrics:
            known = self._find(metric)
            if known is None:
                are_known = False
            elif not metric.is_historical:
                self.values[known.name] = typed(metric, metric.datatype or known.datatype)
        return are_known

    def _find(self, metric: Metric) -> _Known | None:
        if metric.name:
            return self.by_name.get(metric.name)
        return None if metric.alias is None else self.by_alias.get(metric.alias)


class _Node:
    """One edge node."""

    def __init__(self) -> None:
        self.is_born = False
        """Its birth certificate is known, and it lives."""
        self.is_dead = False
        """Its last word was its death."""
        self.birth: int | None = None
        """bdSeq of the birth that counts."""
        self.sequence: int | None = None
        self.metrics = _Metrics()
        self.devices: dict[str, _Metrics] = {}
        self.dead: dict[str, None] = {}
        """Devices that were told dead, in that order."""
        self.asked_us: int | None = None
        """When it was asked for its birth. A birth leaves it: of two nodes with one name each makes
        messages of the other look lost, and they would be asked without end."""


class SparkplugDecoder:
    """The edge node, or nodes, that one topic filter covers."""

    def __init__(self, table: MqttTable) -> None:
        self._temperature = table.temperature.lower()
        self._shown = tuple(name.lower() for name in table.shown)
        self._nodes: dict[tuple[str, str], _Node] = {}

    def decode(self, topic: str, payload: bytes, at_us: int) -> list[Event]:
        """What a message says; never raises."""
        levels = topic.split("/")
        if levels[0] != NAMESPACE or len(levels) < 3:  # noqa: PLR2004 - namespace, group, type.
            return [Unusable(f"no topic of Sparkplug B: {topic[:200]}", payload)]
        if levels[1] == "STATE" or levels[2] in {"NCMD", "DCMD", "STATE"}:
            return [Alive()]
        kind, names = levels[2], (levels[1], *levels[3:])
        wanted = 3 if kind.startswith("D") else 2
        if kind not in HANDLED or len(names) != wanted:
            return [Unusable(f"no topic of Sparkplug B: {topic[:200]}", payload)]
        try:
            told = payload_of(payload)
        except PayloadError as error:
            return [Unusable(f"no payload of Sparkplug B: {error}", payload)]
        key = names[0], names[1]
        node = self._nodes.get(key)
        if node is None:
            if len(self._nodes) >= NODES_MAX:
                return [Unusable(f"more than {NODES_MAX} edge nodes at one topic", payload)]
            node = self._nodes[key] = _Node()
        return self._take(key, node, kind, names[2] if wanted == 3 else "", told, at_us)  # noqa: PLR2004

    def _take(
        self, key: tuple[str, str], node: _Node, kind: str, device: str, told: Payload, at_us: int
    ) -> list[Event]:
        if kind == "NDEATH":
            return self._died(key, node, told)
        events: list[Event] = []
        if kind == "NBIRTH":
            node.is_born, node.is_dead = True, False
            node.birth, node.sequence = _birth_number(told.metrics), told.seq
            node.metrics = _Metrics(told.metrics)
            node.devices.clear()
            node.dead.clear()
            return self._figures(told)
        missed = self._follow(node, told)
        if missed:
            events.append(Noticed(f"{'/'.join(key)}: {missed}"))
        if missed or not node.is_born or not self._values(node, kind, device, told):
            events += self._ask(key, node, at_us)
        return [*events, *self._figures(told)]

    def _died(self, key: tuple[str, str], node: _Node, told: Payload) -> list[Event]:
        number = _birth_number(told.metrics)
        if node.is_born and number is not None and node.birth not in {None, number}:
            return [Alive()]  # The will of a session before this one.
        node.is_born, node.is_dead = False, True
        return [self._state(f"{'/'.join(key)} is dead")]

    @staticmethod
    def _follow(node: _Node, told: Payload) -> str:
        """What is wrong with the sequence number, in words; empty: nothing."""
        before, node.sequence = node.sequence, told.seq
        if not node.is_born or before is None or told.seq is None:
            return ""
        if told.seq == (before + 1) % SEQUENCES:
            return ""
        return f"messages are missing: number {told.seq} came behind {before}"

    @staticmethod
    def _values(node: _Node, kind: str, device: str, told: Payload) -> bool:
        """Take values; False: the node must tell its birth again."""
        if kind == "NDATA":
            return node.metrics.take(told.metrics)
        if kind == "DDEATH":
            if len(node.dead) < DEVICES_MAX or device in node.devices:
                node.dead[device] = None
            return device in node.devices
        if kind == "DBIRTH":
            if len(node.devices) < DEVICES_MAX or device in node.devices:
                node.devices[device] = _Metrics(told.metrics)
            node.dead.pop(device, None)
            return True
        return device in node.devices and node.devices[device].take(told.metrics)

    @staticmethod
    def _ask(key: tuple[str, str], node: _Node, at_us: int) -> list[Event]:
        """Ask for new birth certificates, if that was not done a moment ago."""
        if node.asked_us is not None and 0 <= at_us - node.asked_us < REBIRTH_US:
            return []
        node.asked_us = at_us
        topic = f"{NAMESPACE}/{key[0]}/NCMD/{key[1]}"
        return [Ask(topic, rebirth_command(max(0, at_us) // MICROSECONDS_IN_MS))]

    def _figures(self, told: Payload) -> list[Event]:
        at_us = milliseconds_us(told.at_ms)
        detail: list[str] = []
        degrees: list[float] = []
        for metrics in self._all():
            for name, value in metrics.values.items():
                last = name.rpartition("/")[2].lower()
                if isinstance(value, int | float) and self._temperature in {name.lower(), last}:
                    if -TEMPERATURE_C_MAX < value < TEMPERATURE_C_MAX:
                        degrees.append(float(value))
                elif value is not None and not {name.lower(), last}.isdisjoint(self._shown):
                    detail.append(f"{last} {_shown(value)}")
        words = ", ".join(detail)
        return [self._state(""), HealthTold(words, max(degrees, default=None), at_us)]

    def _all(self) -> Iterable[_Metrics]:
        for node in self._nodes.values():
            if node.is_born:
                yield node.metrics
                yield from (one for name, one in node.devices.items() if name not in node.dead)

    def _state(self, news: str) -> StateTold:
        """The device lives if all nodes live that were born, and no device of theirs is dead."""
        lost = list(islice(self._lost(), LOST_SHOWN_MAX))
        if not lost:
            return StateTold("reading", "")
        return StateTold("silent", news or f"not alive: {', '.join(lost)}")

    def _lost(self) -> Iterator[str]:
        for key, node in self._nodes.items():
            if node.is_dead:
                yield "/".join(key)
        for key, node in self._nodes.items():
            if not node.is_dead:
                yield from ("/".join((*key, device)) for device in node.dead)


HANDLED = frozenset({"NBIRTH", "NDEATH", "NDATA", "DBIRTH", "DDEATH", "DDATA"})


def _birth_number(metrics: Iterable[Metric]) -> int | None:
    return next((metric.raw for metric in metrics if metric.name == BD_SEQ), None)


def _shown(value: Value) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text[:SHOWN_CHARACTERS_MAX]
