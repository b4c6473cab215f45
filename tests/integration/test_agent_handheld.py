"""The handhelds' interface with a real spool: who may ask, what is kept, and what comes twice."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from contracts.codec import encode
from contracts.reads import Scan
from tallygate.servers.child import free_port
from tests.support.handheld_rig import (
    PIN,
    SECRET,
    WAIT_S,
    Rig,
    device_table,
    request_bytes,
    running,
)

UNIT = "]C101095060001343522112"
IDENTITY = "https://id.gs1.org/01/09506000134352/21/12"
SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US


@pytest.fixture(name="rig")
async def fixture_rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path) as rig:
        yield rig


def scan(rig: Rig, at_us: int = 0, **changes: object) -> dict[str, object]:
    """A scan by a clock that is off by so much."""
    return {"id": str(uuid4()), "scanned_at": rig.clock(at_us), "code": UNIT} | changes


# -- scans -----------------------------------------------------------------------------------------


async def test_a_scan_is_answered_when_it_is_on_the_disk_with_its_person(rig: Rig) -> None:
    token = await rig.sign_in()
    rig.open_gate.clear()
    one = scan(rig, location="A-01-02", document="GI-7")
    asking = asyncio.create_task(rig.scan(token, one))
    done, _ = await asyncio.wait([asking], timeout=0.3)
    assert not done, "the answer came before the disk had it"
    rig.open_gate.set()
    reply = await asyncio.wait_for(asking, WAIT_S)
    assert reply.status == 200
    expected = {"kept": True, "already": False, "taken": True, "person": "li.wei", "reason": ""}
    assert reply.body == {"scans": [{"id": one["id"], **expected}]}
    [read] = rig.reads()
    assert (read.identity, read.device, read.evidence) == (IDENTITY, "handhelds", UNIT.encode())
    assert read.scan is not None
    assert read.scan == Scan(
        id=str(one["id"]),
        client="pda-1",
        person="li.wei",
        told_us=read.scan.told_us,
        location="cold",
        place="A-01-02",
        document="GI-7",
    )


async def test_the_same_scan_again_is_told_to_be_known_and_makes_no_second_read(rig: Rig) -> None:
    token = await rig.sign_in()
    one, other = scan(rig), scan(rig)
    assert (await rig.scan(token, one, one)).status == 200
    again = await rig.scan(token, one, other)
    assert [(each["kept"], each["already"]) for each in again.body["scans"]] == [
        (True, True),
        (True, False),
    ]
    assert len(rig.reads()) == 2


async def test_replays_are_known_after_a_restart_and_the_sign_in_still_holds(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as rig:
        token = await rig.sign_in()
        one = scan(rig)
        await rig.scan(token, one)
    async with running(tmp_path) as rig:
        reply = await rig.scan(token, one)
        assert reply.body["scans"][0]["already"]
        assert len(rig.reads()) == 1


async def test_a_crash_between_spool_and_memory_sends_the_very_same_read_again(
    tmp_path: Path,
) -> None:
    """Equal content gives equal ids in the ledger, which enters it once."""
    async with running(tmp_path) as rig:
        token = await rig.sign_in()
        one = scan(rig)
        await rig.scan(token, one)
        [first] = rig.reads()
    content = encode(first)
    with sqlite3.connect(tmp_path / "handheld-handhelds.sqlite3") as database:
        database.execute("update scans set kept = 0, thing = ?", (content,))
    database.close()
    async with running(tmp_path) as rig:
        reply = await rig.scan(token, one, offset_us=HOUR_US)
        assert not reply.body["scans"][0]["already"]
        assert rig.reads() == [first, first]


async def test_two_requests_at_once_with_one_scan_put_it_in_once(rig: Rig) -> None:
    token = await rig.sign_in()
    one = scan(rig)
    rig.open_gate.clear()
    asking = [asyncio.create_task(rig.scan(token, one)) for _ in range(5)]
    await asyncio.wait(asking, timeout=0.2)
    rig.open_gate.set()
    replies = await asyncio.wait_for(asyncio.gather(*asking), WAIT_S)
    assert [reply.status for reply in replies] == [200] * 5
    assert len(rig.reads()) == 1


async def test_an_id_that_stands_for_another_scan_is_refused_and_nothing_vanishes(
    rig: Rig,
) -> None:
    token = await rig.sign_in()
    one = scan(rig)
    await rig.scan(token, one)
    reply = await rig.scan(token, one | {"code": "other"})
    [result] = reply.body["scans"]
    assert result["kept"]
    assert not result["taken"]
    assert "another scan" in result["reason"]
    [reject] = rig.rejects()
    assert b"other" in reject.raw
    assert len(rig.reads()) == 1


async def test_a_bad_scan_holds_up_no_other_and_becomes_a_reject(rig: Rig) -> None:
    token = await rig.sign_in()
    bad = [
        scan(rig, epc="30"),
        scan(rig, location="nowhere"),
        {"id": "no uuid", "scanned_at": 5, "cod": 1},
        scan(rig, code="\x00"),
        scan(rig, scanned_at="2001-01-01T00:00:00Z"),
        None,
        17,
    ]
    good = scan(rig, code=None, epc="3074257BF7194E4000001A85")
    reply = await rig.scan(token, *bad, good)
    results = reply.body["scans"]
    assert [result["kept"] for result in results] == [True] * 8
    assert [result["taken"] for result in results] == [False] * 7 + [True]
    reasons = [result["reason"] for result in results]
    assert "either 'code' or 'epc'" in reasons[0]
    assert "'nowhere' is no zone, gate or label" in reasons[1]
    assert all(word in reasons[2] for word in ("id: ", "scanned_at: ", "cod: "))
    assert "a character that no label has" in reasons[3]
    assert "too old" in reasons[4]
    [read] = rig.reads()
    assert read.identity == "https://id.gs1.org/01/80614141123458/21/6789"
    assert len(rig.rejects()) == 7
    again = await rig.scan(token, *bad, good)
    assert all(result["already"] for result in again.body["scans"])
    assert len(rig.rejects()) == 7


async def test_a_scan_without_a_place_is_refused_where_the_interface_has_none(
    tmp_path: Path,
) -> None:
    table = device_table(1).model_copy(update={"location": None})
    async with running(tmp_path, device=table.model_copy(update={"port": free_port()})) as rig:
        token = await rig.sign_in()
        reply = await rig.scan(token, scan(rig), scan(rig, location="door-1"))
        assert [result["taken"] for result in reply.body["scans"]] == [False, True]


async def test_a_full_spool_is_told_and_nothing_counts_as_known(tmp_path: Path) -> None:
    async with running(tmp_path, spool_bytes_max=1_000) as rig:
        token = await rig.sign_in()
        one = scan(rig, code="x" * 2_000)
        for _ in range(2):
            reply = await rig.scan(token, one)
            assert reply.status == 503
            assert int(reply.headers["retry-after"]) > 0
            assert [result["kept"] for result in reply.body["scans"]] == [False]
        assert rig.reads() == []


# -- time and person -------------------------------------------------------------------------------


async def test_times_are_set_right_by_the_clock_s_time_of_sending(rig: Rig) -> None:
    token = await rig.sign_in()
    before_us = rig.intake.now_us()
    await rig.scan(token, scan(rig, -HOUR_US), offset_us=-HOUR_US)
    [read] = rig.reads()
    assert abs(read.last_us - before_us) < 5 * SECOND_US
    assert read.scan is not None
    assert abs(read.scan.told_us - before_us + HOUR_US) < 5 * SECOND_US
    assert rig.watch.skew_us is not None
    assert abs(rig.watch.skew_us + HOUR_US) < 5 * SECOND_US
    assert any("the clock of pda-1 is 3600 s behind" in told for told in rig.complaints())


async def test_what_was_scanned_outside_the_sign_in_has_no_person(rig: Rig) -> None:
    """Who replays another's scans is not named for them."""
    first = await rig.sign_in("wang.fang")
    own = scan(rig)
    second = await rig.sign_in("li.wei")
    reply = await rig.scan(first, own)
    assert reply.body["scans"][0]["person"] == "wang.fang"
    early = scan(rig, -HOUR_US, code="earlier")
    reply = await rig.scan(second, early)
    [result] = reply.body["scans"]
    assert (result["taken"], result["person"]) == (True, None)
    assert "without a person" in result["reason"]
    assert [read.scan.person for read in rig.reads() if read.scan] == ["wang.fang", None]


