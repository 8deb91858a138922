"""Which user the daemon runs as, and what that user may do to a file."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
from dataclasses import dataclass
from pathlib import Path

SERVICE_USER = "spektron"
"""As the package and deploy/systemd make it."""
READ, WRITE, ENTER = 4, 2, 1


@dataclass(frozen=True)
class User:
    """groups: numbers of all of them, the primary one included."""

    name: str
    uid: int
    groups: frozenset[int]

    def may(self, path: Path, wanted: int) -> bool:
        """Whether permissions allow it, on the way there as well; wanted: READ, WRITE, ENTER added.

        Access lists beyond the mode are not considered. Raises OSError.
        """
        if self.uid == 0:
            return path.exists()
        whole = path.resolve()
        way = all(self._may(parent, ENTER) for parent in whole.parents)
        return way and self._may(whole, wanted)

    def _may(self, path: Path, wanted: int) -> bool:
        found = path.stat()
        shift = 6 if found.st_uid == self.uid else 3 if found.st_gid in self.groups else 0
        return (found.st_mode >> shift) & wanted == wanted


def daemon_user(state_dir: Path) -> User:
    """The owner of the state folder. Before there is one: the service's user, where root asks and
    there is such a user; else whoever asks."""
    with contextlib.suppress(OSError):
        return _user(state_dir.stat().st_uid)
    if os.geteuid() == 0:
        with contextlib.suppress(KeyError):
            return _user(pwd.getpwnam(SERVICE_USER).pw_uid)
    return _user(os.geteuid())


def _user(uid: int) -> User:
    own = frozenset((*os.getgroups(), os.getegid())) if uid == os.geteuid() else frozenset()
    try:
        known = pwd.getpwuid(uid)
    except KeyError:
        return User(str(uid), uid, own)
    if own and uid != 0:
        # Those of this login: a group that was given since then counts at the next one.
        return User(known.pw_name, uid, own)
    return User(known.pw_name, uid, frozenset(os.getgrouplist(known.pw_name, known.pw_gid)))


def group_name(gid: int) -> str:
    """Its name, or its number."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
