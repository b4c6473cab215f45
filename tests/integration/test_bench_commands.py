"""`python -m firmware_sim devices | record | replay` as programs of their own."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from contracts.site import SiteFile, read_site
from firmware_sim.__main__ import main
from firmware_sim.bench.recording import read_recording
from tests.support.agent_bench import ROOT
from tests.support.bench_rig import until

WAIT_S = 60.0
"""A program starts within a second or two; a loaded machine takes longer."""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


class Program:
    """A running command; its lines are gathered as they come."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.text = ""
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while data := await self.process.stdout.read(10_000):
            self.text += data.decode()

    def type(self, words: str) -> None:
        """Type a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(words.encode() + b"\n")

    async def says(self, words: str) -> None:
        """Wait until it has said something."""
        async with asyncio.timeout(WAIT_S):
            while words not in self.text:
                assert not self._reading.done(), f"ended without {words!r}: {self.text}"
                await asyncio.sleep(0.01)

    async def port(self) -> int:
        """Where it listens, once it does."""
        await self.says("type a fault")
        found = re.search(r"listens on 127\.0\.0\.1:(\d+)", self.text)
        assert found
        return int(found[1])

    async def ended(self) -> int:
        """Its exit code, once it has ended."""
        async with asyncio.timeout(WAIT_S):
            await self._reading
            return await self.process.wait()


@asynccontextmanager
async def program(*words: str, folder: Path) -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "firmware_sim", *words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env=ENVIRONMENT,
    )
    running = Program(process)
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        assert process.stdin is not None
        process.stdin.close()
        await running.ended()


def run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: PLW1510 - the tests look at the code.
        [sys.executable, "-m", "firmware_sim", *words],
        cwd=folder,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )


async def test_a_device_takes_faults_and_ends_when_told_to(tmp_path: Path) -> None:
    words = ("devices", "scanner", "--port", "0", "--rate", "50", "--write-site", "site.toml")
    async with program(*words, "--record", "said.rec", folder=tmp_path) as device:
        port = await device.port()
        site = read_site((tmp_path / "site.toml").read_text())
        assert isinstance(site, SiteFile)
        assert site.devices[0].port == port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        first = await asyncio.wait_for(reader.readuntil(b"\r\n"), WAIT_S)
        assert first.startswith(b"\x02")
        device.type("drop after 7")
        rest = await asyncio.wait_for(reader.read(), WAIT_S)
        assert not rest.endswith(b"\r\n")
        writer.close()
        device.type("freze 5")
        await device.says("'freze' is no fault; did you mean 'freeze'?; 'help' shows all")
        device.type("quit")
        assert await device.ended() == 0
        assert '"event": "done"' in device.text
    pieces = read_recording(tmp_path / "said.rec").pieces
    assert pieces[0].what == "opened"
    assert b"".join(piece.data for piece in pieces if piece.what == "device") == first + rest


async def test_a_signal_ends_a_device_in_peace(tmp_path: Path) -> None:
    async with program("devices", "llrp-generic", "--port", "0", folder=tmp_path) as device:
        await device.port()
        device.process.send_signal(signal.SIGTERM)
        assert await device.ended() == 0
        assert "Traceback" not in device.text


def test_a_device_ends_after_so_many_passings_whatever_its_stdin_is(tmp_path: Path) -> None:
    done = run(
        "devices", "scanner", "--port", "0", "--rate", "100", "--count", "20", folder=tmp_path
    )
    assert done.returncode == 0
    assert json.loads(done.stderr.splitlines()[-1])["passed"] == 20
    assert "scanner: all 20 passings of its scene are over" in done.stdout


def test_what_is_wrong_is_told_in_full_and_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text('[[devices]]\nid = "a b"\nkind = "scaner"\n')
    for word in ("--check", "--scenario"):
        assert main(["devices", word, str(path)]) == 1
        told = capsys.readouterr()
        assert told.out == ""
        lines = [line.removeprefix(f"{path}: ") for line in told.err.splitlines()]
        assert [line.partition(":")[0] for line in lines] == ["line 2", "line 3"]


def test_the_site_file_alone_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", "llrp-impinj", "--print-site"]) == 0
    site = read_site(capsys.readouterr().out)
    assert isinstance(site, SiteFile)
    assert [device.kind for device in site.devices] == ["llrp"]
    assert main(["devices", "scanner", "--port", "0", "--print-site"]) == 1
    assert capsys.readouterr().err.startswith("port 0 is known only once it listens")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("record", "--connect", "door-1", "--out"),
            "an address is written host:port, not 'door-1'",
        ),
        (("record", "--mqtt", "tcp://x", "--out"), "a broker is mqtt://host:port or mqtts"),
        (("replay",), "cannot be read"),
    ],
)
def test_what_cannot_be_recorded_or_played_is_told(
    words: tuple[str, ...], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, str(tmp_path / "a.rec")]) == 1
    assert told in capsys.readouterr().err


async def test_what_was_recorded_is_played_again(tmp_path: Path) -> None:
    async with program("devices", "scanner", "--port", "0", folder=tmp_path) as device:
        address = f"127.0.0.1:{await device.port()}"
        words = ("record", "--connect", address, "--out", "scanner.rec")
        async with program(*words, folder=tmp_path) as recorder:
            await recorder.says("connect to 127.0.0.1:")
            port = int(recorder.text.split()[-1].rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            heard = [await asyncio.wait_for(reader.readuntil(b"\r\n"), WAIT_S) for _ in range(5)]
            writer.close()
            await recorder.says("connection 1 closed")
            recorder.process.send_signal(signal.SIGINT)
            assert await recorder.ended() == 0
    async with program("replay", "scanner.rec", "--speed", "20", folder=tmp_path) as replay:
        await replay.says("scanner.rec plays on 127.0.0.1:")
        port = int(replay.text.split()[-1].rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        played = await asyncio.wait_for(reader.read(), WAIT_S)
        assert played.startswith(b"".join(heard))
        writer.close()
        assert await replay.ended() == 0


async def test_the_live_view_takes_what_is_typed_and_gives_the_terminal_back(
    tmp_path: Path,
) -> None:
    master, terminal = pty.openpty()

    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    before = termios.tcgetattr(terminal)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "firmware_sim", "devices", "scanner", "--port", "0", "--live"),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=tmp_path,
        env={**ENVIRONMENT, "TERM": "xterm"},
    )
    os.set_blocking(master, False)
    seen = bytearray()

    def shows(words: bytes) -> bool:
        try:
            seen.extend(os.read(master, 65_536))
        except BlockingIOError:
            return words in seen
        return words in seen

    try:
        await until(lambda: shows(b"reads/s"), "the view")
        os.write(master, b"freeze 5\r")
        await until(lambda: shows(b"scanner: frozen"), "the fault")
        os.write(master, b"quit\r")
        await until(lambda: shows(b"") and process.returncode is not None, "the end")
        assert process.returncode == 0
        assert termios.tcgetattr(terminal) == before
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(master)
        os.close(terminal)
