"""Packages from npm that tests read our output with, installed once into build/npm."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.requirements import absent

_FOLDER = Path(__file__).resolve().parents[1] / "build" / "npm"


def installed(package: str) -> Path:
    """The folder where node finds `name@version`. Skips the test where it cannot be had."""
    folder = _FOLDER / package
    npm = shutil.which("npm")
    assert npm is not None
    if not (folder / "node_modules" / package.rsplit("@", 1)[0]).is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        found = subprocess.run(
            [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", package],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if found.returncode:
            absent("node", f"npm cannot install {package}: {found.stderr.strip()[-300:]}")
    return folder
