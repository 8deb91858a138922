"""How far a spectrum is from the source, in the measures that drift detection follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spektron_edge.prediction.diagnostics import ApplicabilityModel
from spektron_edge.spectra.preprocessing import correlate_valid

from .forms import FORMS, Forms

Array = NDArray[np.float64]
# Directions of z_inst that carry its variance over the source; the rest is rounding (corn: the
# first four hold 99.9 %).
Z_DIRECTIONS = 6


@dataclass(frozen=True, eq=False)
class Domain:
    """The source, as distances are measured from it.

    applicability: of the bundle; scores: (N, k) of the source spectra, whitened; z_centre (64,),
    z_rows (d, 64), z_std (d,): mean, principal directions and spread of z_inst over them, or None;
    step_nm: of the grid; forms: see `forms.py`.
    """

    applicability: ApplicabilityModel
    scores: Array
    step_nm: float
    forms: Forms
    z_centre: Array | None = None
    z_rows: Array | None = None
    z_std: Array | None = None

    @cached_property
    def shift_direction(self) -> Array:
        """(L - w + 1,): change of the mean filtered spectrum per nm, free of the domain's own."""
        model = self.applicability
        slope = np.gradient(model.mean, self.step_nm)
        free: Array = slope - (model.loadings @ slope) @ model.loadings
        return free


@dataclass(frozen=True, eq=False)
class Gauge:
    """One spectrum against the source.

    scores: (k,) whitened; residual: (L - w + 1,), filtered, beyond the components; t2, q: as
    published; neighbour: distance of scores to the nearest source spectrum; wavelength_nm: by how
    much its features lie above (+, to the red of what is asked for) or below the source's; z_inst:
    Mahalanobis distance squared, NaN where not known; feature: size of its features over those of
    the source's mean spectrum; forms: (5,) as FORMS.
    """

    scores: Array
    residual: Array
    t2: float
    q: float
    neighbour: float
    wavelength_nm: float
    z_inst: float
    feature: float
    forms: Array

    @property
    def statistics(self) -> Mapping[str, float]:
        """What is followed: larger is farther."""
        return {
            "t2": self.t2,
            "q": self.q,
            "neighbour": self.neighbour,
            "wavelength_up": self.wavelength_nm,
            "wavelength_down": -self.wavelength_nm,
            "z_inst": self.z_inst,
            **{f"{name}_up": float(v) for name, v in zip(FORMS, self.forms, strict=True)},
            **{f"{name}_down": -float(v) for name, v in zip(FORMS, self.forms, strict=True)},
        }


def gauge(domain: Domain, spectrum: Array, z_inst: NDArray[np.float32] | None = None) -> Gauge:
    """One spectrum, (L,) absorbance on the model's grid; z_inst: (64,) of it, where known."""
    model = domain.applicability
    filtered = correlate_valid(spectrum, model.kernel)
    residual = filtered - model.mean
    raw = model.loadings @ residual
    residual = residual - raw @ model.loadings
    scores: Array = raw / model.score_std
    direction = domain.shift_direction
    apart = domain.scores - scores
    return Gauge(
        scores=scores,
        residual=residual,
        t2=float(scores @ scores),
        q=float(residual @ residual),
        neighbour=float(np.sqrt(np.min(np.sum(apart**2, axis=1)))) if len(apart) else float("nan"),
        # Features that lie higher on the axis are read earlier: the difference has the other sign.
        wavelength_nm=-float(residual @ direction) / max(float(direction @ direction), 1e-300),
        z_inst=_z_distance(domain, z_inst),
        feature=float(filtered @ model.mean) / max(float(model.mean @ model.mean), 1e-300),
        forms=domain.forms.of(spectrum),
    )


def _z_distance(domain: Domain, z_inst: NDArray[np.float32] | None) -> float:
    if z_inst is None or domain.z_centre is None or domain.z_rows is None or domain.z_std is None:
        return float("nan")
    along = domain.z_rows @ (z_inst.astype(np.float64) - domain.z_centre) / domain.z_std
    return float(along @ along)
