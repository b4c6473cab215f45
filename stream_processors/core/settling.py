"""When windows end: sightings are told, visits are judged, silence departs.

Called at ticks, when gateway time has come far enough; and at a sure read in a zone, which settles
what was still open at the gates beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.events import Direction, LocationEvent, LocationKind
from stream_processors.core.agenda import Clock
from stream_processors.core.dedup import Told, tally_samples, tell, tell_stay
from stream_processors.core.entries import location_entry, location_id
from stream_processors.core.gate import SURE, Context, Judgement, Passage, judge
from stream_processors.core.gate_track import MOVERS
from stream_processors.core.gate_weight import Weighed, votes_of, weigh
from stream_processors.core.passing import Crossing, Waited, enter_passage, tell_zone
from stream_processors.core.state import PINNED_US, State
from stream_processors.core.windows import Due, Record, Stay, Trail, Visit
from stream_processors.core.zones import Verdict

LINGERED_US = 300_000_000
"""Who waited beside a gate within this is taken to wait there still."""
LINGERED_NEAR_US = 20_000_000
"""Who waited at another gate within this can only be near this one, if it is heard here."""
CROSSTALK_US = 6_000_000
"""Nobody passes two gates within this."""
CROSSTALK_CDB = 300
"""Heard louder than this elsewhere, the other gate is meant."""
EYES_REACH_US = 2_000_000
"""Beams are broken this much before the first or after the last read, at most."""
TAIL_US = 8_000_000
"""Of a visit that does not end, this much is kept open: a passage may have just begun."""


def close_stay(state: State, stay: Stay) -> None:
    """A stay is due: by silence it ends, by length it is told and goes on."""
    clock = stay.clock
    silent = stay.closed or stay.last_us + stay.gap_us <= clock.now_us
    if stay.tallies:
        told = tell_stay(stay, incomplete=clock.incomplete)
        entry = None
        if stay.late and not stay.location.line:
            entry = _late_arrival(state, stay, told)
        state.out.evidence.append(told.evidence(entry))
    if silent:
        state.end(stay)
        state.forget_if_idle(stay.record)
    else:
        state.touch(stay)
        clock.windows.put(stay, stay.due_us())


def _late_arrival(state: State, stay: Stay, told: Told) -> str | None:
    """Reads older than what is known: told at their own time, the present place stays."""
    good, _ = stay.heard()
    if good < stay.location.parameters.reads_min:
        return None
    verdict = Verdict(LocationKind.ARRIVED, 0.5, "reads")
    waited = Waited(stay.received_us, stay.gap_us)
    return tell_zone(state, stay, told, verdict, stay.last_us, waited, late=True)


def settle_visits(state: State, visits: Sequence[Visit]) -> None:
    """Visits that are due: they tell their company what they may be, and are judged in the end."""
    ready: list[Visit] = []
    for visit in visits:
        _vote(state, visit)
        if visit.due_us() <= visit.clock.now_us:
            ready.append(visit)
        else:
            visit.clock.windows.put(visit, visit.due_us())
    for visit in ready:
        judgement = _judge(state, visit)
        waits = not (judgement.sure or visit.held_us) and _may_wait(visit)
        if waits:
            visit.held_us = visit.last_us + 2 * visit.location.parameters.silence_us
        if not waits or visit.held_us <= visit.clock.now_us:
            _settle(state, visit, judgement)
            continue
        state.touch(visit)
        visit.clock.windows.put(visit, visit.held_us)


def _vote(state: State, visit: Visit) -> Weighed:
    """Weigh a visit's reads, once for as many as there are, and tell its company."""
    count = len(visit.samples)
    if visit.voted == count:
        if visit.weighed is None:
            visit.weighed = weigh(visit.samples, visit.level_cdbm, waiting=visit.waiting)
        assert isinstance(visit.weighed, Weighed)
        return visit.weighed
    gate = state.gate_of(visit.location)
    if visit.voted:
        gate.vote(visit.voted_us, visit.votes, -1)
    visit.level_cdbm = gate.level_cdbm
    visit.waiting = visit.resumed or _lingers(visit.record.trail, visit)
    weighed = visit.weighed = weigh(visit.samples, visit.level_cdbm, waiting=visit.waiting)
    visit.voted = count
    visit.voted_us = weighed.at_us
    visit.votes = (0,) * (MOVERS + 1)
    if not visit.late:
        visit.votes = votes_of(weighed, _before(state, visit)[0])
    gate.vote(visit.voted_us, visit.votes)
    state.touch(visit)
    return weighed


