"""What may leave the state folder, moved into one file with a list of what it holds.

The file is written, synced and read again before anything is removed from the folder.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from spektron_edge.backup.manifest import is_inner_path
from spektron_edge.backup.target_trouble import check_place, put_in_place, target_fault
from spektron_edge.bundle import BundleError
from spektron_edge.bundle.canonical import canonical
from spektron_edge.bundle.members import Caps, checked_zip
from spektron_edge.config.file import Config
from spektron_edge.door.notes import keep
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.durable import share_with_owner, sync_folder
from spektron_edge.files.ledger import Action
from spektron_edge.files.regular import open_regular

from .shares import movable

CONTENTS = "contents.json"
_CAPS = Caps(members=20_000, member_bytes=2**32 - 1, total_bytes=16 * 2**30)
_MOST_CONTENTS, _MOST_SEGMENT = 16 * 2**20, 512 * 2**20
_CHUNK = 2**20


def _inner(path: str) -> str:
    if not is_inner_path(path):
        raise ValueError(f"path {path!r} must consist of plain names")
    return path


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Held(_Strict):
    """A file of an archive. path: under the state folder that it was in."""

    path: Annotated[str, AfterValidator(_inner)]
    bytes: int = Field(ge=0, lt=2**32)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Contents(_Strict):
    """`contents.json`."""

    format: int = Field(1, ge=1, le=1)
    made: AwareDatetime
    by: str
    site: str
    instrument: str
    files: tuple[Held, ...]


@dataclass(frozen=True)
class Archived:
    """sha256: of the file that was written, None where there was nothing to move."""

    contents: Contents
    bytes: int
    sha256: str | None


def archive(config: Config, target: Path, who: str, tell: Callable[[str], None]) -> Archived:
    """Move what may leave into `target`, which must not be there.

    Raises Fault(BACKUP_REFUSED, STATE_UNWRITABLE, DISK_FULL, BACKUP_INVALID); then nothing was
    removed.
    """
    folder = config.state_dir
    if target.exists():
        raise Fault(Faults.BACKUP_REFUSED, f"{target} is there already: give another name")
    if target.resolve().is_relative_to(folder.resolve()):
        raise Fault(Faults.BACKUP_REFUSED, f"{target} lies in the state folder itself")
    check_place(target)
    made = datetime.now(timezone.utc)
    about = {"made": made, "by": who, "site": config.site, "instrument": config.instrument}
    try:
        files = movable(folder)
        if not files:
            return Archived(Contents(files=(), **about), 0, None)
        partial = target.with_name(f"{target.name}.partial")
        partial.unlink(missing_ok=True)
        try:
            held = _write(partial, folder, files, about, tell)
            share_with_owner(partial)
            tell("reading it again")
            contents, _ = read_archive(partial)
            digest = _digest(partial)
            put_in_place(partial, target)
        finally:
            # Nothing that is half there takes room on a disk that is full already.
            partial.unlink(missing_ok=True)
        details: dict[str, str | int | bool | None] = {
            "archive": target.name,
            "sha256": digest,
            "files": len(held),
        }
        keep(folder, Action(what="archived", who=who, details=details))
        for path in files:
            path.unlink(missing_ok=True)
            sync_folder(path.parent)
        return Archived(contents, target.stat().st_size, digest)
    except (zipfile.LargeZipFile, RuntimeError):
        told = (
            "more than 4 GiB may leave, which is more than one archive holds: move the largest of"
        )
        raise Fault(Faults.BACKUP_REFUSED, f"{told} {folder}/*.damaged-* by hand first") from None
    except OSError as error:
        raise target_fault(error, target, folder) from None


def _write(
    target: Path,
    folder: Path,
    files: list[Path],
    about: dict[str, object],
    tell: Callable[[str], None],
) -> list[Held]:
    held = []
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, allowZip64=False) as packed:
            for number, path in enumerate(files, 1):
                name = path.relative_to(folder).as_posix()
                tell(f"{number} of {len(files)} files: {name}")
                digest, size = hashlib.sha256(), 0
                with path.open("rb") as source, packed.open(name, "w", force_zip64=False) as member:
                    while chunk := source.read(_CHUNK):
                        digest.update(chunk)
                        member.write(chunk)
                        size += len(chunk)
                held.append(Held(path=name, bytes=size, sha256=digest.hexdigest()))
            contents = Contents.model_validate({**about, "files": tuple(held)})
            packed.writestr(CONTENTS, canonical(contents.model_dump(mode="json")))
        stream.flush()
        os.fsync(stream.fileno())
    return held


def read_archive(path: Path) -> tuple[Contents, list[tuple[str, bytes]]]:
    """What an archive holds, every hash verified, and its segments of the audit log by name.

    Raises Fault(BACKUP_INVALID).
    """
    try:
        with open_regular(path) as stream, checked_zip(stream, _CAPS, is_inner_path) as packed:
            if packed.getinfo(CONTENTS).file_size > _MOST_CONTENTS:
                raise BundleError(f"{CONTENTS} is larger than it may be")
            contents = Contents.model_validate_json(packed.read(CONTENTS))
            if {h.path for h in contents.files} | {CONTENTS} != set(packed.namelist()):
                raise BundleError("it does not hold what its contents say")
            found = []
            for held in contents.files:
                is_segment = held.path.startswith("audit/") and held.bytes <= _MOST_SEGMENT
                kept = io.BytesIO() if is_segment else None
                _verify(packed, held, kept)
                if kept is not None:
                    found.append((held.path.removeprefix("audit/"), kept.getvalue()))
            return contents, found
    except OSError as error:
        raise Fault(Faults.BACKUP_INVALID, f"{path}: {error.strerror or error}") from None
    except (BundleError, ValidationError) as error:
        raise Fault(Faults.BACKUP_INVALID, f"{path} is no archive: {error}") from None
    except Exception as error:  # noqa: BLE001  zipfile raises a dozen unrelated types
        raise Fault(Faults.BACKUP_INVALID, f"{path} is no archive, or damaged: {error}") from None


def archived_segments(path: Path) -> list[tuple[str, bytes]]:
    """Names and bytes of the audit log's segments in an archive. Raises Fault(BACKUP_INVALID)."""
    return read_archive(path)[1]


def _verify(packed: zipfile.ZipFile, held: Held, kept: io.BytesIO | None) -> None:
    digest, size = hashlib.sha256(), 0
    with packed.open(held.path) as member:
        while size <= held.bytes and (chunk := member.read(_CHUNK)):
            digest.update(chunk)
            size += len(chunk)
            if kept is not None:
                kept.write(chunk)
    if size != held.bytes or digest.hexdigest() != held.sha256:
        raise BundleError(f"{held.path} is not what was written")


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
