"""What the manifest says of a laboratory's own model."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata

import numpy as np

from spektron_edge.bundle.manifest import (
    Evaluation,
    Figures,
    Graph,
    Grid,
    Manifest,
    Product,
    Property,
    Provenance,
)
from spektron_edge.bundle.merit import Merit

from ..description import GOLDEN, SOURCE, THETA
from ..graphs import IR_VERSION, OPSET
from ..provenance import created, git_commit
from .calibration_set import Asked, References, plain_name
from .order import Order, Wrapped
from .regression import LinearModel

FILE = "linear.fp32.onnx"
_Z_TOLERANCE = 1e-2
_Y_TOLERANCE_OVER_RMSEP = 0.05


@dataclass(frozen=True, eq=False)
class Measured:
    """figures: by property; how: they came about, in a word; data: what of, in words; samples."""

    figures: dict[str, Merit]
    how: str
    data: str
    samples: int


def describe(
    order: Order,
    grid: Grid,
    columns: Sequence[Asked],
    known: References,
    members: Mapping[str, bytes],
    measured: Measured,
    notes: tuple[str, ...],
    made: Provenance,
) -> Manifest:
    """The manifest of `members`; columns: of the references, in the order of the outputs."""
    figures = {name: Figures(**merit.as_dict()) for name, merit in measured.figures.items()}
    product = Product(
        name=order.name,
        grid=grid,
        properties=tuple(
            Property(
                name=plain_name(column.column),
                unit=column.unit or "",
                column=j,
                calibrated_min=float(known.y[:, j].min()),
                calibrated_max=float(known.y[:, j].max()),
            )
            for j, column in enumerate(columns)
        ),
        graphs=(
            Graph(
                file=FILE,
                precision="fp32",
                y_tolerance=_tolerance(measured.figures, columns, known),
                z_tolerance=_Z_TOLERANCE,
            ),
        ),
        theta=THETA,
        source=SOURCE,
        golden=GOLDEN,
        evaluation=Evaluation(
            data=measured.data, samples=measured.samples, figures={"fp32": figures}
        ),
        notes=notes,
        observability=order.observed,
        **order.keep.product_fields,
    )
    return Manifest(
        name=order.name,
        version=order.version,
        devices=order.keep.serials,
        opset=OPSET,
        ir_version=IR_VERSION,
        products=(product,),
        files={name: hashlib.sha256(data).hexdigest() for name, data in members.items()},
        provenance=made,
    )


def _tolerance(
    figures: dict[str, Merit], columns: Sequence[Asked], known: References
) -> dict[str, float]:
    """Of golden values, by property: far below its error, above what processors differ by."""
    least = np.maximum(1e-5 * np.abs(known.y).max(axis=0), np.finfo(np.float32).tiny)
    names = [plain_name(column.column) for column in columns]
    return {
        name: max(_Y_TOLERANCE_OVER_RMSEP * figures[name].rmsep, float(least[j]))
        for j, name in enumerate(names)
    }


def provenance(model: LinearModel, known: References, other: References | None) -> Provenance:
    """Where the numbers came from."""
    packages = ("numpy", "onnx", "onnxruntime", "scipy")
    versions = {name: metadata.version(name) for name in packages}
    data = {"calibration spectra": known.sha256, "model file": model.sha256}
    licences = {"calibration spectra": known.licence}
    if other is not None:
        data["held-out spectra"], licences["held-out spectra"] = other.sha256, other.licence
    return Provenance(
        created=created(),
        git_commit=git_commit(),
        seed=0,
        data=data,
        versions={"python": platform.python_version(), **versions, **model.versions},
        licences=licences,
    )


def notes_of(order: Order, wrapped: Wrapped, known: References, components: int) -> tuple[str, ...]:
    """What a reader must know; components: of the applicability model."""
    savgol = order.savgol
    step = "absorbance"
    if savgol is not None:
        ends = "ends kept" if wrapped.filtering.whole else "ends left out"
        step = (
            f"absorbance filtered by Savitzky and Golay (window {savgol.window}, order "
            f"{savgol.order}, derivative {savgol.derivative} per channel, {ends}), which is folded "
            "into the coefficients"
        )
    left_out = f"; {known.left_out} without a reference were left out" if known.left_out else ""
    return (
        f"A laboratory's own linear model ({wrapped.model.what}), not trained by this software, on "
        f"{step}.",
        f"z_chem are the {components} scores of the applicability model, of unit variance, and "
        "zeros; z_inst is zero: nothing tells chemistry from instrument here. theta is an offset "
        "a property. There is no gradient graph, so the instrument cannot adapt.",
        f"Applicability sees what the model sees ({len(known.x)} calibration spectra{left_out}), "
        "through simulated detector noise of 1e-4 absorbance rms at A = 0; the instrument's own "
        "noise was not measured.",
    )
