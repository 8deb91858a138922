"""What a trained encoder is worth on the held-out samples, clean and through instrument noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spektron_edge.bundle.merit import Merit, median_merits, merits
from spektron_edge.demo.corn import INSTRUMENTS, PROPERTIES, Corn
from spektron_edge.prediction.diagnostics import ApplicabilityModel
from spektron_edge.spectra.preprocessing import FIRST_DERIVATIVE, correlate_valid

from .data.instrument_noise import DetectorNoise, noisy_scans
from .model import Encoder
from .reference.ridge import fit_ridge, search_penalties

Array = NDArray[np.float64]


def through_noise(
    predict: Callable[[Array], Array], x: Array, y: Array, noise: DetectorNoise
) -> dict[str, Merit]:
    """Median figures over the noise seeds; `predict` maps (n, L) to (n, m)."""
    return median_merits([merits(predict(scan), y, PROPERTIES) for scan in noisy_scans(x, noise)])


def run_encoder(encoder: Encoder, x: Array) -> tuple[Array, Array, Array]:
    """y, z_chem, z_inst of (n, L) spectra as the runtime would see them (float32)."""
    with torch.inference_mode():
        outputs = encoder(torch.from_numpy(np.asarray(x)).float(), encoder.theta)
    y, z_chem, z_inst = (output.double().numpy() for output in outputs)
    return y, z_chem, z_inst


def corn_metrics(
    encoder: Encoder,
    corn: Corn,
    applicability: ApplicabilityModel,
    source: str,
    noise: DetectorNoise,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Report on the held-out samples, beside tuned ridge; nothing feeds back into the model."""
    train, test = corn.train, corn.test
    x, y = test.spectra[source], test.references
    ridge = _ridge(train.spectra[source], train.references, noise, rng)

    def whole(spectra: Array) -> Array:
        return run_encoder(encoder, spectra)[0]

    flagged = [
        sum(bool(applicability.assess(scan).reasons) for scan in scans)
        for scans in noisy_scans(x, noise)
    ]
    return {
        "held_out": {
            "clean": _plain(merits(whole(x), y, PROPERTIES)),
            "with_noise": _plain(through_noise(whole, x, y, noise)),
            "with_noise_ridge": _plain(through_noise(ridge, x, y, noise)),
        },
        "z_chem_probe_r2": _probe(encoder, corn, source, noise),
        "z_inst_instrument_accuracy": _instrument_accuracy(encoder, corn),
        "applicability": {
            "components": int(applicability.score_std.size),
            "flagged_of_20": flagged,
        },
    }


def _ridge(
    x: Array, y: Array, noise: DetectorNoise, rng: np.random.Generator
) -> Callable[[Array], Array]:
    search = search_penalties(x, y, FIRST_DERIVATIVE, noise=noise, rng=rng)
    fitted = fit_ridge(correlate_valid(x, FIRST_DERIVATIVE), y, search.relative)
    return lambda spectra: fitted.predict(correlate_valid(spectra, FIRST_DERIVATIVE))


def _plain(figures: dict[str, Merit]) -> dict[str, dict[str, float]]:
    return {name: merit.as_dict() for name, merit in figures.items()}


def _probe(encoder: Encoder, corn: Corn, source: str, noise: DetectorNoise) -> dict[str, float]:
    """R2 of ridge on z_chem alone, fitted on the training samples."""
    train, test = corn.train, corn.test
    rng = np.random.default_rng(0)
    latents = run_encoder(encoder, train.spectra[source])[1]
    none = DetectorNoise(rms=0.0)
    chosen = search_penalties(
        latents,
        train.references,
        np.ones(1),
        noise=none,
        rng=rng,
        grid=np.geomspace(1e-8, 1, 33),
        draws=1,
    )
    probe = fit_ridge(latents, train.references, chosen.relative)

    def predict(spectra: Array) -> Array:
        return probe.predict(run_encoder(encoder, spectra)[1])

    figures = through_noise(predict, test.spectra[source], test.references, noise)
    return {name: merit.r2 for name, merit in figures.items()}


def _instrument_accuracy(encoder: Encoder, corn: Corn) -> float:
    """Share of held-out spectra whose instrument the nearest training centroid of z_inst names."""
    train, test = corn.train, corn.test
    centroids = np.stack(
        [run_encoder(encoder, train.spectra[name])[2].mean(axis=0) for name in INSTRUMENTS]
    )
    hits = 0
    for label, name in enumerate(INSTRUMENTS):
        z = run_encoder(encoder, test.spectra[name])[2]
        distance = np.linalg.norm(z[:, None] - centroids, axis=2)
        hits += int(np.sum(distance.argmin(axis=1) == label))
    return hits / (len(INSTRUMENTS) * len(test.samples))
