"""Whether another process holds a lock file, without taking it: that would refuse its owner."""

from __future__ import annotations

from pathlib import Path

_LOCKS = Path("/proc/locks")


def is_locked(path: Path) -> bool:
    """Whether any process holds `flock` on it; false where that cannot be known (proc(5))."""
    try:
        inode = path.stat().st_ino
        lines = _LOCKS.read_text().splitlines()
    except OSError:
        return False
    # `3: FLOCK  ADVISORY  WRITE 4711 08:02:131 0 EOF`. Numbers of devices differ from stat's on
    # file systems that lie upon others, so that the inode has to do.
    fields = (line.split() for line in lines)
    return any(
        len(f) > 5 and f[1] == "FLOCK" and f[5].rpartition(":")[2] == str(inode) for f in fields
    )
