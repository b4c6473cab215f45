"""The script that makes a site's keys: said twice it changes nothing, and it never writes over."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from tests.support.secure_broker import SCRIPT
from tests.support.servers import SessionServers


class Keys:
    """A folder that the script works on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the script; options first, then what to make, then names."""
        options = [one for one in arguments if one.startswith("--") or one.isdigit()]
        what, *names = [one for one in arguments if one not in options]
        command = ["sh", str(SCRIPT), *options, what, str(self.folder), *names]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def good(self, *arguments: str) -> str:
        """Run the script, which must not fail; what it says."""
        said = self.make(*arguments)
        assert said.returncode == 0, said.stderr
        return said.stdout

    def bad(self, *arguments: str) -> str:
        """Run the script, which must fail; what it complains of."""
        said = self.make(*arguments)
        assert said.returncode == 1, said.stdout
        return said.stderr

    def contents(self) -> dict[str, bytes]:
        """All files."""
        paths = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}


@pytest.fixture(name="keys")
def fixture_keys(real_servers: SessionServers, tmp_path: Path) -> Keys:
    """With an authority; `real_servers` says that Mosquitto's programs are there."""
    del real_servers
    keys = Keys(tmp_path / "keys")
    keys.good("authority", "demo")
    return keys


LINES = (
    ("authority", "demo"),
    ("server", "broker.example", "192.0.2.7"),
    ("agent", "dock"),
    ("program", "bridge"),
    ("device", "impinj-1"),
    ("password", "gate-2"),
    ("block", "gate-9"),
)


def test_said_twice_it_changes_nothing(keys: Keys) -> None:
    for line in LINES:
        keys.good(*line)
    before = keys.contents()
    for line in LINES:
        keys.good(*line)
    assert keys.contents() == before
    assert not [name for name in before if name.endswith((".new", ".one"))]


def test_it_never_writes_over_what_is_there(keys: Keys) -> None:
    keys.good("server", "broker.example")
    assert "is there for other hosts" in keys.bad("server", "other.example")
    assert "belongs to site 'demo'" in keys.bad("authority", "other")
    first = (keys.folder / "broker" / "server.crt").read_bytes()
    keys.good("--renew", "server", "other.example")
    assert (keys.folder / "broker" / "server.crt.old-1").read_bytes() == first
    keys.good("device", "impinj-1")
    assert "has a password already" in keys.bad("password", "impinj-1")


def test_a_certificate_names_who_it_is_for_and_how_long(keys: Keys) -> None:
    keys.good("server", "broker.example", "192.0.2.7")
    keys.good("--days", "2", "agent", "dock")
    server = x509.load_pem_x509_certificate((keys.folder / "broker" / "server.crt").read_bytes())
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["broker.example"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.7"]
    agent = x509.load_pem_x509_certificate((keys.folder / "agents" / "dock.crt").read_bytes())
    assert agent.subject.rfc4514_string() == "CN=dock"
    assert (agent.not_valid_after_utc - agent.not_valid_before_utc).days == 2
    purposes = agent.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [x509.ExtendedKeyUsageOID.CLIENT_AUTH]
    authority = x509.load_pem_x509_certificate((keys.folder / "authority.crt").read_bytes())
    agent.verify_directly_issued_by(authority)


def test_secrets_are_for_their_owner_only_and_the_authoritys_key_is_not_the_brokers(
    keys: Keys,
) -> None:
    for line in LINES:
        keys.good(*line)
    for path in keys.folder.rglob("*"):
        if path.is_file() and path.suffix != ".crt":
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert "authority.key" not in {path.name for path in (keys.folder / "broker").iterdir()}
    password = (keys.folder / "devices" / "impinj-1.password").read_text().strip()
    hashed = (keys.folder / "broker" / "devices.passwords").read_text()
    assert hashed.startswith("impinj-1:$")
    assert password not in hashed


def test_bad_names_are_refused(keys: Keys) -> None:
    for name in ("a/b", "+", "#", "", "-x", "role.bridge", "a b", "x" * 65):
        for what in ("agent", "device", "password", "block"):
            assert keys.make(what, name).returncode == 1, (what, name)
    assert "is bridge, sink, console, push or watch" in keys.bad("program", "root")
    assert "is no name or address" in keys.bad("server", "a,DNS:b")
    assert Keys(keys.folder / "none").make("agent", "dock").returncode == 1
