"""What devices said, as reads, signals and changes: clocks, antennas, inputs, places."""

from __future__ import annotations

import vendor_payloads as recorded

from contracts.site_devices import DeviceTable
from edge_agent.core.device_watch import DeviceWatch
from edge_agent.core.vendors.reading import Said, VendorReading
from edge_agent.core.vendors.repeats import REMEMBERED_MAX, REPEATS_S_MAX, Repeats
from firmware_sim.core.vendors import impinj, zebra

SECOND = 1_000_000
NOW_US = 1_795_514_400 * SECOND
EPC = bytes.fromhex("30364433400D1EC000001267")


class Device:
    """A device and what is made of its messages."""

    def __init__(self, kind: str, *, antennas: tuple[int, ...] = (), **fields: object) -> None:
        mqtt = fields.pop("mqtt", {})
        assert isinstance(mqtt, dict)
        table = {
            "id": "d",
            "gateway": "dock",
            "kind": kind,
            "mqtt": {"topic": "t"} | mqtt,
            "antennas": [{"number": number, "location": "door-1"} for number in antennas],
        }
        self.watch = DeviceWatch("d")
        device = DeviceTable.model_validate(table | fields)
        self.reading = VendorReading(device, self.watch, source="dock/d")

    def say(self, payload: bytes, *, retained: bool = False, at_us: int = NOW_US) -> Said:
        """What is made of a message."""
        return self.reading.receive("t", payload, retained=retained, received_us=at_us)


def tag(told_us: int, antenna: int = 1) -> bytes:
    return impinj.tag_inventory(
        EPC, antenna=antenna, rssi_cdbm=-5_000, seen_us=told_us, told_us=told_us
    )


def test_a_read_has_the_devices_time_and_the_agents() -> None:
    read = Device("impinj", antennas=(1,)).say(tag(NOW_US - 30_000)).reads[0]
    assert (read.first_us, read.last_us) == (NOW_US - 30_000, NOW_US - 30_000)
    assert (read.received_us, read.antenna, read.rssi_cdbm) == (NOW_US, 1, -5_000)
    assert read.identity == "https://id.gs1.org/01/09506000134352/21/4711"


def test_a_clock_that_counts_from_the_start_is_brought_to_utc() -> None:
    device = Device("impinj", antennas=(1,), mqtt={"clock": "uptime"})
    first = device.say(tag(100 * SECOND)).reads[0]
    assert first.last_us == NOW_US
    second = device.say(tag(101 * SECOND), at_us=NOW_US + 3 * SECOND).reads[0]
    assert second.last_us == NOW_US + SECOND
    assert device.watch.skew_us is None


def test_a_clock_that_is_not_to_be_used_is_not() -> None:
    device = Device("impinj", antennas=(1,), mqtt={"clock": "none"})
    assert device.say(tag(5)).reads[0].last_us == NOW_US
    assert device.watch.skew_us is None


def test_a_clock_that_is_off_is_told_once_and_again_when_it_agrees() -> None:
    device = Device("impinj", antennas=(1,))
    off = [device.say(tag(NOW_US + 60 * SECOND)) for _ in range(3)]
    assert [change.state for said in off for change in said.changes] == ["clock_off"]
    assert device.watch.skew_us == 60 * SECOND
    agreeing = [NOW_US + wait_s * SECOND for wait_s in (200, 270, 340)]
    agreed = [device.say(tag(at_us), at_us=at_us) for at_us in agreeing]
    told = [change.detail for said in agreed for change in said.changes]
    assert told == ["its clock agrees again, to 0.0 s"]


def test_what_the_broker_kept_is_no_clock_that_is_behind() -> None:
    device = Device("impinj", antennas=(1,))
    device.reading.reconnected(NOW_US)
    hour_ago = NOW_US - 3_600 * SECOND
    assert not device.say(tag(hour_ago)).changes
    assert not device.say(tag(NOW_US + SECOND), at_us=NOW_US + SECOND).changes
    assert device.watch.skew_us == 0
    behind = Device("impinj", antennas=(1,))
    behind.reading.reconnected(NOW_US)
    later = [behind.say(tag(hour_ago), at_us=NOW_US + s * SECOND).changes for s in (1, 59, 61)]
    assert [[change.state for change in changes] for changes in later] == [[], [], ["clock_off"]]


def test_a_time_that_no_clock_can_hold_is_the_receipts() -> None:
    wrong = tag(0).replace(b"1970-01-01", b"9999-12-31")
    assert Device("impinj", antennas=(1,)).say(wrong).reads[0].last_us == NOW_US


