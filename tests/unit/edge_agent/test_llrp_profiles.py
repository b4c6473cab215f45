"""Readers of each maker, played by the simulator, are set up so that they read all they shall."""

from __future__ import annotations

import pytest

from edge_agent.core.llrp.events import (
    Agreed,
    ReaderNoticed,
    ReadingStarted,
    RequestFailed,
)
from edge_agent.core.llrp.filters import EpcFilters
from edge_agent.core.llrp.profiles import BEHAVIOURS
from edge_agent.core.llrp.rospec import InputTrigger, ReaderSettings
from edge_agent.core.llrp.states import State
from firmware_sim.core.llrp_specs import RoSpec
from firmware_sim.core.llrp_wire import MessageType
from tests.support.llrp_pair import ANTENNAS, MAKERS, Pair, passing

FOREIGN = "e280116060000200"
ONE_EACH = tuple(passing(serial, 1 + serial / 10, antenna=1 + serial % 4) for serial in range(20))


def asked(**changed: object) -> ReaderSettings:
    return ReaderSettings(antennas=ANTENNAS, **changed)  # type: ignore[arg-type]


def behaving(name: str) -> ReaderSettings:
    """As the site file's `behaviour` makes it."""
    behaviour = BEHAVIOURS[name]
    return asked(
        session=behaviour.session,
        tag_population=behaviour.tag_population,
        tag_transit_ms=behaviour.tag_transit_ms,
        search_mode=behaviour.search_mode,
        both_ways=behaviour.both_ways,
    )


def rospec_of(pair: Pair) -> RoSpec:
    return pair.reader.radio.rospecs[1]


@pytest.mark.parametrize("maker", MAKERS)
def test_each_maker_is_known_and_takes_the_first_rospec(maker: str) -> None:
    pair = Pair(maker, *ONE_EACH)
    (agreed,) = (event for event in pair.events if isinstance(event, Agreed))
    assert agreed.profile == maker
    assert pair.session.state is State.READING
    assert len(pair.asked(MessageType.ADD_ROSPEC)) == 1
    refused = 0 if maker == "generic" else 1  # The question for the version.
    assert pair.reader.refused_requests == refused
    pair.advance(5)
    assert sorted(pair.serials()) == list(range(20))


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_every_behaviour_reads_with_every_maker(maker: str, behaviour: str) -> None:
    pair = Pair(maker, *ONE_EACH, settings=behaving(behaviour))
    assert not [event for event in pair.events if isinstance(event, RequestFailed)]
    pair.advance(6)
    assert sorted(pair.serials()) == list(range(20))
    assert pair.session.state is State.READING


@pytest.mark.parametrize("maker", ["generic", "zebra"])
def test_a_deep_reading_goes_both_ways_and_goes_on(maker: str) -> None:
    """A tag answers on the way to B, is quiet, and answers on the way back, again and again."""
    resting = (passing(7, 1 + number / 20) for number in range(200))
    pair = Pair(maker, *resting, settings=behaving("deep"))
    assert len(rospec_of(pair).inventories) == 2
    pair.advance(11)
    assert 8 <= len(pair.serials()) <= 40
    assert pair.reports()[-1].last_seen_us is not None
    assert pair.session.state is State.READING


def test_deep_is_one_quiet_session_where_flags_cannot_be_told() -> None:
    """ThingMagic refuses an AISpec that ends by what was seen; it is never asked for one."""
    pair = Pair("thingmagic", settings=behaving("deep"))
    (inventory,) = rospec_of(pair).inventories
    assert (inventory.stop, inventory.wishes[1].session) == (0, 2)


def test_impinj_reads_a_resting_tag_again_and_again_by_its_search_mode() -> None:
    """Dual target; with single target the tag stays quiet while it is powered."""
    resting = [passing(7, 1 + number / 10) for number in range(40)]
    dual = Pair("impinj", *resting, settings=asked(session=2))
    single = Pair("impinj", *resting, settings=asked(session=2, search_mode=1))
    for pair in (dual, single):
        pair.advance(6)
    assert sum(report.seen_count or 0 for report in dual.reports()) == 40
    assert sum(report.seen_count or 0 for report in single.reports()) < 5


