"""Small pretraining runs, in this process, in another, or in two."""

import os
import subprocess
import sys
from contextlib import contextmanager

import numpy as np

from spektron_train.pretraining.config import load_config, parse_config
from spektron_train.pretraining.loop import pretrain

# Kills itself after a step: no race with a clock.
VICTIM = """
import os, signal, sys
from contextlib import contextmanager
from pathlib import Path
from spektron_train.pretraining.config import load_config
from spektron_train.pretraining.loop import pretrain

last, done = int(sys.argv[2]), 0

def advance(text):
    global done
    done += 1
    if done == last:
        os.kill(os.getpid(), signal.SIGKILL)

@contextmanager
def watch(steps):
    yield advance

pretrain(load_config("smoke"), Path(sys.argv[1]), recipe="smoke", watch=watch)
"""


def smoke(**changes):
    """The smoke recipe; changes replace keys of sections, e.g. validation={"patience": 2}."""
    raw = load_config("smoke").model_dump()
    for key, value in changes.items():
        raw[key] = {**raw[key], **value} if isinstance(value, dict) else value
    return parse_config(raw, "test")


def run(folder, config=None, **options):
    """`pretrain` in this process."""
    return pretrain(config or smoke(), folder, recipe="test", **options)


def kill_after(folder, step):
    """Run the smoke recipe in a process that is killed; returns its exit code."""
    command = [sys.executable, "-c", VICTIM, str(folder), str(step)]
    return subprocess.run(command, env=environment(), timeout=120, check=False).returncode


def environment():
    """For processes: one quiet thread each."""
    single = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1"}
    return {**os.environ, **single}


@contextmanager
def telling(act):
    """A `watch` whose `act(step of this session)` is called after each step."""
    done = 0

    def advance(state):
        nonlocal done
        done += 1
        act(done)

    yield advance


def weights(folder):
    """Arrays of a run's foundation."""
    with np.load(folder / "foundation" / "weights.npz") as archive:
        return {name: archive[name] for name in archive.files}


def assert_same_weights(a, b):
    """Bit for bit."""
    first, second = weights(a), weights(b)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert np.array_equal(value, second[name]), name


def rows(path):
    """Cells of a CSV file's rows by its header, without the times."""
    header, *lines = [line.split(",") for line in path.read_text().split()]
    return [
        {k: v for k, v in zip(header, line, strict=True) if k != "spectra_per_s"} for line in lines
    ]
