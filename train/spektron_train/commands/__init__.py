"""What each command of `spektron-train` does once its arguments are read: `run(arguments)`."""

from __future__ import annotations

import json
import sys
from typing import Any, Final

EXIT_OK: Final = 0
EXIT_USAGE: Final = 2
EXIT_DATA: Final = 3
EXIT_CHECKPOINT: Final = 4
EXIT_MISSING: Final = 5
EXIT_RUN: Final = 6


class Failed(Exception):
    """A command cannot do what was asked: the exit code, and what to tell the user."""

    def __init__(self, code: int, message: object) -> None:
        super().__init__(str(message))
        self.code = code


def put_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value) + "\n")
