"""Others who keep the ledger's heads: a subscriber and a web server, each with a file."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from contracts.topics import mqtt_heads_topic


class HeadsSubscriber:
    """Appends every head of a site to a file, as `mosquitto_sub` does."""

    def __init__(self, mqtt_url: str, site: str, file: Path) -> None:
        self.file = file
        self.lines: list[bytes] = []
        self._topic = mqtt_heads_topic(site)
        self._subscribed = threading.Event()
        address = urlsplit(mqtt_url)
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe(self._topic, 1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect(address.hostname or "", address.port or 1883)
        self._client.loop_start()
        assert self._subscribed.wait(10)

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        self.lines.append(bytes(message.payload))
        with self.file.open("ab") as file:
            file.write(message.payload + b"\n")

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


class HeadsServer:
    """Appends the body of every POST to a file, and answers what it is told to."""

    def __init__(self, file: Path, port: int = 0) -> None:
        self.file = file
        self.answers: list[int] = []
        """What to answer next, one each; 200 when there is none."""
        self.requests: list[dict[str, str]] = []
        """The headers of each request."""
        keep = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                keep.requests.append(dict(self.headers))
                answer = keep.answers.pop(0) if keep.answers else 200
                if answer < 300 or answer == 500:  # 500: kept, and not told so.
                    with keep.file.open("ab") as kept:
                        kept.write(body + b"\n")
                self.send_response(answer)
                if answer == 302:
                    self.send_header("Location", f"{keep.url}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/heads"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
