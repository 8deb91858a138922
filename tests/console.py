"""A command at a terminal of its own, and somebody who types."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

_PATIENCE_S = 60.0
_INTERRUPT = b"\x03"
# The terminal is the one that Ctrl-C and passwords come from.
_ENTRY = (
    "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "from spektron_edge.cli.main import main; raise SystemExit(main())"
)


class Console:
    """`shown`: everything on the screen so far."""

    def __init__(self, *words: object, folder: Path) -> None:
        """words: the command line, without the program's name; folder: where it runs."""
        self.shown = ""
        self._read = 0
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _ENTRY, *map(str, words)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            cwd=folder,
        )
        os.close(slave)

    def until(self, text: str) -> None:
        """Wait until this is shown, after what was waited for before."""
        deadline = time.monotonic() + _PATIENCE_S
        while (at := self.shown.find(text, self._read)) < 0:
            if time.monotonic() > deadline or not self._listen():
                raise AssertionError(f"waited in vain for {text!r}; shown: {self.shown}")
        self._read = at + len(text)

    def type(self, line: str | bytes) -> None:
        """A line and Enter."""
        os.write(self._master, (line if isinstance(line, bytes) else line.encode()) + b"\n")

    def answer(self, question: str, line: str | bytes = "") -> None:
        """Wait for the question, then type."""
        self.until(question)
        self.type(line)

    def interrupt(self) -> None:
        """Ctrl-C."""
        os.write(self._master, _INTERRUPT)

    def end(self) -> int:
        """Its exit status, once it ends by itself."""
        deadline = time.monotonic() + _PATIENCE_S
        while self._listen() and time.monotonic() < deadline:
            pass
        status = self._process.wait(_PATIENCE_S)
        os.close(self._master)
        return status

    def _listen(self) -> bool:
        """False once nobody will say anything any more."""
        if not select.select([self._master], [], [], 1.0)[0]:
            return self._process.poll() is None
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return False
        self.shown += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)
