"""Secrets and PINs as the site file keeps them: salted scrypt hashes, on one line each.

`scrypt:{log2 of N}:{r}:{p}:{salt}:{hash}`, the last two in base64url. The figures are the ones that
OWASP advises for scrypt with 32 MB of memory. A PIN of six digits still falls to somebody who has
the file and some days: the file is to be kept like a key, and passwords beat PINs.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode

SALT_BYTES = 16
HASH_BYTES = 32
COST = (15, 8, 3)
"""Log2 of N, r and p: about 0.2 s and 32 MB for one guess on a desk machine."""
DUMMY = "scrypt:15:8:3:AAAAAAAAAAAAAAAAAAAAAA:" + "A" * 43
"""Compared where there is nobody of that name, so that the answer takes as long."""


def hash_line(secret: str, salt: bytes, cost: tuple[int, int, int] = COST) -> str:
    """The line for the site file. `salt`: SALT_BYTES random bytes."""
    digest = _scrypt(secret, salt, cost)
    figures = ":".join(str(figure) for figure in cost)
    return f"scrypt:{figures}:{_text(salt)}:{_text(digest)}"


def is_secret(secret: str, line: str) -> bool:
    """Whether a secret is the one of a line that the site file's check has passed. Slow."""
    _, log_n, r, p, salt, digest = line.split(":")
    found = _scrypt(secret, _bytes(salt), (int(log_n), int(r), int(p)))
    return hmac.compare_digest(found, _bytes(digest))


def _scrypt(secret: str, salt: bytes, cost: tuple[int, int, int]) -> bytes:
    log_n, r, p = cost
    n = 1 << log_n
    memory = 128 * r * (n + p + 2) + 1_000_000
    return hashlib.scrypt(
        secret.encode(), salt=salt, n=n, r=r, p=p, maxmem=memory, dklen=HASH_BYTES
    )


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
