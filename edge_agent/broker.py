"""The MQTT broker: where it is, who we are to it, and in plain words why it will not have us.

Files (certificate, key, authority, password) are read anew for every connection, and a running
connection is made anew when one of them changed, so a certificate is renewed by replacing a file.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import aiomqtt
import msgspec
from paho.mqtt.reasoncodes import ReasonCode

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MQTT_PORT = 1883
MQTTS_PORT = 8883
MICROSECONDS = 1_000_000
PROBE_S_MAX = 3.0
"""How long asking once more, only to learn why, may take."""
PASSWORD_BYTES_MAX = 65_535
"""What MQTT can carry."""
OTHER_NAME = (
    "the certificate of the broker is for another name than {host!r}: use a name that stands in it,"
    " or make one with this name"
)
VERIFY_CODES = {
    9: "the certificate of the broker {where} counts from later on: is this clock right?",
    10: "the certificate of the broker {where} has expired: renew it there",
    62: OTHER_NAME,
    64: OTHER_NAME,
}
"""What OpenSSL thinks of the broker's certificate."""
ALERTS = {
    "CERTIFICATE_REQUIRED": "the broker asks for a certificate of ours:"
    " set TALLYGATE_MQTT_CERTIFICATE and TALLYGATE_MQTT_KEY",
    "HANDSHAKE_FAILURE": "the broker ends the handshake: does it ask for a certificate of ours?"
    " TALLYGATE_MQTT_CERTIFICATE and TALLYGATE_MQTT_KEY name it",
    "CERTIFICATE_EXPIRED": "the broker says that our certificate {certificate} has expired: renew"
    " it",
    "CERTIFICATE_REVOKED": "the broker says that our certificate {certificate} was revoked",
    "UNKNOWN_CA": "the broker does not know who signed our certificate {certificate}",
    "BAD_CERTIFICATE": "the broker does not accept our certificate {certificate}",
    "CERTIFICATE_UNKNOWN": "the broker does not accept our certificate {certificate}",
    "WRONG_VERSION_NUMBER": "{where} does not speak TLS: is this the port for mqtts://?",
    "KEY_VALUES_MISMATCH": "the key does not belong to our certificate {certificate}",
}
"""What the broker says of us, and other troubles of TLS, by a part of OpenSSL's reason."""
CONNECTION_CODES = {
    132: "the broker does not speak this MQTT: set TALLYGATE_MQTT_PROTOCOL to 5 or 3.1.1",
    133: "the broker does not take our client identifier",
    134: "the broker does not take the password of {who}",
    135: "the broker does not let in {who}: no such user, a wrong password, or not permitted",
}
"""Reason codes of MQTT 5; the library tells those of 3.1.1 by the same numbers."""


class BrokerError(Exception):
    """What the environment says of the broker cannot be used; the message says what to change."""


class PlainWordsError(aiomqtt.MqttError):
    """An end of a connection whose message says it all: there is nothing to ask."""


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    """Where the MQTT broker is and who we are to it."""

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    """As at the start; `current_password` follows the file."""
    is_encrypted: bool = False
    authority: str | None = None
    """File with the certificate of who signs brokers, if not the system's."""
    certificate: str | None = None
    """File with our own certificate."""
    key: str | None = None
    """File with its key."""
    password_file: str | None = None
    is_mqtt_5: bool = False
    """MQTT 5 tells what is refused; 3.1.1 is silent about it."""

    def tls(self) -> ssl.SSLContext | None:
        """How to encrypt, if at all. Raises OSError where a file cannot be used."""
        if not self.is_encrypted:
            return None
        context = ssl.create_default_context(cafile=self.authority)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context

    def current_password(self) -> str | None:
        """The password, from its file as it is now. Raises OSError."""
        if self.password_file is None:
            return self.password
        return read_password(self.password_file)

    def files(self) -> tuple[Path, ...]:
        """Files that a connection depends on."""
        names = (self.authority, self.certificate, self.key, self.password_file)
        return tuple(Path(name) for name in names if name is not None)

    def identity(self) -> str:
        """Who we are to the broker, as far as we can know."""
        certificate = own_certificate(self)
        if certificate is None:
            return f"user {self.username!r}" if self.username else "nobody"
        return f"certificate {certificate.subject.rfc4514_string().removeprefix('CN=')!r}"


def read_password(path: str) -> str:
    """The first line of a file. Raises OSError where there is none that could be a password."""
    with Path(path).open("rb") as file:
        raw = file.read(PASSWORD_BYTES_MAX + 1)
    try:
        line = raw.decode().partition("\n")[0].removesuffix("\r")
    except UnicodeDecodeError as error:
        raise OSError(f"{path} is no text") from error
    if not line or len(raw) > PASSWORD_BYTES_MAX:
        raise OSError(f"{path} holds no password in its first line")
    return line


