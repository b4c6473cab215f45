"""A handheld's link that breaks anywhere, bytes that mean nothing, and a handheld that plays on."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from cryptography import x509

from contracts.clock import REAL_TIME
from contracts.codec import encode
from contracts.reads import ReadBatch
from contracts.site import SiteFile, read_site
from edge_agent.devices import handheld_http
from edge_agent.spool import kept_batches
from firmware_sim.bench.bench import Bench
from firmware_sim.bench.handheld_kinds import BENCH, KINDS
from firmware_sim.bench.scenario import ScenarioFile, scenario_from
from firmware_sim.bench.scene import Traffic, scene_of
from firmware_sim.core.handheld import Credentials, Handheld
from tallygate.servers.child import free_port
from tests.support.agent_bench import GATEWAY, SITE, AgentProcess
from tests.support.certificates import self_signed, serial_of
from tests.support.handheld_rig import (
    PIN,
    SECRET,
    WAIT_S,
    Rig,
    device_table,
    read_reply,
    request_bytes,
    running,
)

AT_ONCE = 60
"""Links that are cut at the same time: each answer waits for a flush of the disk."""
FAST = "requests_per_s = 1000\nscans_per_s = 100000"


@pytest.fixture(name="rig")
async def fixture_rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path, FAST) as rig:
        yield rig


def one_scan(rig: Rig, number: int) -> dict[str, object]:
    name = str(UUID(int=(7 << 100) + number, version=4))
    return {"id": name, "scanned_at": rig.clock(), "code": f"code {number}"}


def request_with(rig: Rig, number: int, token: str) -> bytes:
    body = {"sent_at": rig.clock(), "scans": [one_scan(rig, number)]}
    return request_bytes("/v1/scans", body, token=token)


async def gathered(jobs: list[asyncio.Task[None]]) -> None:
    await asyncio.wait_for(asyncio.gather(*jobs), 4 * WAIT_S)


# -- cuts ------------------------------------------------------------------------------------------


async def test_a_request_cut_at_every_byte_is_sent_again_and_kept_once(rig: Rig) -> None:
    token = await rig.sign_in()
    size = len(request_with(rig, 0, token))
    few = asyncio.Semaphore(AT_ONCE)

    async def cut_and_recover(at: int) -> None:
        async with few:
            whole = request_with(rig, at, token)
            _, writer = await asyncio.open_connection("127.0.0.1", rig.port)
            writer.write(whole[:at])
            await writer.drain()
            if at % 2:
                writer.transport.abort()
            writer.close()
            reply = await rig.send(whole)
            assert reply.status == 200, reply.body
            assert reply.body["scans"][0]["kept"]

    await gathered([asyncio.create_task(cut_and_recover(at)) for at in range(size + 1)])
    assert sorted(read.evidence for read in rig.reads()) == sorted(
        f"code {at}".encode() for at in range(size + 1)
    )


async def test_an_answer_cut_at_every_byte_is_asked_for_again_and_kept_once(rig: Rig) -> None:
    token = await rig.sign_in()
    few = asyncio.Semaphore(AT_ONCE)
    size = 450

    async def lose_the_answer(at: int) -> None:
        async with few:
            whole = request_with(rig, at, token)
            reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
            writer.write(whole)
            heard = b""
            while len(heard) < at:
                more = await asyncio.wait_for(reader.read(at - len(heard)), WAIT_S)
                heard += more
                if heard.count(b"}]}"):
                    break
            writer.transport.abort()
            reply = await rig.send(whole)
            assert reply.status == 200
            assert reply.body["scans"][0]["kept"]
            if at:
                assert reply.body["scans"][0]["already"]

    await gathered([asyncio.create_task(lose_the_answer(at)) for at in range(size)])
    assert sorted(read.evidence for read in rig.reads()) == sorted(
        f"code {at}".encode() for at in range(size)
    )


# -- bytes that mean nothing -----------------------------------------------------------------------


async def test_any_bytes_are_answered_or_let_go_and_the_next_one_is_served(rig: Rig) -> None:
    seed = random.randrange(1 << 32)
    dice = random.Random(seed)
    token = await rig.sign_in()
    good = request_with(rig, 1, token)
    for number in range(150):
        spoiled = bytearray(good)
        if number % 3 == 0:
            spoiled = bytearray(dice.randbytes(dice.randrange(1, 400)))
        else:
            for _ in range(dice.randrange(1, 6)):
                spoiled[dice.randrange(len(spoiled))] = dice.randrange(256)
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        writer.write(bytes(spoiled))
        writer.write_eof()
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            reply = await read_reply(reader)
            assert reply.status < 500, f"seed {seed}: {bytes(spoiled)!r} {reply.body}"
        writer.close()
    assert not rig.task.done(), f"seed {seed}"
    assert (await rig.send(request_with(rig, 2, token))).status == 200, f"seed {seed}"


# -- a handheld that plays on ----------------------------------------------------------------------


class Lines:
    """Carries a simulated handheld's requests, and breaks when it is told to."""

    def __init__(self, handheld: Handheld, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.handheld = handheld
        self.port = port
        self.tls = tls
        self.cuts = 0

    async def connection(self, upto_us: int, *, cut_after: int | None = None) -> None:
        """One connection: until nothing more is to be said, or a number of bytes either way."""
        name = "localhost" if self.tls else None
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.tls, server_hostname=name
        )
        self.handheld.came()
        left = cut_after
        try:
            while frames := self.handheld.frames(upto_us):
                said = b"".join(frame.payload for frame in frames)
                if left is not None and left < len(said):
                    writer.write(said[:left])
                    self.cuts += 1
                    return
                left = None if left is None else left - len(said)
                writer.write(said)
                answered = False
                while not answered:
                    data = await asyncio.wait_for(reader.read(65_536), WAIT_S)
                    if not data:
                        return
                    if left is not None and left < len(data):
                        self.handheld.heard(data[:left])
                        self.cuts += 1
                        return
                    left = None if left is None else left - len(data)
                    assert self.handheld.heard(data)
                    answered = b"}" in data[-3:]
        finally:
            self.handheld.gone()
            writer.transport.abort()


