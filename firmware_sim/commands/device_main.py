"""What `devices` does: asks are answered here, devices go to work in `device_work`."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from textwrap import wrap

from firmware_sim.bench.links.base import LinkError
from firmware_sim.bench.links.make import NEEDS
from firmware_sim.bench.recording import RecordingError
from firmware_sim.bench.registry import KINDS
from firmware_sim.bench.scenario import load_scenario, scenario_schema
from firmware_sim.commands.device_options import Refused, clock_of, scenario_of
from firmware_sim.commands.device_work import run
from firmware_sim.commands.parsers import COLUMNS_MAX
from firmware_sim.commands.stopping import complain, say


def main(options: argparse.Namespace) -> int:
    """Do what is asked; the exit code."""
    if options.list:
        say(kinds_table())
        return 0
    if options.schema:
        say(scenario_schema())
        return 0
    if options.check:
        return _check(options.check)
    try:
        scenario = scenario_of(options)
        clock, start_us = clock_of(scenario)
        return asyncio.run(run(options, scenario, clock, start_us))
    except (Refused, LinkError, RecordingError) as error:
        return complain(str(error))


def kinds_table() -> str:
    """Each kind: name, link, format."""
    widths = max(map(len, KINDS)), max(map(len, NEEDS))
    lines = [f"{'name':<{widths[0]}}  {'link':<{widths[1]}}  format"]
    indent = " " * (sum(widths) + 4)
    for kind in KINDS.values():
        start = f"{kind.name:<{widths[0]}}  {kind.link:<{widths[1]}}  "
        lines += wrap(
            kind.format,
            COLUMNS_MAX,
            initial_indent=start,
            subsequent_indent=indent,
            break_on_hyphens=False,
        )
    return "\n".join(lines)


def _check(path: Path) -> int:
    found = load_scenario(path)
    if isinstance(found, list):
        return complain("\n".join(found))
    devices = len(found.devices)
    say(f"{path}: good. {devices} device{'' if devices == 1 else 's'}.")
    return 0
