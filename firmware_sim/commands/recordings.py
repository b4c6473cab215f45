"""`record` and `replay`: what a real device said, written down, and said again."""

from __future__ import annotations

import argparse
from pathlib import Path

from firmware_sim.commands.parsers import Commands, HelpFormatter

RECORD_EPILOG = """The client connects to the recorder instead of the device; all that
either says is passed on and written down. Or the recorder subscribes to a broker
and writes down what is published.

examples:
  python -m firmware_sim record --connect 10.0.0.7:5084 --port 5084 --out door.rec
  python -m firmware_sim record --serial /dev/ttyUSB0 --baud 9600 --out scanner.rec
  python -m firmware_sim record --mqtt mqtt://10.0.0.2 --topic 'impinj/#' --out r700.rec
"""
REPLAY_EPILOG = """The first client gets the first recorded connection, the next one the next.
Where the client spoke in the recording, the replay waits for as many bytes of this client.

examples:
  python -m firmware_sim replay door.rec --speed 10 --port 5084
  python -m firmware_sim replay scanner.rec --serial /dev/shm/scanner
  python -m firmware_sim replay r700.rec --mqtt mqtt://127.0.0.1
"""


def add_commands(commands: Commands) -> None:
    """Add both."""
    record = commands.add_parser(
        "record",
        help="write down what a real device and its client say to each other",
        description="Write down what a real device and its client say to each other.",
        epilog=RECORD_EPILOG,
        formatter_class=HelpFormatter,
    )
    record.set_defaults(main=_record)
    source = record.add_mutually_exclusive_group(required=True)
    source.add_argument("--connect", metavar="HOST:PORT", help="the device, by TCP")
    source.add_argument("--serial", type=Path, metavar="PATH", help="the device's serial port")
    source.add_argument("--mqtt", metavar="URL", help="the broker that the device publishes to")
    record.add_argument("--out", type=Path, required=True, metavar="FILE", help="the recording")
    record.add_argument("--host", default="127.0.0.1", help="address for the client (%(default)s)")
    record.add_argument(
        "--port", type=int, default=0, help="port for the client; 0: a free one (%(default)s)"
    )
    record.add_argument(
        "--client", type=Path, metavar="PATH", help="with --serial: the client's end"
    )
    record.add_argument(
        "--baud", type=int, default=9_600, help="with --serial: its speed (%(default)s)"
    )
    record.add_argument(
        "--topic", action="append", default=[], help="with --mqtt; may come repeatedly (#)"
    )
    record.add_argument("--ca", metavar="FILE", help="with --mqtt: who signs the broker")
    record.add_argument("--seconds", type=float, metavar="S", help="end after so long")
    replay = commands.add_parser(
        "replay",
        help="be the device of a recording, at any speed",
        description="Be the device of a recording, at any speed.",
        epilog=REPLAY_EPILOG,
        formatter_class=HelpFormatter,
    )
    replay.set_defaults(main=_replay)
    replay.add_argument("recording", type=Path, metavar="FILE", help="the recording")
    replay.add_argument("--speed", type=float, default=1.0, help="1 to 1000 (%(default)s)")
    replay.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    replay.add_argument("--port", type=int, default=0, help="0: a free one (%(default)s)")
    replay.add_argument(
        "--connect", metavar="HOST:PORT", help="connect to the client, as some devices do"
    )
    replay.add_argument("--serial", type=Path, metavar="PATH", help="where the port is made")
    replay.add_argument(
        "--mqtt", metavar="URL", default="mqtt://127.0.0.1:1883", help="the broker (%(default)s)"
    )
    replay.add_argument("--ca", metavar="FILE", help="who signs the broker")
    replay.add_argument(
        "--fault", action="append", default=[], metavar="FAULT", help="see 'devices --help'"
    )
    replay.add_argument(
        "--no-wait", action="store_true", help="do not wait for what the client said then"
    )


def _record(options: argparse.Namespace) -> int:
    from firmware_sim.commands.recording_work import record  # noqa: PLC0415 - as in `devices`.

    return record(options)


def _replay(options: argparse.Namespace) -> int:
    from firmware_sim.commands.recording_work import replay  # noqa: PLC0415 - as in `devices`.

    return replay(options)
