"""Loss and gradient of adaptation, as one graph in onnxruntime: no torch on the instrument."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spektron_edge.bundle import Bundle, BundleError
from spektron_edge.bundle.manifest import Adaptation

from .backend import BackendError
from .session import open_session

# What the terms mean stands in spektron_train/losses/adaptation.py; `weights` has the same order.
TERMS = ("reconstruction", "bottleneck", "centre", "spread", "anchor")
INPUTS = ("x", "keep", "theta", "theta0", "centre", "spread", "weights")
OUTPUTS = ("loss", "terms", "gradient")
Vector = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Objective:
    """What stays the same over the steps of an adaptation.

    theta0 (P,): where it starts and what `anchor` pulls to; centre, spread (128,): mean and
    standard deviation of the source's z_chem; weights (5,): of the loss's terms.
    """

    theta0: Vector
    centre: Vector
    spread: Vector
    weights: Vector


@dataclass(frozen=True, eq=False)
class Gradient:
    """loss = weights @ terms; terms (5,), unweighted, as in TERMS; gradient (P,) of the loss."""

    loss: float
    terms: Vector
    gradient: Vector


class OnnxGradient:
    """A gradient graph, ready to run. Raises BackendError for a graph that cannot serve."""

    def __init__(self, graph: bytes) -> None:
        # A plan would save no time here and cost 28 MB at eight spectra.
        self._session = open_session(graph, INPUTS, OUTPUTS, plan_memory=False)

    def step(self, x: Vector, keep: Vector, theta: Vector, objective: Objective) -> Gradient:
        """Evaluate at theta (P,) on spectra x (B, L); keep (B, L) is 0 where a channel is hidden.

        Raises BackendError when shapes or types do not fit.
        """
        if x.shape != keep.shape or not len(x):
            raise BackendError(f"x has shape {x.shape} and keep {keep.shape}; expected (B, L) both")
        feed = {"x": x, "keep": keep, "theta": theta, **vars(objective)}
        try:
            loss, terms, gradient = self._session.run(OUTPUTS, feed)
        except Exception as error:  # noqa: BLE001  onnxruntime raises a dozen unrelated types
            raise BackendError(f"the gradient could not be computed: {error}") from None
        return Gradient(float(loss), terms, gradient)


def load_gradient(bundle: Bundle, product: str | None = None) -> OnnxGradient:
    """Load a product's gradient graph and compare it with its golden vectors.

    Raises BundleError when the product cannot adapt, a member is unusable, or loss or gradient on
    this machine differ from the golden ones by more than the manifest's tolerances.
    """
    try:
        chosen = bundle.manifest.product(product)
    except KeyError as error:
        raise BundleError(str(error.args[0])) from None
    adapt = chosen.adapt
    if adapt is None:
        raise BundleError(f"product {chosen.name!r} has no gradient graph; it cannot adapt")
    if adapt.inputs != INPUTS or adapt.terms != TERMS:
        raise BundleError(f"{adapt.file} is for another version of this software")
    golden: dict[str, NDArray[Any]] = {**bundle.arrays(adapt.golden)}
    golden["theta0"] = bundle.vector(chosen.theta)
    # Spectra are kept in one place, so that a vendor can leave them out there.
    golden["x"] = bundle.arrays(chosen.golden).get("x", np.empty(0))
    try:
        engine = OnnxGradient(bundle.graph(adapt))
        _check_golden(engine, adapt, golden)
    except BackendError as error:
        raise BundleError(f"{adapt.file}: {error}") from None
    return engine


def _check_golden(
    engine: OnnxGradient, adapt: Adaptation, golden: Mapping[str, NDArray[Any]]
) -> None:
    needed = (*INPUTS, *OUTPUTS)
    if missing := [name for name in needed if name not in golden]:
        raise BundleError(f"{adapt.golden} lacks {missing[0]!r}")
    if any(golden[name].dtype.kind != "f" for name in needed):
        raise BundleError(f"{adapt.golden} holds something that is no number")
    given = {name: golden[name].astype(np.float32) for name in needed}
    objective = Objective(*(given[name] for name in ("theta0", "centre", "spread", "weights")))
    actual = engine.step(given["x"], given["keep"], given["theta"], objective)
    for name in OUTPUTS:
        seen, expected = np.asarray(getattr(actual, name)), golden[name]
        if seen.shape != expected.shape:
            raise BundleError(f"{adapt.file}: {name} has shape {seen.shape}")
        worst = float(np.max(np.abs(seen - expected)))
        limit = adapt.tolerance * float(np.max(np.abs(expected)))
        if not worst <= limit:
            raise BundleError(
                f"{adapt.file}: {name} differs from its golden value by {worst:.3g}, more than "
                f"{limit:.3g}; this machine does not compute what the bundle promises"
            )
