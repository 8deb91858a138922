"""Peers that need old packages: in an environment of their own (`make peers`), through .npz."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from .transfer_peers import Task

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / "build" / "peers" / "bin" / "python"
MISSING = "pycaltransfer and diPLSlib left out: no environment for them (`make peers`)."


def here() -> bool:
    """Whether `make peers` was run."""
    return PYTHON.is_file()


def predictions(task: Task) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Peer -> (k, m), and the versions of what ran. Without pairs, those that need none.

    Raises RuntimeError with what the other process said.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        given, out = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(given, **vars(task))
        command = [PYTHON, "-m", "tests.benchmarks.old_peers_run", given, out]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"old peers failed: {done.stderr[-2000:]}")
        with np.load(out, allow_pickle=False) as arrays:
            found = dict(arrays)
    versions = tuple(str(v) for v in found.pop("versions"))
    return found, versions
