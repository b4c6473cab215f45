"""The agent's connection to the MQTT broker: reads and health up, commands down.

It comes back for ever. Nothing is believed but the ledger's acknowledgement: a batch that the
broker took is not forgotten, and after every connection all that the spool holds goes out again.
Which batches are due is decided in `edge_agent.core.sender`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

import aiomqtt

from contracts.codec import decode, decode_with, encode
from contracts.commands import (
    COMMAND,
    Acknowledgement,
    AgentHealth,
    AgentStatus,
    BridgeRun,
    Command,
    SendAgain,
    SetLight,
    SetLogLevel,
    SetOutput,
)
from contracts.fleet import ConfigurationPushed
from contracts.named_points import reached
from contracts.reads import Reject, SpooledBatch
from contracts.topics import mqtt_bridge_topic, mqtt_topic
from edge_agent import journal
from edge_agent.back_off import BackOff
from edge_agent.broker import Broker, PlainWordsError, files_as_they_are, why_not
from edge_agent.broker_client import BrokerClient
from edge_agent.configuration import Configuration
from edge_agent.core.batcher import Heard
from edge_agent.devices.stack_light import StackLights
from edge_agent.intake import Intake
from edge_agent.outbox import Outbox
from edge_agent.settings import AgentSettings

KEEPALIVE_S = 15
"""The broker tells our last will at one and a half times this."""
RETRY_S_MAX = 15.0
"""The longest pause between two attempts to connect."""
UNDER_WAY_MAX = 20
"""Publications that may wait for the broker's word at once; more only fill its memory."""
INCOMING_MAX = 1_000
"""Messages that may wait to be looked at; acknowledgements and commands repeat themselves."""
HEALTH_S = 2.0
FILES_S = 5.0
"""Certificates and passwords on disk are looked at this often."""
BIRTHS_EVERY = 10
"""The retained status is told again with every so many health messages: a will that was told late,
of a connection long gone, must not stand."""


class _FilesChangedError(PlainWordsError):
    """A certificate or password on disk is another one: the connection is made anew with it."""


