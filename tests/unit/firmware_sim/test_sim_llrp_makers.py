"""The simulated reader does just what it is told, and refuses what its maker's readers refuse."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim_bench import SEED, Client, reader_over, rospec, shift, started, status_of, tags_in

from firmware_sim.core.inventory import Settings
from firmware_sim.core.layout import DOOR_1
from firmware_sim.core.llrp_hearing import Hearing
from firmware_sim.core.llrp_wire import Kind, MessageType, NotLlrp, Parameter, tlv
from firmware_sim.core.tracks import SECOND
from firmware_sim.parameters import ReaderParameters, SignalParameters
from tests.support.llrp_pair import MAKERS, Pair, passing

ENABLE = struct.pack(">IB", 25882, 21) + bytes(4)


def custom(vendor: int, subtype: int, data: bytes) -> bytes:
    return tlv(1023, struct.pack(">II", vendor, subtype), data)


def antenna(*inside: bytes, aware: bool = False, power: tuple[int, int] = (1, 81)) -> bytes:
    transmitter = tlv(224, struct.pack(">HHH", power[0], 0, power[1]))
    return tlv(222, bytes(2), transmitter, tlv(330, bytes([0x80 * aware]), *inside))


def wished(
    *inside: bytes,
    aware: bool = False,
    power: tuple[int, int] = (1, 81),
    stop: bytes = bytes(5),
    report: bytes = b"",
    more: bytes = b"",
) -> bytes:
    """A ROSpec with something in it."""
    inventory = tlv(
        183,
        struct.pack(">HH", 1, 0),
        tlv(184, stop),
        tlv(186, struct.pack(">HB", 1, 1), antenna(*inside, aware=aware, power=power)),
    )
    boundary = tlv(178, tlv(179, b"\x01"), tlv(182, bytes(5)))
    reports = tlv(237, b"\x02\x00\x01", tlv(238, b"\x17\x80"), report)
    return tlv(177, struct.pack(">IBB", 1, 0, 0), boundary, inventory, more, reports)


def client(maker: str) -> Client:
    found = Client(reader_over(shift(), nature=ReaderParameters(maker=maker)))
    if maker == "impinj":
        assert status_of_custom(found) == 0
    return found


def status_of_custom(found: Client) -> int:
    answer = found.ask(MessageType.CUSTOM_MESSAGE, ENABLE)
    assert answer.kind == MessageType.CUSTOM_MESSAGE
    assert answer.body[:5] == struct.pack(">IB", 25882, 22)
    return int.from_bytes(answer.body[9:11], "big")


def code(maker: str, body: bytes) -> int:
    return client(maker).code(MessageType.ADD_ROSPEC, body)


MASK = tlv(332, struct.pack(">BHH", 0x40, 32, 8) + b"\x30")
UNAWARE = tlv(331, b"\0", MASK, tlv(334, b"\0"))
AWARE = tlv(331, b"\0", MASK, tlv(333, b"\0\0"))
FLAG_B = tlv(336, struct.pack(">BHI", 0x80, 32, 0), tlv(337, b"\x80"))
SEARCH = custom(25882, 23, b"\0\2")
QUIET = b"\x03" + bytes(4) + tlv(185, struct.pack(">BBHHHI", 1, 0, 0, 0, 500, 0))


@pytest.mark.parametrize(
    ("maker", "body", "expected"),
    [
        ("impinj", wished(SEARCH), 0),
        ("impinj", wished(custom(25882, 23, b"\0\7")), 301),
        ("impinj", wished(custom(25882, 24, b"\0\2")), 111),
        ("zebra", wished(SEARCH), 111),
        ("generic", wished(SEARCH), 111),
        ("zebra", wished(report=custom(161, 708, b"\x10\0\0\0")), 0),
        ("zebra", wished(report=custom(161, 1, b"")), 111),
        ("impinj", wished(report=custom(161, 708, b"\x10\0\0\0")), 111),
        ("impinj", wished(UNAWARE, UNAWARE), 0),
        ("impinj", wished(UNAWARE, UNAWARE, UNAWARE), 105),
        ("thingmagic", wished(UNAWARE, UNAWARE), 105),
        ("generic", wished(tlv(331, b"\0", MASK)), 103),
        ("generic", wished(tlv(331, b"\0", MASK, tlv(334, b"\6"))), 101),
        ("generic", wished(AWARE, FLAG_B, aware=True), 0),
        ("impinj", wished(aware=True), 101),
        ("generic", wished(FLAG_B), 111),
        ("generic", wished(tlv(335, struct.pack(">HH", 3, 6_250))), 0),
        ("generic", wished(tlv(335, struct.pack(">HH", 3, 25_000))), 301),
        ("generic", wished(tlv(335, struct.pack(">HH", 9, 0))), 301),
        ("generic", wished(power=(2, 81)), 301),
        ("generic", wished(stop=QUIET), 0),
        ("thingmagic", wished(stop=QUIET), 100),
        ("generic", wished(more=tlv(355, bytes(4))), 111),
    ],
)
def test_each_maker_refuses_what_its_readers_refuse(maker: str, body: bytes, expected: int) -> None:
    assert code(maker, body) == expected


def test_impinj_refuses_its_own_parameters_until_they_are_switched_on() -> None:
    found = Client(reader_over(shift(), nature=ReaderParameters(maker="impinj")))
    assert found.code(MessageType.ADD_ROSPEC, wished(SEARCH)) == 111
    wrong = found.ask(MessageType.CUSTOM_MESSAGE, struct.pack(">IB", 25882, 99))
    assert (wrong.kind, status_of(wrong)) == (MessageType.ERROR_MESSAGE, 109)
    assert status_of_custom(found) == 0
    assert found.code(MessageType.ADD_ROSPEC, wished(SEARCH)) == 0
    found.reader.disconnect()
    again = Client(found.reader)
    assert again.code(MessageType.DELETE_ROSPEC, bytes(4)) == 0
    assert again.code(MessageType.ADD_ROSPEC, wished(SEARCH)) == 111


@pytest.mark.parametrize("maker", ["impinj", "zebra", "thingmagic"])
def test_a_reader_with_room_for_one_rospec_takes_one(maker: str) -> None:
    found = client(maker)
    assert found.code(MessageType.ADD_ROSPEC, rospec(number=1)) == 0
    assert found.code(MessageType.ADD_ROSPEC, rospec(number=2)) == 105


# On the simulated floor.


def tags(maker: str, body: bytes, until_s: int = 300) -> list[list[Parameter]]:
    found = client(maker)
    assert found.code(MessageType.ADD_ROSPEC, body) == 0
    assert found.code(MessageType.ENABLE_ROSPEC, struct.pack(">I", 1)) == 0
    return tags_in(found.advance(until_s * SECOND))


def epcs(found: list[list[Parameter]]) -> list[bytes]:
    return [part.body for tag in found for part in tag if part.kind == 13]


def test_a_filter_leaves_out_just_the_others_on_the_floor() -> None:
    everything = epcs(tags("generic", wished()))
    some = min(epc[:2] for epc in everything)
    mask = tlv(332, struct.pack(">BHH", 0x40, 32, 16) + some)
    filtered = epcs(tags("generic", wished(tlv(331, b"\0", mask, tlv(334, b"\0")))))
    assert filtered
    assert {epc[:2] for epc in filtered} == {some}
    # The field is less full, so that those that are wanted are read as often or more.
    assert len(filtered) >= sum(epc[:2] == some for epc in everything) * 0.95


def test_dual_target_reads_more_than_a_session_that_quiets() -> None:
    quieting = tlv(336, struct.pack(">BHI", 0x80, 32, 0))
    dual = epcs(tags("impinj", wished(quieting, SEARCH)))
    single = epcs(tags("impinj", wished(quieting, custom(25882, 23, b"\0\1"))))
    assert len(dual) > 2 * len(single) > 0


def test_a_slow_mode_reads_less_where_the_field_is_full() -> None:
    fast = epcs(tags("impinj", wished(tlv(335, struct.pack(">HH", 0, 6_250)))))
    slow = epcs(tags("impinj", wished(tlv(335, struct.pack(">HH", 3, 20_000)))))
    assert len(slow) < len(fast)


def test_phase_and_doppler_shift_follow_the_way() -> None:
    """A tag that comes nearer has a rising Doppler shift of its own; at rest there is none."""
    wants = b"".join(custom(25882, number, b"\0\1") for number in (51, 52, 53, 67))
    found = tags("impinj", wished(report=custom(25882, 50, wants)))
    shifts, phases = [], []
    for tag in found:
        extras = {
            struct.unpack_from(">I", part.body, 4)[0]: part.body[8:]
            for part in tag
            if part.kind == Kind.CUSTOM
        }
        assert set(extras) == {55, 56, 57, 68}
        phases.append(int.from_bytes(extras[56], "big"))
        shifts.append(struct.unpack(">h", extras[68])[0] / 16)
        assert abs(struct.unpack(">h", extras[57])[0]) < 10_000
    assert max(phases) < 4096
    assert len(set(phases)) > 100
    # A forklift at 4 m/s shifts by at most 2 * 4 / 0.3257 Hz.
    assert -25 < min(shifts) < -3
    assert 3 < max(shifts) < 25


def test_a_full_buffer_warns_before_it_overflows() -> None:
    nature = ReaderParameters(buffer_reports_max=300)
    found = Client(reader_over(shift(), DOOR_1, nature))
    states = [tlv(245, struct.pack(">HB", kind, 0x80)) for kind in (3, 4)]
    hold = tlv(226, b"\x80")
    assert found.code(MessageType.SET_READER_CONFIG, b"\0" + tlv(244, *states) + hold) == 0
    started(found)
    radio = found.reader.radio
    kinds: list[str] = []
    while radio.at_us < 600 * SECOND and "overflow" not in kinds:
        radio.advance(radio.at_us + SECOND)
        kinds += [notice.kind for notice in radio.noticed if notice.kind != "rospec"]
        found.reader.advance(radio.at_us)
    assert kinds.index("warning") < kinds.index("overflow")


# Whatever a client says.


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(MAKERS), st.data())
def test_any_spoilt_request_is_answered_or_the_client_dropped(
    maker: str, data: st.DataObject
) -> None:
    pair = Pair(maker, passing(1, 0.1))
    asked = bytearray(b"".join(chunk.data for chunk in pair.chunks if not chunk.from_reader))
    for _ in range(data.draw(st.integers(1, 4))):
        asked[data.draw(st.integers(0, len(asked) - 1))] = data.draw(st.integers(0, 255))
    pair.cut()
    pair.reader.connect()
    try:
        pair.reader.receive(bytes(asked))
        pair.reader.advance(SECOND)
    except NotLlrp:
        pass
    assert pair.reader.output(1 << 20)


def test_what_is_heard_depends_on_power_antenna_and_flags() -> None:
    signal = SignalParameters()
    hearing = Hearing(signal)

    def heard(at_us: int, dbm: int = -60, number: int = 1, **changed: object) -> int | None:
        values: dict[str, object] = {
            "antennas": (1, 2),
            "power_dbm": (30.0, 20.0),
            "session": 0,
            "population": 32,
        }
        asked = Settings(**(values | changed))  # type: ignore[arg-type]
        return hearing.rssi_dbm(b"tag", number, dbm, asked, at_us)

    assert (heard(0), heard(0, number=2), heard(0, number=3)) == (-60, -70, None)
    assert heard(0, dbm=-70, number=2) is None
    assert heard(0, wants=(lambda _: False, lambda _: True)) is None
    assert (heard(0, session=2), heard(1, session=2), heard(2, session=2, flag=1)) == (
        -60,
        None,
        -60,
    )
    assert heard(3, session=2, flag=1) is None
    assert heard(4, session=2) == -60
    hearing.forget_flags()
    assert heard(5, session=2) == -60
    assert SEED
