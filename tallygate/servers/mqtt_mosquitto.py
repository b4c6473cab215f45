"""A local Mosquitto, started from the configuration that a site uses."""

import re
import shutil
from pathlib import Path
from typing import ClassVar

from tallygate.servers.accounts import account_for
from tallygate.servers.child import LOOPBACK, ChildServer, ServerNotFoundError
from tallygate.servers.mqtt_protocol import broker_answers

CONFIGURATION = Path(__file__).parents[2] / "mosquitto" / "mosquitto.conf"

USUAL_PROGRAM = Path("/usr/sbin/mosquitto")
"""Where Debian puts it; not on the PATH of ordinary users."""


class Mosquitto(ChildServer):
    """Mosquitto on a loopback port, in memory only."""

    name: ClassVar[str] = "MQTT (Mosquitto)"

    def prepare(self) -> None:
        """Fails early where there is no program."""
        find_program()

    def command(self) -> list[str]:
        """The site's configuration with a loopback listener instead of the site's."""
        configuration = self.folder / "mosquitto.conf"
        configuration.write_text(with_listener(CONFIGURATION.read_text(), self.port))
        return [find_program(), "-c", str(configuration)]

    def account(self) -> str | None:
        """Mosquitto's own; it would change to that by itself, and then no longer end with us."""
        return account_for("mosquitto")

    def answers(self) -> bool:
        """Whether it accepts a client."""
        return broker_answers(self.port)

    @property
    def url(self) -> str:
        """As `mqtt://host:port`."""
        return f"mqtt://{LOOPBACK}:{self.port}"


def with_listener(configuration: str, port: int) -> str:
    """The configuration with its one listener moved to a loopback port."""
    changed, count = re.subn(
        r"^listener .*$", f"listener {port} {LOOPBACK}", configuration, flags=re.MULTILINE
    )
    assert count == 1, f"{CONFIGURATION} must have one listener, has {count}"
    return changed


def find_program() -> str:
    """Mosquitto's program, on PATH or where Debian puts it."""
    found = shutil.which("mosquitto")
    if found is not None:
        return found
    if USUAL_PROGRAM.exists():
        return str(USUAL_PROGRAM)
    raise ServerNotFoundError(
        "Mosquitto is not installed: scripts/real_servers.sh installs it, "
        "or set TALLYGATE_MQTT_URL."
    )
