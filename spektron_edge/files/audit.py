"""An append-only log whose lines are chained by hash: who did what, when, to what.

Each line is a JSON object with the SHA-256 of the line before it; the hash of the last line is the
head. The head is published, so that cutting lines off the end shows as well (21 CFR 11.10(e)).

Where the log has become long it goes on in a new file, whose first line follows the last one of the
file before (`audit_segments.py`).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from spektron_edge.clock import Stamp

from .durable import write_durably
from .set_aside import set_aside

GENESIS = "0" * 64
CONTINUED, CARRIED = "audit_continued", "counter_carried"
Details = dict[str, "str | int | float | bool | None"]


class AuditError(Exception):
    """The chain does not hold; the message names the line."""


@dataclass(frozen=True)
class Chain:
    """A verified chain: number of its last line, head, size in bytes up to the last whole line.

    found: line whose hash was looked for; 0 for the head of an empty log, None where there is none;
    first: number of its first line; before: head of the file that it goes on from.
    """

    lines: int
    head: str
    size: int
    torn: bytes
    found: int | None = None
    first: int = 1
    before: str = GENESIS


def verify(path: Path, wanted: str | None = None) -> Chain:
    """Check every link. Raises AuditError at the first line that does not fit.

    wanted: a head to look for. An unfinished last line, as a power cut leaves it, is returned as
    `torn`.
    """
    with path.open("rb") as stream:
        return follow(stream, str(path), wanted)


def follow(stream: BinaryIO, path: str, wanted: str | None) -> Chain:
    """The same of an open file. Raises AuditError."""
    head, lines, size, first, before = GENESIS, 0, 0, 1, GENESIS
    found = 0 if wanted == GENESIS else None
    for raw in stream:
        if not raw.endswith(b"\n"):
            return Chain(lines, head, size, raw, found, first, before)
        try:
            entry = json.loads(raw)
            previous = entry["previous"]
            if not size and entry["what"] == CONTINUED and int(entry["number"]) > 1:
                first, head = int(entry["number"]), str(previous)
                lines, before = first - 1, head
        except (ValueError, KeyError, TypeError, RecursionError):
            raise AuditError(f"{path}: line {lines + 1} is not an audit line") from None
        if previous != head:
            raise AuditError(f"{path}: line {lines + 1} does not follow the line before it")
        head, lines, size = hashlib.sha256(raw).hexdigest(), lines + 1, size + len(raw)
        if head == wanted:
            found = lines
    return Chain(lines, head, size, b"", found, first, before)


class Audit:
    """The open log. Raises AuditError for a broken chain, OSError for disk trouble."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()
        chain = verify(path)
        self.head, self.lines, self._size = chain.head, chain.lines, chain.size
        self.first = chain.first
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
        raw = self._line(at, who, what, details, self.lines + 1, self.head)
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

    @staticmethod
    def _line(
        at: Stamp, who: str, what: str, details: Details, number: int, previous: str
    ) -> bytes:
        entry = {
            "number": number,
            "previous": previous,
            "utc": at.iso,
            "running_s": round(at.running_s, 3),
            "boot": at.boot,
            "who": who,
            "what": what,
            "details": details,
        }
        return json.dumps(entry, sort_keys=True, separators=(",", ":")).encode() + b"\n"

    @property
    def size(self) -> int:
        """Bytes of the open file."""
        return self._size

    def read(self) -> bytes:
        """All whole lines of the open file. Raises OSError."""
        if self._stream.closed:
            # A disk that was full did not even let it be opened again.
            self._reopen()
        self._stream.flush()
        return os.pread(self._stream.fileno(), self._size, 0)

    def go_on_anew(self, at: Stamp, segment: str, counters: Mapping[str, int]) -> None:
        """A new file, which says that the lines before it lie in `segment`; counters: of operators,
        which are known from lines. On return it survives a power cut. Raises OSError."""
        details: Details = {"segment": segment, "lines": self.lines - self.first + 1}
        raws, head, number = [], self.head, self.lines
        told: list[tuple[str, Details]] = [(CONTINUED, details)]
        told += [(CARRIED, {"operator": who, "counter": n}) for who, n in counters.items()]
        for what, about in told:
            number += 1
            raws.append(self._line(at, "daemon", what, about, number, head))
            head = hashlib.sha256(raws[-1]).hexdigest()
        write_durably(self.path, b"".join(raws))
        self.first, self.lines, self.head = self.lines + 1, number, head
        self._size = sum(map(len, raws))
        self._reopen()

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
        held = self.read()
        aside = set_aside(self.path) if self.path.exists() else None
        write_durably(self.path, held)
        self._reopen()
        return aside

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
