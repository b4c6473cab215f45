"""A real Mosquitto with the production configuration, and the certificates to talk to it.

with SecureBroker(folder) as broker:
    broker.certificate("dock")                    # an agent's, made by the site's own script
    environment = broker.agent_environment("dock")  # TALLYGATE_MQTT_... for a process
    password = broker.password("impinj-1")        # a device that publishes by itself
    broker.connect_device("impinj-1").publish("devices/impinj-1/events", ...)
    broker.refusals()                             # lines of its log
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
from pathlib import Path
from typing import ClassVar

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tallygate.servers.accounts import account_for
from tallygate.servers.child import LOOPBACK, ChildServer, free_port
from tallygate.servers.mqtt_mosquitto import find_program

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "make_certificates.sh"
SITE = "demo"
CONNECT_S_MAX = 60


class SecureBroker(ChildServer):
    """Three listeners, as `mosquitto/production.conf` has them, on loopback ports of their own."""

    name: ClassVar[str] = "MQTT (Mosquitto, production configuration)"

    def __init__(self, folder: Path, *, hosts: tuple[str, ...] = ("localhost", LOOPBACK)) -> None:
        super().__init__(folder)
        self.keys = self.folder / "keys"
        """What `scripts/make_certificates.sh` made."""
        self.devices_port = free_port()
        self.programs_port = free_port()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.make("authority", SITE)
        self.make("server", *hosts)

    def make(self, what: str, *names: str, options: tuple[str, ...] = ()) -> str:
        """Run the script; what it says."""
        said = subprocess.run(
            ["sh", str(SCRIPT), *options, what, str(self.keys), *names],
            capture_output=True,
            text=True,
            check=False,
        )
        assert said.returncode == 0, said.stderr
        return said.stdout

    def certificate(self, gateway: str) -> Path:
        """An agent's certificate; its key lies beside it, with the suffix `.key`."""
        self.make("agent", gateway)
        return self.keys / "agents" / f"{gateway}.crt"

    def program_certificate(self, role: str) -> Path:
        """The certificate of one of the site's programs."""
        self.make("program", role)
        return self.keys / "programs" / f"{role}.crt"

    def password(self, device: str) -> str:
        """A device's password; the broker knows it when this returns."""
        self.make("device", device)
        self.reload()
        return (self.keys / "devices" / f"{device}.password").read_text().strip()

    def agent_environment(self, gateway: str, *, host: str = "localhost") -> dict[str, str]:
        """What an agent with a certificate of its own needs."""
        return self._environment(self.certificate(gateway), f"mqtts://{host}:{self.port}")

    def program_environment(self, role: str) -> dict[str, str]:
        """What one of the site's programs needs."""
        url = f"mqtts://localhost:{self.programs_port}"
        return self._environment(self.program_certificate(role), url)

    def _environment(self, certificate: Path, url: str) -> dict[str, str]:
        return {
            "TALLYGATE_MQTT_URL": url,
            "TALLYGATE_MQTT_CA": str(self.keys / "authority.crt"),
            "TALLYGATE_MQTT_CERTIFICATE": str(certificate),
            "TALLYGATE_MQTT_KEY": str(certificate.with_suffix(".key")),
        }

    def connect_device(self, device: str, *, mqtt_5: bool = False) -> paho.Client:
        """A connected client, as a device that publishes by itself is one; the caller ends it."""
        client = self._client(mqtt_5=mqtt_5)
        client.username_pw_set(device, self.password(device))
        client.tls_set_context(self.trust())
        client.connect("localhost", self.devices_port)
        client.loop_start()
        return client

    def connect_program(self, role: str) -> paho.Client:
        """A connected client with the certificate of one of the site's programs."""
        certificate = self.program_certificate(role)
        context = self.trust()
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        client = self._client(mqtt_5=True)
        client.tls_set_context(context)
        client.connect("localhost", self.programs_port)
        client.loop_start()
        return client

    @staticmethod
    def _client(*, mqtt_5: bool) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5 if mqtt_5 else paho.MQTTv311
        )
        client.connect_timeout = CONNECT_S_MAX
        return client

    def trust(self) -> ssl.SSLContext:
        """Trusts what the site's authority signed, and nothing else."""
        return ssl.create_default_context(cafile=str(self.keys / "authority.crt"))

    def log(self) -> str:
        """All that it told."""
        return self.log_path.read_text(errors="replace")

    def refusals(self) -> list[str]:
        """Lines of its log that tell what was refused."""
        return [line for line in self.log().splitlines() if "Denied" in line]

    def reload(self) -> None:
        """Take in passwords and access lists that changed."""
        if not self.running:
            return
        self._give_away()
        os.kill(self.pid, signal.SIGHUP)

    def prepare(self) -> None:
        """Fails early where there is no program."""
        find_program()

    def command(self) -> list[str]:
        """As a site starts it: by `run.sh`."""
        broker = self.keys / "broker"
        text = (broker / "production.conf").read_text()
        text = text.replace("/etc/mosquitto/tallygate", str(broker))
        text = text.replace("/mosquitto/data/", f"{self.folder}/")
        ports = {8883: self.port, 8884: self.devices_port, 8885: self.programs_port}
        for usual, port in ports.items():
            text, count = re.subn(rf"(?m)^listener {usual}$", f"listener {port} {LOOPBACK}", text)
            assert count == 1, f"production.conf has no listener {usual}"
        configuration = self.folder / "mosquitto.conf"
        configuration.write_text(text)
        self._give_away()
        return ["/bin/sh", str(broker / "run.sh"), str(configuration)]

    def _give_away(self) -> None:
        """Its files belong to the account that it runs as; that of a site's broker does, too."""
        if (account := self.account()) is not None:
            shutil.chown(self.folder, account)
            for path in (self.folder / "mosquitto.conf", *(self.keys / "broker").iterdir()):
                shutil.chown(path, account)

    def account(self) -> str | None:
        """Mosquitto's own."""
        return account_for("mosquitto")

    def environment(self) -> dict[str, str]:
        """With the place of Mosquitto's program on PATH."""
        return {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin"}

    def answers(self) -> bool:
        """Whether the listener of devices speaks TLS, with whatever certificate."""
        anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        anybody.check_hostname = False
        anybody.verify_mode = ssl.CERT_NONE
        try:
            address = (LOOPBACK, self.devices_port)
            with (
                socket.create_connection(address, 1.0) as plain,
                anybody.wrap_socket(plain),
            ):
                return True
        except OSError:
            return False

    @property
    def url(self) -> str:
        """Of the agents' listener."""
        return f"mqtts://localhost:{self.port}"
