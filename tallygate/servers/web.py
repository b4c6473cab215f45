"""One HTTP question to a server, for readiness, set-up and version."""

from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


def ask_web(
    url: str,
    *,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    seconds_max: float,
) -> Answer | None:
    """Asks with GET, or with POST where there is a body; none when nobody answers."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or parts.hostname is None:
        return None
    make = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = make(parts.hostname, parts.port, timeout=seconds_max)
    try:
        connection.request("GET" if body is None else "POST", parts.path, body, headers or {})
        answer = connection.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, named, answer.read())
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