def test_a_zebra_without_antennas_stands_where_it_stands() -> None:
    device = Device("zebra", location="stage")
    assert device.say(recorded.ZEBRA_SIMPLE).reads[0].antenna == 0
    assert device.say(recorded.ZEBRA_INVENTORY).reads[0].antenna == 0
    placed = Device("zebra", antennas=(1,), location="stage")
    assert placed.say(recorded.ZEBRA_INVENTORY).reads[0].antenna == 1


def test_inputs_are_active_at_the_level_that_the_site_file_says() -> None:
    for level, wanted in (("low", True), ("high", False)):
        device = Device("zebra", mqtt={"input_active": level})
        signal = device.say(recorded.ZEBRA_GPI).signals[0]
        assert (signal.port, signal.state) == (1, wanted)
        assert signal.at_us == 1_788_783_713_635_000


def heartbeat(*, high: bool, connected: bool) -> bytes:
    return zebra.heartbeat(
        1,
        NOW_US,
        antennas={1: connected, 2: connected, 7: False},
        reads={},
        inputs={1: high},
        temperature_c=41,
    )


def test_a_heartbeat_heals_a_missed_change_of_an_input_and_says_nothing_else() -> None:
    device = Device("zebra", antennas=(1, 2))
    assert not device.say(heartbeat(high=True, connected=True)).signals
    assert not device.say(heartbeat(high=True, connected=True)).signals
    healed = device.say(heartbeat(high=False, connected=True)).signals
    assert [(signal.port, signal.state, signal.at_us) for signal in healed] == [(1, True, NOW_US)]
    assert device.watch.temperature_c == 41


def test_antennas_are_told_when_they_change_and_empty_sockets_never() -> None:
    device = Device("zebra", antennas=(1,))
    assert not device.say(heartbeat(high=True, connected=True)).changes
    lost = device.say(heartbeat(high=True, connected=False)).changes
    assert [(one.state, one.detail) for one in lost] == [
        ("antenna_lost", "antenna 1"),
        ("antenna_lost", "antenna 2"),
    ]
    assert not device.say(heartbeat(high=True, connected=False)).changes
    back = device.say(heartbeat(high=True, connected=True)).changes
    assert {one.state for one in back} == {"antenna_back"}


def test_an_antenna_of_the_site_file_that_was_never_there_is_lost() -> None:
    device = Device("zebra", antennas=(1, 7))
    told = device.say(heartbeat(high=True, connected=True)).changes
    assert [(one.state, one.detail) for one in told] == [("antenna_lost", "antenna 7")]


def test_retained_reads_are_refused_and_retained_states_count() -> None:
    device = Device("impinj", antennas=(1,))
    said = device.say(tag(NOW_US), retained=True)
    assert not said.reads
    assert said.rejects[0].raw == tag(NOW_US)
    assert not device.say(tag(NOW_US), retained=True).rejects
    assert device.say(tag(NOW_US + 1), retained=True).rejects
    state = device.say(b"connected", retained=True).state
    assert state is not None
    assert state.state == "reading"


def sent_again(repeats: Repeats, payload: bytes, topic: str = "t", now_s: float = 0.0) -> bool:
    """Whether a message that its broker says is sent again is one that was kept."""
    return repeats.is_repeat(topic, payload, again=True, retained=False, now_s=now_s)


def test_a_message_that_was_kept_is_known_once_on_the_next_connection_only() -> None:
    repeats = Repeats()
    repeats.connected(0.0)
    repeats.kept("t", b"a")
    assert not sent_again(repeats, b"a")
    repeats.connected(0.0)
    assert not sent_again(repeats, b"b")
    assert not sent_again(repeats, b"a", topic="u")
    assert sent_again(repeats, b"a")
    assert not sent_again(repeats, b"a")
    for number in range(3 * REMEMBERED_MAX):
        repeats.kept("t", str(number).encode())
    repeats.connected(0.0)
    known = [sent_again(repeats, str(n).encode()) for n in range(3 * REMEMBERED_MAX)]
    assert sum(known) == REMEMBERED_MAX
    assert known[-1]


def test_an_equal_message_that_is_new_retained_or_late_is_no_repetition() -> None:
    """A reader's last will says the same each time that the reader dies."""
    repeats = Repeats()
    repeats.connected(0.0)
    repeats.kept("status", b"connection lost")
    repeats.connected(5.0)
    for again, retained in ((False, False), (False, True), (True, True)):
        assert not repeats.is_repeat(
            "status", b"connection lost", again=again, retained=retained, now_s=5.0
        )
    late_s = 5.0 + REPEATS_S_MAX + 1.0
    assert not sent_again(repeats, b"connection lost", "status", now_s=late_s)
    assert not sent_again(repeats, b"connection lost", "status", now_s=5.0)
