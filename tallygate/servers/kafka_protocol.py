"""The one question that tells whether a broker of the Kafka protocol is ready."""

from tallygate.servers.child import ask

API_VERSIONS = bytes.fromhex("0000000a0012000000000001ffff")
"""An ApiVersions request, version 0: length, key 18, version, correlation id 1, no client id. A
broker that is still loading its log accepts the connection but answers nothing."""

ANSWER_BYTES = 10
"""Length, correlation id, error code: enough to know that it is an answer to our question."""


def broker_answers(port: int) -> bool:
    """Whether a Kafka broker on this loopback port serves requests."""
    answer = ask(port, API_VERSIONS, answer_bytes=ANSWER_BYTES)
    return len(answer) == ANSWER_BYTES and answer[4:8] == API_VERSIONS[8:12]
