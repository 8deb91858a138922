"""Drift detection of adaptation: false alarms without a drift, and samples until one is told.

Spectra are drawn from a normal distribution fitted to all 80 corn spectra on m5, with detector
noise of 1e-4 absorbance. Each source set is 60 of them, as in the bundle that ships, calibrated
anew; streams are other ones, each a distinct sample unless said.
"""

from __future__ import annotations

import statistics
from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from spektron_edge.adaptation.correction import TERMS, Correction
from spektron_edge.adaptation.drift import DriftWatch
from spektron_edge.adaptation.gauge import gauge
from spektron_edge.adaptation.line_shape import broadened
from spektron_edge.adaptation.runs import Runs, Thinned
from spektron_edge.adaptation.yardstick import Yardstick, calibrate
from spektron_edge.bundle import read_bundle
from spektron_edge.config.file import shipped_bundle
from spektron_edge.demo.corn import load_corn
from spektron_edge.inference import Model, load_model
from spektron_edge.spectra.preprocessing import correlate_valid
from tests.benchmarks.report import Figure

NAME = "adapt_drift"
Array = NDArray[np.float64]
NOISE, STEP_NM, COMPONENTS = 1e-4, 2.0, 30
SOURCES, SOURCE, POOL, STREAM, TRIALS = 20, 60, 6000, 4000, 5
# The rate differs much from one source set to the next: most have none, few have many.
SOURCES_OF_RATE = 120
FEW, REPEATS, RELATED = 2000, 10, (0.5, 0.7, 0.9)
DRIFTS = {
    "shift_01": {"shift": 0.1},
    "shift_05": {"shift": 0.5},
    "line_shape_10": {"line_shape": 10.0},
    "slope_002": {"slope": 0.02},
    "offset_005": {"offset": 0.05},
    "gain_005": {"gain": 0.05},
}


@cache
def _model() -> Model:
    return load_model(read_bundle(shipped_bundle()))


def population(n: int, rng: np.random.Generator, rho: float = 0.0) -> Array:
    """(n, 700) spectra like corn on m5; rho: autocorrelation of contents from one to the next."""
    corn = load_corn()
    x = np.concatenate([corn.train.spectra["m5"], corn.test.spectra["m5"]]).astype(np.float64)
    mean = x.mean(axis=0)
    _, sizes, rows = np.linalg.svd(x - mean, full_matrices=False)
    scores = rng.standard_normal((n, COMPONENTS))
    for i in range(1, n if rho else 0):
        scores[i] = rho * scores[i - 1] + np.sqrt(1 - rho**2) * scores[i]
    spectra = mean + (scores * sizes[:COMPONENTS] / np.sqrt(len(x) - 1)) @ rows[:COMPONENTS]
    return spectra + NOISE * rng.standard_normal(spectra.shape)


def calibrated(x: Array, z: NDArray[np.float32]) -> Yardstick:
    """As the child does it, with an applicability model of these spectra."""
    shipped = _model().applicability
    filtered = correlate_valid(x, shipped.kernel)
    mean = filtered.mean(axis=0)
    _, sizes, rows = np.linalg.svd(filtered - mean, full_matrices=False)
    k = shipped.score_std.size
    own = replace(shipped, mean=mean, loadings=rows[:k], score_std=sizes[:k] / np.sqrt(len(x) - 1))
    return calibrate(own, x, z, STEP_NM)


def alarms(yardstick: Yardstick, x: Array, z: NDArray[np.float32], repeats: int = 1) -> list[int]:
    """Spectra at which a drift was told, beginning anew after each; each sample `repeats` times."""
    rng = np.random.default_rng(5)
    runs = Runs(yardstick.spacing, yardstick.domain.applicability.q_limit)
    thinned, watch, told = Thinned(), DriftWatch(yardstick.ranks), []
    for i in range(len(x) * repeats):
        row = i // repeats
        spectrum = x[row] + (NOISE * rng.standard_normal(x[row].size) if repeats > 1 else 0.0)
        measured = gauge(yardstick.domain, spectrum, z[row])
        counts = runs.take(measured) and thinned.take(measured)
        if counts and watch.take(measured, (0, i)) is not None:
            told.append(i)
            watch = DriftWatch(yardstick.ranks)
    return told