class MqttLink:
    """Keeps the connection; `run` until cancelled."""

    def __init__(
        self,
        settings: AgentSettings,
        *,
        outbox: Outbox,
        intake: Intake,
        lights: StackLights,
        configuration: Configuration,
        health: Callable[[], Awaitable[AgentHealth]],
        version: str,
        dice: random.Random,
    ) -> None:
        self._settings = settings
        self._outbox = outbox
        self._intake = intake
        self._lights = lights
        self._configuration = configuration
        self._health = health
        self._version = version
        self._back_off = BackOff(RETRY_S_MAX, dice)
        self._client: BrokerClient | None = None
        self._refused: dict[str, bytes] = {}
        self._is_stopping = False

    async def run(self) -> None:
        """Connect, serve, and connect again, for ever."""
        told = ""
        while True:
            problem = await self._connection()
            if self._is_stopping:
                # The library can swallow the cancellation that ended the connection.
                return
            if problem != told:
                # The same trouble again is no news.
                journal.write("no MQTT broker", level="warning", problem=problem)
                told = problem
            if self._client is not None:  # It worked meanwhile: whatever comes next is news.
                told = ""
                self._client = None
            await asyncio.sleep(self._back_off.wait_s())

    async def stop(self) -> None:
        """Say goodbye, if there is a connection; no other is made."""
        self._is_stopping = True
        if self._client is not None:
            with suppress(aiomqtt.MqttError):
                await self._tell_status(self._client, "stopped")

    async def _connection(self) -> str:
        """One connection until it ends; why it ended."""
        broker, problem = self._settings.broker, ""
        try:
            async with self._new_client(broker) as client:
                journal.write("connected to the MQTT broker")
                await self._serve(client)
        except* (aiomqtt.MqttError, OSError) as problems:
            # Asking why may take a moment, and asks the broker once more.
            problem = await asyncio.to_thread(why_not, broker, _first(problems))
        return problem

    def _new_client(self, broker: Broker) -> BrokerClient:
        settings = self._settings
        will = aiomqtt.Will(
            topic=self._topic("status"),
            payload=encode(AgentStatus(gateway=settings.gateway, state="offline", at_us=0)),
            qos=1,
            retain=True,
        )
        return BrokerClient(
            broker,
            identifier=f"tallygate-{settings.site}-{settings.gateway}",
            will=will,
            keepalive_s=KEEPALIVE_S,
            incoming_max=INCOMING_MAX,
            under_way_max=UNDER_WAY_MAX,
        )

    def _topic(self, kind: str) -> str:
        return mqtt_topic(self._settings.site, self._settings.gateway, kind)

    async def _serve(self, client: BrokerClient) -> None:
        ours = self._topic("#")
        topics = *map(self._topic, ("ack", "cmd", "config")), mqtt_bridge_topic(self._settings.site)
        await client.subscribe_all(topics)
        await self._tell_status(client, "online")
        client.raise_if_refused(ours)
        # Only who may publish has succeeded: else each try would follow the last at once.
        self._back_off.succeeded()
        self._client = client
        await self._outbox.connected()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(client))
            tasks.create_task(self._publish_reads(client))
            tasks.create_task(self._publish_health(client))
            tasks.create_task(self._publish_configuration(client))
            tasks.create_task(self._watch_files())
            tasks.create_task(client.wait_for_refusal(ours))

    async def _watch_files(self) -> None:
        """End the connection when a certificate or password was replaced by one that works."""
        broker = self._settings.broker
        if not broker.files():
            return
        known = files_as_they_are(broker)
        while True:
            await asyncio.sleep(FILES_S)
            found = files_as_they_are(broker)
            if found == known:
                continue
            known = found
            try:
                broker.tls()
                broker.current_password()
            except OSError as error:
                # Half of a pair may be there; the old connection is good until the other half is.
                journal.write("new files cannot be used", level="warning", problem=str(error))
                continue
            raise _FilesChangedError("certificates or password were renewed: connecting with them")

    async def _publish_configuration(self, client: aiomqtt.Client) -> None:
        """Tell which site file is in force, now and whenever that changes."""
        while True:
            self._configuration.changed.clear()
            state = encode(self._configuration.state)
            await client.publish(self._topic("config_state"), state, qos=1, retain=True)
            await self._configuration.changed.wait()

    async def _tell_status(self, client: aiomqtt.Client, state: str) -> None:
        status = AgentStatus(
            gateway=self._settings.gateway,
            state=state,
            at_us=self._intake.now_us(),
            spool=self._outbox.spool.id,
            version=self._version,
        )
        await client.publish(self._topic("status"), encode(status), qos=1, retain=True)

    async def _publish_health(self, client: aiomqtt.Client) -> None:
        beats = 0
        while True:
            await client.publish(self._topic("health"), encode(await self._health()), qos=0)
            beats += 1
            if beats % BIRTHS_EVERY == 0:
                await self._tell_status(client, "online")
            await asyncio.sleep(HEALTH_S)

    async def _publish_reads(self, client: aiomqtt.Client) -> None:
        """Publish what is due, in order, several under way at once."""
        under_way: set[asyncio.Task[None]] = set()
        async with asyncio.TaskGroup() as publications:
            while True:
                self._outbox.changed.clear()
                batches = await self._outbox.due(UNDER_WAY_MAX - len(under_way))
                for batch in batches:
                    # A task's first step runs in the order of creation, and that step hands the
                    # message to the socket.
                    publication = publications.create_task(self._publish(client, batch))
                    under_way.add(publication)
                    publication.add_done_callback(under_way.discard)
                if len(under_way) >= UNDER_WAY_MAX:
                    await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                elif not batches:
                    await self._wait_for_change()

    async def _wait_for_change(self) -> None:
        wait_s = await self._outbox.wait_s()
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._outbox.changed.wait()

    async def _publish(self, client: aiomqtt.Client, batch: SpooledBatch) -> None:
        await client.publish(self._topic("reads"), encode(batch), qos=1)
        reached("after_publish")

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for arrived in client.messages:
            payload = arrived.payload if isinstance(arrived.payload, bytes) else b""
            if payload:  # Without one it only cleared what was retained.
                await self._take(str(arrived.topic), payload)

    async def _take(self, topic: str, payload: bytes) -> None:
        now_us = self._intake.now_us()
        match self._message_in(topic, payload, now_us):
            case Acknowledgement() as message:
                await self._outbox.acknowledged(message)
            case BridgeRun() as message:
                await self._outbox.bridge_run(message)
            case ConfigurationPushed() as message:
                self._configuration.offer(message)
            case Reject() as reject:
                # What is retained comes with every connection: once is enough.
                if self._refused.get(topic) != payload:
                    self._refused[topic] = payload
                    await self._intake.put(Heard(rejects=(reject,)), received_us=now_us)
            case command:
                await self._obey(command)

    def _message_in(
        self, topic: str, payload: bytes, now_us: int
    ) -> Acknowledgement | BridgeRun | ConfigurationPushed | Command | Reject:
        source = f"{self._settings.gateway}/mqtt"
        if topic == self._topic("ack"):
            return decode(Acknowledgement, payload, source=source, at_us=now_us)
        if topic == self._topic("cmd"):
            return decode_with(COMMAND, payload, source=source, at_us=now_us)
        if topic == self._topic("config"):
            return decode(ConfigurationPushed, payload, source=source, at_us=now_us)
        return decode(BridgeRun, payload, source=source, at_us=now_us)

    async def _obey(self, command: Command) -> None:
        match command:
            case SendAgain():
                await self._outbox.send_again(command)
            case SetLight():
                self._lights.set(command)
            case SetOutput():
                self._lights.switch(command)
            case SetLogLevel():
                before = journal.level()
                journal.write("log level", level="warning", before=before, after=command.level)
                journal.set_level(command.level)


def _first(problems: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first cause in a group of groups."""
    problem: BaseException = problems
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    return problem
