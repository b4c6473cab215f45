"""`devices`: any kind of device, alone or several of them, for any client."""

from __future__ import annotations

import argparse
from pathlib import Path

from firmware_sim.bench.faults import fault_help
from firmware_sim.commands.parsers import Commands, HelpFormatter

EPILOG = (
    """faults, behind --fault (with a time: "at 10s freeze 5s") or typed while the device runs:
"""
    + "\n".join(f"  {line}" for line in fault_help())
    + """

examples:
  python -m firmware_sim devices scanner --write-site site.toml
  python -m firmware_sim devices llrp-impinj --rate 200 --live
  python -m firmware_sim devices scanner --fault "at 5s drop after 7"
  python -m firmware_sim devices --scenario firmware_sim/scenarios/two_doors.toml
"""
)


def add_commands(commands: Commands) -> None:
    """Add it."""
    parser = commands.add_parser(
        "devices",
        help="one kind of device alone, or several from a scenario file",
        description="Be a device. It says how to connect and gives the site file for edge_agent.",
        epilog=EPILOG,
        formatter_class=HelpFormatter,
    )
    parser.set_defaults(main=main)
    parser.add_argument("name", nargs="?", metavar="NAME", help="the kind of device; see --list")
    ask = parser.add_argument_group("ask")
    ask.add_argument("--list", action="store_true", help="all kinds, with format and link")
    ask.add_argument("--check", type=Path, metavar="FILE", help="name all mistakes in a scenario")
    ask.add_argument("--schema", action="store_true", help="the scenario format as a JSON schema")
    ask.add_argument(
        "--print-site", action="store_true", help="only print the site file for edge_agent"
    )
    what = parser.add_argument_group("what passes")
    what.add_argument("--scenario", type=Path, metavar="FILE", help="devices, passings and faults")
    what.add_argument("--device", metavar="ID", help="the device's id (the kind's name)")
    what.add_argument("--seed", type=int, help="another one, another scene (1)")
    what.add_argument("--speed", type=float, help="domain seconds in a second, 1 to 1000 (1)")
    what.add_argument("--rate", type=float, metavar="READS/S", help="passings a second (10)")
    what.add_argument("--things", type=int, metavar="N", help="how many different ones (300)")
    what.add_argument("--count", type=int, metavar="N", help="end after so many passings")
    what.add_argument("--seconds", type=float, metavar="S", help="end after so long")
    what.add_argument(
        "--fault", action="append", default=[], metavar="FAULT", help="below; may come repeatedly"
    )
    where = parser.add_argument_group("where; which of them a kind has depends on its link")
    where.add_argument("--host", help="address to listen on, or to connect to (127.0.0.1)")
    where.add_argument("--port", type=int, help="TCP port; 0: a free one (one for each kind)")
    where.add_argument("--mqtt", metavar="URL", help="the broker (mqtt://127.0.0.1:1883)")
    where.add_argument("--ca", metavar="FILE", help="who signs the other side's TLS certificate")
    where.add_argument("--serial", metavar="PATH", help="where the serial port is made")
    where.add_argument("--bus", metavar="FOLDER", help="where the private D-Bus is made")
    see = parser.add_argument_group("what is seen and kept")
    see.add_argument("--live", action="store_true", help="watch devices and reads in the terminal")
    see.add_argument("--write-site", type=Path, metavar="FILE", help="write the site file, too")
    see.add_argument("--record", type=Path, metavar="FILE", help="write down what is said")


def main(options: argparse.Namespace) -> int:
    """Do what is asked; the exit code."""
    # Whoever runs another command need not wait for all that devices need.
    from firmware_sim.commands.device_main import main  # noqa: PLC0415

    return main(options)
