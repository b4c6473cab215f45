"""An MQTT client that notices what the broker refuses, which the library passes over in silence."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

import aiomqtt
import paho.mqtt.client as paho
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.broker import Broker, PlainWordsError
from edge_agent.steady_client import SteadyClient

TIMEOUT_S = 10.0
"""How long the broker may take for anything; then the connection is made anew."""


GOODBYE_S_MAX = 1.0
"""How long a broker may take to let go of a connection that we end; then it is cut."""


class NotPermittedError(PlainWordsError):
    """The broker's access list refuses a topic; the message names it and who we are."""


class BrokerClient(SteadyClient):
    """As `aiomqtt.Client`, for one connection."""

    ENDED_EARLY = "the broker closed the connection"

    def __init__(
        self,
        broker: Broker,
        *,
        identifier: str,
        will: aiomqtt.Will | None = None,
        keepalive_s: int = 15,
        incoming_max: int = 1_000,
        under_way_max: int = 20,
    ) -> None:
        """Raises OSError where a file of the broker's settings cannot be used."""
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
            clean_session=None if broker.is_mqtt_5 else True,
            clean_start=True if broker.is_mqtt_5 else paho.MQTT_CLEAN_START_FIRST_ONLY,
            timeout=TIMEOUT_S,
            keepalive=keepalive_s,
            max_queued_incoming_messages=incoming_max,
            max_inflight_messages=under_way_max,
            tls_context=broker.tls(),
        )
        self.pending_calls_threshold = 2 * under_way_max
        self._broker = broker
        self._refusal: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Say goodbye; a broker that does not answer in time is left."""
        try:
            async with asyncio.timeout(GOODBYE_S_MAX):
                await super().__aexit__(exc_type, exc, tb)
        except TimeoutError:
            self._client._sock_close()  # noqa: SLF001 - it has no other way to cut a link.

    async def subscribe_all(self, topics: tuple[str, ...]) -> None:
        """Subscribe with QoS 1. Raises NotPermittedError where one is refused."""
        codes = await self.subscribe([(topic, 1) for topic in topics])
        refused = [
            topic
            for topic, code in zip(topics, codes, strict=True)
            if isinstance(code, ReasonCode) and code.is_failure
        ]
        if refused:
            who = self._broker.identity()
            raise NotPermittedError(f"the broker does not let {who} read {', '.join(refused)}")

    def raise_if_refused(self, topics: str) -> None:
        """Raises NotPermittedError where something that was published so far was refused."""
        if self._refusal.done():
            raise NotPermittedError(self._words(topics))

    async def wait_for_refusal(self, topics: str) -> None:
        """Returns never. Raises NotPermittedError when something that was published is refused."""
        await asyncio.shield(self._refusal)
        raise NotPermittedError(self._words(topics))

    def _words(self, topics: str) -> str:
        who, reason = self._broker.identity(), self._refusal.result()
        return f"the broker does not let {who} publish on {topics}: {reason}"

    def _on_publish(
        self,
        client: paho.Client,
        userdata: Any,
        mid: int,
        reason_code: ReasonCode,
        properties: Properties,
    ) -> None:
        if reason_code.is_failure and not self._refusal.done():
            self._refusal.set_result(str(reason_code))
        super()._on_publish(client, userdata, mid, reason_code, properties)
