"""The audit log in parts: dated files that are never written to again, and the one that goes on.

`audit/FIRST-LAST-HEAD.jsonl.gz` holds lines FIRST to LAST; HEAD begins the hash of its last line,
which the first line of the next file follows. So the chain spans them, wherever they are kept.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spektron_edge.clock import Stamp

from .audit import GENESIS, Audit, AuditError, Chain, follow, verify
from .durable import share_with_owner, sync_folder, write_durably

FOLDER = "audit"
HEAD_DIGITS = 12
_SUFFIX = ".jsonl.gz"
_MOST_BYTES = 2**30


@dataclass(frozen=True)
class Whole:
    """chain: of the file that goes on; first: the line down to which the chain was followed; found:
    line whose hash was looked for; parts: names of the files before, the newest first."""

    chain: Chain
    first: int
    found: int | None
    parts: tuple[str, ...]


def segments(log: Path) -> list[Path]:
    """Those beside a log, in the order of their lines."""
    return sorted((log.parent / FOLDER).glob(f"*{_SUFFIX}"))


def segment_head(segment: Path | str) -> str:
    """The first digits of the hash of its last line."""
    return Path(segment).name.removesuffix(_SUFFIX).rpartition("-")[2]


def read_segment(path: Path) -> bytes:
    """Its lines. Raises OSError, also for what is damaged."""
    return unpack(path.read_bytes(), str(path))


def unpack(packed: bytes, name: str) -> bytes:
    """The lines of a segment's bytes. Raises OSError for what is damaged or too large."""
    try:
        with gzip.open(io.BytesIO(packed)) as stream:
            data = stream.read(_MOST_BYTES + 1)
    except (EOFError, zlib.error) as error:
        raise OSError(f"{name}: {error}") from None
    if len(data) > _MOST_BYTES:
        raise OSError(f"{name} is larger than a segment may be")
    return data


def begin_segment(audit: Audit, at: Stamp, counters: Mapping[str, int]) -> Path:
    """Put the lines so far into a segment, and go on in a new file.

    A power cut in between leaves the log as it was, and a segment that is written again. Raises
    OSError.
    """
    folder = audit.path.parent / FOLDER
    if not folder.is_dir():
        folder.mkdir()
        share_with_owner(folder)
        sync_folder(folder.parent)
    name = f"{audit.first:08d}-{audit.lines:08d}-{audit.head[:HEAD_DIGITS]}{_SUFFIX}"
    write_durably(folder / name, gzip.compress(audit.read(), mtime=0))
    audit.go_on_anew(at, name, counters)
    return folder / name


def check(
    log: Path, head: str | None, lines: int | None, elsewhere: Sequence[tuple[str, bytes]] = ()
) -> Whole:
    """Check every link, through all segments that are there, that a published head is among them,
    and that there are so many lines.

    elsewhere: names and bytes of segments that were moved away. Raises AuditError naming the line
    that does not fit, or what is missing; OSError.
    """
    chain = verify(log, head)
    known = {}
    for path in segments(log):
        # What `archive` moves away at this very moment is not here.
        with contextlib.suppress(FileNotFoundError):
            known[segment_head(path)] = path.name, path.read_bytes()
    known |= {segment_head(name): (name, packed) for name, packed in elsewhere}
    first, before, found, parts = chain.first, chain.before, chain.found, []
    while before != GENESIS and (part := known.pop(before[:HEAD_DIGITS], None)) is not None:
        name, packed = part
        try:
            earlier = follow(io.BytesIO(unpack(packed, name)), name, head)
        except OSError as error:
            raise AuditError(str(error)) from None
        if earlier.torn or earlier.head != before or earlier.lines != first - 1:
            raise AuditError(f"{name}: its last line is not the one that line {first} follows")
        first, before = earlier.first, earlier.before
        found = earlier.found if found is None else found
        parts.append(name)
    if head is not None and found is None and not (head == GENESIS and first == 1):
        raise AuditError(f"{log}: {_not_found(head, chain.lines, first)}")
    if lines is not None and chain.lines < lines:
        raise AuditError(f"{log}: {chain.lines} lines instead of {lines} or more: {_CUT}")
    return Whole(chain, first, found, tuple(parts))


def broken_segments(log: Path) -> str:
    """Why the chain does not hold through all segments, though it may in the file that goes on;
    empty where it does, or where there is none."""
    if not log.exists():
        return ""
    try:
        check(log, None, None)
    except (AuditError, OSError) as error:
        return str(error)
    return ""


_CUT = "lines were cut off the end, or this is another log"


def _not_found(head: str, lines: int, first: int) -> str:
    told = f"head {head[:12]} not found in {lines} lines"
    if first == 1:
        return f"{told}: {_CUT}"
    return f"{told} from {first} on: give the archive with the lines before, or {_CUT}"
