"""The one question that tells whether an MQTT broker is ready."""

from tallygate.servers.child import ask

CONNECT = bytes.fromhex("100c 00044d515454 04 02 000a 0000")
"""A CONNECT of MQTT 3.1.1: clean session, keep-alive 10 s, no client id of its own."""

CONNACK_ACCEPTED = bytes.fromhex("20020000")

DISCONNECT = bytes.fromhex("e000")
"""Sent along, so that the broker ends our session by itself."""


def broker_answers(port: int) -> bool:
    """Whether an MQTT broker on this loopback port accepts an anonymous client."""
    return ask(port, CONNECT + DISCONNECT, answer_bytes=4) == CONNACK_ACCEPTED