def settle_beside(state: State, record: Record, zone: str) -> None:
    """A sure read in a zone settles visits at its gates: nobody waits for their silence."""
    for window in record.windows:
        if not isinstance(window, Visit) or window.late:
            continue
        if zone not in (window.location.inner, window.location.outer):
            continue
        window.after = zone
        _vote(state, window)
        judgement = _judge(state, window)
        if judgement.passages and judgement.sure:
            _settle(state, window, judgement)
        else:
            state.touch(window)


def _may_wait(visit: Visit) -> bool:
    """Whether silence, not length, has it judged, by gateways that still speak."""
    silent = visit.last_us + visit.location.parameters.silence_us <= visit.clock.now_us
    return silent and not visit.closed and not visit.clock.incomplete


def _judge(state: State, visit: Visit) -> Judgement:
    """Judge a visit by its reads and by all that is known besides."""
    weighed = _vote(state, visit)
    location = visit.location
    gate = state.gate_of(location)
    eyes = None
    if location.has_eyes:
        eyes = gate.crossings(visit.first_us - EYES_REACH_US, visit.last_us + EYES_REACH_US)
    before, planned = _before(state, visit)
    context = Context(
        before=before,
        planned=planned,
        after=_half(visit, visit.after or None),
        elsewhere=_elsewhere(visit),
        company=gate.company_at(weighed.at_us, visit.votes),
        eyes=eyes,
    )
    return judge(weighed, context)


def _before(state: State, visit: Visit) -> tuple[int, bool]:
    """The half where it was before, and whether only the plan says so.

    Its last event tells. But where neither antennas nor photo-eyes tell a direction, who turned
    back in the gate may have been told as passed: what a load is to take out is then taken to be
    inside until the load is closed.
    """
    if visit.late:
        return 0, False
    location = visit.location
    half = _half(visit, visit.record.zone)
    if location.ordered or location.has_eyes or location.inner == location.outer:
        return half, False
    if half and (visit.record.trail is None or visit.record.trail.gate != location.id):
        return half, False
    planned = state.reference.awaited_side(visit.record.identity, location.id, visit.first_us)
    return planned or half, planned != 0


def _half(visit: Visit, zone: str | None) -> int:
    if zone is None or visit.location.inner == visit.location.outer:
        return 0
    return int(zone == visit.location.inner) - int(zone == visit.location.outer)


def _lingers(trail: Trail | None, visit: Visit) -> bool:
    if trail is None or trail.lingered is None:
        return False
    return any(
        abs(visit.first_us - lingered_us)
        <= (LINGERED_US if gate == visit.location.id else LINGERED_NEAR_US)
        for gate, lingered_us in trail.lingered.items()
    )


def _elsewhere(visit: Visit) -> bool:
    """Whether another gate hears, or just heard, this identity louder at the same time."""
    peak = _peak(visit)
    for other in visit.record.windows:
        if not isinstance(other, Visit) or other.location is visit.location:
            continue
        apart_us = max(other.first_us - visit.last_us, visit.first_us - other.last_us)
        if apart_us > CROSSTALK_US:
            continue
        louder = _peak(other) - peak
        if louder >= CROSSTALK_CDB or (
            louder > -CROSSTALK_CDB and len(other.samples) > 2 * len(visit.samples)
        ):
            return True
    trail = visit.record.trail
    return (
        trail is not None
        and trail.passed_us > 0
        and trail.gate != visit.location.id
        and visit.first_us - CROSSTALK_US <= trail.passed_us <= visit.last_us + CROSSTALK_US
        and trail.peak_cdbm >= peak
    )


def _peak(visit: Visit) -> int:
    return max((one[3] for one in visit.samples if one[3] is not None), default=-10_000)


def _settle(state: State, visit: Visit, judgement: Judgement) -> None:
    """Tell what a visit was, and end it; what goes on is kept open in part."""
    clock = visit.clock
    silence_us = visit.location.parameters.silence_us
    lasts = not visit.closed and not visit.held_us and clock.now_us < visit.last_us + silence_us
    if lasts and visit.after:
        lasts = False
    passages = judgement.passages
    if lasts:
        settled = all(one.at_us < visit.last_us - TAIL_US for one in passages)
        passages = passages if judgement.sure and settled else ()
    if passages:
        _tell_rested(state, visit)
        for passage in passages:
            _tell_passage(state, visit, passage, judgement)
        assert sum(len(passage.samples) for passage in passages) == len(visit.samples)
        _end_visit(state, visit)
        return
    kept = [one for one in visit.samples if lasts and one[0] >= visit.last_us - TAIL_US]
    ended = [one for one in visit.samples if not lasts or one[0] < visit.last_us - TAIL_US]
    if not ended:
        kept, ended = [], kept
    visit.rested = tally_samples(ended, visit.rested)
    if judgement.rests and not visit.late:
        _note_lingering(state, visit, max(one[0] for one in ended))
    if not kept:
        _tell_rested(state, visit)
        _end_visit(state, visit)
        return
    since_us = min(tally.first_us for tally in visit.rested)
    if visit.last_us - since_us >= visit.location.parameters.sighting_us_max:
        _tell_rested(state, visit)
    visit.samples = kept
    visit.first_us = min(one[1] for one in kept)
    visit.resumed = True
    visit.told = -1
    visit.voted, visit.votes = 0, ()
    state.touch(visit)
    clock.windows.put(visit, visit.due_us())


