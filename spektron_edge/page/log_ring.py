"""The latest lines of this process's log, for the support file."""

from __future__ import annotations

import logging
from collections import deque

MOST = 500
_LONGEST = 2000


class LogRing(logging.Handler):
    """Keeps what the log's own handler would write."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=MOST)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        fields = getattr(record, "fields", {})
        told = " ".join(f"{name}={value!s}" for name, value in fields.items())
        line = f"{record.created:.3f} {record.levelname.lower()} {record.getMessage()} {told}"
        self.lines.append(line[:_LONGEST])
