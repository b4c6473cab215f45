"""The servers of one stack, started and stopped together."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import msgspec

from tallygate.servers.child import ChildServer, ServerError
from tallygate.servers.find import (
    INFLUX_TOKEN_VARIABLE,
    Found,
    Kind,
    Source,
    find_servers,
    server_for,
)
from tallygate.servers.influxdb_real import LocalInfluxdb


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where the programs of a stack find their servers."""

    mqtt_url: str
    """As `mqtt://host:port`."""
    kafka: str
    """Bootstrap servers, as `host:port,host:port`."""
    postgres_url: str
    """Of an account that may make schemas and roles."""
    influx_url: str
    """Empty where there is no InfluxDB."""
    influx_token: str
    """Empty where there is no InfluxDB."""


class ServerGroup:
    """What `find_servers` found, in one folder; `start` brings up what is ours to start."""

    def __init__(self, folder: Path, found: tuple[Found, ...] | None = None) -> None:
        self.folder = folder
        self.found = {one.kind: one for one in (find_servers() if found is None else found)}
        self.started: dict[Kind, ChildServer] = {}
        for kind, one in self.found.items():
            server = server_for(one, folder / kind.name.lower())
            if server is not None:
                self.started[kind] = server

    def start(self) -> Self:
        """Starts all, or none: where one fails the others are stopped, and its error is raised."""
        for one in self.found.values():
            if not one.usable and one.kind is not Kind.INFLUX:
                raise ServerError(f"{one.name}: {one.advice}")
        with ThreadPoolExecutor(len(Kind)) as threads:
            futures = [threads.submit(server.start) for server in self.started.values()]
        errors = [
            error for error in (future.exception() for future in futures) if error is not None
        ]
        if errors:
            self.stop()
            raise errors[0]
        return self

    def stop(self) -> None:
        """Stops those that we started, the ones that feed others first."""
        for server in self.started.values():
            server.stop()

    def addresses(self, environment: Mapping[str, str] | None = None) -> Addresses:
        """Where they are, once started."""
        given = os.environ if environment is None else environment
        influx = self.started.get(Kind.INFLUX)
        token = (
            influx.token
            if isinstance(influx, LocalInfluxdb)
            else given.get(INFLUX_TOKEN_VARIABLE, "")
        )
        influx_url = self._address(Kind.INFLUX)
        return Addresses(
            mqtt_url=self._address(Kind.MQTT),
            kafka=self._address(Kind.KAFKA),
            postgres_url=self._address(Kind.POSTGRES),
            influx_url=influx_url,
            influx_token=token if influx_url else "",
        )

    def _address(self, kind: Kind) -> str:
        server = self.started.get(kind)
        if server is not None:
            return server.url
        found = self.found[kind]
        return found.address if found.source is Source.ENVIRONMENT and found.usable else ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
