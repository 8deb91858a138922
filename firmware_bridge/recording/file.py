"""A recording: JSON, a header and then a line for every chunk of bytes. Readable, cut off anywhere.

`{"format": "spektron-recording/1", ...}`, then `{"t": 1.25, "from": "host", "hex": "0301"}` or
`{"t": 1.25, "note": "lost"}`; t in seconds since the beginning. Nothing else is in it: no
configuration, no names but the port's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO, Literal

FORMAT = "spektron-recording/1"
CONTAINS = (
    "raw bytes between host and instrument with times in seconds, and the port's name; "
    "no configuration, no results, no keys"
)
Side = Literal["host", "instrument"]
# Notes that replay acts on.
LOST = "port lost"
BACK = "port open again"
# A chunk is one read; nobody wrote a longer line.
MOST_LINE = 1 << 20
MOST_FILE = 1 << 30
MOST_S = 1e7
BAUDS = range(50, 20_000_001)
_SHOWN = 60


class RecordingError(Exception):
    """A file that is no recording, or one that nobody can read to its end."""


@dataclass(frozen=True)
class Chunk:
    """Bytes that came from one side at once, `t` s after the beginning."""

    t: float
    side: Side
    data: bytes


@dataclass(frozen=True)
class Note:
    """What happened beside the bytes."""

    t: float
    text: str


@dataclass(frozen=True)
class Recording:
    """torn: the last line was not whole: whoever wrote it was killed."""

    url: str
    baud: int
    begun: str
    lines: tuple[Chunk | Note, ...]
    torn: bool


class Writer:
    """Writes a recording; each line is with the kernel before `chunk` returns."""

    def __init__(self, path: Path, url: str, baud: int, most_bytes: int) -> None:
        """Raises OSError; a file that is there already is not touched."""
        self.path = path
        self.written = 0
        self._most_bytes = most_bytes
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        begun = datetime.now(timezone.utc).isoformat(timespec="seconds")
        head = {"format": FORMAT, "url": url, "baud": baud, "begun": begun, "contains": CONTAINS}
        self._line(head)

    @property
    def full(self) -> bool:
        """Whether the file has reached its cap."""
        return self.written >= self._most_bytes

    def chunk(self, t: float, side: Side, data: bytes) -> None:
        """Keep bytes. Raises OSError."""
        self._line({"t": round(t, 6), "from": side, "hex": data.hex()})

    def note(self, t: float, text: str) -> None:
        """Keep what happened. Raises OSError."""
        self._line({"t": round(t, 6), "note": text})

    def close(self) -> None:
        """As any file."""
        os.close(self._fd)

    def _line(self, record: dict[str, object]) -> None:
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        left = line
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from None
        self.written += len(line)


def read(path: Path) -> Recording:
    """The whole of it. Raises RecordingError, OSError."""
    if path.stat().st_size > MOST_FILE:
        raise RecordingError(f"{path} is larger than {MOST_FILE >> 20} MiB")
    with path.open("rb") as file:
        head = _head(path, file.readline(MOST_LINE))
        lines: list[Chunk | Note] = []
        torn = False
        for number, line in enumerate(_lines(file), start=2):
            if not line.endswith(b"\n") and len(line) < MOST_LINE:
                torn = True
                break
            lines.append(_line(path, number, line, lines[-1].t if lines else 0.0))
    url, baud, begun = head.get("url"), head.get("baud"), head.get("begun")
    if not isinstance(url, str) or not isinstance(begun, str):
        raise RecordingError(f"{path}: its header lacks `url` or `begun`")
    if type(baud) is not int or baud not in BAUDS:
        told = f"{BAUDS.start} to {BAUDS.stop - 1}, received {str(baud)[:_SHOWN]!r}"
        raise RecordingError(f"{path}: expected in its header a `baud` of {told}")
    return Recording(url, baud, begun, tuple(lines), torn)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(MOST_LINE):
        yield line


def _head(path: Path, line: bytes) -> dict[str, object]:
    head = _record(line)
    if head is None or "format" not in head:
        raise RecordingError(f"{path} is no recording: expected {FORMAT} in its first line")
    if head["format"] != FORMAT:
        told = str(head["format"])[:_SHOWN]
        raise RecordingError(f"{path} is {told!r}, this version reads {FORMAT}")
    return head


def _record(line: bytes) -> dict[str, object] | None:
    """What a line holds; None where that is no JSON object."""
    try:
        record = json.loads(line)
    # Thousands of brackets within one another.
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _line(path: Path, number: int, line: bytes, not_before: float) -> Chunk | Note:
    """not_before: the time of the line before it, s. Raises RecordingError."""
    record = _record(line)
    t = None if record is None else record.get("t")
    if record is None or isinstance(t, bool) or not isinstance(t, int | float):
        raise _wrong(path, number, 'an object with "t" in seconds', line)
    # Also refuses what is not a number.
    if not not_before <= t <= MOST_S:
        raise _wrong(path, number, f'"t" from {not_before:g} (the line before) to {MOST_S:g}', line)
    note, side, text = record.get("note"), record.get("from"), record.get("hex")
    if isinstance(note, str):
        return Note(float(t), note)
    if side in ("host", "instrument") and isinstance(text, str):
        with suppress(ValueError):
            return Chunk(float(t), "host" if side == "host" else "instrument", bytes.fromhex(text))
    raise _wrong(path, number, '"from" ("host" or "instrument") with "hex", or "note"', line)


def _wrong(path: Path, number: int, expected: str, line: bytes) -> RecordingError:
    received = line[:_SHOWN].decode("utf-8", "backslashreplace").strip()
    return RecordingError(f"{path}, line {number}: expected {expected}, received {received!r}")
