"""Run Python in the guest: `Guest(root(), for_guest("1.31.1")).run("-m", "pytest", "tests/x.py")`.

The repository is /repository there, read-only, and the working directory. /exchange is a folder
of the host's for what goes in and comes out; /tmp is empty and forgotten afterwards. The network is
the host's. Python may start itself again; other programs of the guest cannot be started.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .processors import CORTEX_A76, Processor
from .root import EXCHANGE, PYTHON, REPOSITORY, SITE

_CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Guest:
    """root: its file system; site: its Python packages."""

    root: Path
    site: Path
    processor: Processor = CORTEX_A76

    def run(
        self, *words: str, exchange: Path, timeout_s: float = 240.0
    ) -> subprocess.CompletedProcess[str]:
        """`python3.11 WORDS` in the guest. Raises TimeoutExpired; then nothing is left running."""
        # The mounts are this process's own and end with it; /sys stays what the root holds.
        mounts = [
            ("--bind", "-o", "ro", str(self.root), str(self.root)),
            ("--bind", "-o", "ro", str(_CHECKOUT), self._inside(REPOSITORY)),
            ("--bind", "-o", "ro", str(self.site), self._inside(SITE)),
            ("--bind", str(exchange), self._inside(EXCHANGE)),
            (
                "--bind",
                self._inside(f"cpuinfo.{self.processor.name}"),
                self._inside("proc/cpuinfo"),
            ),
            ("-t", "tmpfs", "tmpfs", self._inside("tmp")),
            ("-t", "devpts", "-o", "newinstance,ptmxmode=0666", "devpts", self._inside("dev/pts")),
            ("--bind", self._inside("dev/pts/ptmx"), self._inside("dev/ptmx")),
        ]
        script = [shlex.join(["mount", *mount]) for mount in mounts]
        change = ["unshare", f"--root={self.root}", f"--wd=/{REPOSITORY}", PYTHON]
        script.append(shlex.join([*change, *words]))
        # Processes of its own, too: whatever is left of them ends with the first one.
        own = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
        return subprocess.run(
            [*own, "sh", "-ec", "\n".join(script)],
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )

    def _inside(self, path: str) -> str:
        return str(self.root / path)

    def _environment(self) -> dict[str, str]:
        """Nothing of the host's own but where programs are."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": "/tmp",
            "QEMU_CPU": self.processor.name,
            "PYTHONPATH": f"/{REPOSITORY}:/{REPOSITORY}/train:/{REPOSITORY}/export:/{SITE}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "HYPOTHESIS_STORAGE_DIRECTORY": "/tmp/hypothesis",
            "ORT_DISABLE_TELEMETRY": "1",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
