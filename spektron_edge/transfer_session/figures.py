"""What the report shows, as plain numbers: spectra before and after, predictions, methods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spektron_edge.transfer import Transfer
from spektron_edge.transfer.alignment import AlignmentMethod, AsMeasured
from spektron_edge.transfer.quantity import convert
from spektron_edge.transfer.smooth import SCALE, Smooth

from .material import Material
from .source import Source

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SpectraFigure:
    """On the shared axis (L,) nm, each (L,) absorbance, or None without pairs.

    source, before: means of the same samples; after: the target's, each by what the other pairs
    show; left_before, left_after: root mean square difference of a pair.
    """

    axis: Array
    source: Array
    before: Array
    after: Array | None
    left_before: Array | None
    left_after: Array | None
    how: str


@dataclass(frozen=True)
class Point:
    """A prediction against its reference, with its 90 % interval. held_out: by a fit that had not
    seen this transfer sample; else a new sample, whose reference no fit sees."""

    sample: str
    reference: float
    predicted: float
    low: float
    high: float
    held_out: bool


def spectra_figure(source: Source, material: Material, transfer: Transfer) -> SpectraFigure:
    """Before and after; what is left of a pair is judged without that pair."""
    shared = transfer.overlap
    target = material.target if material.paired else material.unpaired_target
    measured = shared.target(convert(target, transfer.conversion))
    if not material.paired:
        known = shared.source(source.x)
        return SpectraFigure(
            shared.axis, known.mean(axis=0), measured.mean(axis=0), None, None, None, ""
        )
    known = shared.source(source.x[list(material.rows)])
    methods: tuple[AlignmentMethod, ...] = (AsMeasured(), SCALE, Smooth())
    trials = {
        method.name: _held_out(known, measured, method)
        for method in methods
        if method.least < len(known)
    }
    how = min(trials, key=lambda name: float(np.mean(trials[name] ** 2)))
    left = trials[how]
    return SpectraFigure(
        shared.axis,
        known.mean(axis=0),
        measured.mean(axis=0),
        known.mean(axis=0) - left.mean(axis=0),
        np.sqrt(np.mean((known - measured) ** 2, axis=0)),
        np.sqrt(np.mean(left**2, axis=0)),
        how,
    )


def _held_out(known: Array, measured: Array, method: AlignmentMethod) -> Array:
    """(n, L) what is left of each pair after the alignment and mean difference of the others."""
    left = np.empty_like(known)
    for i in range(len(known)):
        others = np.arange(len(known)) != i
        fitted = method.fit(known[others], measured[others])
        difference = fitted.source(known) - fitted.target(measured)
        left[i] = difference[i] - difference[others].mean(axis=0)
    return left


def points(source: Source, material: Material, transfer: Transfer) -> dict[str, list[Point]]:
    """property -> predictions of held-out pairs and of new samples with a reference."""
    half = transfer.expected.half_width
    found: dict[str, list[Point]] = {name: [] for name, _ in source.properties}
    errors = transfer.report.get("held_out_errors", [])
    fitted = material.fitted_labels
    if material.paired:
        names, labels = list(material.pairs), material.labels
    else:
        names = [n for n, used in zip(material.unpaired, fitted, strict=True) if used]
        labels = material.unpaired_labels[fitted]
    for i, sample in enumerate(names):
        for j, (name, _) in enumerate(source.properties):
            error, reference = errors[i][j], float(labels[i, j])
            if error is not None:
                value = reference - error
                found[name].append(
                    Point(sample, reference, value, value - half[j], value + half[j], True)
                )
    if len(material.unpaired):
        values = transfer.predict_intervals(material.unpaired_target).values
        for i, sample in enumerate(material.unpaired):
            if fitted[i]:
                continue
            for j, (name, _) in enumerate(source.properties):
                reference, value = float(material.unpaired_labels[i, j]), float(values[i, j])
                if np.isfinite(reference):
                    low, high = value - float(half[j]), value + float(half[j])
                    found[name].append(Point(sample, reference, value, low, high, False))
    return found


def rmsep_of_new(found: dict[str, list[Point]]) -> dict[str, tuple[float, int]]:
    """property -> root mean square error on new samples, and how many they are; none, no entry."""
    out = {}
    for name, ps in found.items():
        errors = [p.reference - p.predicted for p in ps if not p.held_out]
        if errors:
            out[name] = (float(np.sqrt(np.mean(np.square(errors)))), len(errors))
    return out


def methods_tried(transfer: Transfer) -> list[tuple[str, list[float]]]:
    """Recipe or simple method -> expected error of each property (m,), best first."""
    told = {**transfer.report.get("tried", {}), **transfer.report.get("baselines", {})}
    if not told:
        return []
    least = np.min(np.array(list(told.values())), axis=0)
    return sorted(
        ((name, list(values)) for name, values in told.items()),
        key=lambda item: float(np.mean(np.array(item[1]) / np.maximum(least, 1e-300))),
    )
