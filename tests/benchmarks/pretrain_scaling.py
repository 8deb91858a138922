"""What a second process is worth in pretraining: spectra per second of two over those of one.

One thread each, gloo, the foundation recipe's encoder on the whole grid, and the same two episodes
a step, so that both compute the same weights. One and two take turns; throughput is that of the
run's own log, which leaves out start-up, validation and checkpoints.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from .report import Figure

NAME = "pretrain_scaling"
ROUNDS = 3
STEPS = 8
# The first steps allocate memory and wait for each other's start.
_WARM_UP = 2
_CONFIG = f"""
domain = "nir"
steps = {STEPS}
device = "cpu"
threads = 1
[episodes]
per_step = 2
samples = 32
views = 3
standardise = 4
[validation]
every = {STEPS}
episodes = 2
[checkpoint]
every = {STEPS}
"""
_TWO = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")


def measure() -> list[Figure]:
    """Alternate, compare round by round."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "bench.toml").write_text(_CONFIG)
        one, two = [], []
        for turn in range(ROUNDS):
            one.append(_throughput(folder, f"one-{turn}", ()))
            two.append(_throughput(folder, f"two-{turn}", _TWO))
    ratios = np.array(two) / np.array(one)
    how = (
        f"median of {ROUNDS} alternating rounds of {STEPS} steps, 2 episodes of 96 spectra each a "
        f"step, one thread a process, gloo, on {os.cpu_count()} cores; "
    )
    speeds = (("throughput_one_process", one), ("throughput_two_processes", two))
    return [
        _figure("scaling_two_processes", ratios, "1", how + "two processes over one"),
        *(_figure(name, np.array(values), "spectra/s", how) for name, values in speeds),
    ]


def _figure(name: str, values: np.ndarray, unit: str, how: str) -> Figure:
    low, middle, high = np.percentile(values, (25, 50, 75))
    return Figure(
        name, float(middle), unit, "higher", float(high - low) / 2, how.removesuffix("; ")
    )


def _throughput(folder: Path, name: str, launcher: tuple[str, ...]) -> float:
    """Median spectra per second of the steps after warm-up."""
    out = folder / name
    arguments = ("pretrain", "--config", str(folder / "bench.toml"), "--out", str(out))
    subprocess.run(
        [sys.executable, *launcher, "-m", "spektron_train", *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"},
        check=True,
        capture_output=True,
        timeout=600,
    )
    with (out / "log" / "train.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return float(np.median([float(row["spectra_per_s"]) for row in rows[_WARM_UP:]]))
