"""The site file's table `[devices.scanner]`: how a fixed scanner is connected and understood."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.site_base import Table


class ScannerTable(Table):
    """How a fixed scanner is connected and understood."""

    connection: Literal["client", "server", "serial"] = "client"
    """`client`: we connect to it; `server`: it connects to us; `serial`: a serial port."""
    serial: str | None = None
    """The port: `/dev/ttyUSB0`, `COM3`, `rfc2217://host:port` or `socket://host:port`."""
    no_read: str = "NOREAD"
    """What the scanner sends when a trigger found no code; upper and lower case alike."""
    heartbeat: str = ""
    """A line that only shows life, if the scanner sends one."""
    silent_s_max: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    """The connection is made anew after this much silence; 0: never, TCP keepalive must do."""
    timeout_s: Annotated[float, Field(ge=0.5, le=120)] = 10.0
    """How long a connection attempt may take."""
    retry_s_max: Annotated[float, Field(ge=0.1, le=3600)] = 30.0
    """The longest pause between two attempts to connect."""
