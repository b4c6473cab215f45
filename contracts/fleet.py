"""A site file on its way to an agent, and what became of it (MQTT topics of a gateway)."""

from __future__ import annotations

import hashlib
from typing import Literal

from contracts.base import SCHEMA, Record

TEXT_BYTES_MAX = 900_000
"""A pushed site file is one message; brokers and `MESSAGE_BYTES_MAX` allow a little more."""
REASONS_MAX = 200
"""Of a refused file, so many mistakes are told; whoever has more begins with these."""
DIGEST_CHARACTERS = 12
"""Of a file's digest, so many name it for people."""


class ConfigurationPushed(Record, tag="configuration", frozen=True, kw_only=True):
    """A whole site file for an agent (topic `config`, retained)."""

    schema: int = SCHEMA
    """Version of this record."""
    number: int
    """Counts up with every push to this gateway; an agent takes only a higher one."""
    digest: str
    """SHA-256 of the text's UTF-8 bytes, hexadecimal."""
    text: str
    """The site file, TOML."""
    by: str
    """Who pushed it."""
    at_us: int
    """When, wall time."""


class ConfigurationState(Record, tag="configuration_state", frozen=True, kw_only=True):
    """Which site file an agent runs on, and the outcome of the last push (topic `config_state`)."""

    schema: int = SCHEMA
    """Version of this record."""
    gateway: str
    """The agent."""
    running: str
    """The version in force: `{number}-{digest}` of a push, `file-{digest}` of its command line."""
    number: int = 0
    """The number of the last push that it handled; 0: none yet."""
    handled: str = ""
    """That push's version."""
    outcome: Literal["none", "trying", "applied", "refused", "rolled_back"] = "none"
    """What became of it. `refused`: never tried. `rolled_back`: a device did not come up with it,
    or the agent ended while it tried, and the version before is in force again."""
    reasons: tuple[str, ...] = ()
    """Refused: every mistake. Rolled back: why. Applied: what is worth knowing."""
    by: str = ""
    """Who pushed what is told of here."""
    pushed_us: int = 0
    """When it was pushed, wall time."""
    at_us: int = 0
    """When this came to be so, wall time."""


def digest_of(text: str) -> str:
    """A site file's digest."""
    return hashlib.sha256(text.encode()).hexdigest()


def version_of(number: int, digest: str) -> str:
    """A pushed file's version, for people."""
    return f"{number}-{digest[:DIGEST_CHARACTERS]}"


def file_version(digest: str) -> str:
    """The version of a file that came by the command line."""
    return f"file-{digest[:DIGEST_CHARACTERS]}"
