"""Connections to the brokers that devices publish to: one a device, or one that several share.

A broker bounds for each connection what it has under way and what it keeps, so a device that floods
a connection of its own delays no other. Sharing is for brokers that limit the connections.

A message is acknowledged (QoS 1) when what it says is on the disk, not when it came; with a session
that the broker keeps, whatever was not is sent again. So the promise of the spool begins at the
broker for readers that publish with QoS 1, and at this process for those with QoS 0.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit
from weakref import WeakKeyDictionary

import aiomqtt
import paho.mqtt.client as paho
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from contracts.site_devices import DeviceTable
from contracts.site_mqtt import matches
from edge_agent import journal
from edge_agent.back_off import BackOff
from edge_agent.broker import MQTT_PORT, MQTTS_PORT, Broker, why_not
from edge_agent.core.vendors.repeats import Repeats
from edge_agent.devices.mqtt_inbox import Arrived, Link, MqttInbox, Receipt
from edge_agent.intake import IDLE_S
from edge_agent.settings import AgentSettings
from edge_agent.steady_client import SteadyClient

KEEPALIVE_S = 15
TIMEOUT_S = 10.0
"""How long the broker may take for anything; then the connection is made anew."""
RETRY_S_MAX = 15.0
SESSION_S = 7 * 86_400
"""With MQTT 5, so long the broker keeps the session of an agent that is away; 3.1.1 sets no end."""
UNSUBSCRIBE_S = 5.0
"""A topic that no device wants is given up only then: a device whose settings changed is back."""
LEAVE_S_MAX = 2.0
ASKS_MAX = 100
"""What waits to be published; asked again later anyway."""
REFUSED = 128
"""From here on a code in MQTT 3.1.1's answer to a subscription is a refusal."""
STATE_TOPIC = "spBv1.0/STATE"


class HeldError(Exception):
    """The spool is nearly full: the broker is to keep what it has."""


class Key(NamedTuple):
    """What devices must have in common to share a connection."""

    device: str
    """Its id, where it does not share."""
    broker: str
    """Its URL; empty: the agent's own broker."""
    authority: str
    session: bool
    host_id: str


class DeviceMessage(aiomqtt.Message):
    """A message, and whether the broker says that it sends it again."""

    is_again = False


