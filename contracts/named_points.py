"""Named points in the programs at which a rehearsal may kill, pause or break the process.

A program calls `reached("after_append")` where a crash would be most telling. In normal running
this costs one attribute look-up. The environment variable `TALLYGATE_AT` arms one point:
`name:nth:action` with the action `kill` (SIGKILL), `stop` (SIGSTOP) or `raise`, at the nth time.
"""

from __future__ import annotations

import os
import signal
import sys

ACTIONS = ("kill", "stop", "raise")


class Broken(Exception):  # noqa: N818 - it is what happened, on purpose.
    """A rehearsal asked for an exception here (TALLYGATE_AT)."""


class NamedPoints:
    """Counts how often each point is reached and acts at the one that is armed."""

    def __init__(self, setting: str = "") -> None:
        """Arm the point in `name:nth:action`; an empty setting arms none. Raises ValueError."""
        self._name = ""
        self._left = 0
        self._action = ""
        if setting:
            name, nth, action = setting.split(":")
            if action not in ACTIONS:
                raise ValueError(f"an action is one of {', '.join(ACTIONS)}, not {action!r}")
            self._name, self._left, self._action = name, int(nth), action

    def watching(self, name: str) -> bool:
        """Whether this is the armed point: for points that cost something to recognise."""
        return name == self._name

    def reached(self, name: str) -> None:
        """Act if this is the armed point and its turn has come."""
        if name != self._name:
            return
        self._left -= 1
        if self._left != 0:
            return
        sys.stderr.write(f"named point {name}: {self._action}\n")
        sys.stderr.flush()
        if self._action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self._action == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        else:
            raise Broken(name)


_armed = NamedPoints(os.environ.get("TALLYGATE_AT", ""))
reached = _armed.reached
"""The process's own points, armed from its environment."""
watching = _armed.watching
"""Whether the environment armed a point."""
