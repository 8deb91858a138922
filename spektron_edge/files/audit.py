"""An append-only log whose lines are chained by hash: who did what, when, to what.

Each line is a JSON object with the SHA-256 of the line before it; the hash of the last line is the
head. The head is published, so that cutting lines off the end shows as well (21 CFR 11.10(e)).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from spektron_edge.clock import Stamp

from .durable import write_durably
from .set_aside import set_aside

GENESIS = "0" * 64
Details = dict[str, "str | int | float | bool | None"]


class AuditError(Exception):
    """The chain does not hold; the message names the line."""


@dataclass(frozen=True)
class Chain:
    """A verified chain: number of lines, head, size in bytes up to the last whole line.

    found: line whose hash was looked for; 0 for the head of an empty log, None where there is none.
    """

    lines: int
    head: str
    size: int
    torn: bytes
    found: int | None = None


def check(path: Path, head: str | None, lines: int | None) -> Chain:
    """Check every link, that a published head is among them, and that there are so many lines.

    Raises AuditError naming the line that does not fit, or what is missing; OSError.
    """
    chain = verify(path, head)
    cut = "lines were cut off the end, or this is another log"
    if head is not None and chain.found is None:
        raise AuditError(f"{path}: head {head[:12]} not found in {chain.lines} lines: {cut}")
    if lines is not None and chain.lines < lines:
        raise AuditError(f"{path}: {chain.lines} lines instead of {lines} or more: {cut}")
    return chain


def verify(path: Path, wanted: str | None = None) -> Chain:
    """Check every link. Raises AuditError at the first line that does not fit.

    wanted: a head to look for. An unfinished last line, as a power cut leaves it, is returned as
    `torn`.
    """
    head, lines, size = GENESIS, 0, 0
    found = 0 if wanted == GENESIS else None
    with path.open("rb") as stream:
        for raw in stream:
            if not raw.endswith(b"\n"):
                return Chain(lines, head, size, raw, found)
            try:
                previous = json.loads(raw)["previous"]
            except (ValueError, KeyError, TypeError, RecursionError):
                raise AuditError(f"{path}: line {lines + 1} is not an audit line") from None
            if previous != head:
                raise AuditError(f"{path}: line {lines + 1} does not follow the line before it")
            head, lines, size = hashlib.sha256(raw).hexdigest(), lines + 1, size + len(raw)
            if head == wanted:
                found = lines
    return Chain(lines, head, size, b"", found)


class Audit:
    """The open log. Raises AuditError for a broken chain, OSError for disk trouble."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()
        chain = verify(path)
        self.head, self.lines, self._size = chain.head, chain.lines, chain.size
        self._stream: BinaryIO = path.open("r+b")
        self._opened = os.fstat(self._stream.fileno())
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
        self._stream, self._opened = stream, os.fstat(stream.fileno())

    @property
    def in_place(self) -> bool:
        """Whether the open file still has its name."""
        try:
            return os.path.samestat(self._opened, self.path.stat())
        except OSError:
            return False

    def put_back(self) -> Path | None:
        """Write what the open file holds to a new one, and go on with it.

        Returns where another file was set aside that had the name. Raises OSError.
        """
        if self._stream.closed:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path))
        self._stream.flush()
        held = os.pread(self._stream.fileno(), self._size, 0)
        aside = set_aside(self.path) if self.path.exists() else None
        write_durably(self.path, held)
        self._reopen()
        return aside

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
