"""What runs ahead of its gateway's time waits, comes out in order, and survives a restart."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from contracts.places import AntennaPlace, Gate, ReferenceChange, Side, SiteMap, Zone
from contracts.reads import Read
from stream_processors.core.holding import BACKLOG_US, HELD_MAX, HOLD_US, Holding
from stream_processors.core.understanding import Outcome, Reference, Understanding

SECOND = 1_000_000
START = 1_772_416_800_000_000


def reference() -> Reference:
    found = Reference()
    site = SiteMap(
        site="demo",
        zones=(Zone(id="stage"), Zone(id="yard", outside=True)),
        gates=(Gate(id="door-1", inner="stage", outer="yard"),),
        antennas=tuple(
            AntennaPlace(
                device="door-1",
                antenna=number,
                location="door-1",
                side=Side.OUTER if number < 3 else Side.INNER,
            )
            for number in (1, 2, 3, 4)
        ),
        gateways={"door-1": "dock"},
    )
    found.apply(ReferenceChange(key="site", version=1, value=site))
    return found


def read(identity: str, antenna: int, at_s: float) -> Read:
    at_us = START + int(at_s * SECOND)
    return Read(
        identity=identity,
        device="door-1",
        antenna=antenna,
        first_us=at_us,
        last_us=at_us,
        received_us=at_us + 50_000,
        count=1,
        rssi_cdbm=-5_000,
        evidence=b"\x30",
    )


def walk(identity: str, at_s: float) -> list[Read]:
    """Out through the door: the inner antennas first."""
    return [read(identity, antenna, at_s + step * 0.3) for step, antenna in enumerate((3, 4, 1, 2))]


def at(seconds: float) -> int:
    return START + int(seconds * SECOND)


def reads_in(outcome: Outcome) -> Counter[str]:
    counts: Counter[str] = Counter()
    for row in outcome.evidence:
        counts[row.identity] += row.reads
    return counts


def settled(made: Holding, seconds: float, bridge_s: float | None = None) -> Outcome:
    """Time goes on in small steps from here, as ticks do: whatever waits is decided."""
    out = Outcome([], [])
    for step in range(1, 60):
        moment = seconds + step
        bridge = moment if bridge_s is None else bridge_s + step * 5
        told = made.take_tick({"dock": at(seconds if bridge_s else moment)}, at(bridge))
        out.entries.extend(told.entries)
        out.evidence.extend(told.evidence)
    return out


def stages() -> Holding:
    made = Holding(Understanding(reference()))
    made.take_tick({"dock": at(0)}, at(0))
    return made


def test_what_is_near_its_gateways_time_is_not_held() -> None:
    made = stages()
    made.take_reads(walk("a", 0.2), "dock", at(1.2))
    values, _ = made.memory_change()
    assert not any(key.startswith("h/") for key in values)
    assert reads_in(settled(made, 2)) == {"a": 4}


def test_what_runs_ahead_is_held_and_told_as_if_it_had_come_in_time() -> None:
    ahead = stages()
    early = ahead.take_reads([*walk("a", 40), *walk("b", 60)], "dock", at(1))
    assert early == Outcome([], [])
    values, _ = ahead.memory_change()
    assert {key for key in values if key.startswith("h/")} == {"h/a", "h/b"}
    late = ahead.take_tick({"dock": at(62)}, at(62))
    after = settled(ahead, 62)
    late.entries.extend(after.entries)
    late.evidence.extend(after.evidence)
    plain = stages()
    expected = Outcome([], [])
    for identity, at_s in (("a", 40), ("b", 60)):
        plain.take_tick({"dock": at(at_s)}, at(at_s))
        plain.take_reads(walk(identity, at_s), "dock", at(at_s + 1))
        told = settled(plain, at_s)
        expected.entries.extend(told.entries)
        expected.evidence.extend(told.evidence)
    assert reads_in(late) == {"a": 4, "b": 4}
    assert [row.payload for row in late.evidence] == [row.payload for row in expected.evidence]
    assert [entry.payload for entry in late.entries] == [e.payload for e in expected.entries]
    assert "h/a" in ahead.memory_change()[1]


def test_a_backlogs_batches_carry_their_own_time() -> None:
    made = stages()
    made.take_reads(walk("a", 10), "dock", at(11.2))
    told = made.take_reads(walk("b", 300), "dock", at(301.2))
    later = made.take_reads([], "dock", at(301.2) + BACKLOG_US)
    assert reads_in(told) + reads_in(later) == {"a": 4}


def test_a_silent_gateway_does_not_hold_for_ever() -> None:
    made = stages()
    made.take_reads(walk("a", 40), "dock", at(1))
    assert reads_in(made.take_tick({"dock": at(1)}, at(30))) == {}
    assert reads_in(settled(made, 1, bridge_s=30)) == {"a": 4}


def test_held_reads_are_bounded() -> None:
    made = stages()
    batch = [read("a", 1 + n % 4, 40 + n / 1000) for n in range(2_000)]
    for _ in range(HELD_MAX // len(batch) + 2):
        made.take_reads(batch, "dock", at(1))
    assert made._held <= HELD_MAX


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 60)), min_size=1, max_size=8),
    st.integers(0, 90),
    st.booleans(),
)
def test_a_restart_anywhere_changes_nothing(
    walks: list[tuple[str, int]], cut_s: int, whole: bool
) -> None:
    reads = [one for identity, at_s in walks for one in walk(identity, at_s + HOLD_US / SECOND + 1)]
    one, other = stages(), stages()
    values: dict[str, bytes] = dict(other.memory_change()[0])
    for made in (one, other):
        made.take_reads(reads, "dock", at(0))
        made.take_tick({"dock": at(cut_s)}, at(cut_s))
    if whole:
        values = other.memory_snapshot()
    else:
        changed, removed = other.memory_change()
        values = {key: raw for key, raw in values.items() if key not in removed} | changed
    again = Holding(Understanding(reference()))
    again.restore(values, [])
    ends = [settled(made, 200) for made in (one, again)]
    assert reads_in(ends[0]) == reads_in(ends[1])
