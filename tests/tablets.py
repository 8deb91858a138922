"""A product for tablets, made from the shipped foundation as `spektron-train finetune` does corn's.

For tests and benchmarks; nothing of it ships. The spectra are of transmitted light, absorbance 2.3
to 5.6: a detector that sees anything there has a thousandth of the noise that corn's is given.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch

from spektron_edge.spectra.preprocessing import FIRST_DERIVATIVE
from spektron_export import pack
from spektron_export.parity import LIMITS
from spektron_train.checkpoint import WEIGHTS, Card, Checkpoint, PropertyCard
from spektron_train.data.instrument_noise import DetectorNoise
from spektron_train.data.readers.tablets import LICENCE, tablet_sets, tablet_split
from spektron_train.model.rounding import equalise
from spektron_train.pretraining.foundation import load_foundation
from spektron_train.pretraining.shipped import FOUNDATION
from spektron_train.reference.applicability import applicability_arrays, fit_applicability
from spektron_train.training.calibration import basis_on, calibrate
from spektron_train.training.seed import seed_everything

NAME, PROPERTY = "tablets", "assay"
NOISE = DetectorNoise(rms=1e-7)
_SEED = 0


def tablets_bundle(
    path: Path, *, samples: int = 400, held_out: int = 212, scans: int = 2
) -> pack.Report:
    """Write the product's bundle, INT8 and fp32; what INT8 costs is reported, not judged."""
    checkpoint = tablets_checkpoint(samples, held_out, scans)
    judged = replace(LIMITS["int8"], z_chem_cosine=0.9, z=9.0, y_over_rmsep=9.0, rmsep_ratio=9.0)
    # The exporter knows one kind of instrument, corn's.
    with patch.object(pack, "DetectorNoise", lambda: NOISE):
        return pack.export_bundle(
            checkpoint,
            path,
            precisions=("int8", "fp32"),
            adapt=False,
            limits={**LIMITS, "int8": judged},
        )


def tablets_checkpoint(samples: int, held_out: int, scans: int) -> Checkpoint:
    """Calibrated on spectrometer 1, on `samples` of the published split's 400.

    held_out: of its 212 test tablets; scans: noisy ones of each sample. The network is the
    foundation's own; ridge gives it its share in the value.
    """
    rng, noise = seed_everything(_SEED, torch.get_num_threads()), NOISE
    one, split = tablet_sets()["spectrometer-1"], tablet_split()
    train, test = split["cal"][_spread(400, samples)], split["test"][_spread(212, held_out)]
    x, y = one.spectra[train], one.references[train]
    foundation, card = load_foundation(FOUNDATION)
    basis = basis_on(foundation, float(one.axis[0]), x.shape[1], y.shape[1])
    seen = np.concatenate([x, *(noise.add(x, rng) for _ in range(scans))])
    equalise(basis.encoder, torch.from_numpy(seen).float())
    calibrate(basis, x, y, noise=noise, scans=scans, rng=rng)
    # Two draws instead of twenty: nothing here asks how often it flags a good spectrum.
    applicability = fit_applicability(x, FIRST_DERIVATIVE, noise=noise, rng=rng, draws=2)
    low, high = float(y.min()), float(y.max())
    return Checkpoint(
        card=Card(
            product=NAME,
            held_out_name=f"{held_out} test tablets of the published split, spectrometer 1",
            notes=(),
            properties=(
                PropertyCard(name=PROPERTY, unit="mg", calibrated_min=low, calibrated_max=high),
            ),
            encoder=basis.encoder.config.to_json(),
            seed=_SEED,
            data={"tablets": one.sha256, "foundation": card.files[WEIGHTS]},
            licences={"tablets": LICENCE},
            versions={},
            metrics={},
            files={},
        ),
        encoder=basis.encoder,
        source={
            **applicability_arrays(applicability),
            "x": x.astype(np.float32),
            "y": y.astype(np.float32),
            "samples": train,
        },
        held_out={"x": one.spectra[test], "y": one.references[test], "samples": test},
    )


def _spread(there: int, wanted: int) -> np.ndarray:
    """`wanted` rows of `there`, evenly spread."""
    return np.linspace(0, there - 1, wanted).round().astype(np.int64)
