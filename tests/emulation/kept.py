"""Folders that are made once and kept under build/arm64."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

_FOLDER = Path(__file__).resolve().parents[2] / "build" / "arm64"


def kept(name: str, build: Callable[[Path], None]) -> Path:
    """The folder of that name, made by `build` if it is not there; whole or not at all."""
    folder = _FOLDER / name
    if folder.is_dir():
        return folder
    _FOLDER.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{name}.partial-", dir=_FOLDER))
    try:
        build(partial)
        partial.chmod(0o755)
        try:
            partial.rename(folder)
        except OSError:
            # Another process was faster; what it made is as good.
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder
