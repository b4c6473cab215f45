"""Sparkplug B: births, deaths, sequences and aliases, as the specification wants them heard."""

from __future__ import annotations

from contracts.site_mqtt import MqttTable
from edge_agent.core.vendors.events import (
    Alive,
    Ask,
    Event,
    HealthTold,
    Noticed,
    StateTold,
    Unusable,
)
from edge_agent.core.vendors.sparkplug import DEVICES_MAX, REBIRTH_US, SparkplugDecoder
from edge_agent.core.vendors.sparkplug_payload import payload_of, rebirth_command, typed
from firmware_sim.core.vendors.sparkplug import (
    BOOLEAN,
    FLOAT,
    INT32,
    INT64,
    STRING,
    Metric,
    payload,
)

AT_MS = 1_795_514_400_000
BD_SEQ = Metric("bdSeq", INT64, 3)
TEMPERATURE = Metric("Health/Temperature", FLOAT, 41.5, alias=1)
CPU = Metric("Health/CPU", INT64, 12, alias=2)


class Node:
    """An edge node and who listens to it."""

    def __init__(self, **table: object) -> None:
        self.decoder = SparkplugDecoder(MqttTable.model_validate({"topic": "spBv1.0/#"} | table))

    def say(
        self,
        kind: str,
        sequence: int | None,
        *metrics: Metric,
        device: str = "",
        at_us: int = 0,
        node: str = "portal",
    ) -> list[Event]:
        """What is made of a message."""
        topic = f"spBv1.0/dock/{kind}/{node}" + (f"/{device}" if device else "")
        return self.decoder.decode(topic, payload(AT_MS, metrics, sequence), at_us)

    def born(self) -> list[Event]:
        """It says its birth certificate."""
        return self.say("NBIRTH", 0, BD_SEQ, TEMPERATURE, CPU)


def asked(events: list[Event]) -> bool:
    return any(isinstance(one, Ask) for one in events)


def state(events: list[Event]) -> StateTold:
    return next(one for one in events if isinstance(one, StateTold))


def health(events: list[Event]) -> HealthTold:
    return next(one for one in events if isinstance(one, HealthTold))


def test_a_birth_tells_state_and_figures() -> None:
    events = Node().born()
    assert state(events) == StateTold("reading", "")
    assert health(events) == HealthTold("cpu 12", 41.5, AT_MS * 1_000)


def test_data_by_alias_renews_figures() -> None:
    node = Node()
    node.born()
    events = node.say("NDATA", 1, Metric("", FLOAT, 50.0, alias=1), Metric("", INT64, -1, alias=2))
    assert health(events).temperature_c == 50.0
    assert health(events).detail == "cpu -1"
    assert not asked(events)


def test_a_death_counts_only_for_the_birth_that_it_belongs_to() -> None:
    node = Node()
    node.born()
    assert node.say("NDEATH", None, Metric("bdSeq", INT64, 2)) == [Alive()]
    assert state(node.say("NDEATH", None, BD_SEQ)) == StateTold("silent", "dock/portal is dead")
    assert state(node.born()).state == "reading"


def test_a_devices_death_shows_until_it_is_born_again() -> None:
    node = Node()
    node.born()
    assert not asked(node.say("DBIRTH", 1, Metric("n", INT32, 1, alias=7), device="reader"))
    dead = state(node.say("DDEATH", 2, device="reader"))
    assert dead == StateTold("silent", "not alive: dock/portal/reader")
    born = node.say("DBIRTH", 3, Metric("n", INT32, 1, alias=7), device="reader")
    assert state(born).state == "reading"


def test_a_gap_in_the_sequence_is_told_and_the_birth_asked_for_once() -> None:
    node = Node()
    node.born()
    gap = node.say("NDATA", 2, Metric("", FLOAT, 1.0, alias=1), at_us=1)
    assert Noticed("dock/portal: messages are missing: number 2 came behind 0") in gap
    ask = next(one for one in gap if isinstance(one, Ask))
    assert ask.topic == "spBv1.0/dock/NCMD/portal"
    metric = payload_of(ask.payload).metrics[0]
    assert (metric.name, typed(metric, BOOLEAN)) == ("Node Control/Rebirth", True)
    again = node.say("NDATA", 9, Metric("", FLOAT, 1.0, alias=1), at_us=2)
    assert not asked(again)
    later = node.say("NDATA", 20, Metric("", FLOAT, 1.0, alias=1), at_us=2 + REBIRTH_US)
    assert asked(later)