class DeviceClient(SteadyClient):
    """A client that acknowledges when it is told to."""

    ENDED_EARLY = "lost before the broker's answer"

    def __init__(
        self, broker: Broker, *, identifier: str, session: bool, will: aiomqtt.Will | None
    ) -> None:
        """Raises OSError where a file of the broker's settings cannot be used."""
        properties = None
        if broker.is_mqtt_5 and session:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = SESSION_S
        super().__init__(
            broker.host,
            broker.port,
            username=broker.username,
            password=broker.current_password(),
            identifier=identifier,
            protocol=aiomqtt.ProtocolVersion.V5
            if broker.is_mqtt_5
            else aiomqtt.ProtocolVersion.V311,
            will=will,
            clean_session=None if broker.is_mqtt_5 else not session,
            clean_start=not session if broker.is_mqtt_5 else paho.MQTT_CLEAN_START_FIRST_ONLY,
            properties=properties,
            timeout=TIMEOUT_S,
            keepalive=KEEPALIVE_S,
            tls_context=broker.tls(),
        )
        self._client.manual_ack_set(True)

    def acknowledge(self, message: aiomqtt.Message) -> None:
        """Tell the broker that it may forget a message."""
        self._client.ack(message.mid, message.qos)

    def close(self) -> None:
        """Take note of how the connection ended, or asyncio complains that nobody did."""
        for end in (self._connected, self._disconnected):
            if end.done() and not end.cancelled():
                end.exception()

    def _on_message(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        """Keep the DUP flag, which aiomqtt leaves out. The queue of messages has no limit."""
        del client, userdata
        told = DeviceMessage._from_paho_message(message)  # noqa: SLF001 - as aiomqtt does itself.
        told.is_again = bool(message.dup)
        self._queue.put_nowait(told)


class MqttConnection:
    """One connection with all its devices; it runs while there is one."""

    def __init__(
        self,
        broker: Broker,
        *,
        identifier: str,
        session: bool,
        host_id: str,
        is_own: bool,
        dice: random.Random,
    ) -> None:
        """`is_own`: the agent's own broker, which has words of its own for what is wrong."""
        self._broker = broker
        self._identifier = identifier
        self._session = session
        self._host_id = host_id
        self._is_own = is_own
        self._back_off = BackOff(RETRY_S_MAX, dice)
        self._inboxes: list[MqttInbox] = []
        self._link = Link("connecting", "")
        self._client: DeviceClient | None = None
        self._wanted = asyncio.Event()
        """Set when devices came or went."""
        self._subscribed: set[str] = set()
        self._refused: set[str] = set()
        self._repeats = Repeats()
        self._asks: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(ASKS_MAX)
        self._again = asyncio.Event()
        """Set when something could not be kept: the broker must send it again."""
        self._task: asyncio.Task[None] | None = None
        self._strays: set[str] = set()

    @property
    def is_idle(self) -> bool:
        """Whether no device is left."""
        return not self._inboxes

    def join(self, inbox: MqttInbox) -> None:
        """A device comes."""
        self._inboxes.append(inbox)
        inbox.tell(self._link_of(inbox))
        self._wanted.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
            self._task.add_done_callback(self._ended)

    async def leave(self, inbox: MqttInbox) -> None:
        """A device goes; the last one ends the connection, and the broker keeps its session."""
        self._inboxes.remove(inbox)
        self._wanted.set()
        if not self._inboxes and self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=LEAVE_S_MAX)

    def ask(self, topic: str, payload: bytes) -> None:
        """Publish something, if there is a connection and room."""
        if self._client is not None:
            with suppress(asyncio.QueueFull):
                self._asks.put_nowait((topic, payload))

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A fault of ours ends the process, through the devices' tasks."""
        if task.cancelled() or (failure := task.exception()) is None:
            return
        for inbox in self._inboxes:
            inbox.fail(failure)

    async def _run(self) -> None:
        told = ""
        while True:
            self._enter(Link("connecting", ""))
            state, problem = await self._connect()
            if problem != told:
                journal.write("devices' broker", broker=self._where(), problem=problem)
                told = problem
            if self._client is not None:
                self._client, told = None, ""
            wait_s = self._back_off.wait_s()
            self._enter(Link(state, f"{problem}; trying again in {wait_s:.1f} s"))
            await asyncio.sleep(wait_s)
            # A disk with room again tells nobody.
            while any(inbox.is_held() for inbox in self._inboxes):  # noqa: ASYNC110
                await asyncio.sleep(IDLE_S)

    async def _connect(self) -> tuple[str, str]:
        """One connection until it ends; the state that this leaves, and why."""
        state, problem = "retrying", "the broker ended the connection"
        born_ms = time.time_ns() // 1_000_000
        client = None
        try:
            client = DeviceClient(
                self._broker,
                identifier=self._identifier,
                session=self._session,
                will=self._will(born_ms),
            )
            async with client:
                self._back_off.succeeded()
                self._client = client
                await self._serve(client, born_ms)
        except* HeldError:
            problem = "the spool is nearly full: the broker keeps the messages"
        except* (aiomqtt.MqttError, OSError) as problems:
            first = _first(problems)
            refused = isinstance(first, MqttConnectError)
            state, problem = "refused" if refused else "retrying", await self._words(first)
        finally:
            if client is not None:
                client.close()
        return state, problem

    async def _words(self, problem: BaseException) -> str:
        if self._is_own:
            return await asyncio.to_thread(why_not, self._broker, problem)
        return str(problem) or type(problem).__name__

    def _where(self) -> str:
        return f"{self._broker.host}:{self._broker.port}"

    async def _serve(self, client: DeviceClient, born_ms: int) -> None:
        self._repeats.connected(time.monotonic())
        self._again.clear()
        self._subscribed.clear()
        self._refused.clear()
        await self._subscribe(client)
        if self._host_id:
            await client.publish(self._state_topic(), _state(born_ms, online=True), 1, retain=True)
        self._enter(Link("reading", self._where()))
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(client))
                tasks.create_task(self._follow_devices(client))
                tasks.create_task(self._publish(client))
                tasks.create_task(self._wait_for_again())
        finally:
            if self._host_id:
                with suppress(aiomqtt.MqttError):
                    offline = _state(born_ms, online=False)
                    await client.publish(self._state_topic(), offline, 1, retain=True)

    def _will(self, born_ms: int) -> aiomqtt.Will | None:
        if not self._host_id:
            return None
        return aiomqtt.Will(self._state_topic(), _state(born_ms, online=False), 1, retain=True)

    def _state_topic(self) -> str:
        return f"{STATE_TOPIC}/{self._host_id}"

    async def _subscribe(self, client: DeviceClient) -> None:
        """To what devices want and is not subscribed to yet."""
        self._wanted.clear()
        wanted: dict[str, int] = {}
        for inbox in self._inboxes:
            for one in inbox.filters:
                wanted[one] = max(inbox.qos, wanted.get(one, 0))
        new = [(one, qos) for one, qos in wanted.items() if one not in self._subscribed]
        if not new:
            return
        codes: list[int | ReasonCode] = [*await client.subscribe(new)]
        for (one, _), code in zip(new, codes, strict=False):
            if code.is_failure if isinstance(code, ReasonCode) else code >= REFUSED:
                self._refused.add(one)
                journal.write("the broker refuses a subscription", topic=one)
            else:
                self._subscribed.add(one)
                self._refused.discard(one)

    async def _follow_devices(self, client: DeviceClient) -> None:
        """Devices come and go while the connection stands."""
        while True:
            await self._wanted.wait()
            await self._subscribe(client)
            self._enter(self._link)
            await asyncio.sleep(UNSUBSCRIBE_S)
            wanted = {one for inbox in self._inboxes for one in inbox.filters}
            for one in sorted(self._subscribed - wanted):
                await client.unsubscribe(one)
                self._subscribed.discard(one)

    async def _publish(self, client: DeviceClient) -> None:
        while True:
            topic, payload = await self._asks.get()
            await client.publish(topic, payload, qos=0)

    async def _wait_for_again(self) -> None:
        await self._again.wait()
        raise HeldError

    async def _listen(self, client: DeviceClient) -> None:
        async for message in client.messages:
            payload = message.payload if isinstance(message.payload, bytes) else b""
            topic = str(message.topic)
            inboxes = [one for one in self._inboxes if _is_for(one, topic)]
            if not inboxes:
                await self._stray(client, message, topic)
                continue
            if message.qos and self._repeats.is_repeat(
                topic,
                payload,
                again=isinstance(message, DeviceMessage) and message.is_again,
                retained=message.retain,
                now_s=time.monotonic(),
            ):
                client.acknowledge(message)
                continue
            if any(one.is_full and one.is_held() for one in inboxes):
                raise HeldError
            receipt = Receipt(len(inboxes), self._acknowledger(client, message, topic, payload))
            for one in inboxes:
                one.put(Arrived(topic, payload, message.retain, one.now_us(), receipt))

    def _acknowledger(
        self, client: DeviceClient, message: aiomqtt.Message, topic: str, payload: bytes
    ) -> Callable[[bool], None]:
        def acknowledge(kept: bool) -> None:
            if not message.qos:
                return
            if not kept:
                self._again.set()
                return
            self._repeats.kept(topic, payload)
            if self._client is client:
                client.acknowledge(message)

        return acknowledge

    async def _stray(self, client: DeviceClient, message: aiomqtt.Message, topic: str) -> None:
        """A device that just left; or the session remembers one that is no more, unasked."""
        client.acknowledge(message)
        if topic in self._strays or any(matches(one, topic) for one in self._subscribed):
            return
        if len(self._strays) < ASKS_MAX:
            self._strays.add(topic)
            journal.write("a message for no device of the site file", topic=topic)
            await client.unsubscribe(topic)

    def _enter(self, link: Link) -> None:
        self._link = link
        for inbox in self._inboxes:
            inbox.tell(self._link_of(inbox))

    def _link_of(self, inbox: MqttInbox) -> Link:
        """The connection as one device sees it: its own topics may be refused, or not there yet."""
        if self._link.state != "reading":
            return self._link
        if refused := [one for one in inbox.filters if one in self._refused]:
            who = f"{self._broker.identity()}, client {self._identifier}"
            return Link("refused", f"the broker does not let {who} read {', '.join(refused)}")
        if any(one not in self._subscribed for one in inbox.filters):
            return Link("connecting", self._link.detail)
        return self._link


