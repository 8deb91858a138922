"""The shipped corn bundle as adaptation sees it, and held-out samples on an instrument."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from spektron_edge.adaptation.adapt import Material, material
from spektron_edge.adaptation.candidate import Batch
from spektron_edge.adaptation.correction import TERMS, Correction
from spektron_edge.adaptation.ground import open_ground
from spektron_edge.config.loading import load_config
from spektron_edge.demo.corn import load_corn
from spektron_edge.spectra.resampling import Resampler
from tests.corn_bench import SERIAL, configure

NOISE = 1.5e-4


@cache
def corn_material() -> Material:
    """Read once in a process; nothing of it changes."""
    folder = Path(tempfile.mkdtemp(prefix="corn-adapting-"))
    return material(open_ground(load_config(configure(folder)), SERIAL))


def measured(
    instrument: str = "m5", *, train: bool = False, seed: int = 0, noise: float = NOISE
) -> np.ndarray:
    """(n, L) on the model's grid: the 20 held-out samples, or the 60 of the source."""
    corn = load_corn()
    axis = corn_material().axis_nm
    resampler = Resampler.between(corn.axis_nm, axis)
    rows = (corn.train if train else corn.test).spectra[instrument]
    clean = np.array([resampler.apply(x) for x in rows])
    return clean + noise * np.random.default_rng(seed).standard_normal(clean.shape)


def correction(residual: np.ndarray | None = None, **terms: float) -> Correction:
    """Of these terms alone."""
    axis = corn_material().axis_nm
    coefficients = np.array([terms.get(name, 0.0) for name in TERMS])
    return Correction(coefficients, np.zeros(axis.size) if residual is None else residual, axis)


def as_batch(spectra: np.ndarray) -> Batch:
    """Scans numbered from one."""
    return Batch(spectra, tuple((7, 1 + i) for i in range(len(spectra))))
