"""Commands of the documentation, run in a folder in the order of a page."""

from __future__ import annotations

import contextlib
import io
import signal
import subprocess
import sys
import time
from pathlib import Path

from spektron_edge.cli.main import main
from spektron_edge.demo.broker import mosquitto

from .blocks import Command

PATIENCE_S = 60.0
# What stays, until it is told to end.
_LASTING = ("run", "simulate", "page", "record", "mosquitto")


def _lasts(words: list[str]) -> str:
    """The name of what stays until it is told to end; empty for all else."""
    name = words[1] if words[0] == "spektron-edge" else words[0]
    return name if name in _LASTING else ""


class Terminal:
    """Commands in a folder, one after the other; what lasts goes on beside those that follow."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lasting: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, command: Command) -> str:
        """Run it to its end, or begin what lasts; what it said.

        What fails is tried again for a while, as a reader would. Raises AssertionError then.
        """
        words = [self.here(word) for word in command.asked]
        if _lasts(words):
            self.begin(words)
            return ""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            status, said = self.once(words)
            if status == 0:
                return self._put(command, said)
            assert time.monotonic() < deadline, f"{command.where}: {status}\n{said}"
            time.sleep(0.5)

    def _put(self, command: Command, said: str) -> str:
        if ">" in command.words:
            (self.folder / self.here(command.words[-1])).write_text(said)
        return said

    def once(self, words: list[str]) -> tuple[int, str]:
        """Exit status, and what it said."""
        if words[0] == "spektron-edge":
            said = io.StringIO()
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                status = main(words[1:])
            return status, said.getvalue()
        done = subprocess.run(
            self._program(words), cwd=self.folder, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def begin(self, words: list[str]) -> None:
        """One of each at a time: what is begun again ends the one before."""
        what = _lasts(words)
        self.end(what)
        with (self.folder / f"{what}.log").open("ab") as log:
            self._lasting[what] = subprocess.Popen(
                self._program(words), cwd=self.folder, stdout=log, stderr=log
            )

    def end(self, what: str) -> None:
        """As Ctrl-C does."""
        process = self._lasting.pop(what, None)
        if process is None:
            return
        assert process.poll() is None, (
            f"`{what}` ended: {(self.folder / f'{what}.log').read_text()}"
        )
        process.send_signal(signal.SIGINT)
        try:
            process.wait(PATIENCE_S)
        finally:
            process.kill()

    @property
    def under_way(self) -> tuple[str, ...]:
        """What lasts, and was not ended."""
        return tuple(self._lasting)

    def close(self) -> None:
        """End all that lasts."""
        try:
            for what in self.under_way:
                self.end(what)
        finally:
            for process in self._lasting.values():
                process.kill()

    def here(self, word: str) -> str:
        """A word as it has to be in this folder."""
        return word

    def _program(self, words: list[str]) -> list[str]:
        modules = {"spektron-edge": "spektron_edge"}
        modules |= {f"spektron-{name}": f"spektron_{name}" for name in ("train", "export")}
        if words[0] in modules:
            return [sys.executable, "-m", modules[words[0]], *words[1:]]
        elsewhere = {"python": sys.executable, "mosquitto": mosquitto()}
        return [elsewhere.get(words[0]) or words[0], *words[1:]]
