"""The gradient graph against torch's autograd, and the vectors a device checks it with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from spektron_edge.inference.gradient import INPUTS, OUTPUTS, TERMS, Objective, OnnxGradient
from spektron_train.losses.reconstruction import span_mask
from spektron_train.model import Encoder

from .errors import ParityError
from .gradient import GradientStep

Array = NDArray[Any]
# Relative to the largest element. Measured: 4e-7 against torch, 1e-6 between onnxruntime 1.23.2
# and 1.31.1.
LIMIT, TOLERANCE = 1e-4, 1e-3
_SPAN, _SHARE = 32, 0.4
_MOVED = 0.01


@dataclass(frozen=True, eq=False)
class GradientCase:
    """One evaluation: INPUTS by name."""

    inputs: dict[str, NDArray[np.float32]]

    @classmethod
    def of(cls, encoder: Encoder, x: Array, z_chem: Array, seed: int = 0) -> GradientCase:
        """Spectra x (B, L) with hidden spans, theta somewhat off, moments of z_chem (n, 128)."""
        rng = np.random.default_rng(seed)
        generator = torch.Generator().manual_seed(seed)
        theta0 = encoder.theta.detach().numpy()
        keep = span_mask(len(x), x.shape[1], _SPAN, _SHARE, generator).numpy()
        values = {
            "x": x,
            "keep": keep,
            "theta": theta0 + _MOVED * rng.standard_normal(theta0.shape),
            "theta0": theta0,
            "centre": z_chem.mean(axis=0),
            "spread": z_chem.std(axis=0),
            "weights": np.ones(len(TERMS)),
        }
        return cls({name: values[name].astype(np.float32) for name in INPUTS})

    def run(self, engine: OnnxGradient) -> dict[str, Array]:
        """OUTPUTS by name, as the runtime computes them."""
        objective = Objective(*(self.inputs[n] for n in ("theta0", "centre", "spread", "weights")))
        step = engine.step(*(self.inputs[n] for n in ("x", "keep", "theta")), objective)
        return {name: np.asarray(getattr(step, name), np.float32) for name in OUTPUTS}

    def run_torch(self, encoder: Encoder) -> dict[str, Array]:
        """OUTPUTS by name, from autograd."""
        values = GradientStep(encoder)(*(torch.from_numpy(self.inputs[n]) for n in INPUTS))
        return {name: value.numpy() for name, value in zip(OUTPUTS, values, strict=True)}


def relative_error(actual: Array, expected: Array) -> float:
    """Largest difference over the largest element."""
    return float(np.abs(actual - expected).max() / np.abs(expected).max())


@dataclass(frozen=True, eq=False)
class GradientParity:
    """OUTPUTS by name, of the graph and of autograd; errors: relative to the largest element."""

    actual: dict[str, Array]
    expected: dict[str, Array]
    errors: dict[str, float]


def require_gradient(
    model: onnx.ModelProto, encoder: Encoder, case: GradientCase
) -> GradientParity:
    """Outputs of the graph beside torch's.

    Raises ParityError when one of them is off by more than `LIMIT`.
    """
    actual = case.run(OnnxGradient(model.SerializeToString()))
    expected = case.run_torch(encoder)
    errors = {name: relative_error(actual[name], expected[name]) for name in OUTPUTS}
    for name, error in errors.items():
        if not error <= LIMIT:
            raise ParityError(
                f"the gradient graph against torch: {name} is off by {error:.2g} of its largest "
                f"element, more than {LIMIT:g}; nothing was written"
            )
    return GradientParity(actual, expected, errors)


def gradient_golden(case: GradientCase, outputs: dict[str, Array]) -> dict[str, Array]:
    """What a device checks: all but what stands elsewhere in the bundle, spectra and theta0."""
    kept = {name: value for name, value in case.inputs.items() if name not in ("x", "theta0")}
    return {**kept, **outputs}
