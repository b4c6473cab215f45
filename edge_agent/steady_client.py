"""aiomqtt's client, mended where a cancellation or a lost link would be waited out.

The library waits with `asyncio.wait_for`, which before Python 3.12 swallows a cancellation that
comes together with the answer: a task that was told to end goes on. And on a connection that is
lost no answer comes any more, yet the library waits for its time-out.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable
from typing import Any, ClassVar, TypeVar

import aiomqtt
import paho.mqtt.client as paho
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

T = TypeVar("T")


class SteadyClient(aiomqtt.Client):
    """As `aiomqtt.Client`, for one connection."""

    ENDED_EARLY: ClassVar[str]
    """What is said of a connection that ends before the broker accepted it."""

    def _on_disconnect(
        self,
        client: paho.Client,
        userdata: Any,
        flags: paho.DisconnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        """End the wait for a broker's first word, too: the library would wait it out."""
        if not self._connected.done():
            self._connected.set_exception(aiomqtt.MqttError(self.ENDED_EARLY))
            return
        super()._on_disconnect(client, userdata, flags, reason_code, properties)

    async def _wait_for(self, fut: Awaitable[T], timeout: float | None) -> T:  # noqa: ASYNC109
        """Wait for an answer; none comes any more on a connection that is lost."""
        answer = asyncio.ensure_future(fut)
        allowed_s = self.timeout if timeout is None else timeout
        try:
            ends: set[asyncio.Future[Any]] = {answer, self._disconnected}
            await asyncio.wait(
                ends,
                timeout=None if allowed_s == math.inf else allowed_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if answer.done():
                return answer.result()
            lost = self._disconnected.done()
            raise aiomqtt.MqttError("lost while waiting" if lost else "no answer in time")
        finally:
            if answer is not self._disconnected:
                answer.cancel()
