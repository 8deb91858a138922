"""Whether another process holds a lock file, without taking it: that would refuse its owner."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_LOCKS = Path("/proc/locks")


def is_locked(path: Path) -> bool:
    """Whether any process holds `flock` on it; false where that cannot be known (proc(5))."""
    try:
        file = path.stat()
        lines = _LOCKS.read_text().splitlines()
    except OSError:
        return False
    # `3: FLOCK  ADVISORY  WRITE 4711 08:02:131 0 EOF`. Numbers of devices differ from stat's on
    # file systems that lie upon others, so that the inode has to do; but each container counts its
    # terminals anew, and these lie upon nothing.
    ends = f":{file.st_ino}"
    if stat.S_ISCHR(file.st_mode):
        ends = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}{ends}"
    fields = (line.split() for line in lines)
    return any(len(f) > 5 and f[1] == "FLOCK" and f[5].endswith(ends) for f in fields)
