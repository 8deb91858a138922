"""An append-only log whose lines are chained by hash: who did what, when, to what.

Each line is a JSON object with the SHA-256 of the line before it; the hash of the last line is the
head. The head is published, so that cutting lines off the end shows as well (21 CFR 11.10(e)).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .clock import Stamp

GENESIS = "0" * 64
Details = dict[str, "str | int | float | bool | None"]


class AuditError(Exception):
    """The chain does not hold; the message names the line."""


@dataclass(frozen=True)
class Chain:
    """A verified chain: number of lines, head, size in bytes up to the last whole line."""

    lines: int
    head: str
    size: int
    torn: bytes


def verify(path: Path) -> Chain:
    """Check every link. Raises AuditError at the first line that does not fit.

    An unfinished last line, as a power cut leaves it, is returned as `torn`.
    """
    head, lines, size = GENESIS, 0, 0
    with path.open("rb") as stream:
        for raw in stream:
            if not raw.endswith(b"\n"):
                return Chain(lines, head, size, raw)
            try:
                previous = json.loads(raw)["previous"]
            except (ValueError, KeyError, TypeError, RecursionError):
                raise AuditError(f"{path}: line {lines + 1} is not an audit line") from None
            if previous != head:
                raise AuditError(f"{path}: line {lines + 1} does not follow the line before it")
            head, lines, size = hashlib.sha256(raw).hexdigest(), lines + 1, size + len(raw)
    return Chain(lines, head, size, b"")


class Audit:
    """The open log. Raises AuditError for a broken chain, OSError for disk trouble."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()
        chain = verify(path)
        self.head, self.lines, self._size = chain.head, chain.lines, chain.size
        self._stream: BinaryIO = path.open("r+b")
        self._stream.seek(chain.size)
        # Not obscured: the half line moves to a file of its own before the log goes on without it.
        self.torn: Path | None = None
        if chain.torn:
            self.torn = path.with_name(f"{path.name}.torn-{chain.lines + 1}")
            with self.torn.open("ab") as kept:
                kept.write(chain.torn)
            self._stream.truncate()

    def append(self, at: Stamp, who: str, what: str, details: Details) -> str:
        """Add a line and return the new head. On return it survives a power cut."""
        entry = {
            "number": self.lines + 1,
            "previous": self.head,
            "utc": at.iso,
            "running_s": round(at.running_s, 3),
            "boot": at.boot,
            "who": who,
            "what": what,
            "details": details,
        }
        raw = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        if self._stream.closed:
            self._reopen()
        try:
            self._stream.write(raw)
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError:
            # It may sit half in the buffer and half on the disk: drop both halves, now or, where
            # the disk does not even allow that, before the next line.
            with contextlib.suppress(OSError):
                self._reopen()
            raise
        self.head, self.lines = hashlib.sha256(raw).hexdigest(), self.lines + 1
        self._size += len(raw)
        return self.head

    def _reopen(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.close()
        stream = self.path.open("r+b")
        try:
            stream.truncate(self._size)
            stream.seek(self._size)
        except OSError:
            stream.close()
            raise
        self._stream = stream

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
