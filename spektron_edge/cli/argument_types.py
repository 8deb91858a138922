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


def name(text: str) -> str:
    """Whoever does something: up to 64 printable characters."""
    return _line(text, 64)


def reason(text: str) -> str:
    """Why it is done: up to 500 printable characters."""
    return _line(text, 500)


def _line(text: str, most: int) -> str:
    line = text.strip()
    if not line or len(line) > most or not line.isprintable():
        raise argparse.ArgumentTypeError(f"must be 1 to {most} printable characters")
    return line


def digest(text: str) -> str:
    """A SHA-256, as 64 hexadecimal digits."""
    value = text.strip().lower()
    if len(value) != 64 or not set(value) <= set("0123456789abcdef"):
        raise argparse.ArgumentTypeError("must be 64 hexadecimal digits")
    return value


def key_identity(text: str) -> str:
    """The id of a key, as 16 hexadecimal digits."""
    value = text.strip().lower()
    if len(value) != 16 or not set(value) <= set("0123456789abcdef"):
        raise argparse.ArgumentTypeError("must be 16 hexadecimal digits")
    return value


def with_config(parser: argparse.ArgumentParser) -> None:
    """Add what every command on a device's state takes: --config and --json."""
    parser.add_argument("--config", type=Path, required=True, help="the daemon's configuration")
    parser.add_argument("--json", action="store_true", help="JSON on standard output")


def schema_name(text: str) -> str:
    """One of the published records."""
    from spektron_edge.publishing.schema import names

    if text not in names():
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(names())}")
    return text
