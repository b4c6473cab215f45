"""What every link can do, and whom it tells."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, Protocol

from firmware_sim.bench.kinds import Frame

WRITE_BYTES = 131_072
"""Unsent bytes of one client beyond which it is told nothing more."""
GOODBYE_S = 1.0
"""How long a client may take to receive what was sent to it when the link ends."""


class LinkError(Exception):
    """The link cannot be made; the message says why and what to do."""


class Ears(Protocol):
    """Who is told what happens on a link. Connections are numbered from 1."""

    def came(self, connection: int) -> bool:
        """A client is there; False: it is to be sent away."""
        ...

    def heard(self, connection: int, data: bytes) -> None:
        """A client sent something."""
        ...

    def gone(self, connection: int) -> None:
        """A client is gone."""
        ...


class Link(ABC):
    """One device's way to its clients."""

    carries: Literal["bytes", "messages"] = "bytes"
    """`messages`: what the link says cannot be cut in the middle."""

    def __init__(self, ears: Ears) -> None:
        self.ears = ears
        self.state = "closed"
        """In a few words, for the one who watches."""
        self.clients = 0
        """How many are there."""

    @property
    @abstractmethod
    def address(self) -> str:
        """Where a client finds the device."""

    @abstractmethod
    async def open(self) -> None:
        """Take the port, the terminal or the bus. Raises LinkError."""

    @abstractmethod
    async def run(self) -> None:
        """Serve until cancelled."""

    @abstractmethod
    def write(self, data: bytes, only: int | None = None) -> bool:
        """Say bytes to all clients, or to one; whether any took them."""

    @abstractmethod
    def cut(self) -> None:
        """End all connections, what was written before arriving still."""

    @abstractmethod
    async def close(self) -> None:
        """Give everything back."""

    def encode(self, frame: Frame) -> bytes:
        """A message as this link has it on the wire."""
        return frame.payload

    def has_room(self) -> bool:
        """Whether clients take what they are told."""
        return True

    @abstractmethod
    def freeze(self, *, frozen: bool) -> None:
        """Take nothing from clients, or take it again. Nothing is written meanwhile anyway."""
