"""The site file's table `[devices.llrp]`: how an LLRP reader shall read."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.site_base import Table


class LlrpTable(Table):
    """How an LLRP reader shall read."""

    session: Annotated[int, Field(ge=0, le=3)] = 1
    """The Gen2 session: 1 repeats a tag after 0.5 to 5 s, 2 and 3 keep it quiet for longer."""
    power_dbm: Annotated[float, Field(ge=0, le=36)] | None = None
    """Transmit power; left out: the most that the reader offers."""
    tag_population: Annotated[int, Field(ge=1, le=65_535)] = 32
    """How many tags are in the field at once, about."""
    tag_transit_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    """How long a tag stays in the field, about; 0: unknown."""
    rf_mode: Annotated[int, Field(ge=0, le=65_535)] | None = None
    """Mode of the reader's own table; left out: the reader's choice."""
    report_every_s: Annotated[float, Field(ge=0, le=60)] = 0.1
    """A report this often while tags are seen; 0: by number of tags, as LLRP 1.0.1 does."""
    report_tags: Annotated[int, Field(ge=1, le=65_535)] = 1
    """After so many tags a reader reports that cannot report by time."""
    keepalive_s: Annotated[float, Field(ge=0.5, le=600)] = 5.0
    """The reader shows life this often."""
    keepalives_missed_max: Annotated[int, Field(ge=1, le=20)] = 3
    """After so many missing ones the connection is made anew."""
    timeout_s: Annotated[float, Field(ge=0.5, le=120)] = 10.0
    """How long the reader may take to connect or to answer a request."""
    retry_s_max: Annotated[float, Field(ge=0.1, le=3600)] = 30.0
    """The longest pause between two attempts to connect."""
    hold_reports: bool = True
    """True: the reader keeps reports while nobody is connected, where it can."""
