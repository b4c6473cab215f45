"""`python -m firmware_sim COMMAND`: a simulated warehouse, or single devices on the bench."""

from __future__ import annotations

import argparse
import sys

from firmware_sim.commands import devices, recordings, shift
from firmware_sim.commands.parsers import HelpFormatter

EPILOG = """examples:
  python -m firmware_sim devices --list
  python -m firmware_sim devices scanner --write-site site.toml
  python -m firmware_sim run --seed 1 --out rehearsal --speed 60

'python -m firmware_sim COMMAND --help' tells more; docs/devices.md has an example of each device.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; its exit code."""
    options = command_parser().parse_args(arguments)
    code: int = options.main(options)
    return code


def command_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="python -m firmware_sim",
        description="Be a warehouse, or one of its devices, for any client.",
        epilog=EPILOG,
        formatter_class=HelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    devices.add_commands(commands)
    recordings.add_commands(commands)
    shift.add_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