@pytest.mark.parametrize("maker", MAKERS)
def test_filters_are_applied_by_the_reader(maker: str) -> None:
    ours = passing(1, 1)
    foreign = passing(2, 2, head=FOREIGN)
    other = passing(3, 3, head="3034257bf7194e41")
    for filters, heard in (
        (EpcFilters(include=("3034",)), [1, 3]),
        (EpcFilters(exclude=("e28",)), [1, 3]),
        (EpcFilters(include=("3034257bf7194e40",)), [1]),
    ):
        pair = Pair(maker, ours, foreign, other, settings=asked(filters=filters))
        pair.advance(5)
        assert pair.serials() == heard, filters


@pytest.mark.parametrize("maker", ["generic", "zebra", "impinj"])
def test_included_and_excluded_beginnings_are_combined(maker: str) -> None:
    tags = (passing(1, 1), passing(2, 2, head=FOREIGN), passing(3, 3, head="3034257bf7194e41"))
    filters = EpcFilters(include=("3034",), exclude=("3034257bf7194e41",))
    pair = Pair(maker, *tags, settings=asked(filters=filters))
    pair.advance(5)
    assert pair.serials() == [1]
    deep = Pair(maker, *tags, settings=asked(filters=filters, session=2, both_ways=True))
    deep.advance(5)
    assert set(deep.serials()) == {1}


def test_more_filters_than_the_reader_takes_are_left_to_the_agent_and_told() -> None:
    filters = EpcFilters(include=("30", "e2"), exclude=("3035",))
    pair = Pair("impinj", passing(1, 1), settings=asked(filters=filters))
    told = [event.reason for event in pair.events if isinstance(event, RequestFailed)]
    assert told == ["the reader takes 2 filters, not 3: the agent filters"]
    assert not rospec_of(pair).inventories[0].wishes[1].filters


@pytest.mark.parametrize("maker", MAKERS)
def test_each_antenna_has_its_own_power(maker: str) -> None:
    """A weak tag at an antenna with little power is not heard; the step below the wish is taken."""
    tags = [passing(antenna, antenna, antenna=antenna, rssi_dbm=-70) for antenna in ANTENNAS]
    powers = ((1, 1_510), (2, 3_000), (3, 1_200))
    settings = asked(transmit_power_cdbm=2_700, antenna_powers_cdbm=powers)
    pair = Pair(maker, *tags, settings=settings)
    wishes = rospec_of(pair).inventories[0].wishes
    assert [wishes[antenna].power_dbm for antenna in ANTENNAS] == [15.0, 30.0, 12.0, 27.0]
    pair.advance(6)
    assert pair.serials() == [2, 4]


@pytest.mark.parametrize("maker", MAKERS)
def test_without_a_wish_the_reader_gives_its_most(maker: str) -> None:
    assert rospec_of(Pair(maker)).inventories[0].wishes[1].power_dbm == 30.0


@pytest.mark.parametrize("maker", MAKERS)
def test_an_input_begins_reading_and_another_ends_it(maker: str) -> None:
    resting = [passing(number, number / 10) for number in range(80)]
    settings = asked(
        start=InputTrigger(port=1, state=True), stop=InputTrigger(port=2, state=True), session=0
    )
    pair = Pair(maker, *resting, settings=settings)
    pair.advance(2)
    assert pair.serials() == []
    for port, until_s in ((1, 4), (2, 6)):
        pair.reader.radio.switch_input(port, state=True)
        pair.advance(until_s)
    assert sorted(pair.serials()) == list(range(20, 40))
    assert pair.session.state is State.READING
    assert not [event for event in pair.events if isinstance(event, ReaderNoticed)]


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize(
    "ends", [{"stop_after_ms": 1_000}, {"stop": InputTrigger(port=2, state=True, timeout_ms=1_000)}]
)
def test_reading_ends_by_time_where_no_input_ends_it(maker: str, ends: dict[str, object]) -> None:
    resting = [passing(number, number / 10) for number in range(80)]
    settings = asked(start=InputTrigger(port=1, state=True), session=0, **ends)
    pair = Pair(maker, *resting, settings=settings)
    for at_s in (2, 5):
        pair.advance(at_s)
        pair.reader.radio.switch_input(1, state=True)
    pair.advance(8)
    assert sorted(pair.serials()) == [*range(20, 30), *range(50, 60)]