def broker_from(environment: Mapping[str, str]) -> Broker:
    """The broker as TALLYGATE_MQTT_... say. Raises BrokerError."""
    url = environment.get("TALLYGATE_MQTT_URL") or f"mqtt://127.0.0.1:{MQTT_PORT}"
    problem = f"TALLYGATE_MQTT_URL is mqtt://host:port or mqtts://host:port, not {url!r}"
    try:
        address = urlsplit(url)
        port = address.port
    except ValueError as error:
        raise BrokerError(problem) from error
    if address.scheme not in {"mqtt", "mqtts"} or not address.hostname:
        raise BrokerError(problem)
    is_encrypted = address.scheme == "mqtts"
    named = {
        name: environment.get(f"TALLYGATE_MQTT_{name}") or None
        for name in ("CA", "CERTIFICATE", "KEY", "USERNAME", "PASSWORD_FILE")
    }
    _check(named, is_encrypted=is_encrypted, has_password=bool(address.password))
    protocol = environment.get("TALLYGATE_MQTT_PROTOCOL") or ("5" if is_encrypted else "3.1.1")
    if protocol not in {"5", "3.1.1"}:
        raise BrokerError(f"TALLYGATE_MQTT_PROTOCOL is 5 or 3.1.1, not {protocol!r}")
    password = unquote(address.password) if address.password else None
    if named["PASSWORD_FILE"]:
        try:
            password = read_password(named["PASSWORD_FILE"])
        except OSError as error:
            raise BrokerError(f"TALLYGATE_MQTT_PASSWORD_FILE: {error}") from error
    return Broker(
        host=address.hostname,
        port=port or (MQTTS_PORT if is_encrypted else MQTT_PORT),
        username=unquote(address.username) if address.username else named["USERNAME"],
        password=password,
        is_encrypted=is_encrypted,
        authority=named["CA"],
        certificate=named["CERTIFICATE"],
        key=named["KEY"],
        password_file=named["PASSWORD_FILE"],
        is_mqtt_5=protocol == "5",
    )


def _check(named: Mapping[str, str | None], *, is_encrypted: bool, has_password: bool) -> None:
    """Raises BrokerError where settings contradict each other."""
    for name in ("CA", "CERTIFICATE", "KEY"):
        path = named[name]
        if path is not None and not is_encrypted:
            raise BrokerError(f"TALLYGATE_MQTT_{name} needs TALLYGATE_MQTT_URL mqtts://...")
        if path is not None and not Path(path).is_file():
            raise BrokerError(f"TALLYGATE_MQTT_{name}: there is no file {path}")
    if named["KEY"] and not named["CERTIFICATE"]:
        raise BrokerError("TALLYGATE_MQTT_KEY needs TALLYGATE_MQTT_CERTIFICATE")
    if named["PASSWORD_FILE"] and has_password:
        raise BrokerError("the password is in TALLYGATE_MQTT_URL and in a file: take one of them")


def files_as_they_are(broker: Broker) -> tuple[tuple[int, int, int], ...]:
    """Changes whenever one of the broker's files is replaced or written."""
    found = []
    for path in broker.files():
        try:
            status = path.stat()
            found.append((status.st_ino, status.st_mtime_ns, status.st_size))
        except OSError:
            found.append((0, 0, 0))
    return tuple(found)


def own_certificate(broker: Broker) -> Certificate | None:
    """Our own certificate, where there is one that can be read."""
    if broker.certificate is None:
        return None
    from cryptography import x509  # noqa: PLC0415 - 12 MB, only for who has a certificate.

    try:
        return x509.load_pem_x509_certificate(Path(broker.certificate).read_bytes())
    except (OSError, ValueError):
        return None


def certificate_until_us(broker: Broker) -> int | None:
    """When our own certificate ends, wall time."""
    certificate = own_certificate(broker)
    if certificate is None:
        return None
    return int(certificate.not_valid_after_utc.timestamp() * MICROSECONDS)


def why_not(broker: Broker, problem: BaseException) -> str:
    """Why there is no connection, in words that say what to do. Blocking: it may ask once more."""
    if isinstance(problem, PlainWordsError):
        return str(problem)
    code = getattr(problem, "rc", None)
    if isinstance(code, ReasonCode):
        return _refused(broker, code)
    until_us = certificate_until_us(broker)
    if until_us is not None and until_us < time.time() * MICROSECONDS:
        ended = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(until_us / MICROSECONDS))
        return f"our certificate {broker.certificate} expired on {ended}: renew it"
    cause = problem if isinstance(problem, ssl.SSLError) else problem.__context__
    if broker.is_encrypted and not isinstance(cause, ssl.SSLError):
        cause = _handshake(broker)
    if isinstance(cause, ssl.SSLError):
        return _tls_trouble(broker, cause)
    return str(problem) or type(problem).__name__


def _refused(broker: Broker, code: ReasonCode) -> str:
    who = broker.identity()
    text = CONNECTION_CODES.get(code.value, "the broker refuses {who}: {code}")
    return text.format(who=who, code=code)


def _tls_trouble(broker: Broker, error: ssl.SSLError) -> str:
    where = f"{broker.host}:{broker.port}"
    if isinstance(error, ssl.SSLCertVerificationError):
        signer = broker.authority or "the system's authorities (set TALLYGATE_MQTT_CA)"
        unknown = f"the certificate of the broker {{where}} is not signed by {signer}:"
        unknown += f" {error.verify_message}"
        text = VERIFY_CODES.get(error.verify_code, unknown)
    else:
        reason = (error.reason or str(error)).upper()
        text = next((words for part, words in ALERTS.items() if part in reason), "")
        text = text or f"no TLS with {{where}}: {reason}"
    return text.format(where=where, host=broker.host, certificate=broker.certificate)


def _handshake(broker: Broker) -> ssl.SSLError | None:
    """Connect once more, only to learn what TLS says: an MQTT library tells no more than 'lost'."""
    try:
        context = broker.tls()
        assert context is not None
        address = (broker.host, broker.port)
        with (
            socket.create_connection(address, PROBE_S_MAX) as plain,
            context.wrap_socket(plain, server_hostname=broker.host) as secure,
        ):
            secure.settimeout(PROBE_S_MAX)
            # In TLS 1.3 a server tells what it thinks of our certificate after the handshake.
            # Whoever sends first may find the connection closed, and never read why.
            secure.recv(1)
    except ssl.SSLEOFError:
        return None  # It only ended: that says nothing of why.
    except ssl.SSLError as error:
        return error
    except OSError:
        return None
    return None
