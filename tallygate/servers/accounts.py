"""Which system account a server runs as when we are root."""

import os
import pwd

NOBODY = "nobody"
"""Every Unix has this account; it owns nothing."""


def account_for(preferred: str) -> str | None:
    """The account to change to: none where we are not root, else the server's, else nobody's."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(preferred)
    except KeyError:
        return NOBODY
    return preferred
