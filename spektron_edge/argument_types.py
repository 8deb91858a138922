"""Command line arguments of several commands; types raise what argparse turns into usage."""

from __future__ import annotations

import argparse
from pathlib import Path

_LONGEST_S = 3600


def natural(text: str) -> int:
    """A whole number of 0 or more."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value


def positive(text: str) -> int:
    """A whole number of 1 or more."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def seconds(text: str) -> float:
    """A waiting time in seconds, above 0 and at most an hour."""
    value = float(text)
    if not 0 < value <= _LONGEST_S:
        raise argparse.ArgumentTypeError(f"must be above 0, at most {_LONGEST_S}")
    return value


def with_config(parser: argparse.ArgumentParser) -> None:
    """Add what every command on a device's state takes: --config and --json."""
    parser.add_argument("--config", type=Path, required=True, help="the daemon's configuration")
    parser.add_argument("--json", action="store_true")
