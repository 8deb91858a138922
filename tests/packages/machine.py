"""A machine that boots in a container, with its own systemd and no network but its own loopback."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from types import TracebackType

from tests.integration.rig import until

# Generous: this machine may have much else to do.
PATIENCE_S = 120.0


class Machine:
    """A copy of `root` in `folder`, booted while the context is open."""

    def __init__(self, root: Path, folder: Path, log: Path) -> None:
        self.root = folder
        self._log = log
        subprocess.run(["cp", "-a", "--reflink=auto", str(root), str(folder)], check=True)
        self._container: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Machine:
        words = ["systemd-nspawn", "--register=no", "--keep-unit", "--quiet", "--private-network"]
        with self._log.open("wb") as log:
            self._container = subprocess.Popen(
                [*words, "--directory", str(self.root), "--boot"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(self._booted, "the machine to boot", PATIENCE_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._container is not None
        # With its first process everything in it ends; nothing of it is to be kept.
        for first in self._first():
            os.kill(int(first), signal.SIGKILL)
        self._container.wait(PATIENCE_S)
        shutil.rmtree(self.root, ignore_errors=True)

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A program inside, as root. Raises CalledProcessError."""
        done = subprocess.run(
            [*self._inside(), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S * 2,
            check=False,
        )
        if check and done.returncode:
            print(done.stdout, done.stderr)
            done.check_returncode()
        return done

    def asked(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--property", name, "--value", unit).stdout.strip()

    def copy_in(self, file: Path, to: str) -> str:
        """Give it a file of the same file system; the name inside."""
        path = self.root / to.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.hardlink_to(file)
        return to

    def write(self, to: str, text: str) -> None:
        """A file inside, for everybody to read."""
        path = self.root / to.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def _inside(self) -> list[str]:
        first = self._first()
        if not first:
            raise AssertionError(f"the machine does not run: {self._log.read_text()[-2000:]}")
        return ["nsenter", "--target", first[0], "--all", "--wd=/"]

    def _first(self) -> list[str]:
        """The number of its first process, as the host has it; none before and after."""
        assert self._container is not None
        pid = self._container.pid
        try:
            return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return []

    def _booted(self) -> bool:
        assert self._container is not None
        if self._container.poll() is not None:
            raise AssertionError(f"no machine: {self._log.read_text()[-2000:]}")
        try:
            said = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        except AssertionError:
            return False
        return said in ("running", "degraded")
