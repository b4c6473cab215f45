"""Heads by HTTP POST: one head a request, the line of `heads.jsonl` as the body.

A receiver that appends each body and a line break to a file has what `tallygate verify --heads`
takes. The same head may come again; the header `Idempotency-Key` is then the same.
"""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request

from ledger_sink.core.heads import line_digest
from ledger_sink.settings import Webhook

TIMEOUT_S = 10.0
"""For one request."""
ANSWER_BYTES_MAX = 65_536
"""Of the answer as much is read, and nothing made of it."""


class HeadsWebhook:
    """Posts to one address."""

    name = "webhook"

    def __init__(self, webhook: Webhook) -> None:
        """Raises OSError where the authorities' file cannot be read."""
        self._webhook = webhook
        context = ssl.create_default_context(cafile=webhook.authorities)
        self._opener = _opener(context)

    def send(self, line: bytes) -> str | None:
        """Post a head; an answer from 200 to 299 says that it arrived."""
        body = line.rstrip(b"\n")
        headers = {"Content-Type": "application/json", "Idempotency-Key": line_digest(body)}
        if self._webhook.token:
            headers["Authorization"] = f"Bearer {self._webhook.token}"
        # The settings take http and https addresses alone.
        request = urllib.request.Request(self._webhook.url, body, headers)  # noqa: S310
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                answer.read(ANSWER_BYTES_MAX)
        except urllib.error.HTTPError as error:
            error.close()
            return f"the webhook answers {error.code}"
        except (OSError, ValueError, http.client.HTTPException) as error:
            # ValueError: the address is no name that can be looked up.
            return f"the webhook cannot be reached: {error}"
        return None


def _opener(context: ssl.SSLContext) -> urllib.request.OpenerDirector:
    """Opens addresses, and follows no redirection: the token is for the one that was named."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    return opener