def infer(x: Array) -> NDArray[np.float32]:
    """z_inst (n, 64)."""
    parts = np.array_split(x, max(1, len(x) // 32))
    return np.concatenate([_model().infer(part).z_inst for part in parts])


def _rate(told: list[int], length: int) -> float:
    return 10_000 * len(told) / length


def measure() -> list[Figure]:
    """All figures."""
    rng = np.random.default_rng(0)
    pool = population(POOL, rng)
    z = infer(pool)
    false, repeated = [], []
    delays: dict[str, list[int]] = {name: [] for name in DRIFTS}
    related: dict[float, list[float]] = {rho: [] for rho in RELATED}
    fresh = {name: _drifted(pool[:400], terms) for name, terms in DRIFTS.items()}
    fresh_z = {name: infer(x) for name, x in fresh.items()}
    slow = {rho: population(FEW, rng, rho) for rho in RELATED}
    slow_z = {rho: infer(x) for rho, x in slow.items()}
    for i in range(SOURCES_OF_RATE):
        rows = rng.permutation(POOL)
        source, rest = rows[:SOURCE], rows[SOURCE:]
        yardstick = calibrated(pool[source], z[source])
        stream = rng.choice(rest, STREAM)
        false.append(_rate(alarms(yardstick, pool[stream], z[stream]), STREAM))
        if i >= SOURCES:
            continue
        few = rest[: FEW // 4]
        repeated.append(_rate(alarms(yardstick, pool[few], z[few], REPEATS), REPEATS * FEW // 4))
        for rho, found in related.items():
            found.append(_rate(alarms(yardstick, slow[rho], slow_z[rho]), FEW))
        for name in DRIFTS:
            for _ in range(TRIALS):
                order = rng.permutation(400)
                told = alarms(yardstick, fresh[name][order], fresh_z[name][order])
                delays[name].append(1 + told[0] if told else 400)
    about = f"{SOURCES} source sets of {SOURCE} corn spectra, streams of"
    alone = f"{SOURCES_OF_RATE} source sets of {SOURCE} corn spectra, streams of {STREAM}"
    figures = [
        _figure("false_alarms", false, f"per 10,000 distinct samples; {alone}"),
        _figure(
            "false_alarms_runs",
            repeated,
            f"per 10,000 spectra, {REPEATS} a sample; {about} {FEW // 4} samples",
        ),
        *(
            _figure(
                f"false_alarms_related_{rho * 10:.0f}",
                found,
                f"per 10,000 samples, autocorrelation of contents {rho:g}; {about} {FEW}",
            )
            for rho, found in related.items()
        ),
    ]
    for name, found in delays.items():
        figures.append(
            Figure(
                f"delay_{name}",
                statistics.median(found),
                "samples",
                "lower",
                float(np.quantile(found, 0.75) - np.quantile(found, 0.25)) / 2,
                f"distinct samples until it is told, of {_words(DRIFTS[name])}; median",
            )
        )
    return figures


def _drifted(x: Array, terms: dict[str, float]) -> Array:
    """line_shape: variance in nm^2; else terms of a correction."""
    wider = np.stack([broadened(row, terms.get("line_shape", 0.0) / STEP_NM**2) for row in x])
    coefficients = np.array([terms.get(name, 0.0) for name in TERMS])
    axis_nm = STEP_NM * np.arange(x.shape[1])
    return Correction(coefficients, np.zeros(x.shape[1]), axis_nm).apply(wider)


def _figure(name: str, values: list[float], note: str) -> Figure:
    spread = float(np.std(values) / np.sqrt(len(values)))
    return Figure(name, float(np.mean(values)), "1/10^4", "lower", spread, note)


def _words(terms: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in terms.items())
