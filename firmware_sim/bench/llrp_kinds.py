"""LLRP readers on the bench, by maker: each is the simulator's own reader over a scene."""

from __future__ import annotations

from collections.abc import Callable

from firmware_sim.bench.kinds import DeviceKind, Scene
from firmware_sim.core.inventory import Settings
from firmware_sim.core.llrp_passings import Passings
from firmware_sim.core.llrp_radio import Radio
from firmware_sim.core.llrp_reader import LlrpReader
from firmware_sim.llrp_server import LlrpServer
from firmware_sim.parameters import ReaderParameters, SignalParameters

ANTENNAS = (1, 2, 3, 4)
PREFIX = "llrp-"

_SITE = """\
[[devices]]
id = "{device}"
gateway = "dock"
kind = "llrp"
host = "{host}"
port = {port}
[devices.llrp]
profile = "auto"
behaviour = "portal"
""" + "".join(
    f"""[[devices.antennas]]
number = {number}
location = "door-1"
side = "{side}"
"""
    for number, side in zip(ANTENNAS, ("outer", "outer", "inner", "inner"), strict=True)
)


def _kind(maker: str, format_: str) -> DeviceKind:
    return DeviceKind(name=f"{PREFIX}{maker}", format=format_, link="llrp", source=None, site=_SITE)


KINDS: tuple[DeviceKind, ...] = (
    _kind("generic", "EPCglobal LLRP 1.1 over TCP, all that plain LLRP has"),
    _kind("impinj", "EPCglobal LLRP 1.0.1 over TCP, Impinj Octane extensions (Speedway R420)"),
    _kind("zebra", "EPCglobal LLRP 1.0.1 over TCP, Zebra extensions (FX9600)"),
    _kind("thingmagic", "EPCglobal LLRP 1.0.1 over TCP, no extensions (ThingMagic/JADAK Sargas)"),
)


def llrp_server(
    name: str,
    scene: Scene,
    *,
    now_us: Callable[[], int],
    nature: ReaderParameters | None = None,
    signal: SignalParameters | None = None,
) -> LlrpServer:
    """The reader of a kind over a scene; `now_us` gives domain time.

    `listen` opens its port, `run` keeps it going until a time counted from the scene's beginning;
    `server.reader.fault` takes the faults of a device.
    """
    nature = nature or ReaderParameters(maker=name.removeprefix(PREFIX))
    signal = signal or SignalParameters()
    ear = Passings(
        scene.passings,
        device=scene.device,
        antennas=ANTENNAS,
        start_us=scene.start_us,
        signal=signal,
    )
    nobody_asks = Settings(
        antennas=ANTENNAS,
        power_dbm=tuple(signal.power_max_dbm for _ in ANTENNAS),
        session=0,
        population=64,
    )
    radio = Radio(
        ear,
        eyes=[],
        right=nobody_asks,
        dead=nature.dead_antennas,
        reboots_s=nature.reboots_s,
        reports_max=nature.buffer_reports_max,
        at_us=now_us() - scene.start_us,
    )
    reader = LlrpReader(radio, nature, signal, antennas=ANTENNAS, start_us=scene.start_us)
    return LlrpServer(reader, nature, device=scene.device, now_us=lambda: now_us() - scene.start_us)
