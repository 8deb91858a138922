"""Reproducible runs."""

from __future__ import annotations

import random

import numpy as np
import torch


def seed_everything(seed: int, threads: int = 2) -> np.random.Generator:
    """Seed every generator, forbid nondeterministic kernels, and fix the number of threads.

    Sums depend on how work is split, so the number of threads is part of what a seed reproduces.
    """
    random.seed(seed)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(threads)
    return np.random.default_rng(seed)
