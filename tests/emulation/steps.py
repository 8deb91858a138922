"""A fit of a transfer and a step of adaptation: `python -m tests.emulation.steps OUT`, anywhere.

OUT.npz gets what they give: predictions and half-widths of intervals of a transfer between two
simulated instruments, and loss, terms and gradient of the shipped bundle's graph on its golden
spectra, moved. Prints what it ran on as JSON. Needs the runtime only.
"""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

import numpy as np

from spektron_edge.bundle import Bundle, read_bundle
from spektron_edge.config.file import shipped_bundle
from spektron_edge.inference import Objective, load_gradient
from spektron_edge.transfer import fit

Arrays = dict[str, "np.ndarray"]
_SAMPLES, _PAIRS = 40, 8


def main(out: Path) -> None:
    """Compute and write."""
    np.savez(out, **transferred(), **adapted(read_bundle(shipped_bundle())))
    print(json.dumps({"machine": platform.machine()}))


def transferred() -> Arrays:
    """A calibration brought to an instrument of another axis, scale and offset."""
    rng = np.random.default_rng(7)
    axis, other = np.arange(1100.0, 1700.0, 3.0), np.arange(1080.0, 1690.0, 4.7)
    amounts = 0.4 + 0.15 * rng.random((_SAMPLES, 3))
    y = 10 * amounts[:, :2] + 0.01 * rng.standard_normal((_SAMPLES, 2))
    source = _bands(axis, amounts) + 2e-4 * rng.standard_normal((_SAMPLES, axis.size))
    target = 1.1 * _bands(other - 1.5, amounts) + 0.02
    target += 3e-4 * rng.standard_normal(target.shape)
    known = _SAMPLES - 10
    fitted = fit(source[:known], axis, y[:known], source[:_PAIRS], target[:_PAIRS], other)
    intervals = fitted.predict_intervals(target[known:])
    return {
        "transfer/y": fitted.predict(target[known:]),
        "transfer/half": (intervals.high - intervals.low) / 2,
        "transfer/valid": np.array(fitted.valid),
        "transfer/truth": y[known:],
    }


def _bands(axis: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    centres = np.array([1180.0, 1330.0, 1480.0])[:, None]
    return 0.3 + amounts @ np.exp(-0.5 * ((axis - centres) / 25.0) ** 2)


def adapted(bundle: Bundle) -> Arrays:
    """One step away from the factory state; the golden vectors are compared on the way."""
    engine = load_gradient(bundle)
    product = bundle.manifest.products[0]
    assert product.adapt is not None
    golden = bundle.arrays(product.adapt.golden)
    theta0 = bundle.vector(product.theta)
    x = bundle.arrays(product.golden)["x"].astype(np.float32) * np.float32(1.02)
    given = [golden[name].astype(np.float32) for name in ("centre", "spread", "weights")]
    objective = Objective(theta0, *given)
    step = engine.step(x, golden["keep"].astype(np.float32), theta0, objective)
    return {
        "adapt/loss": np.array(step.loss),
        "adapt/terms": step.terms,
        "adapt/gradient": step.gradient,
        "adapt/tolerance": np.array(product.adapt.tolerance),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