async def test_signing_out_ends_what_can_be_scanned_but_not_what_can_be_sent(rig: Rig) -> None:
    token = await rig.sign_in()
    made = scan(rig)
    assert (await rig.post("/v1/sign-out", b"", token)).status == 200
    reply = await rig.scan(token, made)
    assert reply.body["scans"][0]["person"] == "li.wei"


async def test_nobody_names_a_person_without_a_sign_in(rig: Rig) -> None:
    for token in ("", "made up", "x" * 5_000):
        reply = await rig.scan(token, scan(rig, person="li.wei"))
        assert reply.status == 401
        assert "sign in" in reply.body["message"]
    token = await rig.sign_in()
    reply = await rig.scan(token, scan(rig, person="wang.fang"))
    assert not reply.body["scans"][0]["taken"]
    assert rig.reads() == []


# -- who may ask -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client": "pda-9"}, "wrong_client"),
        ({"secret": "guessed"}, "wrong_client"),
        ({"person": "nobody"}, "wrong_person"),
        ({"pin": "0000"}, "wrong_person"),
    ],
)
async def test_a_wrong_name_or_secret_is_refused_alike(
    rig: Rig, changes: dict[str, str], error: str
) -> None:
    right = {"client": "pda-1", "secret": SECRET, "person": "li.wei", "pin": PIN}
    reply = await rig.post("/v1/sign-in", right | changes)
    assert (reply.status, reply.body["error"]) == (401, error)
    assert reply.headers["www-authenticate"] == "Bearer"


