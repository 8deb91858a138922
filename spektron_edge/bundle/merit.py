"""Figures of merit of a calibration."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# JSON has no infinity, and a ratio to next to nothing would be one.
_MOST = 1e9


@dataclass(frozen=True)
class Merit:
    """Figures of one property; rmsep, bias and sep in its unit, r2 and rpd without one.

    bias: mean of predicted - reference; sep: standard deviation of the error (n - 1), so without
    bias; r2 = 1 - SSE/SST; rpd: standard deviation of the references (n - 1) over sep (Williams,
    1987). Neither goes beyond 1e9 in size. Where the reference does not vary, r2 is 1 without any
    error and else 0.
    """

    rmsep: float
    r2: float
    bias: float
    sep: float
    rpd: float

    def as_dict(self) -> dict[str, float]:
        """Plain numbers, for JSON."""
        return asdict(self)


def merit(predicted: Array, reference: Array) -> Merit:
    """Figures of one property, both (n,), n >= 2. Raises ValueError for other shapes."""
    if predicted.shape != reference.shape or predicted.ndim != 1 or predicted.size < 2:
        raise ValueError("predicted and reference must be vectors of one length, at least 2")
    error = np.asarray(predicted, np.float64) - reference
    bias = float(error.mean())
    sep = float(error.std(ddof=1))
    spread = float(reference.std(ddof=1))
    squares = float(np.sum(error**2))
    total = float(np.sum((reference - reference.mean()) ** 2))
    return Merit(
        rmsep=float(np.sqrt(np.mean(error**2))),
        r2=max(1.0 - squares / total, -_MOST) if total > 0 else float(squares == 0),
        bias=bias,
        sep=sep,
        rpd=min(spread / sep, _MOST) if sep > 0 else _MOST,
    )


def merits(predicted: Array, reference: Array, names: tuple[str, ...]) -> dict[str, Merit]:
    """Figures of each column, both (n, len(names))."""
    return {name: merit(predicted[:, j], reference[:, j]) for j, name in enumerate(names)}


def median_merits(runs: list[dict[str, Merit]]) -> dict[str, Merit]:
    """Field-wise medians over repeated runs (one per noise seed)."""
    return {
        name: Merit(
            **{
                field: float(np.median([getattr(run[name], field) for run in runs]))
                for field in Merit.__dataclass_fields__
            }
        )
        for name in runs[0]
    }
