"""`bdSeq`: the number that ties an edge node's death to its births, over restarts."""

from __future__ import annotations

from pathlib import Path

from spektron_edge import log
from spektron_edge.files.durable import write_durably

BD_SEQ_FILE = "sparkplug-bdseq"
_COUNT = 256
_DIGITS = 4


class BdSeq:
    """One file with the last number used. It is written before the number is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: int | None = None
        self._told = False

    def next(self) -> int:
        """The number of the next CONNECT: 0 at first, and again after 255."""
        last = self._read() if self._last is None else self._last
        number = (last + 1) % _COUNT
        try:
            write_durably(self._path, b"%d\n" % number)
        except OSError as error:
            self._warn(error)
        self._last = number
        return number

    def _read(self) -> int:
        try:
            text = self._path.read_text("ascii")
        except FileNotFoundError:
            return -1
        except (OSError, ValueError) as error:
            self._warn(error)
            return -1
        if not text.strip().isdigit() or int(text) >= _COUNT:
            self._warn(f"{self._path} holds no bdSeq")
            return -1
        return int(text)

    def _warn(self, why: object) -> None:
        # An edge node that counts from memory is better than none.
        if not self._told:
            self._told = True
            log.warn("bdseq_not_kept", detail=why, next="check `state_dir`")


def farther(path: Path) -> None:
    """Half the circle on from the number that a backup had: numbers used since lie behind.

    Raises OSError.
    """
    text = path.read_bytes().strip()
    last = int(text) % _COUNT if text.isdigit() and len(text) < _DIGITS else 0
    write_durably(path, b"%d\n" % ((last + _COUNT // 2) % _COUNT))
