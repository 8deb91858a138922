"""The labelled sets that benchmarks share, and what a reader of their figures must know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spektron_edge.demo.corn import MOISTURE_NOTE
from spektron_train.data.readers.corn_set import corn_sets
from spektron_train.data.readers.tablets import tablet_sets
from spektron_train.data.spectral_set import SpectralSet

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
    """A set with its name in reports and how all benchmarks split it."""

    name: str
    data: SpectralSet
    split: Callable[[int], Split]

    @property
    def x(self) -> Array:
        """(n, L) absorbance, in steps of 2 nm."""
        return self.data.spectra

    @property
    def y(self) -> Array:
        """(n, m) references."""
        return self.data.references

    @property
    def start(self) -> float:
        """First wavelength in nm."""
        return float(self.data.axis[0])


def corn(*instruments: str) -> list[LabelledSet]:
    """One set an instrument: m5, mp5, mp6."""
    sets = corn_sets()
    return [LabelledSet(f"corn {name}", sets[name], corn_split) for name in instruments]


def tablets(train: int = 400) -> LabelledSet:
    """The 642 tablets on spectrometer 1, `train` of them to train on."""
    one = tablet_sets()["spectrometer-1"]
    return LabelledSet("tablets", one, lambda seed: tablet_split(seed, train))
