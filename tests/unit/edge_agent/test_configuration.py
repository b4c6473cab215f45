"""Which site file an agent runs on, on whatever the disk and a push bring."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from contracts.fleet import (
    ConfigurationPushed,
    ConfigurationState,
    digest_of,
    file_version,
    version_of,
)
from contracts.site import SiteFile, read_site
from edge_agent.configuration import (
    FOLDER,
    STATE,
    TEXTS_MAX,
    Configuration,
    ConfigurationStore,
)
from edge_agent.core.configuration import (
    Refusal,
    Start,
    Stored,
    at_start,
    changed,
    devices_of,
    difference,
    judge_push,
)

DEVICE = """
[[devices]]
id = "{name}"
gateway = "dock"
kind = "scanner"
host = "192.0.2.1"
port = {port}
location = "stage"
"""


def site(*devices: tuple[str, int], name: str = "demo") -> str:
    text = f'site = "{name}"\n[[zones]]\nid = "stage"\n[[gateways]]\nid = "dock"\n'
    return text + "".join(DEVICE.format(name=name, port=port) for name, port in devices)


GOOD, OTHER = site(("belt", 9000)), site(("belt", 9001))
BAD = GOOD.replace("9000", "90000")
UNREADABLE = Refusal(("cannot be read: no such file",))


def kept(text: str, *, file: str = GOOD, version: str = "", **fields: object) -> Stored:
    state = ConfigurationState(gateway="dock", running=version or file_version(digest_of(text)))
    return Stored(
        state=changed(state, **fields), digest=digest_of(text), file_digest=digest_of(file)
    )


def start(file: str | Refusal, stored: Stored | None, *texts: str) -> Start | Refusal:
    known = {digest_of(text): text for text in texts}
    return at_start(file, stored, known.get, gateway="dock", at_us=7)


def running(found: Start | Refusal) -> tuple[str, str]:
    assert isinstance(found, Start), found
    assert found.stored.digest == digest_of(found.text)
    return found.text, found.stored.state.running


FILE = (GOOD, file_version(digest_of(GOOD)))
PUSHED = (OTHER, version_of(3, digest_of(OTHER)))
PUSHED_KEPT = kept(OTHER, version=PUSHED[1], number=3, handled=PUSHED[1], outcome="applied")


def test_a_first_start_takes_the_file_and_names_all_that_is_wrong_with_it() -> None:
    assert running(start(GOOD, None)) == FILE
    refused = start(BAD, None)
    assert isinstance(refused, Refusal)
    assert len(refused.reasons) == 1
    assert refused.reasons[0].startswith("line 12: devices[0].port")
    assert start(UNREADABLE, None) == UNREADABLE
    wrong = start(GOOD.replace('"dock"', '"gate"'), None)
    assert wrong == Refusal(("has no gateway 'dock'; it has gate",))


def test_the_last_good_version_stays_while_the_file_is_the_one_of_then() -> None:
    assert running(start(GOOD, PUSHED_KEPT, GOOD, OTHER)) == PUSHED


def test_a_file_that_somebody_changed_wins() -> None:
    newer = site(("belt", 9002))
    found = start(newer, PUSHED_KEPT, GOOD, OTHER)
    assert running(found) == (newer, file_version(digest_of(newer)))
    assert isinstance(found, Start)
    assert f"replaces {PUSHED[1]}" in found.notes[-1]
    assert found.stored.state.number == 3, "pushes count on"
    again = at_start(newer, found.stored, {}.get, gateway="dock", at_us=8)
    assert running(again) == running(found)


@pytest.mark.parametrize("file", [BAD, UNREADABLE])
def test_a_bad_file_never_takes_the_place_of_a_good_version(file: str | Refusal) -> None:
    found = start(file, PUSHED_KEPT, GOOD, OTHER)
    assert running(found) == PUSHED
    assert isinstance(found, Start)
    assert f"going on with {PUSHED[1]}" in found.notes[-1]
    mended = start(site(("belt", 9003)), found.stored, GOOD, OTHER)
    assert running(mended)[0] == site(("belt", 9003))


def test_a_kept_version_that_is_damaged_gives_way_to_the_file() -> None:
    found = start(GOOD, PUSHED_KEPT, GOOD)
    assert running(found) == FILE
    assert isinstance(start(BAD, PUSHED_KEPT, GOOD), Refusal)


def test_an_end_in_the_middle_of_a_trial_is_told_as_rolled_back() -> None:
    trying = kept(GOOD, number=4, handled="4-abc", outcome="trying")
    found = start(GOOD, trying, GOOD)
    assert running(found) == FILE
    assert isinstance(found, Start)
    state = found.stored.state
    assert (state.outcome, state.number, state.handled) == ("rolled_back", 4, "4-abc")
    assert state.reasons == ("the agent ended while it tried 4-abc",)


@given(
    some.sampled_from([GOOD, OTHER, BAD, UNREADABLE]),
    some.sampled_from([None, PUSHED_KEPT, kept(GOOD), kept(OTHER, file=OTHER)]),
    some.sets(some.sampled_from([GOOD, OTHER])),
)
def test_whatever_is_there_it_starts_with_a_good_file_or_says_why(
    file: str | Refusal, stored: Stored | None, texts: set[str]
) -> None:
    found = start(file, stored, *texts)
    if isinstance(found, Refusal):
        assert found.reasons
        assert file in (BAD, UNREADABLE)
        assert stored is None or stored.digest not in map(digest_of, texts)
    else:
        assert isinstance(read_site(found.text), SiteFile)


def push(text: str, number: int = 1, *, digest: str = "") -> ConfigurationPushed:
    return ConfigurationPushed(
        number=number, digest=digest or digest_of(text), text=text, by="me", at_us=1
    )


STATE_NOW = ConfigurationState(gateway="dock", running="file-abc", number=2, handled="2-abc")


def test_a_push_is_judged() -> None:
    judged = judge_push(push(OTHER, 3), STATE_NOW, site="demo", gateway="dock")
    assert isinstance(judged, SiteFile)
    for pushed, words in (
        (push(OTHER, 2), "is not above 2"),
        (push(BAD, 3), "devices[0].port"),
        (push(OTHER, 3, digest="0" * 64), "does not fit its digest"),
        (push(site(name="other"), 3), "describes site 'other'"),
        (push("][", 3), "not TOML"),
    ):
        refused = judge_push(pushed, STATE_NOW, site="demo", gateway="dock")
        assert isinstance(refused, Refusal)
        assert words in refused.reasons[0]


async def test_a_push_that_cannot_be_judged_is_refused_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise TypeError("unhashable type: 'list'")

    async def trial(_: SiteFile) -> tuple[bool, tuple[str, ...]]:
        return True, ()

    store = ConfigurationStore(tmp_path)
    store.keep(kept(GOOD), GOOD)
    taking = Configuration(store, kept(GOOD), site="demo", gateway="dock", trial=trial)
    outcomes = []
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        task = group.create_task(taking.run())
        for number, judge in ((1, fail), (2, judge_push)):
            monkeypatch.setattr("edge_agent.configuration.judge_push", judge)
            taking.offer(push(OTHER, number))
            while taking.state.number != number or taking.state.outcome == "trying":
                taking.changed.clear()
                await taking.changed.wait()
            outcomes.append((taking.state.outcome, taking.state.reasons))
        task.cancel()
    refused = ("cannot be judged: TypeError: unhashable type: 'list'",)
    assert outcomes == [("refused", refused), ("applied", ())]


def test_what_was_handled_is_not_handled_again() -> None:
    pushed = push(BAD, 3)
    handled = changed(STATE_NOW, number=3, handled=version_of(3, digest_of(BAD)))
    assert judge_push(pushed, handled, site="demo", gateway="dock") is None


@given(some.text(max_size=200), some.integers(-(2**63), 2**63 - 1))
@settings(max_examples=60, deadline=None)
def test_any_text_is_judged(text: str, number: int) -> None:
    judged = judge_push(push(text, number), STATE_NOW, site="demo", gateway="dock")
    assert isinstance(judged, Refusal)


def test_only_devices_that_differ_change() -> None:
    old = read_site(site(("stays", 1), ("moves", 2), ("goes", 3)))
    new = read_site(site(("comes", 4), ("moves", 5), ("stays", 1)))
    assert isinstance(old, SiteFile)
    assert isinstance(new, SiteFile)
    found = difference(devices_of(old, "dock"), devices_of(new, "dock"))
    assert found.removed == ("goes",)
    assert [device.id for device in found.changed] == ["moves"]
    assert [device.id for device in found.added] == ["comes"]
    assert found.text() == "changed moves; added comes; removed goes"
    assert (
        difference(devices_of(old, "dock"), devices_of(old, "dock")).text() == "no device changed"
    )


def test_the_store_gives_back_what_it_keeps(tmp_path: Path) -> None:
    store = ConfigurationStore(tmp_path)
    assert store.read() is None
    store.keep(PUSHED_KEPT, OTHER)
    assert store.read() == PUSHED_KEPT
    assert store.text_of(digest_of(OTHER)) == OTHER
    store.keep_alarms({("dock", "disk"): "3 MB are left"})
    assert store.standing_alarms() == {("dock", "disk"): "3 MB are left"}


def test_the_store_survives_a_crash_at_every_step_of_writing(tmp_path: Path) -> None:
    """A crash leaves the files of before, and perhaps a part of a new one beside them."""
    store = ConfigurationStore(tmp_path)
    store.keep(kept(GOOD), GOOD)
    folder = tmp_path / FOLDER
    for name, whole in (
        (f"{digest_of(OTHER)}.toml.new", OTHER.encode()),
        (f"{STATE}.new", msgspec.json.encode(PUSHED_KEPT)),
    ):
        for length in (0, 1, len(whole) // 2, len(whole)):
            (folder / name).write_bytes(whole[:length])
            assert store.read() == kept(GOOD)
            assert store.text_of(digest_of(GOOD)) == GOOD
    store.keep(PUSHED_KEPT, OTHER)
    assert store.text_of(digest_of(OTHER)) == OTHER
    assert store.read() == PUSHED_KEPT


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\x00", b'{"state": 1}', b"[]"])
def test_a_damaged_store_is_as_none(tmp_path: Path, damage: bytes) -> None:
    store = ConfigurationStore(tmp_path)
    store.keep(PUSHED_KEPT, OTHER)
    folder = tmp_path / FOLDER
    (folder / STATE).write_bytes(damage)
    (folder / f"{digest_of(OTHER)}.toml").write_bytes(damage)
    (folder / "alarms.json").write_bytes(damage)
    assert store.read() is None
    assert store.text_of(digest_of(OTHER)) is None
    assert store.standing_alarms() == {}
    store.keep(PUSHED_KEPT, OTHER)
    assert store.text_of(digest_of(OTHER)) == OTHER


def test_old_versions_are_forgotten_but_never_the_one_in_force(tmp_path: Path) -> None:
    store = ConfigurationStore(tmp_path)
    store.keep(kept(GOOD), GOOD)
    for port in range(1, 3 * TEXTS_MAX):
        store.keep(kept(GOOD), site(("belt", port)))
    assert store.text_of(digest_of(GOOD)) == GOOD
    assert len(list((tmp_path / FOLDER).glob("*.toml"))) <= TEXTS_MAX + 2


def test_a_folder_that_vanished_is_made_again(tmp_path: Path) -> None:
    store = ConfigurationStore(tmp_path)
    store.keep(kept(GOOD), GOOD)
    shutil.rmtree(tmp_path / FOLDER)
    store.keep(kept(GOOD), GOOD)
    assert store.read() == kept(GOOD)
