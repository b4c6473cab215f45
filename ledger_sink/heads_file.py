"""The key and the published heads, in files outside the database.

`key.pem` (mode 0600) signs, `public.pem` is for whoever verifies, `heads.jsonl` only grows.
Copy the last two to where the database's administrator cannot reach them.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from ledger_sink.core.heads import (
    TRUNCATED_BYTES,
    Head,
    ReadHead,
    check_head,
    line_digest,
    read_head,
)
from ledger_sink.settings import SinkError

KEY = "key.pem"
PUBLIC_KEY = "public.pem"
HEADS = "heads.jsonl"


class PublicKey(NamedTuple):
    """A key that verifies."""

    key: Ed25519PublicKey
    """The key itself."""
    name: str
    """SHA-256 of its 32 bytes, hexadecimal."""

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether this key's private half made the signature."""
        try:
            self.key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class Signer:
    """The key that signs; made at first use."""

    def __init__(self, folder: Path) -> None:
        """Raises SinkError where the key cannot be read or made."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / KEY
        try:
            if not path.exists():
                _make_key(path)
            key = load_pem_private_key(path.read_bytes(), password=None)
            self.is_private = not path.stat().st_mode & 0o077
            """Whether nobody but its owner can read or change the key's file."""
        except (OSError, ValueError) as error:
            raise SinkError(f"the signing key {path} cannot be used: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise SinkError(f"the signing key {path} is no Ed25519 key")
        self._key = key
        public = key.public_key()
        self.public = PublicKey(public, _name(public))
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        if not (folder / PUBLIC_KEY).exists():
            _write_whole(folder / PUBLIC_KEY, pem, 0o644)

    def sign(self, message: bytes) -> bytes:
        """The signature of a message."""
        return self._key.sign(message)


def read_public_key(path: Path) -> PublicKey:
    """The public key in a file. Raises OSError, or ValueError where it is none of ours."""
    key = load_pem_public_key(path.read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"{path} is no Ed25519 public key")  # noqa: TRY004 - it is the file.
    return PublicKey(key, _name(key))


class PublishedHeads(NamedTuple):
    """What a file of heads holds."""

    heads: tuple[ReadHead, ...]
    """The good ones, up to the first that is not."""
    mistake: str | None
    """What is wrong with the one behind them, if there is one."""
    last_digest: str
    """Digest of the last good one's line."""

    @property
    def last(self) -> Head | None:
        """The last good head."""
        return self.heads[-1].head if self.heads else None


def read_heads(path: Path, site: str, key: PublicKey) -> PublishedHeads:
    """Read and check a file of heads; a last line without its end was never published whole.

    A copy that was gathered from the topic or the webhook may hold a head several times, and a sink
    that was stopped, overtaken and continued may have said again what its successor had said.
    """
    raw = path.read_bytes() if path.exists() else b""
    heads: list[ReadHead] = []
    contents = bytearray()
    known: set[str] = set()
    after, digest = 0, ""
    for number, line in enumerate(raw.split(b"\n")[:-1], start=1):
        if line_digest(line) in known:
            continue
        head = read_head(line)
        checked = (
            head
            if isinstance(head, str)
            else check_head(
                head, site=site, after=after, previous=digest, key=key.name, verify=key.verify
            )
        )
        if isinstance(checked, str) and not isinstance(head, str) and head.first <= after:
            alone = check_head(
                head,
                site=site,
                after=head.first - 1,
                previous=head.previous,
                key=key.name,
                verify=key.verify,
            )
            if not isinstance(alone, str) and _says_again(alone, contents):
                continue
        if isinstance(checked, str):
            return PublishedHeads(tuple(heads), f"head in line {number}: {checked}", digest)
        heads.append(checked)
        contents += checked.contents
        after, digest = checked.head.seq, line_digest(line)
        known.add(digest)
    return PublishedHeads(tuple(heads), None, digest)


def _says_again(head: ReadHead, contents: bytearray) -> bool:
    """Whether a head, of which all else is right, differs in no entry from what was published."""
    begin = (head.head.first - 1) * TRUNCATED_BYTES
    there = contents[begin : begin + len(head.contents)]
    return begin >= 0 and head.contents.startswith(there)


class HeadsFile:
    """Appends heads; what was appended is on disk."""

    def __init__(self, path: Path) -> None:
        """Cuts off a last line that a crash left without its end."""
        self._file = path.open("ab+")
        self._file.seek(0)
        raw = self._file.read()
        whole = raw.rfind(b"\n") + 1
        if whole != len(raw):
            self._file.truncate(whole)
        os.fsync(self._file.fileno())
        _sync_folder(path.parent)
        self.end = whole
        """Up to here the disk has it, in bytes."""

    def append(self, line: bytes) -> None:
        """Write a line and wait until the disk has it. Raises SinkError if another wrote, too."""
        if os.fstat(self._file.fileno()).st_size != self.end:
            raise SinkError(
                f"another sink has taken over this site and publishes heads to {self._file.name};"
                " this one ends"
            )
        self._file.write(line + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.end += len(line) + 1

    def close(self) -> None:
        """Let the file go."""
        self._file.close()


def _make_key(path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write_whole(path, pem, 0o600)


def _write_whole(path: Path, raw: bytes, mode: int) -> None:
    """Write a file so that a crash leaves either all of it or none."""
    part = path.with_name(path.name + ".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _name(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()
