"""What the pretrained latents know: the chemistry, and which instrument was looking.

Twelve instruments that no training run has drawn each see the same samples of many products.
Linear probes are fitted on one half of the samples and judged on the other: which instrument was it
(from `z_chem`: chance would be best; from `z_inst`: all of them), and what is in the sample (from
`z_chem` alone, and from both latents together). Nothing of the encoder is fitted here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from spektron_train.data.simulate.domain import DOMAINS
from spektron_train.data.simulate.matter import Matter
from spektron_train.data.simulate.optics import random_instrument
from spektron_train.evaluation import run_encoder
from spektron_train.model import Encoder
from spektron_train.pretraining.foundation import load_foundation
from spektron_train.pretraining.shipped import FOUNDATION
from spektron_train.training.progress import Advance

from .report import Figure, Report, row
from .splits import quoted, spread

Array = NDArray[np.float64]
INSTRUMENTS, SAMPLES = 12, 240
# Constituents that hardly vary among the samples have no R2 worth the name.
_LEAST_SPREAD = 0.02


@dataclass(frozen=True)
class Probed:
    """One draw of instruments and samples."""

    from_chem: float
    from_inst: float
    r2_chem: float
    r2_both: float


def run(*, splits: int | None, advance: Advance, foundation: Path = FOUNDATION) -> Report:
    """Probe the foundation, one draw of instruments and samples per quoted seed."""
    encoder, card = load_foundation(foundation)
    probed = []
    for seed in quoted(splits):
        probed.append(probe(encoder, seed))
        advance(f"instrument from z_chem {probed[-1].from_chem * INSTRUMENTS:.2f} x chance")
    note = (
        f"{INSTRUMENTS} simulated instruments never seen, {SAMPLES} samples of many products, "
        f"half to fit the probes, half to judge; median of {len(probed)} draws; foundation "
        f"{card.recipe}, {card.steps} steps"
    )
    values = {name: np.array([of(p) for p in probed]) for name, (of, _, _) in _FIGURES.items()}
    return Report(
        name="latent",
        figures=tuple(
            _figure(name, values[name], better, f"{how}; {note}")
            for name, (_, better, how) in _FIGURES.items()
        ),
        rows=tuple(
            row("unseen instruments", name, "linear probe", v, unit="1", metric="value")
            for name, v in values.items()
        ),
        notes=(
            "Instruments and samples are simulated, as in pretraining, from seeds of their own.",
            "The probes see posterior means, which is what the runtime hands on.",
        ),
    )


_FIGURES: dict[str, tuple[Callable[[Probed], float], Literal["higher", "lower"], str]] = {
    "latent_instrument_from_chem_over_chance": (
        lambda p: p.from_chem * INSTRUMENTS,
        "lower",
        "accuracy of a linear probe for the instrument from z_chem, over chance",
    ),
    "latent_instrument_from_inst": (
        lambda p: p.from_inst,
        "higher",
        "accuracy of a linear probe for the instrument from z_inst",
    ),
    "latent_chem_r2": (
        lambda p: p.r2_chem,
        "higher",
        "R2 of ridge on z_chem, mean over the constituents that vary",
    ),
    "latent_chem_r2_loss": (
        lambda p: p.r2_both - p.r2_chem,
        "lower",
        "R2 lost by dropping z_inst: of both latents less that of z_chem alone",
    ),
}


def _figure(id: str, values: Array, better: Literal["higher", "lower"], how: str) -> Figure:  # noqa: A002
    s = spread(values)
    return Figure(id, s.median, "1", better, (s.high - s.low) / 2, how)


def probe(encoder: Encoder, seed: int, family: str | None = None) -> Probed:
    """Draw instruments and samples (of one product of `family`, or of many) and fit the probes."""
    domain = DOMAINS["nir"]
    rng = np.random.default_rng([seed, 77])
    matter = Matter.within(domain)
    samples = matter.draw(SAMPLES, rng, family)
    views = [
        random_instrument(domain, rng).measure(samples.absorbance, rng) for _ in range(INSTRUMENTS)
    ]
    chem, inst = latents(encoder, np.stack(views))
    halves = np.array_split(samples.composition, 2)
    varied = np.min([half.std(axis=0) for half in halves], axis=0) > _LEAST_SPREAD
    composition = samples.composition[:, varied]
    both = np.concatenate([chem, inst], axis=-1)
    return Probed(
        _instrument_accuracy(chem),
        _instrument_accuracy(inst),
        _composition_r2(chem, composition),
        _composition_r2(both, composition),
    )


def latents(encoder: Encoder, views: Array) -> tuple[Array, Array]:
    """z_chem (v, n, 128) and z_inst (v, n, 64) of spectra (v, n, L)."""
    seen = [run_encoder(encoder, x) for x in views]
    return np.stack([z for _, z, _ in seen]), np.stack([z for _, _, z in seen])


def _halves(z: Array) -> tuple[Array, Array]:
    half = z.shape[1] // 2
    return z[:, :half].reshape(-1, z.shape[2]), z[:, half:].reshape(-1, z.shape[2])


def _instrument_accuracy(z: Array) -> float:
    fitted, judged = _halves(z)
    labels = np.repeat(np.arange(len(z)), len(fitted) // len(z))
    # Stronger here than linear discriminant analysis: instruments differ in more than their means.
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)).fit(fitted, labels)
    return float(model.score(judged, np.repeat(np.arange(len(z)), len(judged) // len(z))))


def _composition_r2(z: Array, composition: Array) -> float:
    fitted, judged = _halves(z)
    half = len(composition) // 2
    target = np.tile(composition[:half], (len(z), 1))
    truth = np.tile(composition[half:], (len(z), 1))
    model = make_pipeline(StandardScaler(), RidgeCV(np.geomspace(1e-2, 1e4, 25)))
    error = np.mean((model.fit(fitted, target).predict(judged) - truth) ** 2, axis=0)
    return float(np.mean(1 - error / truth.var(axis=0)))
