"""`run`, `llrp` and `scanner`: a whole shift of the simulated dock, or one device that hears it."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path

from contracts.clock import ClockSetting, clock_from_text
from firmware_sim.commands.parsers import Commands, HelpFormatter
from firmware_sim.core.layout import READERS, reader_of
from firmware_sim.core.tracks import SECOND
from firmware_sim.files import us_of
from firmware_sim.log import log
from firmware_sim.offline import START_US
from firmware_sim.parameters import DEFAULT, with_settings
from firmware_sim.run import Run, World, until_stopped

EXAMPLES = """examples:
  python -m firmware_sim run --seed 1 --out rehearsal --speed 60
  python -m firmware_sim llrp --device door-1 --port 5084
  python -m firmware_sim scanner --port 0 --speed 10

The clock is the environment's TALLYGATE_CLOCK if that is set: the shift then begins at the
clock's domain anchor (or at --start). Else it begins --lead wall seconds from now and runs at
--speed.
"""


def add_commands(commands: Commands) -> None:
    """Add the three."""
    run = commands.add_parser(
        "run",
        help="a whole shift of a dock: all devices, plans and the truth",
        description="Be a whole dock for a shift, on real ports.",
        epilog=EXAMPLES,
        formatter_class=HelpFormatter,
    )
    run.add_argument("--out", type=Path, required=True, help="folder for site.toml and the truth")
    run.add_argument(
        "--drain", type=float, default=3.0, help="wall seconds to stay after the end (%(default)s)"
    )
    llrp = commands.add_parser(
        "llrp",
        help="one LLRP reader of that shift alone; prints host:port",
        description="Be one LLRP reader of the dock's shift.",
        epilog=EXAMPLES,
        formatter_class=HelpFormatter,
    )
    names = [reader.device for reader in READERS]
    llrp.add_argument("--device", choices=names, default=names[0], help="which (%(default)s)")
    scanner = commands.add_parser(
        "scanner",
        help="the conveyor's scanner of that shift alone; prints host:port",
        description="Be the conveyor's scanner of the dock's shift.",
        epilog=EXAMPLES,
        formatter_class=HelpFormatter,
    )
    for command in (run, llrp, scanner):
        _add_options(command)
        command.set_defaults(main=_main, parser=command)


def _add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--seed", type=int, default=1, help="of the shift (%(default)s)")
    command.add_argument(
        "--speed", type=float, default=1.0, help="domain seconds per wall second (%(default)s)"
    )
    command.add_argument("--start", help="when the shift begins, RFC 3339")
    command.add_argument(
        "--lead", type=float, default=1.0, help="wall seconds until it begins (%(default)s)"
    )
    command.add_argument(
        "--skip",
        type=float,
        default=0.0,
        help="seconds of the shift to skip, on a clock of its own (%(default)s)",
    )
    command.add_argument("--host", default="127.0.0.1", help="address (%(default)s)")
    command.add_argument(
        "--port", type=int, default=0, help="port, the first of several; 0: any (%(default)s)"
    )
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a value of parameters.py: read_rate=0.6, door-1.reboots_s=[300]",
    )


def _main(options: argparse.Namespace) -> int:
    try:
        scenario = with_settings(DEFAULT, options.set)
        clock, start_us = _clock(options)
    except ValueError as error:
        options.parser.error(str(error))
    world = World(options.seed, scenario, clock, start_us)
    try:
        if options.command == "run":
            run = Run(
                world, options.out, host=options.host, port=options.port, drain_s=options.drain
            )
            asyncio.run(run.whole())
        else:
            asyncio.run(_alone(world, options))
    except OSError as error:
        sys.stderr.write(f"cannot go on: {error}\n")
        return 1
    return 0


async def _alone(world: World, options: argparse.Namespace) -> None:
    """One device, for any client."""
    server = (
        world.scanner() if options.command == "scanner" else world.llrp(reader_of(options.device))
    )
    port = await server.listen(options.host, options.port)
    sys.stdout.write(f"{options.host}:{port}\n")
    sys.stdout.flush()
    log("ready", device=server.device, port=port, clock=world.clock.text())
    await until_stopped([asyncio.create_task(server.run(world.shift.end_us))])
    await server.close()


def _clock(options: argparse.Namespace) -> tuple[ClockSetting, int]:
    text = os.environ.get("TALLYGATE_CLOCK", "")
    asked = us_of(options.start) if options.start else None
    if text:
        clock = clock_from_text(text)
        return clock, clock.domain_anchor_us if asked is None else asked
    if not 0 < options.speed <= 1000:  # noqa: PLR2004 - faster than any stack can follow.
        raise ValueError(f"a speed lies above 0 and at most 1000, not {options.speed}")
    start_us = START_US if asked is None else asked
    wall_us = time.time_ns() // 1000 + int(options.lead * SECOND)
    first_us = start_us + int(options.skip * SECOND)
    clock = ClockSetting(wall_anchor_us=wall_us, domain_anchor_us=first_us, speed=options.speed)
    return clock, start_us
