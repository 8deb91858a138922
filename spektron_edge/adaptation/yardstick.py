"""What is usual, from the bundle's source spectra: each measured against the others.

A source spectrum lies closer to a model that was made with it than any later spectrum will. So the
components are found anew without each twentieth of the spectra, and that twentieth is measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spektron_edge.prediction.diagnostics import ApplicabilityModel
from spektron_edge.spectra.preprocessing import correlate_valid

from .array_file import read_arrays
from .cusum import Ranks, threshold
from .forms import FORMS, Forms, forms_of
from .gauge import Z_DIRECTIONS, Domain, gauge

if TYPE_CHECKING:
    from spektron_edge.inference import Model

Array = NDArray[np.float64]
STATISTICS = (
    *("t2", "q", "neighbour", "wavelength_up", "wavelength_down", "z_inst"),
    *(f"{name}_{sign}" for sign in ("up", "down") for name in FORMS),
)
# One false alarm per so many distinct samples, of all statistics together.
RUN_LENGTH = 10_000
_FOLDS = 20
_MOST_SPECTRA = 256


@dataclass(frozen=True, eq=False)
class Yardstick:
    """domain: what distances are measured from; ranks: by statistic; spacing: median distance of a
    source spectrum's scores to the nearest other."""

    domain: Domain
    ranks: Mapping[str, Ranks]
    spacing: float


def calibrate(
    applicability: ApplicabilityModel,
    spectra: Array,
    z_inst: NDArray[np.float32],
    step_nm: float,
    seed: int = 0,
) -> Yardstick:
    """From source spectra (N, L) and their z_inst (N, 64). Raises ValueError for fewer than 20."""
    if len(spectra) < _FOLDS:
        raise ValueError(f"{len(spectra)} source spectra are too few to know what is usual")
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(spectra))[:_MOST_SPECTRA]
    x, z = spectra[rows], z_inst[rows].astype(np.float64)
    found: dict[str, list[float]] = {name: [] for name in STATISTICS}
    for fold in np.array_split(np.arange(len(x)), _FOLDS):
        others = np.setdiff1d(np.arange(len(x)), fold)
        apart = _domain(_refitted(applicability, x[others]), x[others], z[others], step_nm)
        for row in fold:
            measured = gauge(apart, x[row], z_inst[rows[row]])
            for name, value in measured.statistics.items():
                found[name].append(value)
    most = threshold(len(x), 1 / (RUN_LENGTH * len(STATISTICS)), seed)
    ranks = {name: Ranks(np.sort(values), most) for name, values in found.items()}
    domain = _domain(applicability, spectra, z_inst.astype(np.float64), step_nm)
    return Yardstick(domain, ranks, _spacing(domain.scores))


def yardstick_of(model: Model) -> str:
    """What a yardstick is for: z_inst of another graph is another number."""
    return f"{model.bundle_id} {model.product.name} {model.graph_sha256}"


def to_arrays(yardstick: Yardstick) -> dict[str, NDArray[Any]]:
    """What is not in the bundle in the clear, for a file."""
    domain = yardstick.domain
    return {
        "scores": domain.scores,
        "z_centre": np.asarray(domain.z_centre),
        "z_rows": np.asarray(domain.z_rows),
        "z_std": np.asarray(domain.z_std),
        "spacing": np.array(yardstick.spacing),
        "form_mean": domain.forms.mean,
        "form_rows": domain.forms.rows,
        **{f"rank_{name}": ranks.values for name, ranks in yardstick.ranks.items()},
        **{f"most_{name}": np.array(r.threshold) for name, r in yardstick.ranks.items()},
    }


def read_yardstick(path: Path, model: Model) -> Yardstick | None:
    """A kept one; None where there is none for this model, or a damaged one."""
    try:
        arrays = read_arrays(path)
        if str(arrays["of"]) != yardstick_of(model):
            return None
        return from_arrays(arrays, model.applicability, model.product.grid.step_nm)
    except (OSError, ValueError, KeyError):
        return None


def from_arrays(
    arrays: Mapping[str, NDArray[Any]], applicability: ApplicabilityModel, step_nm: float
) -> Yardstick:
    """Read it back. Raises ValueError where something is missing, not finite or does not fit."""
    try:
        given = {name: np.asarray(arrays[name], np.float64) for name in _names()}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the yardstick cannot be read: {error}") from None
    k, d = applicability.score_std.size, given["z_std"].size
    ranks = {n: Ranks(given[f"rank_{n}"], float(given[f"most_{n}"].sum())) for n in STATISTICS}
    fits = (
        given["scores"].ndim == 2
        and given["scores"].shape[1] == k
        and given["z_rows"].shape == (d, given["z_centre"].size)
        and all(np.all(np.isfinite(value)) for value in given.values())
        and all(r.values.ndim == 1 and r.values.size and r.threshold > 0 for r in ranks.values())
        and all(np.all(np.diff(r.values) >= 0) for r in ranks.values())
        and bool(np.all(given["z_std"] > 0))
        and given["form_mean"].shape == (applicability.points,)
        and given["form_rows"].shape == (len(FORMS), applicability.points)
    )
    if not fits:
        raise ValueError("the yardstick holds unusable numbers")
    domain = Domain(
        applicability,
        given["scores"],
        step_nm,
        Forms(given["form_mean"], given["form_rows"]),
        given["z_centre"],
        given["z_rows"],
        given["z_std"],
    )
    return Yardstick(domain, ranks, float(given["spacing"].sum()))


def _names() -> tuple[str, ...]:
    each = tuple(f"{kind}_{name}" for name in STATISTICS for kind in ("rank", "most"))
    return ("scores", "z_centre", "z_rows", "z_std", "spacing", "form_mean", "form_rows", *each)


def _refitted(model: ApplicabilityModel, spectra: Array) -> ApplicabilityModel:
    filtered = correlate_valid(spectra, model.kernel)
    mean = filtered.mean(axis=0)
    _, sizes, rows = np.linalg.svd(filtered - mean, full_matrices=False)
    k = min(model.score_std.size, len(spectra) - 1)
    std = np.maximum(sizes[:k] / np.sqrt(len(spectra) - 1), 1e-300)
    return replace(model, mean=mean, loadings=rows[:k], score_std=std)


def _domain(model: ApplicabilityModel, spectra: Array, z: Array, step_nm: float) -> Domain:
    filtered = correlate_valid(spectra, model.kernel) - model.mean
    centre = z.mean(axis=0)
    _, sizes, rows = np.linalg.svd(z - centre, full_matrices=False)
    d = min(Z_DIRECTIONS, int(np.count_nonzero(sizes > 1e-6 * sizes[0])))
    std = sizes[:d] / np.sqrt(len(z) - 1)
    scores = filtered @ model.loadings.T / model.score_std
    return Domain(model, scores, step_nm, forms_of(spectra), centre, rows[:d], std)


def _spacing(scores: Array) -> float:
    rest = scores[:_MOST_SPECTRA]
    apart = np.sqrt(np.sum((rest[:, None] - rest) ** 2, axis=2))
    np.fill_diagonal(apart, np.inf)
    return float(np.median(apart.min(axis=1)))
