"""The graph beside the laboratory's own model, and what the model is worth."""

from __future__ import annotations

import numpy as np

from spektron_edge.bundle.merit import merits
from spektron_edge.inference import Inference

from ..comparison import Comparison
from ..errors import ExportError, ParityError
from ..parity import compare
from .calibration_set import References
from .description import Measured
from .graph import Latents
from .order import Wrapped

MODEL = "laboratory's model"
# Of the range of the references; float32 gives 1e-6 for spectra and models of ordinary size.
_Y_LIMIT, _Z_LIMIT = 1e-4, 1e-3


def compare_linear(
    wrapped: Wrapped,
    latents: Latents,
    graph: Inference,
    known: References,
    other: References | None,
    names: tuple[str, ...],
) -> Comparison:
    """The graph beside the model itself on held-out, else on calibration spectra.

    graph: what it gave for them. Raises ParityError when float32 is not enough for the model,
    ExportError when it makes no sense of its own calibration spectra.
    """
    _require_sense(wrapped, known, names)
    tried = other or known
    exact = Inference(
        y=wrapped.predict(tried.x),
        z_chem=latents.scores(tried.x, wrapped.x_mean),
        z_inst=np.zeros_like(graph.z_inst),
    )
    y = graph.y.astype(np.float64)
    pair = (merits(y, tried.y, names), merits(exact.y, tried.y, names))
    parity = compare(("fp32", MODEL), graph, exact, pair)
    extent = np.ptp(known.y, axis=0)
    for j, name in enumerate(names):
        if not parity.y[name] <= _Y_LIMIT * extent[j]:
            raise ParityError(
                f"in float32 {name} is {parity.y[name]:.3g} off what {wrapped.model.what} gives, "
                f"more than {_Y_LIMIT:g} of the references' range; its coefficients nearly cancel. "
                "Fit it with fewer components or a larger penalty; nothing was written"
            )
    if not parity.z_chem <= _Z_LIMIT:
        raise ParityError(f"in float32 the scores are off by {parity.z_chem:.3g}; nothing written")
    figures = {MODEL: pair[1], "fp32": pair[0]}
    return Comparison((parity,), figures, tried.y, {MODEL: exact.y, "fp32": y})


def _require_sense(wrapped: Wrapped, known: References, names: tuple[str, ...]) -> None:
    """Outputs in another order, or another filter, would give numbers all the same."""
    for name, merit in merits(wrapped.predict(known.x), known.y, names).items():
        if not merit.r2 > 0:
            raise ExportError(
                f"on its calibration spectra the model is worse for {name} than their mean (R2 "
                f"{merit.r2:.2f}): is --property in the order of its outputs, in the units that it "
                "was fitted with, and --savgol what the spectra went through?"
            )


def evaluate(
    wrapped: Wrapped,
    comparison: Comparison,
    known: References,
    other: References | None,
    names: tuple[str, ...],
) -> Measured:
    """Figures for the manifest: held out, else cross-validated, else of the fit, which it says."""
    fitted = comparison.figures["fp32"]
    if other is not None:
        told = "spectra held out by the laboratory, as measured"
        return Measured(fitted, "fp32", told, len(other.y))
    refit = wrapped.model.cross_validate
    if refit is None:
        told = (
            "the calibration spectra themselves: coefficients cannot be fitted again, so these "
            "figures are too good; give --held-out"
        )
        return Measured(fitted, "fp32", told, len(known.y))
    y = refit(wrapped.filtering.apply(known.x), known.y)
    told = (
        "ten-fold cross-validation of the model, fitted again, on the calibration spectra; its "
        "settings were chosen before"
    )
    return Measured(merits(y, known.y, names), "cross-validation", told, len(known.y))
