"""Golden vectors of an encoder: what it must compute, on every machine and every engine."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spektron_edge.bundle import BundleError
from spektron_edge.bundle.manifest import Graph, Product

from .backend import OUTPUTS, Backend, BackendError


class OtherNumbers(BackendError):
    """A graph runs, and computes something else than it did on the exporting host."""


class GoldenDiffers(BundleError):
    """The same of a bundle's graph."""


def check_vectors(
    product: Product, graph: Graph, golden: Mapping[str, NDArray[np.float64]]
) -> None:
    """Return when there is something to compare with. Raises BundleError."""
    wanted = ("x", *(f"{output}_{graph.precision}" for output in OUTPUTS))
    missing = [name for name in wanted if name not in golden]
    if missing:
        raise BundleError(f"{product.golden} lacks {missing[0]!r}")
    if any(array.dtype.kind != "f" for array in golden.values()):
        raise BundleError(f"{product.golden} holds something that is no number")
    if golden["x"].ndim != 2 or golden["x"].shape[1] != product.grid.points:
        raise BundleError(f"{product.golden}: spectra are not on the product's grid")
    if not len(golden["x"]):
        raise BundleError(f"{product.golden} holds no spectra to check")


def compare(
    backend: Backend,
    theta: NDArray[np.float32],
    product: Product,
    graph: Graph,
    golden: Mapping[str, NDArray[np.float64]],
) -> None:
    """Run the golden spectra. Raises BackendError for outputs beyond the manifest's tolerances."""
    outputs = backend.infer(np.atleast_2d(golden["x"]).astype(np.float32), theta)
    for wanted in product.properties:
        if outputs.y.ndim != 2 or wanted.column >= outputs.y.shape[1]:
            raise BackendError(f"y has no column for {wanted.name}")
    for output in OUTPUTS:
        expected = golden[f"{output}_{graph.precision}"]
        actual = getattr(outputs, output)
        if actual.shape != expected.shape:
            raise BackendError(f"{output} has shape {actual.shape}")
        difference = np.abs(actual - expected)
        if output != "y":
            _require(output, difference, graph.z_tolerance)
            continue
        for wanted in product.properties:
            of_one = difference[:, wanted.column]
            _require("y", of_one, graph.y_tolerance[wanted.name], f" ({wanted.name})")


def _require(what: str, difference: NDArray[np.float64], limit: float, of: str = "") -> None:
    worst = float(np.max(difference, initial=0.0))
    if not worst <= limit:
        raise OtherNumbers(
            f"{what} differs from its golden value by {worst:.3g}{of}, "
            f"more than {limit:.3g}; this machine does not compute what the bundle promises"
        )
