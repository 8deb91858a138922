"""What the builders' command lines have in common."""

from __future__ import annotations

import argparse
from pathlib import Path

from .target import MACHINES, Target


def add_target(parser: argparse.ArgumentParser) -> None:
    """Arguments that say what it is for."""
    parser.add_argument("--arch", choices=MACHINES, default="amd64")
    parser.add_argument("--python", default="3.11", help="of the system it is for: 3.11, Debian 12")
    parser.add_argument(
        "--gpu", type=Path, metavar="WHEEL", help="of onnxruntime, in the place of the pinned one"
    )


def target_of(arguments: argparse.Namespace) -> Target:
    """Raises ValueError for what does not exist."""
    return Target(arguments.arch, arguments.python, arguments.gpu)
