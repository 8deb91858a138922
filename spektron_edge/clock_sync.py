"""Whether something sets the host's clock: on a machine without a battery-backed one, the time
after a start is wrong until then, and it may look right (many restore the time of their last stop).

The kernel knows whether its clock is synchronised. A machine on which nothing ever was cannot be
told from one with a good clock of its own, so only a machine that has been synchronised before is
waited for, once after each start; what is synchronised once stays good until the next.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

from spektron_edge.files.durable import write_durably

from . import log
from .clock import Stamp

SYNC_FILE = "clock.json"
_TIME_ERROR = 5
_TIMEX_BYTES = 256
_UNKNOWN_BOOT = "unknown"


def kernel_synchronised() -> bool | None:
    """adjtimex(2), which only looks when it is asked to change nothing; None where it fails."""
    state = _libc().adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return None if state < 0 else bool(state != _TIME_ERROR)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


class ClockSync:
    """Remembers in a file in which boot of the host its clock was last synchronised."""

    def __init__(
        self, path: Path, synchronised: Callable[[], bool | None] = kernel_synchronised
    ) -> None:
        """path: may not be there. A file that cannot be understood is as good as none."""
        self._path = path
        self._synchronised = synchronised
        self._boot: str | None = None
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            self._boot = str(json.loads(path.read_bytes())["boot"])

    def awaited(self, now: Stamp) -> bool:
        """Whether this machine's clock is synchronised as a rule, and not yet since its start."""
        if now.boot in (self._boot, _UNKNOWN_BOOT):
            return False
        if not self._synchronised():
            return self._boot is not None
        self._boot = now.boot
        try:
            write_durably(self._path, json.dumps({"boot": now.boot}).encode() + b"\n")
        except OSError as error:
            # The next start then judges by an older one: as cautious as it can be.
            log.warn("clock_sync_not_saved", detail=error, next="make room in `state_dir`")
        return False
