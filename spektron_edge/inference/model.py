"""A product of a bundle made ready to predict, after its golden vectors were checked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spektron_edge.bundle import Bundle, BundleError
from spektron_edge.bundle.trust import Signer
from spektron_edge.diagnostics import ApplicabilityModel
from spektron_edge.manifest import Graph, Precision, Product

from .backend import Backend, BackendError, Inference
from .onnx import OnnxCpu


@dataclass(frozen=True)
class Model:
    """Everything one prediction needs, checked and loaded.

    theta: (P,) as the bundle's layout; graph_sha256: of the whole graph, shared weights included;
    devices: serial numbers that it is bound to, None for any; signed_by: whose signature was
    checked, None where none was asked for.
    """

    bundle_id: str
    product: Product
    graph: Graph
    graph_sha256: str
    theta: NDArray[np.float32]
    backend: Backend
    applicability: ApplicabilityModel
    devices: tuple[str, ...] | None = None
    signed_by: Signer | None = None

    def infer(self, absorbance: NDArray[np.float64]) -> Inference:
        """Run spectra, (L,) or (B, L) absorbance on the product's grid."""
        x = np.atleast_2d(absorbance).astype(np.float32)
        return self.backend.infer(x, self.theta)


def load_model(
    bundle: Bundle,
    product: str | None = None,
    precision: Precision = "int8",
    signed_by: Signer | None = None,
) -> Model:
    """Load one product's graph and compare it with the bundle's golden vectors.

    signed_by: what the device's trust store said of the bundle.

    Raises BundleError when the product or precision does not exist, a member is unusable, or the
    outputs on this machine differ from the golden ones by more than the manifest's tolerances.
    """
    try:
        chosen = bundle.manifest.product(product)
        graph = chosen.graph(precision)
    except KeyError as error:
        raise BundleError(str(error.args[0])) from None
    try:
        file = bundle.graph(graph)
        backend = OnnxCpu(file)
    except BackendError as error:
        raise BundleError(f"{graph.file}: {error}") from None
    try:
        applicability = ApplicabilityModel.from_arrays(bundle.arrays(chosen.source))
    except ValueError as error:
        raise BundleError(f"{chosen.source}: {error}") from None
    if applicability.points != chosen.grid.points:
        raise BundleError(f"{chosen.source}: the applicability model is for another grid")
    model = Model(
        bundle_id=bundle.id,
        product=chosen,
        graph=graph,
        graph_sha256=hashlib.sha256(file).hexdigest(),
        theta=bundle.vector(chosen.theta),
        backend=backend,
        applicability=applicability,
        devices=bundle.manifest.devices,
        signed_by=signed_by,
    )
    _check_golden(model, bundle.arrays(chosen.golden))
    return model


def _check_golden(model: Model, golden: dict[str, NDArray[np.float64]]) -> None:
    precision = model.graph.precision
    limits = {
        "y": model.graph.y_tolerance,
        "z_chem": model.graph.z_tolerance,
        "z_inst": model.graph.z_tolerance,
    }
    missing = [k for k in ("x", *(f"{o}_{precision}" for o in limits)) if k not in golden]
    if missing:
        raise BundleError(f"{model.product.golden} lacks {missing[0]!r}")
    if any(array.dtype.kind != "f" for array in golden.values()):
        raise BundleError(f"{model.product.golden} holds something that is no number")
    if golden["x"].ndim != 2 or golden["x"].shape[1] != model.product.grid.points:
        raise BundleError(f"{model.product.golden}: spectra are not on the product's grid")
    if not len(golden["x"]):
        raise BundleError(f"{model.product.golden} holds no spectra to check")
    try:
        outputs = model.infer(golden["x"])
    except BackendError as error:
        raise BundleError(f"{model.graph.file}: {error}") from None
    for wanted in model.product.properties:
        if outputs.y.ndim != 2 or wanted.column >= outputs.y.shape[1]:
            raise BundleError(f"{model.graph.file}: y has no column for {wanted.name}")
    for output, limit in limits.items():
        expected = golden[f"{output}_{precision}"]
        actual = getattr(outputs, output)
        if actual.shape != expected.shape:
            raise BundleError(f"{model.graph.file}: {output} has shape {actual.shape}")
        worst = float(np.max(np.abs(actual - expected), initial=0.0))
        if not worst <= limit:
            raise BundleError(
                f"{model.graph.file}: {output} differs from its golden value by {worst:.3g}, "
                f"more than {limit:.3g}; this machine does not compute what the bundle promises"
            )
