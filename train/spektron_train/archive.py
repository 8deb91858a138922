"""Folders of array archives and JSON, with a hash each. Nothing in them is executed to be read."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


class ArchiveError(Exception):
    """A file cannot be read or is not what its hash promises; the message says which and why."""


def sha256(raw: bytes) -> str:
    """Hash in hexadecimal."""
    return hashlib.sha256(raw).hexdigest()


def pack_arrays(arrays: Arrays) -> bytes:
    """Arrays as npz. Equal arrays give equal bytes."""
    stream = io.BytesIO()
    plain: dict[str, Any] = {name: np.asarray(value) for name, value in arrays.items()}
    np.savez(stream, **plain)
    return stream.getvalue()


def read_arrays(path: Path, expected: str | None, card: str) -> dict[str, NDArray[Any]]:
    """Arrays of an npz whose hash must be `expected`, as file `card` says. Raises ArchiveError."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ArchiveError(f"cannot read {path}: {error}") from None
    if sha256(raw) != expected:
        raise ArchiveError(f"{path} does not match its hash in {card}; train again")
    return unpack_arrays(raw, path)


def unpack_arrays(raw: bytes, path: Path) -> dict[str, NDArray[Any]]:
    """Arrays of the npz that file `path` holds. Raises ArchiveError."""
    try:
        if not raw.startswith(b"PK"):
            # numpy would take it for something else, and speak of that.
            raise ArchiveError(f"{path} is no array archive (.npz)")
        # Of a path, numpy leaves a broken file open.
        with np.load(io.BytesIO(raw), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ArchiveError(f"{path} is not an array archive ({error})") from None


def write_file(path: Path, raw: bytes) -> None:
    """Replace a file so that a reader, or a power cut, finds the old or the new one.

    Raises OSError.
    """
    partial = path.with_name(path.name + ".partial")
    _write_through(partial, raw)
    partial.replace(path)
    _sync_folder(path.parent)


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder of files, replacing what is there; under its name it is always complete.

    Raises OSError.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, raw in files.items():
        _write_through(partial / name, raw)
    _sync_folder(partial)
    if folder.exists():
        shutil.rmtree(folder)
    partial.replace(folder)
    _sync_folder(folder.parent)


def _write_through(path: Path, raw: bytes) -> None:
    with path.open("wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
