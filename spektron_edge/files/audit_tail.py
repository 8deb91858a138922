"""The newest lines of an audit log, read from its end: a log of years is not read for its last
page."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from .audit_segments import HEAD_DIGITS, read_segment, segment_head, segments

_BLOCK = 2**16


@dataclass(frozen=True)
class Line:
    """A line as it stands there. entry: empty where it is no audit line; head: its SHA-256."""

    entry: dict[str, Any]
    head: str

    @property
    def number(self) -> int | None:
        """Of the line; None where it is none."""
        found = self.entry.get("number")
        return found if isinstance(found, int) else None


def newest(path: Path, limit: int, before: int | None = None) -> list[Line]:
    """At most so many lines, the newest first; before: only those of lower numbers.

    They go on in the segments that are here. Nothing is verified, and an unfinished last line is
    left out. Raises OSError.
    """
    found: list[Line] = []
    for raw in _all_backwards(path):
        line = Line(_entry(raw), hashlib.sha256(raw).hexdigest())
        if before is not None and (line.number is None or line.number >= before):
            continue
        before = None
        found.append(line)
        if len(found) >= limit:
            break
    return found


def _all_backwards(path: Path) -> Iterator[bytes]:
    raw = b""
    with path.open("rb") as stream:
        for raw in _backwards(stream):
            yield raw
    # Only what the log goes on from: other segments are of a chain that ended.
    known = {segment_head(file): file for file in segments(path)}
    while (file := known.pop(str(_entry(raw).get("previous"))[:HEAD_DIGITS], None)) is not None:
        for raw in _backwards(io.BytesIO(read_segment(file))):
            yield raw


def _entry(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _backwards(stream: BinaryIO) -> Iterator[bytes]:
    """Whole lines with their ends, the last one first."""
    left = stream.seek(0, os.SEEK_END)
    rest, ended = b"", False
    while left:
        size = min(_BLOCK, left)
        left -= size
        stream.seek(left)
        *lines, last = (stream.read(size) + rest).split(b"\n")
        if left:
            rest, *lines = [*lines, last]
        else:
            rest, lines = b"", [*lines, last]
        for line in reversed(lines):
            # What follows the last end of a line is no line.
            if ended:
                yield line + b"\n"
            ended = True
