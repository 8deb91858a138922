"""Where an instrument sees the bands of a wavelength standard, against where they are."""

from __future__ import annotations

import csv
import itertools
import math
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from spektron_edge.faults import Fault, Faults

Array = NDArray[np.float64]
Method = Literal["maximum", "centroid"]
_FOLDER = "spektron_edge.detector.standards"
_MOST_BYTES = 100_000
# A band is looked for so far from its place, or half the way to its neighbour where that is nearer.
_REACH_NM = 25.0
# A flatter one is no band, whatever its noise.
_LEAST_HEIGHT = 0.005
_NOISE_TIMES = 5.0
_TOP = 0.7
_HALF = 0.5


@dataclass(frozen=True)
class Band:
    """Where a band is: nm, its uncertainty in nm, and by which method the place is defined."""

    nm: float
    uncertainty_nm: float
    method: Method


@dataclass(frozen=True)
class Standard:
    """A table with a name."""

    name: str
    bands: tuple[Band, ...]


@dataclass(frozen=True)
class BandFound:
    """A band, and where it was seen, nm; None where there was no band to see."""

    band: Band
    found_nm: float | None

    @property
    def error_nm(self) -> float | None:
        """Seen minus certified."""
        return None if self.found_nm is None else self.found_nm - self.band.nm


@dataclass(frozen=True)
class Check:
    """What a check came to. limit_nm: an error beyond it and the band's uncertainty fails."""

    standard: str
    bands: tuple[BandFound, ...]
    limit_nm: float

    @property
    def errors(self) -> tuple[float, ...]:
        """Of the bands that were seen, nm."""
        return tuple(b.error_nm for b in self.bands if b.error_nm is not None)

    @property
    def mean_nm(self) -> float:
        """Mean shift, nm."""
        return sum(self.errors) / len(self.errors)

    @property
    def rms_nm(self) -> float:
        """Root mean square of the errors, nm."""
        return math.sqrt(sum(e * e for e in self.errors) / len(self.errors))

    @property
    def passed(self) -> bool:
        """Whether every band was seen where it should be."""
        return all(
            b.error_nm is not None and abs(b.error_nm) <= self.limit_nm + b.band.uncertainty_nm
            for b in self.bands
        )

    @property
    def told(self) -> str:
        """In one sentence."""
        each = ", ".join(
            f"{b.band.nm:g} nm {'not seen' if b.error_nm is None else f'{b.error_nm:+.2f}'}"
            for b in self.bands
        )
        return (
            f"{self.standard}: {'passed' if self.passed else 'failed'} at a limit of "
            f"{self.limit_nm:g} nm; mean {self.mean_nm:+.2f} nm, rms {self.rms_nm:.2f} nm; {each}"
        )


def shipped() -> tuple[str, ...]:
    """Names of the tables that come with the package."""
    return tuple(
        sorted(
            entry.name.removesuffix(".csv")
            for entry in resources.files(_FOLDER).iterdir()
            if entry.name.endswith(".csv")
        )
    )


def load_standard(name: str, folder: Path | None = None) -> Standard:
    """The table `name`: `name.csv` in the folder where it is there, else one of the package.

    Raises Fault(COMMAND_INPUT) for an unknown name or a table that cannot be used.
    """
    if folder is not None and (folder / f"{name}.csv").is_file() and "/" not in name:
        path = folder / f"{name}.csv"
        try:
            if path.stat().st_size > _MOST_BYTES:
                raise Fault(Faults.COMMAND_INPUT, f"{path} is larger than {_MOST_BYTES} bytes")
            return Standard(name, read_bands(path.read_text("utf-8-sig"), str(path)))
        except (OSError, UnicodeDecodeError) as error:
            raise Fault(Faults.COMMAND_INPUT, f"cannot read {path}: {error}") from None
    if name not in shipped():
        told = f"no standard {name!r}: there are {', '.join(shipped())}"
        raise Fault(Faults.COMMAND_INPUT, told)
    text = resources.files(_FOLDER).joinpath(f"{name}.csv").read_text("utf-8")
    return Standard(name, read_bands(text, name))