def _tell_rested(state: State, visit: Visit) -> None:
    """Tell what a visit rested before its last seconds, as evidence that decided nothing."""
    if not visit.rested:
        return
    told = tell(
        visit.record.identity,
        visit.location.id,
        visit.rested,
        visit.tags,
        incomplete=visit.clock.incomplete,
    )
    state.out.evidence.append(told.evidence(None))
    visit.rested = []


def _end_visit(state: State, visit: Visit) -> None:
    state.end(visit)
    state.forget_if_idle(visit.record)


def _note_lingering(state: State, visit: Visit, last_us: int) -> None:
    """It was here and did not pass: the next such reads are no surprise."""
    trail = state.trail_of(visit.record, visit.clock)
    if trail.lingered is None:
        trail.lingered = {}
    trail.lingered[visit.location.id] = last_us
    trail.closes_us = max(trail.closes_us, last_us + LINGERED_US)


def _tell_passage(state: State, visit: Visit, passage: Passage, judgement: Judgement) -> None:
    """Enter one passage, and what it means for the loads."""
    record, location, clock = visit.record, visit.location, visit.clock
    peak = judgement.peak_cdbm
    sure = passage.confidence >= SURE and passage.direction in (Direction.IN, Direction.OUT)
    if sure and peak is not None:
        state.gate_of(location).heard(peak)
    told = tell(
        record.identity,
        location.id,
        tally_samples(passage.samples),
        visit.tags,
        incomplete=clock.incomplete,
    )
    due_us = visit.held_us or visit.last_us + location.parameters.silence_us
    silence_us = due_us - visit.received_us
    state.out.evidence.append(
        told.evidence(
            enter_passage(
                state,
                record,
                Crossing(
                    location=location.id,
                    inner=location.inner,
                    outer=location.outer,
                    direction=passage.direction,
                    at_us=passage.at_us,
                    confidence=passage.confidence,
                    basis=passage.basis,
                    late=visit.late,
                    peak_cdbm=peak or 0,
                    origin=("", location.inner, location.outer)[passage.side],
                ),
                told,
                clock,
                Waited(visit.received_us, 0 if visit.after else max(0, silence_us)),
            )
        )
    )


def close_trail(state: State, trail: Trail, clock: Clock[Due]) -> None:
    """A trail is due."""
    if trail.record.trail is not trail:
        return
    if trail.pinned:
        clock.trails.put(trail, clock.strict_us + PINNED_US)
    elif trail.closes_us > clock.strict_us:
        clock.trails.put(trail, trail.closes_us)
    else:
        state.end_trail(trail)


def depart(state: State, record: Record, clock: Clock[Due]) -> None:
    """A resting identity's silence may have become too long."""
    record.watched = False
    zone = record.zone
    if state.records.get(record.identity) is not record:
        return
    location = state.reference.locations.get(zone) if zone is not None else None
    if location is None or not location.parameters.continuous:
        return
    own = state.clock_of(location, "")
    if own is not clock:
        record.watched = True
        own.departures.put(record, own.listened_us + location.parameters.departure_us)
        return
    due_us = record.heard_us + location.parameters.departure_us
    if due_us > clock.listened_us:
        record.watched = True
        clock.departures.put(record, due_us)
        return
    at_us = clock.strict_us
    event = LocationEvent(
        kind=LocationKind.DEPARTED,
        identity=record.identity,
        location=location.id,
        previous=location.id,
        at_us=at_us,
        first_us=at_us,
        last_us=at_us,
        confidence=0.9,
        basis="continuous",
    )
    entry = location_id(event.kind, event.identity, event.location, None, at_us, ())
    state.out.entries.append(
        location_entry(entry, event, received_us=None, window_us=location.parameters.departure_us)
    )
    record.zone = None
    record.since_us = at_us
    if record.trail is not None:
        record.trail.pinned = False
        record.trail.undecided = None
        state.dirty_trails[record.identity] = record.trail
