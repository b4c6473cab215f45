"""The embedded MQTT broker: amqtt in a process of its own.

    python -m tallygate.servers.mqtt_embedded --port PORT

It accepts anonymous clients, on loopback only, speaks MQTT 3.1.1, and forgets everything when it
ends. `LoopbackBroker` mends what amqtt 0.12 does unlike a broker that a site would run; each
override says what.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from typing import Any, ClassVar

import uvloop
from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.session import Session

from tallygate.servers.child import LOOPBACK, ChildServer
from tallygate.servers.mqtt_protocol import broker_answers

KEEPALIVE_GRACE_SECONDS = 2
"""On top of a client's keep-alive before it counts as dead. A real broker waits half a
keep-alive more; amqtt adds a fixed time."""

SHUTDOWN_SECONDS_MAX = 2.0
"""What clients still wait for is of no use to a broker that forgets all."""


class EmbeddedMqtt(ChildServer):
    """amqtt on a loopback port, in memory only."""

    name: ClassVar[str] = "MQTT (embedded amqtt)"

    def command(self) -> list[str]:
        """This module, run by the interpreter that runs us."""
        return [sys.executable, "-m", "tallygate.servers.mqtt_embedded", "--port", str(self.port)]

    def environment(self) -> dict[str, str]:
        """Lets the child find our packages where they are not installed but on our path."""
        return {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}

    def answers(self) -> bool:
        """Whether it accepts a client."""
        return broker_answers(self.port)

    @property
    def url(self) -> str:
        """As `mqtt://host:port`."""
        return f"mqtt://{LOOPBACK}:{self.port}"


class LoopbackBroker(Broker):  # type: ignore[misc] # amqtt carries no types.
    """amqtt's broker with the behaviour of a real one where ours depends on it."""

    ending = False

    async def _cleanup_session(self, client_id: str) -> None:
        """Forgets a session that ended, unless its client came back in the meantime."""
        session, _ = self._sessions.get(client_id, (None, None))
        if self.ending or (session is not None and session.transitions.state != "connected"):
            await super()._cleanup_session(client_id)

    async def _delete_session(self, client_id: str) -> None:
        """A second client with one id ends the first one's connection, its last will told before.

        amqtt leaves the first connection open; when that ends later, its will ("offline") would
        overwrite what the second one said of itself ("online").
        """
        session, handler = self._sessions.get(client_id, (None, None))
        if session is not None and handler is not None and session.transitions.state == "connected":
            if session.will_flag:
                await self._tell_will(session)
                session.will_flag = False
            await handler.handle_connection_closed()
        await super()._delete_session(client_id)

    async def _tell_will(self, session: Session) -> None:
        topic, message, qos = session.will_topic, session.will_message, session.will_qos
        await self._broadcast_message(session, topic, message, qos)
        if session.will_retain:
            await self.retain_message(session, topic, message, qos)

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        """Sends retained messages to clients that subscribed, without holding up anything.

        amqtt also sends a client that just connected whatever any other client is subscribed to.
        And it waits for the acknowledgements while it goes through a table that others change,
        which ends the connection in an error.
        """
        topic_filter, qos = subscription
        subscribers = self._subscriptions.get(topic_filter, [])
        if all(subscriber is not session for subscriber, _ in subscribers):
            return
        handler = self._get_handler(session)
        if handler is None:
            return
        for topic, retained in self._retained_messages.items():
            if self._matches(topic, topic_filter):
                quality = min(qos, retained.qos or qos)
                self._tasks_queue.append(
                    asyncio.ensure_future(
                        handler.mqtt_publish(topic, retained.data, quality, retain=True)
                    )
                )


def end_silent_connection(handler: BrokerProtocolHandler) -> None:
    """Ends a connection whose client is silent past its keep-alive, which tells its last will.

    amqtt notices the silence and does nothing, so a stopped client would look alive for ever.
    """
    task = asyncio.ensure_future(handler.handle_connection_closed())
    _ending.add(task)
    task.add_done_callback(_ending.discard)


_ending: set[asyncio.Future[Any]] = set()
"""Tasks are held here until they end; the loop itself holds them only weakly."""


class WithoutUnacknowledged(logging.Filter):
    """Keeps a page of traceback out of the log for each message not acknowledged in time.

    The message had been sent; amqtt merely stops waiting after five seconds, and never sends it
    again.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is worth a line."""
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, TimeoutError)


async def serve(port: int) -> None:
    """Serves until SIGTERM or SIGINT."""
    # Nothing inside amqtt gives the silent client's connection a will of its own, so its hook is
    # replaced.
    BrokerProtocolHandler.handle_read_timeout = end_silent_connection
    config = BrokerConfig(
        listeners={"default": ListenerConfig(bind=f"{LOOPBACK}:{port}")},
        timeout_disconnect_delay=KEEPALIVE_GRACE_SECONDS,
        # Without the default plugins: they log every packet and publish $SYS topics.
        plugins={"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    )
    broker = LoopbackBroker(config)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await broker.start()
    await ended.wait()
    broker.ending = True
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(broker.shutdown(), timeout=SHUTDOWN_SECONDS_MAX)
    # Some of amqtt's tasks swallow their cancellation, so an orderly end of the loop might never
    # come; nothing is left that would need one.
    logging.shutdown()
    os._exit(0)


def main() -> None:
    """Runs the broker as a program."""
    parser = argparse.ArgumentParser(
        description="An MQTT 3.1.1 broker on loopback, in memory only."
    )
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(
        level=logging.ERROR, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("amqtt.broker").addFilter(WithoutUnacknowledged())
    uvloop.run(serve(arguments.port))


if __name__ == "__main__":
    main()
