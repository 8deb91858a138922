"""Damaged files are kept for inspection, never silently replaced."""

from __future__ import annotations

from pathlib import Path


def set_aside(path: Path) -> Path:
    """Rename a damaged file to the first free NAME.damaged-N; returns that path. Raises OSError."""
    number = 1
    while (target := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(target)
    return target
