"""`python -m tests.soak.shifted FILE ...`: the command line, by a wall clock that FILE moves.

FILE holds one double: seconds by which the wall clock is ahead. What only runs forward is as it is.
"""

from __future__ import annotations

import mmap
import struct
import sys
import time
from pathlib import Path

_real = time.time
with Path(sys.argv[1]).open("rb") as _file:
    _page = mmap.mmap(_file.fileno(), 8, prot=mmap.PROT_READ)


def shifted() -> float:
    return _real() + struct.unpack_from("d", _page)[0]


time.time = shifted

from spektron_edge.cli.main import main  # noqa: E402  by the clock above

sys.exit(main(sys.argv[2:]))
