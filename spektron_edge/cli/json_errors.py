"""What ends a command before its own report, as JSON for whoever asked for `--json`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import NoReturn


def tell_error(code: str, detail: str, *, as_json: bool) -> None:
    """One JSON object on standard output, or nothing."""
    if as_json:
        sys.stdout.write(json.dumps({"error": {"code": code, "detail": detail}}) + "\n")


class UsageError(Exception):
    """A command line that is none. detail: what is wrong; text: usage and that, for a reader."""

    def __init__(self, detail: str, text: str) -> None:
        super().__init__(detail)
        self.detail, self.text = detail, text


class Parser(argparse.ArgumentParser):
    """Raises `UsageError` where argparse would end the process; its subparsers do, too."""

    def error(self, message: str) -> NoReturn:
        """As argparse words it."""
        raise UsageError(message, f"{self.format_usage()}{self.prog}: error: {message}\n")


def parsed(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """By a `Parser`. A command line that is none ends the process with status 2, and says why."""
    words = sys.argv[1:] if argv is None else argv
    try:
        return parser.parse_args(words)
    except UsageError as error:
        tell_error("usage", error.detail, as_json="--json" in words)
        sys.stderr.write(error.text)
        raise SystemExit(2) from None
