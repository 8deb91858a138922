"""The labelled sets that benchmarks share, and what a reader of their figures must know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spektron_edge.demo.corn import MOISTURE_NOTE
from spektron_train.data.readers.corn_set import corn_sets
from spektron_train.data.readers.tablets import tablet_sets
from spektron_train.data.simulate.domain import NIR
from spektron_train.data.spectral_set import SpectralSet
from spektron_train.model import Encoder
from spektron_train.model.transplant import on_axis
from spektron_train.pretraining.linear_prior import linear_prior

from .splits import Split, corn_split, tablet_split

Array = NDArray[np.float64]
CORN_NOTES = (
    MOISTURE_NOTE,
    "Ceilings of corn with all 60 labels (ridge): m5 1.000, 0.986, 0.991, 0.968 for moisture, oil, "
    "protein, starch; mp5 0.866, 0.695, 0.902, 0.760; mp6 0.875, 0.741, 0.903, 0.756.",
)
TABLET_NOTES = (
    "Tablets: RMSEP of PLS on the published split 2.28 mg (spectrometer 1) and 2.35 mg (2).",
)


@dataclass(frozen=True, eq=False)
class LabelledSet:
    """Spectra x (n, L) from start (nm) in steps of 2 nm, references y (n, m)."""

    name: str
    x: Array
    y: Array
    properties: tuple[str, ...]
    unit: str
    start: float

    def split(self, seed: int) -> Split:
        """The split that all benchmarks use for this set."""
        return tablet_split(seed) if self.name.startswith("tablets") else corn_split(seed)


def foundation_on(source: LabelledSet, foundation: Encoder) -> tuple[Encoder, Array]:
    """The foundation on the set's axis, and the linear path's prior there."""
    points = source.x.shape[1]
    start, step, _ = NIR.grid
    encoder = on_axis(foundation, source.start, step, points, source.y.shape[1])
    return encoder, linear_prior(NIR, round((source.start - start) / step), points)


def _labelled(name: str, source: SpectralSet) -> LabelledSet:
    return LabelledSet(
        name=name,
        x=source.spectra,
        y=source.references,
        properties=source.properties,
        unit=source.units[0],
        start=float(source.axis[0]),
    )


def corn(*instruments: str) -> list[LabelledSet]:
    """One set an instrument: m5, mp5, mp6."""
    sets = corn_sets()
    return [_labelled(f"corn {name}", sets[name]) for name in instruments]


def tablets() -> LabelledSet:
    """The 642 tablets on spectrometer 1."""
    return _labelled("tablets", tablet_sets()["spectrometer-1"])
