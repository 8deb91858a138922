"""The laboratory's calibration spectra and references, on the grid of the bundle."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spektron_edge.bundle.manifest import Grid
from spektron_train.data.spectral_set import SpectralSet

from ..calibration_spectra import read_absorbance
from ..errors import ExportError

Array = NDArray[np.float64]
# Share of a step that a channel may be off the even grid: beyond it, resampling is the user's.
_UNEVEN = 0.01
_SAME_AXIS_NM = 1e-3
# Below it, limits that 99 % of spectra pass say nothing.
MIN_SAMPLES = 20


@dataclass(frozen=True)
class Asked:
    """A property: its column in the spectra's file, and its unit where the user gave one."""

    column: str
    unit: str | None

    @classmethod
    def parse(cls, text: str) -> Asked:
        """Read NAME or NAME=UNIT. Raises ValueError."""
        column, _, unit = text.partition("=")
        if not column:
            raise ValueError(f"{text!r} is not NAME or NAME=UNIT")
        return cls(column, unit or None)


@dataclass(frozen=True, eq=False)
class References:
    """Spectra whose references are all known: x (n, L), y (n, m), samples (n,)."""

    x: Array
    y: Array
    samples: tuple[str, ...]
    sha256: str
    licence: str
    left_out: int


def read_spectra(path: Path) -> tuple[SpectralSet, Grid]:
    """The file's spectra and their grid. Raises ExportError, also for an axis that is uneven."""
    spectra = read_absorbance(path)
    axis = spectra.axis
    step = (axis[-1] - axis[0]) / (len(axis) - 1)
    off = np.abs(axis - (axis[0] + step * np.arange(len(axis)))).max()
    if not off <= _UNEVEN * step:
        raise ExportError(
            f"{path} has an axis that is not even in nm (off by {off:.2g} nm at a step of "
            f"{step:.3g}); the daemon's grid is: resample the spectra and fit the model again"
        )
    if len(axis) < 8:
        raise ExportError(f"{path} has {len(axis)} channels; a bundle has 8 at least")
    return spectra, Grid(start_nm=float(axis[0]), step_nm=round(float(step), 9), points=len(axis))


def columns_for(
    spectra: SpectralSet, names: Sequence[str] | None, asked: Sequence[Asked], outputs: int
) -> tuple[Asked, ...]:
    """Which column of references each of the model's outputs is, with its unit.

    names: of the outputs, where the model has any. Raises ExportError when they do not fit, or
    a unit is known nowhere.
    """
    chosen: Sequence[Asked] = asked
    if names is not None:
        units = {a.column: a.unit for a in asked}
        if strange := sorted(set(units) - set(names)):
            raise ExportError(f"the model has no output {strange[0]!r}; it has {', '.join(names)}")
        chosen = [Asked(name, units.get(name)) for name in names]
    elif not asked:
        chosen = [Asked(name, None) for name in spectra.properties]
    have = ", ".join(spectra.properties) or "none"
    if len(chosen) != outputs:
        raise ExportError(
            f"the model has {outputs} outputs and {len(chosen)} properties are named; say which "
            f"with --property, in the order of the outputs ({spectra.name} has {have})"
        )
    found = []
    for one in chosen:
        if one.column not in spectra.properties:
            raise ExportError(f"{spectra.name} has no references {one.column!r}; it has {have}")
        unit = one.unit or spectra.units[spectra.properties.index(one.column)]
        if not unit:
            raise ExportError(f"{one.column} has no unit; say --property '{one.column}=UNIT'")
        found.append(Asked(one.column, unit))
    return tuple(found)


def references(spectra: SpectralSet, columns: Sequence[Asked], least: int) -> References:
    """Rows whose references are all known. Raises ExportError when they are fewer than `least`."""
    y = spectra.references[:, [spectra.properties.index(c.column) for c in columns]]
    known = np.isfinite(y).all(axis=1)
    if known.sum() < least:
        raise ExportError(
            f"{spectra.name} has {known.sum()} spectra with all references; {least} are needed"
        )
    return References(
        x=spectra.spectra[known],
        y=y[known],
        samples=tuple(np.array(spectra.sample_ids)[known].tolist()),
        sha256=spectra.sha256,
        licence=spectra.licence,
        left_out=int(np.count_nonzero(~known)),
    )


def held_out(path: Path, spectra: SpectralSet, columns: Sequence[Asked]) -> References:
    """References of another file on the same axis. Raises ExportError."""
    other = read_absorbance(path)
    if not same_axis(other.axis, spectra.axis):
        raise ExportError(f"{path} and {spectra.name} have different axes; measure both alike")
    for column in columns:
        if column.column not in other.properties:
            raise ExportError(f"{path} has no references {column.column!r}")
    return references(other, columns, least=2)


def same_axis(a: Array, b: Array) -> bool:
    """Whether two axes in nm are one."""
    return a.shape == b.shape and bool(np.abs(a - b).max() <= _SAME_AXIS_NM)


def plain_name(column: str) -> str:
    """A property's name as the manifest wants it. Raises ExportError when nothing is left."""
    name = re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_")
    if not name or not name[0].isalpha():
        raise ExportError(f"property {column!r} has a name that no record can have; rename it")
    return name