async def test_wrong_pins_lock_a_person_out_even_with_the_right_one(rig: Rig) -> None:
    body = {"client": "pda-1", "secret": SECRET, "person": "li.wei", "pin": "0000"}
    statuses = [(await rig.post("/v1/sign-in", body)).status for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    reply = await rig.post("/v1/sign-in", body | {"pin": PIN})
    assert (reply.status, reply.body["error"]) == (429, "locked")
    assert 50 <= int(reply.headers["retry-after"]) <= 60
    assert await rig.sign_in("wang.fang")
    await rig.scan(await rig.sign_in("wang.fang"), scan(rig))
    assert any("li.wei is locked out at pda-1" in told for told in rig.complaints())


async def test_somebody_without_a_handheld_s_secret_locks_nobody_out(rig: Rig) -> None:
    body = {"client": "pda-1", "secret": "guessed", "person": "li.wei", "pin": "0000"}
    for _ in range(8):
        assert (await rig.post("/v1/sign-in", body)).status == 401
    assert await rig.sign_in()


async def test_one_address_tries_only_so_often(rig: Rig) -> None:
    body = {"client": "pda-1", "secret": "guessed", "person": "li.wei", "pin": "0000"}
    statuses = [(await rig.post("/v1/sign-in", body)).status for _ in range(25)]
    assert statuses[:20] == [401] * 20
    assert statuses[-1] == 429


async def test_a_new_secret_ends_the_sign_ins_of_the_old_one(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        token = await rig.sign_in()
        port = rig.port
    table = device_table(port)
    clients = [
        one.model_copy(update={"secret": table.handheld.clients[1].secret})
        for one in table.handheld.clients
    ]
    handheld = table.handheld.model_copy(update={"clients": clients})
    async with running(tmp_path, device=table.model_copy(update={"handheld": handheld})) as rig:
        assert (await rig.scan(token, scan(rig))).status == 401


# -- limits ----------------------------------------------------------------------------------------


async def test_who_asks_too_often_is_told_when_to_ask_again(tmp_path: Path) -> None:
    async with running(tmp_path, "requests_per_s = 0.5") as rig:
        token, other = await rig.sign_in(), await rig.sign_in("wang.fang", "pda-2")
        replies = [await rig.scan(token, scan(rig)) for _ in range(5)]
        assert [reply.status for reply in replies] == [200] * 3 + [429] * 2
        assert int(replies[-1].headers["retry-after"]) >= 1
        assert (await rig.scan(other, scan(rig))).status == 200, "its neighbour is not hurt"
        assert len(rig.reads()) == 4


async def test_bodies_have_a_size_and_requests_a_number_of_scans(rig: Rig) -> None:
    token = await rig.sign_in()
    large = await rig.post("/v1/scans", b" " * 600_000, token)
    assert (large.status, large.body["error"]) == (413, "too_large")
    many = await rig.scan(token, *[scan(rig) for _ in range(501)])
    assert many.status == 422
    assert many.body["mistakes"][0]["field"] == "scans"
    whole = await rig.scan(token, *[scan(rig) for _ in range(500)])
    assert whole.status == 200
    assert len(rig.reads()) == 500


@pytest.mark.parametrize(
    ("request_line", "headers", "status", "words"),
    [
        (("GET", "/v1/scans"), {}, 405, "asked with POST"),
        (("OPTIONS", "/v1/scans"), {"Origin": "https://elsewhere"}, 405, "asked with POST"),
        (("GET", "/"), {}, 404, "GET /v1/health"),
        (("POST", "/v1/sign-in"), {"Content_Type": "text/plain"}, 415, "application/json"),
        (("POST", "/v1/sign-in"), {"Content_Encoding": "gzip"}, 415, "without Content-Encoding"),
    ],
)
async def test_what_is_not_offered_is_refused_in_json(
    rig: Rig, request_line: tuple[str, str], headers: dict[str, str], status: int, words: str
) -> None:
    method, path = request_line
    reply = await rig.send(request_bytes(path, {}, method=method, **headers))
    assert reply.status == status
    assert words in reply.body["message"]
    assert not any(name.startswith("access-control") for name in reply.headers)


async def test_all_mistakes_of_a_body_are_named_and_no_secret_is_repeated(rig: Rig) -> None:
    reply = await rig.post("/v1/sign-in", {"client": 5, "secret": ["hidden"], "pn": "hidden"})
    assert reply.status == 422
    fields = {mistake["field"] for mistake in reply.body["mistakes"]}
    assert fields == {"client", "secret", "person", "pin", "pn"}
    assert "hidden" not in str(reply.body)


async def test_a_signed_in_handheld_s_nonsense_is_kept_as_a_reject(rig: Rig) -> None:
    token = await rig.sign_in()
    reply = await rig.post("/v1/scans", b"{nonsense", token)
    assert reply.status == 422
    await rig.scan(token, scan(rig))
    [reject] = rig.rejects()
    assert (reject.source, reject.raw) == ("dock/handhelds", b"{nonsense")


async def test_health_needs_no_sign_in_and_tells_the_time(rig: Rig) -> None:
    reply = await rig.send(request_bytes("/v1/health", b"", method="GET"))
    assert reply.status == 200
    assert reply.body["state"] == "ok"
    assert reply.body["time"].startswith(time.strftime("%Y-%m-%dT", time.gmtime()))


async def test_it_listens_again_when_its_port_is_free(tmp_path: Path) -> None:
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]

    async def free_it() -> None:
        await asyncio.sleep(0.3)
        taken.close()

    freeing = asyncio.create_task(free_it())
    async with running(tmp_path, device=device_table(port)) as rig:
        await freeing
        token = await rig.sign_in()
        await rig.scan(token, scan(rig))
        states = [change.state for batch in rig.kept() for change in batch.changes]
    assert states == ["retrying", "reading"]


async def test_a_damaged_memory_is_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "handheld-handhelds.sqlite3"
    path.write_bytes(b"no database at all " * 100)
    async with running(tmp_path) as rig:
        assert (await rig.scan(await rig.sign_in(), scan(rig))).status == 200
    assert path.with_suffix(".damaged").exists()
