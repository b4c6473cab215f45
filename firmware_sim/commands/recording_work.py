"""What `record` and `replay` do."""

from __future__ import annotations

import argparse
import asyncio
import time

from contracts.clock import ClockSetting
from firmware_sim.bench.console import listen_to
from firmware_sim.bench.faults import FaultError, read_timed_fault
from firmware_sim.bench.kinds import DeviceKind, Link, Scene
from firmware_sim.bench.links.base import LinkError
from firmware_sim.bench.links.make import Place, make_link, usual_serial
from firmware_sim.bench.links.mqtt import broker_address
from firmware_sim.bench.record import SerialRecorder, TcpRecorder, record_mqtt, utc_us
from firmware_sim.bench.recording import (
    RecordedLink,
    Recorder,
    Recording,
    RecordingError,
    read_recording,
)
from firmware_sim.bench.replay import ReplayedConversations, ReplayedMessages
from firmware_sim.bench.rig import Rig
from firmware_sim.bench.scenario import SPEED_MAX
from firmware_sim.commands.stopping import complain, say, until_stopped

Replayed = ReplayedMessages | ReplayedConversations
WAITING_TOLD_S = 5.0
"""What a replay waits for is told when it has waited so long."""
LOOK_S = 0.05


def record(options: argparse.Namespace) -> int:
    """Write down a device; the exit code."""
    link: RecordedLink = "mqtt" if options.mqtt else "serial" if options.serial else "tcp"
    try:
        with Recorder(options.out, link, made_at_us=utc_us()) as recorder:
            asyncio.run(_write_down(options, recorder))
            say(f"{options.out}: {recorder.pieces} pieces, {recorder.bytes} bytes")
    except (LinkError, RecordingError) as error:
        return complain(str(error))
    return 0


async def _write_down(options: argparse.Namespace, recorder: Recorder) -> None:
    enders = (asyncio.sleep(options.seconds),) if options.seconds else ()
    if options.mqtt:
        broker = broker_address(options.mqtt, options.ca)
        await until_stopped(
            record_mqtt(recorder, broker, options.topic or ["#"], say), enders=enders
        )
        return
    if options.serial:
        client = options.client or usual_serial("record")
        serial = SerialRecorder(recorder, device=options.serial, client=client, baud=options.baud)
        try:
            say(f"the client's serial port is {await serial.open()}")
            await until_stopped(serial.run(), enders=enders)
        finally:
            await serial.close()
        return
    host, port = host_and_port(options.connect)
    proxy = TcpRecorder(recorder, host=host, port=port, told=say)
    own = await proxy.listen(options.host, options.port)
    try:
        say(f"clients of {options.connect} connect to {options.host}:{own}")
        await until_stopped(enders=enders)
    finally:
        await proxy.close()


def replay(options: argparse.Namespace) -> int:
    """Be a recorded device; the exit code."""
    try:
        rig, source = _player(options)
        asyncio.run(_playing(rig, source))
    except (LinkError, RecordingError, FaultError) as error:
        return complain(str(error))
    return 0


def _player(options: argparse.Namespace) -> tuple[Rig, Replayed]:
    """The device, and what it says. Raises LinkError, RecordingError, FaultError."""
    if not 1 <= options.speed <= SPEED_MAX:
        raise RecordingError(f"a speed lies from 1 to {SPEED_MAX:g}, not {options.speed:g}")
    recording = read_recording(options.recording)
    if recording.flaw:
        say(recording.flaw)
    faults = tuple(read_timed_fault(text) for text in options.fault)
    wall_us = utc_us()
    clock = ClockSetting(wall_anchor_us=wall_us, domain_anchor_us=wall_us, speed=options.speed)
    source = _source(recording, wall_us, is_waiting=not options.no_wait)
    link, place = _where(options, recording.link)
    kind = DeviceKind("replay", str(options.recording), link, None, "")

    def now_us() -> int:
        return clock.domain_us(time.time_ns() // 1000)

    rig = Rig(
        kind,
        Scene("replay", 0, wall_us, ()),
        source,
        make_link=lambda ears: make_link(
            kind, place, device="replay", source=source, ears=ears, now_us=now_us
        ),
        domain_us=now_us,
        timed=faults,
    )
    return rig, source


def _where(options: argparse.Namespace, recorded: RecordedLink) -> tuple[Link, Place]:
    """The link on which a recording is played. Raises LinkError."""
    if options.connect:
        if recorded != "tcp":
            raise LinkError(f"a recording of {recorded} connects to nobody; leave out --connect")
        host, port = host_and_port(options.connect)
        return "tcp_client", Place(host=host, port=port)
    place = Place(
        host=options.host,
        port=options.port,
        mqtt=options.mqtt,
        ca=options.ca,
        serial=options.serial,
    )
    return "tcp_server" if recorded == "tcp" else recorded, place


def _source(recording: Recording, start_us: int, *, is_waiting: bool) -> Replayed:
    if not any(piece.what == "device" for piece in recording.pieces):
        raise RecordingError("the recording has nothing that a device said")
    if recording.link == "mqtt":
        return ReplayedMessages(recording, start_us)
    return ReplayedConversations(recording, is_waiting=is_waiting)


async def _playing(rig: Rig, source: Replayed) -> None:
    try:
        await rig.link.open()
        say(f"{rig.kind.format} plays on {rig.link.address}")
        await until_stopped(
            rig.run(say),
            listen_to([rig], say),
            _tell_waiting(source),
            enders=(_until_done(source),),
        )
    finally:
        await rig.link.close()
    say(f"{rig.figures.said} messages told, {rig.figures.unheard} unheard")


async def _until_done(source: Replayed) -> None:
    while not source.is_done:  # noqa: ASYNC110 - a source is pure and can tell nobody.
        await asyncio.sleep(LOOK_S)
    await asyncio.sleep(1.0)  # A broker may still have to say that it has the last.


async def _tell_waiting(source: Replayed) -> None:
    told = ""
    while True:
        before = source.waiting_for()
        await asyncio.sleep(WAITING_TOLD_S)
        waiting = source.waiting_for()
        if waiting and waiting == before and waiting != told:
            say(f"waiting for {waiting}")
        told = waiting if waiting == before else ""


def host_and_port(text: str) -> tuple[str, int]:
    """The parts of `host:port`. Raises LinkError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 1 <= int(port) <= 65_535:  # noqa: PLR2004 - TCP's.
        raise LinkError(f"an address is written host:port, not {text!r}")
    return host.strip("[]"), int(port)
