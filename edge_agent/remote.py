"""What a person does to an agent from afar: push a site file, set how much it tells."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

import aiomqtt

from contracts.codec import decode, encode
from contracts.commands import SetLogLevel
from contracts.fleet import (
    TEXT_BYTES_MAX,
    ConfigurationPushed,
    ConfigurationState,
    digest_of,
    version_of,
)
from contracts.reads import Reject
from contracts.topics import mqtt_topic
from edge_agent.broker import Broker, why_not
from edge_agent.broker_client import BrokerClient
from edge_agent.configuration import wall_us

RETAINED_S = 1.0
"""A broker tells what it retains at once; after so long there was nothing."""
TRIES_MAX = 3
"""Of a push whose number another one took meanwhile."""
ENDED = frozenset({"applied", "refused", "rolled_back"})


class RemoteError(Exception):
    """It could not be done; the message says why and what to do."""


@asynccontextmanager
async def _connected(broker: Broker) -> AsyncIterator[BrokerClient]:
    """A connection. Raises RemoteError."""
    try:
        async with BrokerClient(broker, identifier=f"tallygate-push-{secrets.token_hex(4)}") as one:
            yield one
            one.raise_if_refused("this topic")
    except (aiomqtt.MqttError, OSError) as error:
        raise RemoteError(await asyncio.to_thread(why_not, broker, error)) from error


async def set_log_level(
    broker: Broker,
    *,
    site: str,
    gateway: str,
    level: Literal["debug", "info", "warning", "error"],
) -> None:
    """Set what an agent tells in its log. Raises RemoteError."""
    async with _connected(broker) as client:
        command = encode(SetLogLevel(level=level))
        await client.publish(mqtt_topic(site, gateway, "cmd"), command, qos=1)


async def push(
    broker: Broker,
    text: str,
    *,
    site: str,
    gateway: str,
    by: str,
    wait_s: float,
    tell: Callable[[str], None],
) -> ConfigurationState | None:
    """Push a checked site file; what the agent made of it, or None where it did not say in time.

    Raises RemoteError. What was pushed stays with the broker, so an agent that is away takes it
    when it is back.
    """
    if len(text.encode()) > TEXT_BYTES_MAX:
        raise RemoteError(f"a site file larger than {TEXT_BYTES_MAX} bytes cannot be pushed")
    async with _connected(broker) as client:
        config, told = (
            mqtt_topic(site, gateway, "config"),
            mqtt_topic(site, gateway, "config_state"),
        )
        await client.subscribe_all((config, told))
        words = _Words(client, config=config)
        await words.listen(RETAINED_S)
        for _ in range(TRIES_MAX):
            pushed = ConfigurationPushed(
                number=words.number + 1,
                digest=digest_of(text),
                text=text,
                by=by,
                at_us=wall_us(),
            )
            version = version_of(pushed.number, pushed.digest)
            await client.publish(config, encode(pushed), qos=1, retain=True)
            client.raise_if_refused(config)
            tell(f"pushed {version} to {gateway}")
            state = await words.answer(version, wait_s, tell)
            if state is None or state.outcome != "refused" or state.number <= pushed.number:
                return state
            # The broker had forgotten what was pushed before, or somebody else pushed.
        return state


class _Words:
    """What the broker has to say of one gateway's configuration."""

    def __init__(self, client: BrokerClient, *, config: str) -> None:
        self._client = client
        self._config = config
        self.number = 0
        """The highest number of a push that is known."""
        self.state: ConfigurationState | None = None

    async def listen(self, for_s: float) -> None:
        """Take in what comes, for so long at the most, and what is retained."""
        deadline_s = time.monotonic() + for_s
        while await self._next(deadline_s):
            pass

    async def answer(
        self, version: str, wait_s: float, tell: Callable[[str], None]
    ) -> ConfigurationState | None:
        """The outcome of a push; None where there is none in time."""
        deadline_s = time.monotonic() + wait_s
        told = ""
        while await self._next(deadline_s):
            if self.state is None or self.state.handled != version:
                continue
            if self.state.outcome in ENDED:
                return self.state
            if told != self.state.outcome:
                told = self.state.outcome
                tell(f"{self.state.gateway} is trying it")
        return None

    async def _next(self, deadline_s: float) -> bool:
        """Take in one message; False when the time is over."""
        try:
            async with asyncio.timeout(max(0.0, deadline_s - time.monotonic())):
                message = await anext(aiter(self._client.messages))
        except TimeoutError:
            return False
        payload = message.payload if isinstance(message.payload, bytes) else b""
        kind = ConfigurationPushed if str(message.topic) == self._config else ConfigurationState
        found: ConfigurationPushed | ConfigurationState | Reject
        found = decode(kind, payload, source="push", at_us=0)
        match found:
            case ConfigurationPushed():
                self.number = max(self.number, found.number)
            case ConfigurationState():
                self.number = max(self.number, found.number)
                self.state = found
            case Reject():
                pass  # Somebody else's; the agent says what it thinks of it.
        return True
