"""A product of a bundle made ready to predict, after its golden vectors were checked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spektron_edge.backend_choice import CPU, BackendChoice, BackendName
from spektron_edge.bundle import Bundle, BundleError
from spektron_edge.bundle.manifest import Graph, Precision, Product
from spektron_edge.bundle.trust import Signer
from spektron_edge.prediction.diagnostics import ApplicabilityModel

from .backend import Backend, BackendError, Inference
from .falling_back import FallingBack
from .golden import GoldenDiffers, OtherNumbers, check_vectors, compare
from .onnx import OnnxCpu


@dataclass(frozen=True)
class Model:
    """Everything one prediction needs, checked and loaded.

    theta: (P,) as the bundle's layout; graph_sha256: of the whole graph, shared weights included;
    devices: serial numbers that it is bound to, None for any; signed_by: whose signature was
    checked, None where none was asked for; asked: the backend that the configuration names.
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
    asked: BackendName = "cpu"

    @property
    def calibration(self) -> str:
        """Bundle and product: what holds for one product of a bundle does not for another."""
        return f"{self.bundle_id} {self.product.name}"

    @property
    def active(self) -> BackendName:
        """The backend that runs now; it changes when a GPU fails in the middle of things."""
        return self.backend.active if isinstance(self.backend, FallingBack) else "cpu"

    @property
    def fell_back(self) -> str:
        """Why that is not the one that was asked for; empty when it is."""
        return self.backend.fell_back if isinstance(self.backend, FallingBack) else ""

    def infer(
        self, absorbance: NDArray[np.float64], theta: NDArray[np.float32] | None = None
    ) -> Inference:
        """Run spectra, (L,) or (B, L) absorbance on the product's grid.

        theta: (P,) of an adaptation; None for the bundle's own.
        """
        x = np.atleast_2d(absorbance).astype(np.float32)
        return self.backend.infer(x, self.theta if theta is None else theta)


def load_model(
    bundle: Bundle,
    product: str | None = None,
    precision: Precision | None = None,
    signed_by: Signer | None = None,
    choice: BackendChoice = CPU,
) -> Model:
    """Load one product's graph and compare it with the bundle's golden vectors.

    precision: None for int8 where the bundle has it and else fp32; signed_by: what the device's
    trust store said of the bundle; choice: of the backend. Where it cannot be had or computes
    something else, the model runs on the CPU and says why.

    Raises BundleError when the product or precision does not exist, a member is unusable, or the
    outputs on this machine differ from the golden ones by more than the manifest's tolerances.
    """
    try:
        chosen = bundle.manifest.product(product)
        graph = chosen.graph(precision or chosen.usual_precision)
    except KeyError as error:
        raise BundleError(str(error.args[0])) from None
    theta, golden = bundle.vector(chosen.theta), bundle.arrays(chosen.golden)
    check_vectors(chosen, graph, golden)
    file = bundle.graph(graph)

    def check(candidate: Backend) -> None:
        compare(candidate, theta, chosen, graph, golden)

    try:
        backend: Backend
        if choice.name == "cpu":
            backend = OnnxCpu(file)
            check(backend)
        else:
            backend = FallingBack(file, graph.precision, choice, check)
    except BackendError as error:
        kind = GoldenDiffers if isinstance(error, OtherNumbers) else BundleError
        raise kind(f"{graph.file}: {error}") from None
    try:
        applicability = ApplicabilityModel.from_arrays(bundle.arrays(chosen.source))
    except ValueError as error:
        raise BundleError(f"{chosen.source}: {error}") from None
    if applicability.points != chosen.grid.points:
        raise BundleError(f"{chosen.source}: the applicability model is for another grid")
    return Model(
        bundle_id=bundle.id,
        product=chosen,
        graph=graph,
        graph_sha256=hashlib.sha256(file).hexdigest(),
        theta=theta,
        backend=backend,
        applicability=applicability,
        devices=bundle.manifest.devices,
        signed_by=signed_by,
        asked=choice.name,
    )
