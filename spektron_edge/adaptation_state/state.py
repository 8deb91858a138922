"""An adaptation with what it says of itself, and examples of what it predicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spektron_edge import __version__
from spektron_edge.adaptation.candidate import Adapted, Batch, Verdict
from spektron_edge.adaptation.correction import TERMS
from spektron_edge.spectra.resampling import same_axis

from .batch_file import digest
from .header import Header, MadeUnder

if TYPE_CHECKING:
    # onnxruntime takes its time, and listing states needs none.
    from spektron_edge.inference import Model

Array = NDArray[np.float64]


@dataclass(frozen=True)
class About:
    """What a candidate does not know of itself; fields as in `Header`."""

    serial: str
    mode: MadeUnder
    seed: int
    created: datetime
    why: str
    parent: str | None = None
    transfer: str | None = None
    judged_by: tuple[tuple[int, int], ...] = ()
    evidence: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class AdaptationState:
    """examples (k, L): absorbance on the model's grid as measured; values (k, properties) what the
    adapted model made of them, in the order of the product's properties.
    """

    header: Header
    adapted: Adapted
    examples: Array
    values: Array

    def misfit(self, model: Model) -> str:
        """Why this model cannot use it; empty if it can. Raises BackendError."""
        header, product, adapted = self.header, model.product, self.adapted
        if (header.bundle, header.product) != (model.bundle_id, product.name):
            return (
                f"it is for {header.product} of {header.bundle}, "
                f"not {product.name} of {model.bundle_id}"
            )
        grid, correction = product.grid, adapted.correction
        if not same_axis(correction.axis_nm, grid.axis()):
            return "its correction is for another wavelength grid"
        if adapted.theta.shape != model.theta.shape:
            return f"its theta holds {adapted.theta.size} numbers, not {model.theta.size}"
        found = _values(model, adapted, self.examples)
        if found.shape != self.values.shape or not np.all(np.isfinite(found)):
            return "it gives no number for each property"
        tolerance = np.array([model.graph.y_tolerance[p.name] for p in product.properties])
        same_graph = header.graph_sha256 == model.graph_sha256
        if same_graph and np.any(np.abs(found - self.values) > tolerance):
            return "it predicts otherwise than when it was made"
        return ""


def state_of(
    adapted: Adapted, verdict: Verdict, about: About, batch: Batch, model: Model
) -> AdaptationState:
    """What a device keeps of a proposal that was made from this batch for this model.

    The batch's spectra must be float32 numbers (`batch_file.as_kept`), or it could not be
    replayed. Raises ValueError for these, for figures that are not finite and for what does not
    fit the model, BackendError where the model cannot run.
    """
    if len(batch.spectra) != len(batch.scans):
        raise ValueError(f"{len(batch.spectra)} spectra, and {len(batch.scans)} names of scans")
    header = Header(
        bundle=model.bundle_id,
        graph_sha256=model.graph_sha256,
        product=model.product.name,
        serial=about.serial,
        transfer=about.transfer,
        parent=about.parent,
        created=about.created,
        software=__version__,
        mode=about.mode,
        seed=about.seed,
        terms=TERMS,
        scans=_numbers(batch.scans),
        judged_by=_numbers(about.judged_by),
        batch=digest(batch),
        metrics={n: float(v) for n, v in {**about.metrics, **verdict.metrics}.items()},
        evidence=about.evidence,
        refusals=verdict.refusals,
        doubts=verdict.doubts,
        why=about.why,
    )
    examples = batch.spectra[[0, -1]]
    state = AdaptationState(header, adapted, examples, _values(model, adapted, examples))
    if misfit := state.misfit(model):
        raise ValueError(misfit)
    return state


def _numbers(scans: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """numpy's integers are none to pydantic."""
    return tuple((int(boot_id), int(number)) for boot_id, number in scans)


def _values(model: Model, adapted: Adapted, spectra: Array) -> Array:
    y = model.infer(adapted.correction.apply(spectra), adapted.theta).y
    columns = [p.column for p in model.product.properties]
    return y[:, columns].astype(np.float64)