def test_impinj_tells_phase_doppler_shift_and_hundredths_of_a_dbm() -> None:
    pair = Pair("impinj", *ONE_EACH, settings=asked(doppler=True))
    pair.advance(5)
    for report in pair.reports():
        assert report.phase_cdeg is not None
        assert 0 <= report.phase_cdeg < 36_000
        assert report.doppler_chz == 0
        assert report.rssi_cdbm is not None
        assert -5_050 <= report.rssi_cdbm <= -4_950
    assert any(report.rssi_cdbm != -5_000 for report in pair.reports())


def test_zebra_tells_the_phase_and_generic_readers_none() -> None:
    for maker, told in (("zebra", True), ("generic", False), ("thingmagic", False)):
        pair = Pair(maker, *ONE_EACH)
        pair.advance(5)
        assert {report.phase_cdeg is not None for report in pair.reports()} == {told}


def test_a_wrong_profile_is_refused_its_extensions_and_reads_all_the_same() -> None:
    """An Impinj profile on a Zebra: the switch is unknown there, so nothing of it is used."""
    pair = Pair("zebra", *ONE_EACH, settings=asked(profile="impinj"))
    failed = [event.request for event in pair.events if isinstance(event, RequestFailed)]
    assert failed == [State.ENABLING_EXTENSIONS]
    pair.advance(5)
    assert sorted(pair.serials()) == list(range(20))


def test_what_is_refused_is_asked_for_again_with_less() -> None:
    """A mode that is not there: at last the reader reads without one."""
    pair = Pair("zebra", *ONE_EACH, settings=asked(rf_mode=77))
    failed = [event.request for event in pair.events if isinstance(event, RequestFailed)]
    assert failed == [State.ADDING_WHOLE_ROSPEC]
    assert len(pair.asked(MessageType.ADD_ROSPEC)) == 2
    pair.advance(5)
    assert sorted(pair.serials()) == list(range(20))


def test_antennas_that_are_not_there_are_told_and_the_others_read() -> None:
    pair = Pair("zebra", *ONE_EACH, settings=ReaderSettings(antennas=(*ANTENNAS, 7)))
    told = [event.reason for event in pair.events if isinstance(event, RequestFailed)]
    assert told == ["the reader has 4 antennas, not antenna 7"]
    pair.advance(5)
    assert sorted(pair.serials()) == list(range(20))


@pytest.mark.parametrize(
    ("maker", "readers_near", "mode"),
    [
        ("generic", 0, 3),
        ("generic", 2, 2),
        ("generic", 12, 1),
        # Impinj's 1002 would be the fastest by its table, which means nothing.
        ("impinj", 0, 0),
        ("impinj", 12, 2),
        ("zebra", 0, 25),
        ("zebra", 3, 23),
        ("zebra", 12, 1),
        ("thingmagic", 12, 1),
    ],
)
def test_the_fastest_mode_that_bears_the_neighbours_is_taken(
    maker: str, readers_near: int, mode: int
) -> None:
    pair = Pair(maker, settings=asked(readers_near=readers_near))
    capabilities = pair.session.capabilities
    assert capabilities is not None
    found = capabilities.mode_for(readers_near)
    assert found is not None
    assert found.mode == mode
    assert not [event for event in pair.events if isinstance(event, RequestFailed)]


@pytest.mark.parametrize("maker", MAKERS)
def test_after_a_cut_the_reader_is_set_up_anew_and_reads_on(maker: str) -> None:
    pair = Pair(maker, *ONE_EACH)
    pair.advance(1.5)
    pair.cut()
    pair.connect()
    pair.advance(5)
    assert sorted(pair.serials()) == list(range(20))
    assert len([event for event in pair.events if isinstance(event, ReadingStarted)]) == 2