def test_two_nodes_with_one_name_are_not_asked_for_births_without_end() -> None:
    node = Node()
    asks = 0
    for step in range(20):
        at_us = step * REBIRTH_US // 10
        asks += asked(node.say("NBIRTH", 0, BD_SEQ, CPU, at_us=at_us))
        asks += asked(node.say("NDATA", 7, Metric("", INT64, 1, alias=2), at_us=at_us + 1))
    assert asks == 2


def test_devices_that_were_never_born_and_are_told_dead_are_bounded() -> None:
    node = Node()
    node.born()
    node.say("DBIRTH", 1, device="reader")
    for number in range(2 * DEVICES_MAX):
        node.say("DDEATH", (number + 2) % 256, device=f"unknown-{number}")
    (known,) = node.decoder._nodes.values()
    assert len(known.dead) == DEVICES_MAX
    node.say("DDEATH", 2, device="reader")
    assert "reader" in known.dead


def test_the_sequence_goes_around() -> None:
    node = Node()
    node.born()
    for number in [*range(1, 256), 0, 1]:
        events = node.say("NDATA", number, Metric("", INT64, number, alias=2))
        assert not asked(events), number
        assert not any(isinstance(one, Noticed) for one in events)


def test_who_comes_late_asks_for_the_birth() -> None:
    node = Node()
    events = node.say("DDATA", 77, Metric("", INT64, 1, alias=5), device="reader")
    assert asked(events)
    assert state(events).state == "reading"
    assert health(node.born()).temperature_c == 41.5


def test_unknown_aliases_ask_for_the_birth_and_old_values_change_nothing() -> None:
    node = Node()
    node.born()
    assert asked(node.say("NDATA", 1, Metric("", INT64, 1, alias=99)))


def test_metrics_are_chosen_by_configuration() -> None:
    node = Node(temperature="Box/Heat", shown=["Serial"])
    events = node.say(
        "NBIRTH", 0, BD_SEQ, Metric("Box/Heat", INT32, -7), Metric("Id/Serial", STRING, "A1")
    )
    assert health(events) == HealthTold("serial A1", -7.0, AT_MS * 1_000)


def test_other_topics_are_passed_over_and_wrong_ones_refused() -> None:
    decoder = SparkplugDecoder(MqttTable())
    state_message = b'{"online":true,"timestamp":1}'
    assert decoder.decode("spBv1.0/STATE/scada", state_message, 0) == [Alive()]
    assert decoder.decode("spBv1.0/dock/NCMD/portal", b"", 0) == [Alive()]
    for topic in ("spBv1.0/dock/NDATA", "spBv1.0/dock/DDATA/n", "spBv1.0/dock/X/n", "other/x/y"):
        assert isinstance(decoder.decode(topic, b"", 0)[0], Unusable), topic
    cut = payload(AT_MS, [BD_SEQ], 0)[:-1]
    assert isinstance(decoder.decode("spBv1.0/dock/NBIRTH/portal", cut, 0)[0], Unusable)


def test_nodes_of_one_topic_are_counted_and_bounded() -> None:
    node = Node()
    for number in range(64):
        node.say("NBIRTH", 0, BD_SEQ, node=f"n{number}")
    refused = node.say("NBIRTH", 0, BD_SEQ, node="one-more")
    assert isinstance(refused[0], Unusable)
    assert state(node.say("NDEATH", None, BD_SEQ, node="n7")).detail == "dock/n7 is dead"


def test_what_is_asked_is_a_payload_like_any_other() -> None:
    told = payload_of(rebirth_command(AT_MS))
    assert (told.at_ms, told.seq, len(told.metrics)) == (AT_MS, None, 1)
