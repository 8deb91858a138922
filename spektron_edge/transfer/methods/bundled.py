"""Latents and gradient of a model bundle, for the methods that work in its encoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spektron_edge.bundle import Bundle
from spektron_edge.inference import (
    BackendError,
    Model,
    Objective,
    OnnxGradient,
    load_gradient,
    load_model,
)

from ..problem import TransferError
from .spektron_route import SpektronRoute

Array = NDArray[np.float64]
Vector = NDArray[np.float32]
_BATCH = 32
# Reconstruction and bottleneck as in pretraining; moments and anchor as strong as reconstruction.
WEIGHTS = np.array([1.0, 0.03, 1.0, 1.0, 1.0], dtype=np.float32)


def latents(model: Model) -> Callable[[Array], NDArray[np.float32]]:
    """Spectra (k, L), absorbance on the product's grid -> z_chem (k, 128), at the bundle's theta.

    What comes back raises TransferError for spectra on another grid.
    """
    return lambda spectra: _z_chem(model, spectra, model.theta)


def spektron_route(bundle: Bundle, product: str | None = None, **settings: Any) -> SpektronRoute:
    """The whole route with a bundle's encoder (fp32) and gradient; settings: its other fields.

    Raises BundleError where the product cannot adapt or has no such encoder.
    """
    model, engine = load_model(bundle, product, "fp32"), load_gradient(bundle, product)
    return SpektronRoute(
        encoder=lambda spectra, theta: _z_chem(model, spectra, theta),
        gradient=gradient(engine, model.theta),
        theta0=model.theta,
        **settings,
    )


def gradient(
    engine: OnnxGradient, theta0: Vector, weights: Vector = WEIGHTS
) -> Callable[[Vector, Vector, Vector, Vector, Vector], tuple[float, Vector]]:
    """A `LatentGradient` that raises TransferError for spectra on another grid."""

    def evaluate(
        x: Vector, keep: Vector, theta: Vector, centre: Vector, spread: Vector
    ) -> tuple[float, Vector]:
        try:
            found = engine.step(x, keep, theta, Objective(theta0, centre, spread, weights))
        except BackendError as error:
            raise TransferError(f"the bundle cannot adapt to these spectra: {error}") from None
        return found.loss, found.gradient

    return evaluate


def _z_chem(model: Model, spectra: Array, theta: Vector) -> Vector:
    """In parts, so that memory stays bounded."""
    try:
        parts = [
            model.backend.infer(spectra[i : i + _BATCH].astype(np.float32), theta).z_chem
            for i in range(0, len(spectra), _BATCH)
        ]
    except BackendError as error:
        raise TransferError(
            f"the encoder cannot read these spectra, which must be on the product's grid: {error}"
        ) from None
    return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)
