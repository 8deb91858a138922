"""Where a configuration lies, and as whose: by hand, or as the package's units expect it."""

from __future__ import annotations

import contextlib
import os
import pwd
from pathlib import Path

from spektron_edge.examination.users import SERVICE_USER

PACKAGED = Path("/etc/spektron-edge/spektron.toml")
PACKAGED_STATE = Path("/var/lib/spektron-edge")
_HERE = Path("spektron.toml")


def usual_place() -> Path:
    """The package's, where that is installed; else the current folder."""
    return PACKAGED if PACKAGED.parent.is_dir() else _HERE


def is_packaged(path: Path) -> bool:
    """Whether the units read it."""
    return path.resolve() == PACKAGED


def hand_over(path: Path, configuration: Path) -> None:
    """To the service's user, where root makes something for the units. Raises OSError."""
    if os.geteuid() == 0 and is_packaged(configuration):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(SERVICE_USER)
            os.chown(path, user.pw_uid, user.pw_gid)