def read_bands(text: str, name: str) -> tuple[Band, ...]:
    """Rows `nm,uncertainty_nm,method` below such a heading; # begins a comment.

    Raises Fault(COMMAND_INPUT) naming the row.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    rows = csv.DictReader(lines)
    if rows.fieldnames is None or list(rows.fieldnames) != ["nm", "uncertainty_nm", "method"]:
        told = f"{name}: expected the heading nm,uncertainty_nm,method"
        raise Fault(Faults.COMMAND_INPUT, told)
    bands = []
    for row in rows:
        try:
            nm, uncertainty = float(row["nm"]), float(row["uncertainty_nm"])
            method = row["method"].strip()
            if method not in get_args(Method) or not (0 < nm < 1e6 and 0 <= uncertainty < 100):
                raise ValueError
        except (TypeError, ValueError, AttributeError):
            told = f"{name}: {list(row.values())} is no nm, uncertainty in nm, maximum or centroid"
            raise Fault(Faults.COMMAND_INPUT, told) from None
        bands.append(Band(nm, uncertainty, "maximum" if method == "maximum" else "centroid"))
    if not bands or any(b.nm <= a.nm for a, b in itertools.pairwise(bands)):
        raise Fault(Faults.COMMAND_INPUT, f"{name}: expected bands in the order of their nm")
    return tuple(bands)


def check(
    standard: Standard, absorbance: Array, axis_nm: Array, limit_nm: float, noise: float = 0.0
) -> Check:
    """Look for every band of the standard that is well within the axis.

    absorbance: (P,) on axis_nm (P,), increasing; noise: of one channel, rms. Raises
    Fault(WAVELENGTH_ASTRAY) where the axis covers fewer than two bands, or fewer than half of them
    are seen: then something else lies in the beam.
    """
    found = []
    for i, band in enumerate(standard.bands):
        reach = min(
            [_REACH_NM] + [abs(o.nm - band.nm) / 2 for j, o in enumerate(standard.bands) if j != i]
        )
        if axis_nm[0] <= band.nm - reach and band.nm + reach <= axis_nm[-1]:
            found.append(BandFound(band, _seen(band, reach, absorbance, axis_nm, noise)))
    if len(found) < 2:
        told = f"the instrument's axis covers {len(found)} bands of {standard.name}; two are needed"
        raise Fault(Faults.WAVELENGTH_ASTRAY, told)
    result = Check(standard.name, tuple(found), limit_nm)
    if 2 * len(result.errors) < len(found):
        told = f"{len(result.errors)} of {len(found)} bands of {standard.name} were seen"
        raise Fault(Faults.WAVELENGTH_ASTRAY, f"{told}: does it lie in the beam?")
    return result


def roughness(absorbance: Array) -> float:
    """Noise of one channel, rms, of a spectrum (P,): a band is smooth, noise is not."""
    return 1.4826 * float(np.median(np.abs(np.diff(absorbance, 2)))) / math.sqrt(6.0)


def _seen(band: Band, reach: float, absorbance: Array, axis: Array, noise: float) -> float | None:
    """Where the band is, nm; None where nothing stands out."""
    inside = np.flatnonzero((axis >= band.nm - reach) & (axis <= band.nm + reach))
    if inside.size < 5:
        return None
    nm, a = axis[inside], absorbance[inside]
    # Above the line between the window's ends: a slope below the band is none of its own.
    ends = np.array([band.nm - reach, band.nm + reach])
    height = a - np.interp(nm, ends, np.interp(ends, axis, absorbance))
    top = int(np.argmax(height))
    if not height[top] > max(_LEAST_HEIGHT, _NOISE_TIMES * noise):
        return None
    if band.method == "centroid":
        return _centroid(nm, height, top)
    return _maximum(nm, a, height, top)


def _run(above: NDArray[np.bool_], top: int) -> slice:
    """The pixels around the top without a break."""
    first = top - int(np.argmin(above[top::-1])) + 1 if not np.all(above[: top + 1]) else 0
    last = top + int(np.argmin(above[top:])) if not np.all(above[top:]) else above.size
    return slice(first, last)


def _maximum(nm: Array, a: Array, height: Array, top: int) -> float | None:
    """Vertex of the parabola through the upper part of the band, by least squares.

    Through the absorbance itself: the place of its maximum is what tables have.
    """
    part = _run(height >= _TOP * height[top], top)
    if part.stop - part.start < 3:
        part = slice(max(top - 1, 0), min(top + 2, nm.size))
    if part.stop - part.start < 3:
        return None
    middle = nm[top]
    curve, slope, _ = np.polyfit(nm[part] - middle, a[part], 2)
    if not curve < 0:
        return None
    vertex = middle - slope / (2 * curve)
    return float(vertex) if nm[0] <= vertex <= nm[-1] else None


def _centroid(nm: Array, height: Array, top: int) -> float | None:
    """Centre of gravity of what is above half height, its ends by interpolation."""
    level = _HALF * height[top]
    part = _run(height > level, top)
    if part.start == 0 or part.stop == nm.size:
        return None
    ends = [
        np.interp(level, height[[i, j]], nm[[i, j]])
        for i, j in ((part.start - 1, part.start), (part.stop, part.stop - 1))
    ]
    x = np.concatenate(([ends[0]], nm[part], [ends[1]]))
    weight = np.concatenate(([0.0], height[part] - level, [0.0]))
    area = _integral(x, weight)
    return float(_integral(x, x * weight) / area) if area > 0 else None


def _integral(x: Array, y: Array) -> float:
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1])) / 2)
