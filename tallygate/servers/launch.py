"""Becomes a server: sets what only the child can set, then replaces itself by the program.

    python launch.py SIGNAL ACCOUNT PROGRAM ARGUMENT...

It runs as a plain file on a bare interpreter, so it imports nothing of ours. On Linux the server
gets SIGNAL, a number, when the process that started it dies, so a killed stack leaves no orphan;
elsewhere the next start in the folder ends it (see `child.py`). A hook between fork and exec could
do the same, but such hooks can hang a program with threads.

PostgreSQL refuses to run as root. With an ACCOUNT (not "-") the server runs as that account, and
keeps one right of root's: to pass through folders that are closed to others (an environment below
a closed home, a temporary folder of tests). The other way would be to open those folders to
everybody, which is not ours to decide.
"""

import ctypes
import os
import pwd
import sys

SET_PARENT_DEATH_SIGNAL = 1
SET_KEEP_CAPABILITIES = 8
AMBIENT_CAPABILITIES = 47
AMBIENT_RAISE = 2
CAPABILITY_VERSION_3 = 0x20080522
READ_AND_SEARCH_ANYWHERE = 2
"""CAP_DAC_READ_SEARCH: the smaller right, often withheld from containers."""
OVERRIDE_PERMISSIONS = 1
"""CAP_DAC_OVERRIDE: the larger right, which containers have by default."""


def main(arguments: list[str]) -> None:
    """Changes account where asked, ties the server's life to its starter's, and runs the server."""
    end_signal, account, *command = arguments
    starter = os.getppid()
    library = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if account != "-":
        change_account(library, account)
    if library is not None:
        # After the change of account, which would clear it.
        library.prctl(SET_PARENT_DEATH_SIGNAL, int(end_signal), 0, 0, 0)
        if os.getppid() != starter:
            raise SystemExit("launch: the starter is gone already")
    os.execvp(command[0], command)  # noqa: S606 - A shell is what we do without.


def change_account(library: ctypes.CDLL | None, name: str) -> None:
    """Becomes another account; keeps the right to pass closed folders where that can be."""
    account = pwd.getpwnam(name)
    if library is not None:
        library.prctl(SET_KEEP_CAPABILITIES, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    if library is None:
        return
    for capability in (READ_AND_SEARCH_ANYWHERE, OVERRIDE_PERMISSIONS):
        if keep_capability(library, capability):
            return


def keep_capability(library: ctypes.CDLL, capability: int) -> bool:
    """Keeps one capability across the coming exec; false where it is withheld from us."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    bit = 1 << capability
    # Effective, permitted and inheritable, of the lower 32 capabilities, then of the upper 32.
    rights = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    if library.capset(header, rights) != 0:
        return False
    return bool(library.prctl(AMBIENT_CAPABILITIES, AMBIENT_RAISE, capability, 0, 0) == 0)


if __name__ == "__main__":
    main(sys.argv[1:])