def _is_for(inbox: MqttInbox, topic: str) -> bool:
    return any(matches(one, topic) for one in inbox.filters)


def _state(born_ms: int, *, online: bool) -> bytes:
    """What a Sparkplug host tells of itself."""
    return json.dumps({"online": online, "timestamp": born_ms}).encode()


def _first(problems: BaseExceptionGroup[BaseException]) -> BaseException:
    problem: BaseException = problems
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    return problem


def key_of(device: DeviceTable) -> Key:
    """What a device shares its connection by."""
    table = device.mqtt
    name = "" if table.shared else device.id
    return Key(name, table.broker or "", table.authority or "", table.session, table.host_id)


def broker_of(key: Key, own: Broker) -> Broker:
    """Where a device's broker is."""
    if not key.broker:
        return own
    address = urlsplit(key.broker)
    is_encrypted = address.scheme == "mqtts"
    return Broker(
        host=address.hostname or "",
        port=address.port or (MQTTS_PORT if is_encrypted else MQTT_PORT),
        username=unquote(address.username) if address.username else None,
        password=unquote(address.password) if address.password else None,
        is_encrypted=is_encrypted,
        authority=key.authority or None,
    )


_connections: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, Key], MqttConnection]]
_connections = WeakKeyDictionary()
"""Of one process, by agent: tests have several. Tasks of devices come and go; these are theirs."""


def connection_of(
    device: DeviceTable, settings: AgentSettings, dice: random.Random
) -> MqttConnection:
    """The connection for a device; the caller joins it at once."""
    known = _connections.setdefault(asyncio.get_running_loop(), {})
    agent = f"tallygate-{settings.site}-{settings.gateway}"
    key = key_of(device)
    connection = known.get((agent, key))
    if connection is None or connection.is_idle:
        connection = known[agent, key] = MqttConnection(
            broker_of(key, settings.broker),
            identifier=f"{agent}-{_name_of(key)}",
            session=key.session,
            host_id=key.host_id,
            is_own=not key.broker,
            dice=dice,
        )
    return connection


def _name_of(key: Key) -> str:
    """Always the same for a device, so that the broker finds its session again."""
    if key.device:
        return f"device-{key.device}"
    if key == Key("", "", "", True, ""):
        return "devices"
    address = urlsplit(key.broker)  # Without the password, which may change.
    told = (address.hostname, address.port, address.username, key.session, key.host_id)
    return f"devices-{hashlib.sha256(repr(told).encode()).hexdigest()[:8]}"
