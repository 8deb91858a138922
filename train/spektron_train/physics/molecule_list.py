"""Lists of SMILES that ship, each with the command that made it in its first line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path


def read_list(path: Path) -> tuple[str, ...]:
    """The molecules of a list. Raises OSError."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if not line.startswith("#"))


def write_list(
    module: str, what: str | None, draw: Callable[[int, int], list[str]], count: int
) -> None:
    """Draw by a seed and write to standard output, as `python -m module`.

    what: for its help; count: how many where the command line does not say.
    """
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--count", type=int, default=count)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    command = f"--count {arguments.count} --seed {arguments.seed}"
    lines = [f"# python -m {module} {command}", *draw(arguments.count, arguments.seed)]
    sys.stdout.write("\n".join(lines) + "\n")
