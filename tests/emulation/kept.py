"""Folders that are made once and kept under build."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

_BUILD = Path(__file__).resolve().parents[2] / "build"


def kept(name: str, build: Callable[[Path], None], group: str = "arm64") -> Path:
    """The folder of that name in `group`, made by `build` if it is not there.

    Whole or not at all.
    """
    home = _BUILD / group
    folder = home / name
    if folder.is_dir():
        return folder
    home.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{name}.partial-", dir=home))
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
