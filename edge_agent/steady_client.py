"""aiomqtt's client, mended where a cancellation or a lost link would be waited out.

The library waits with `asyncio.wait_for`, which before Python 3.12 swallows a cancellation that
comes together with the answer: a task that was told to end goes on. And on a connection that is
lost no answer comes any more, yet the library waits for its time-out.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable
from typing import Any, TypeVar

import aiomqtt

T = TypeVar("T")


class SteadyClient(aiomqtt.Client):
    """As `aiomqtt.Client`, for one connection."""

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