def tags(number: int) -> Traffic:
    return Traffic(things=number, rate_per_s=2.0, passings=number)


async def test_a_handheld_that_is_cut_at_every_byte_loses_nothing_and_doubles_nothing(
    rig: Rig,
) -> None:
    """One handheld, one conversation after the other, each cut some bytes later than the last."""
    start_us = rig.intake.now_us() - 60_000_000
    scene = scene_of("pda", seed=3, start_us=start_us, traffic=tags(100))
    handheld = Handheld(scene, Credentials("pda-1", SECRET, "li.wei", PIN))
    lines = Lines(handheld, rig.port)
    for cut_after in range(0, 2_000, 37):
        upto_us = start_us + cut_after * 25_000
        await lines.connection(upto_us, cut_after=cut_after)
    await lines.connection(start_us + 60_000_000)
    assert lines.cuts > 40
    assert handheld.scanned == 100
    assert handheld.waiting == 0
    assert sorted(read.identity for read in rig.reads()) == sorted(
        passing.identity for passing in scene.passings
    )


async def test_a_handheld_that_was_offline_and_drifts_brings_its_scans_at_their_times(
    rig: Rig,
) -> None:
    """A clock that is a day behind and gains: the times are right all the same."""
    start_us = rig.intake.now_us()
    scene = scene_of("pda", seed=4, start_us=start_us, traffic=tags(200))
    handheld = Handheld(scene, Credentials("pda-1", SECRET, "li.wei", PIN))
    handheld.fault("clock_offset_s", -86_400.0)
    handheld.fault("clock_drift_ppm", 200.0)
    lines = Lines(handheld, rig.port)
    await lines.connection(start_us)
    assert handheld.fault("antenna_lost", 1) is False
    # Its scans lie in the next 100 s by the scene; it is back when they are over.
    handheld.frames(start_us + 100_000_000)
    rig.shift_us(100_000_000)
    await lines.connection(start_us + 100_000_000)
    assert handheld.waiting == 0
    told = {read.identity: read for read in rig.reads()}
    assert len(told) == 200
    for passing in scene.passings:
        read = told[passing.identity]
        assert abs(read.last_us - passing.at_us) < 1_500_000
        assert read.scan is not None
        assert read.scan.person == "li.wei"


async def test_the_bench_s_handheld_is_served_as_its_site_table_says(tmp_path: Path) -> None:
    [kind] = KINDS
    port = free_port()
    text = 'site = "bench"\n[[zones]]\nid = "stage"\n[[gateways]]\nid = "bench"\n'
    site_file = read_site(text + kind.site.format(device="pda", host="127.0.0.1", port=port))
    assert isinstance(site_file, SiteFile), site_file
    async with running(tmp_path, device=site_file.devices[0]) as rig:
        start_us = rig.intake.now_us() - 30_000_000
        scene = scene_of("pda", seed=5, start_us=start_us, traffic=tags(20))
        handheld = Handheld(scene, BENCH)
        await Lines(handheld, port).connection(start_us + 30_000_000)
        assert (handheld.waiting, handheld.refused) == (0, [])
        assert len(rig.reads()) == 20


