"""Devices at work: how one connects is said first, then they run until somebody stops them."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path

from contracts.clock import REAL_TIME, ClockSetting
from firmware_sim.bench.bench import Bench
from firmware_sim.bench.console import listen_to
from firmware_sim.bench.recording import Piece, Recorder, What, recorded_link
from firmware_sim.bench.registry import kind_named
from firmware_sim.bench.rig import Noted, Rig
from firmware_sim.bench.scenario import ScenarioFile
from firmware_sim.commands.device_options import Refused
from firmware_sim.commands.stopping import Work, say, until_stopped
from firmware_sim.log import log


async def run(
    options: argparse.Namespace, scenario: ScenarioFile, clock: ClockSetting, start_us: int
) -> int:
    """Be the devices of a scenario; the exit code. Raises Refused, LinkError, RecordingError."""
    recorders: list[Recorder] = []
    noted = _recording(options, scenario, recorders) if options.record else None
    try:
        bench = Bench(
            scenario, clock, start_us=start_us, count=options.count, noted=noted or _unnoted
        )
        if options.print_site:
            if any(getattr(rig.link, "port", 1) == 0 for rig in bench.rigs):
                raise Refused("port 0 is known only once it listens: --write-site FILE, or a port")
            sys.stdout.write(bench.site_text())
            return 0
        try:
            await bench.open()
            await _work(options, bench)
        finally:
            await bench.close()
    finally:
        for recorder in recorders:
            recorder.close()
    return 0


async def _work(options: argparse.Namespace, bench: Bench) -> None:
    if options.write_site:
        try:
            options.write_site.write_text(bench.site_text(), encoding="utf-8")
        except OSError as error:
            raise Refused(f"{options.write_site} cannot be written: {error.strerror}") from error
    enders: list[Work] = []
    if bench.scenario.seconds is not None:
        enders.append(asyncio.sleep(bench.scenario.seconds / bench.clock.speed))
    if options.count is not None:
        enders.append(bench.until_over())
    greeting = connect_text(bench, options.write_site)
    is_terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    if options.live:
        await _watched(bench, greeting, enders, is_terminal=is_terminal)
    else:
        await until_stopped(
            _greet(bench, greeting), bench.run(say), listen_to(bench.rigs, say), enders=enders
        )
    for rig in bench.rigs:
        figures = rig.figures
        log(
            "done",
            device=rig.device,
            passed=figures.passed,
            said=figures.said,
            unheard=figures.unheard,
        )


async def _watched(bench: Bench, greeting: str, enders: list[Work], *, is_terminal: bool) -> None:
    """At work, and watched in the terminal or in log lines."""
    from firmware_sim.bench.live import LiveView, log_lines, show  # noqa: PLC0415 - slow to load.

    if is_terminal:
        view = LiveView(bench)
        say(greeting)
        await until_stopped(bench.run(view.say), enders=(*enders, show(view)))
        return
    await until_stopped(
        _greet(bench, greeting),
        bench.run(say),
        listen_to(bench.rigs, say),
        log_lines(bench),
        enders=enders,
    )


async def _greet(bench: Bench, greeting: str) -> None:
    """Say how one connects, once Ctrl-C ends in peace."""
    say(greeting)
    for rig in bench.rigs:
        log("ready", device=rig.device, kind=rig.kind.name, address=rig.link.address)


def connect_text(bench: Bench, site_path: Path | None) -> str:
    """How a client connects, and the site file with which `edge_agent` does."""
    lines = [line for rig in bench.rigs for line in _connect_lines(rig)]
    variables = _environment(bench)
    path = site_path or Path("site.toml")
    agent = f"python -m edge_agent run --site {path} --gateway bench --data spool"
    if site_path is None:
        lines += ["", f"the site file for it, {path}:", "", bench.site_text().rstrip()]
    lines += ["", "connect:", *(f"  export {one}" for one in variables), f"  {agent}"]
    return "\n".join([*lines, "", "type a fault, 'help' or 'quit'", ""])


def _connect_lines(rig: Rig) -> list[str]:
    where = {
        "tcp_server": "listens on",
        "llrp": "listens on",
        "tcp_client": "connects to",
        "http": "posts to",
        "mqtt": "publishes to",
        "serial": "is a serial port at",
        "dbus": "is a radio on the D-Bus at",
    }[rig.kind.link]
    return [f"{rig.device}: {rig.kind.format}", f"  {where} {rig.link.address}"]


def _environment(bench: Bench) -> list[str]:
    """What the agent's environment needs beside its own broker."""
    found = []
    for rig in bench.rigs:
        if rig.kind.link == "mqtt":
            found.append(f"TALLYGATE_MQTT_URL={rig.link.address}")
        if rig.kind.link == "dbus":
            found.append(f"DBUS_SYSTEM_BUS_ADDRESS={rig.link.address}")
    if bench.clock != REAL_TIME:
        found.append(f"TALLYGATE_CLOCK={bench.clock.text()}")
    return list(dict.fromkeys(found))


def _unnoted(device: str) -> Noted:
    del device
    return lambda *_: None


def _recording(
    options: argparse.Namespace, scenario: ScenarioFile, recorders: list[Recorder]
) -> Callable[[str], Noted]:
    """Where each device's bytes are written down: one file, or one for each of several."""
    links = {table.id: kind_named(table.kind).link for table in scenario.devices}

    def noted(device: str) -> Noted:
        path: Path = options.record
        if len(links) > 1:
            path = path.with_name(f"{path.stem}-{device}{path.suffix}")
        recorder = Recorder(path, recorded_link(links[device]), made_at_us=time.time_ns() // 1000)
        recorders.append(recorder)

        def note(what: What, connection: int, data: bytes, topic: str) -> None:
            recorder.note(Piece(time.time_ns() // 1000, max(connection, 1), what, data, topic))

        return note

    return noted
