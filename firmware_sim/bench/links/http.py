"""A device that speaks HTTP to its client: a connection like any other, with or without TLS."""

from __future__ import annotations

import ssl

from firmware_sim.bench.links.base import Ears, LinkError
from firmware_sim.bench.links.tcp_client import TcpClientLink


class HttpLink(TcpClientLink):
    """The connection to the client's HTTP interface; the source writes the requests."""

    def __init__(self, ears: Ears, host: str, port: int, *, authority: str | None = None) -> None:
        """`authority`: file with the certificate of who signs the interface; None: no TLS."""
        tls = None
        if authority is not None:
            try:
                tls = ssl.create_default_context(cafile=authority)
            except OSError as error:
                raise LinkError(f"{authority} cannot be read: {error.strerror or error}") from error
        super().__init__(ears, host, port, tls=tls)