async def test_every_fault_of_the_bench_s_link_loses_nothing_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    """Cut in the middle, frozen, doubled, out of order, with garbage between."""
    port = free_port()
    faults = [
        ("drop after 300", 0.2),
        ("duplicate 2", 0.6),
        ("garbage 200", 1.0),
        ("freeze 0.5", 1.2),
        ("drop", 1.9),
        ("drop after 10", 2.0),
        ("clock -7200", 2.2),
        ("duplicate 1", 2.4),
    ]
    written = {
        "devices": [
            {
                "id": "pda",
                "kind": "handheld",
                "port": port,
                "traffic": {"things": 60, "rate_per_s": 20.0, "passings": 60},
                "faults": [{"fault": fault, "at_s": at_s} for fault, at_s in faults],
            }
        ]
    }
    scenario = scenario_from(written, {})
    assert isinstance(scenario, ScenarioFile), scenario
    bench = Bench(scenario, REAL_TIME, start_us=time.time_ns() // 1_000)
    site_file = read_site(bench.site_text())
    assert isinstance(site_file, SiteFile), site_file
    async with running(tmp_path, device=site_file.devices[0]) as rig:
        await bench.open()
        working = asyncio.create_task(bench.run())
        [bench_rig] = bench.rigs
        handheld = bench_rig._source
        assert isinstance(handheld, Handheld)
        async with asyncio.timeout(3 * WAIT_S):
            await bench.until_over()
            while handheld.waiting:  # noqa: ASYNC110 - a state, not an event.
                await asyncio.sleep(0.02)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await bench.close()
        scene = bench_rig._scene
        assert len(scene.passings) == 60
        assert sorted(read.identity for read in rig.reads()) == sorted(
            passing.identity for passing in scene.passings
        )
        assert {read.scan.person for read in rig.reads() if read.scan} == {BENCH.person}


async def test_an_agent_killed_amid_scans_keeps_all_and_repeats_only_the_very_same(
    tmp_path: Path,
) -> None:
    """What comes twice into the spool is equal to the byte: the ledger enters it once."""
    [kind] = KINDS
    port = free_port()
    text = f'site = "{SITE}"\n[[zones]]\nid = "stage"\n[[gateways]]\nid = "{GATEWAY}"\n'
    table = kind.site.format(device="pda", host="127.0.0.1", port=port)
    start_us = time.time_ns() // 1_000 - 60_000_000
    scene = scene_of("pda", seed=7, start_us=start_us, traffic=tags(100))
    handheld = Handheld(scene, BENCH)
    with AgentProcess(tmp_path, scanner_port=1, mqtt_port=free_port()) as agent:
        (tmp_path / "site.toml").write_text(text + table.replace('"bench"', f'"{GATEWAY}"', 1))
        agent.start(TALLYGATE_AT="after_spool:8:kill")
        seconds = 0
        tries = 0
        ended = False
        while handheld.scanned < 100 or handheld.waiting:
            # The second half is scanned only when the agent was killed and begins again.
            seconds = min(seconds + 3, 60 if ended else 30)
            with contextlib.suppress(OSError, TimeoutError):
                await Lines(handheld, port).connection(start_us + seconds * 1_000_000)
            if not ended and agent.process.poll() is not None:
                assert agent.ended() == -9
                ended = True
                agent.start()
            tries += 1
            assert tries < 3_000, agent.log()
            await asyncio.sleep(0.02)
        assert agent.stop() == 0
        reads = [
            read
            for _, _, raw in kept_batches(agent.data)
            for read in msgspec.msgpack.decode(raw, type=ReadBatch).reads
        ]
    by_id: dict[str, set[bytes]] = {}
    for read in reads:
        assert read.scan is not None
        by_id.setdefault(read.scan.id, set()).add(encode(read))
    assert len(by_id) == 100
    assert all(len(variants) == 1 for variants in by_id.values())


# -- connections that only cost --------------------------------------------------------------------


async def test_connections_that_ask_nothing_are_closed_and_too_many_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handheld_http, "LOOK_S", 0.05)
    monkeypatch.setattr(handheld_http, "FIRST_US_MAX", 300_000)
    monkeypatch.setattr(handheld_http, "CONNECTIONS_MAX", 3)
    async with running(tmp_path, FAST) as rig:
        idle = [await asyncio.open_connection("127.0.0.1", rig.port) for _ in range(3)]
        idle[0][1].write(b"POST /v1/sc")
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        assert await asyncio.wait_for(reader.read(), 0.25) == b"", "one too many"
        writer.close()
        for reader, writer in idle:
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), WAIT_S) == b""
            writer.close()
        assert await rig.sign_in(), "there is room again"


# -- TLS -------------------------------------------------------------------------------------------


async def test_with_a_certificate_it_speaks_tls_and_a_renewed_one_is_taken(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "first")
    table = f'certificate = "{certificate}"\nkey = "{key}"'
    async with running(tmp_path / "agent", device=device_table(free_port(), table)) as rig:
        start_us = rig.intake.now_us() - 30_000_000
        scene = scene_of("pda", seed=6, start_us=start_us, traffic=tags(5))
        handheld = Handheld(scene, Credentials("pda-1", SECRET, "li.wei", PIN))
        trusting = ssl.create_default_context(cafile=certificate)
        await Lines(handheld, rig.port, trusting).connection(start_us + 30_000_000)
        assert handheld.waiting == 0
        assert len(rig.reads()) == 5
        with pytest.raises(ssl.SSLCertVerificationError):
            await Lines(handheld, rig.port, ssl.create_default_context()).connection(start_us)
        self_signed(tmp_path, "first")
        renewed = serial_of(certificate)
        async with asyncio.timeout(WAIT_S):
            while await _serial(rig.port) != renewed:  # noqa: ASYNC110 - nothing else tells.
                await asyncio.sleep(0.2)


async def _serial(port: int) -> int:
    """The serial number of the certificate that is shown."""
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname = False
    anyone.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=anyone)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return x509.load_der_x509_certificate(shown).serial_number
