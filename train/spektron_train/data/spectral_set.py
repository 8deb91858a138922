"""Spectra of one instrument, quantity and axis, with what is known of the samples: `SpectralSet`.

Every reader returns these, so nothing after a reader knows a file format.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# "index": the publisher gives channel numbers and no wavelengths (chemotools' coffee).
AxisUnit = Literal["nm", "cm-1", "index"]
Quantity = Literal["absorbance", "reflectance", "transmittance", "raman", "intensity"]
AXIS_UNITS: tuple[str, ...] = get_args(AxisUnit)
QUANTITIES: tuple[str, ...] = get_args(Quantity)


class DataError(Exception):
    """Data cannot be used; the message names the file, what is wrong and what to do next."""


@dataclass(frozen=True, eq=False)
class SpectralSet:
    """n spectra of L channels on one axis, with m properties.

    name: of the set, used in messages; spectra: (n, L), finite; reflectance and transmittance are
    fractions, not percent; axis: (L,) finite and strictly monotonic, turned to increasing;
    references: (n, m), NaN where unknown; properties, units: m names and their units;
    sample_ids, instruments: n names, not necessarily different; sha256: of the bytes that were
    read; licence: terms and source, in words. Raises DataError where this does not hold.
    """

    name: str
    spectra: Array
    axis: Array
    axis_unit: AxisUnit
    quantity: Quantity
    references: Array
    properties: tuple[str, ...]
    units: tuple[str, ...]
    sample_ids: tuple[str, ...]
    instruments: tuple[str, ...]
    sha256: str
    licence: str

    def __post_init__(self) -> None:
        spectra, axis = _matrix(self, "spectra"), _numbers(self, "axis")
        n, channels = spectra.shape
        self._need(n > 0, "holds no spectra; give at least one")
        self._need(
            axis.shape == (channels,) and channels > 1,
            f"has {channels} channels and an axis of shape {axis.shape}; give one axis value for "
            "each of at least two channels",
        )
        self._need(bool(np.isfinite(axis).all()), "has an axis value that is not finite")
        steps = np.diff(axis)
        if np.all(steps < 0):
            spectra, axis = spectra[:, ::-1], axis[::-1]
        elif not np.all(steps > 0):
            at = int(np.argmax(steps <= 0 if axis[-1] > axis[0] else steps >= 0))
            self._need(
                False,
                f"has an axis that is not strictly increasing or decreasing ({axis[at]:g} is "
                f"followed by {axis[at + 1]:g}); sort the channels and remove repeated ones",
            )
        if not np.isfinite(spectra).all():
            row, column = np.argwhere(~np.isfinite(spectra))[0]
            self._need(
                False,
                f"has a value that is not finite in spectrum {row + 1} at {axis[column]:g} "
                f"{self.axis_unit}; remove that spectrum or that channel",
            )
        references = _matrix(self, "references")
        self._need(
            references.shape == (n, len(self.properties)),
            f"has references of shape {references.shape}, expected {(n, len(self.properties))}",
        )
        self._need(not np.isinf(references).any(), "has an infinite reference value")
        self._need(
            len(self.units) == len(self.properties),
            f"has {len(self.properties)} properties and {len(self.units)} units",
        )
        self._need(
            len(set(self.properties)) == len(self.properties),
            f"has two properties of one name in {', '.join(self.properties)}; rename one",
        )
        for what in ("sample_ids", "instruments"):
            self._need(len(getattr(self, what)) == n, f"needs {n} {what}, one a spectrum")
        self._need(self.axis_unit in AXIS_UNITS, f"has axis unit {self.axis_unit!r}")
        self._need(self.quantity in QUANTITIES, f"has quantity {self.quantity!r}")
        for what, value in (("spectra", spectra), ("axis", axis), ("references", references)):
            object.__setattr__(self, what, np.ascontiguousarray(value))

    def __len__(self) -> int:
        return len(self.spectra)

    def _need(self, holds: bool, problem: str) -> None:
        if not holds:
            raise DataError(f"{self.name} {problem}")

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> SpectralSet:
        """The chosen rows, by index or mask. Raises DataError when none or one out of range."""
        try:
            chosen = np.arange(len(self))[rows]
        except IndexError as error:
            raise DataError(f"{self.name} has {len(self)} spectra: {error}") from None
        return replace(
            self,
            spectra=self.spectra[chosen],
            references=self.references[chosen],
            sample_ids=tuple(self.sample_ids[i] for i in chosen),
            instruments=tuple(self.instruments[i] for i in chosen),
        )

    def to_absorbance(self) -> SpectralSet:
        """The same spectra as -log10 of reflectance or transmittance; absorbance is returned as is.

        Raises DataError for other quantities, and where a value is zero or below.
        """
        if self.quantity == "absorbance":
            return self
        self._need(
            self.quantity in ("reflectance", "transmittance"),
            f"is {self.quantity}, which is not turned into absorbance; use it as it is",
        )
        if np.any(self.spectra <= 0):
            row, column = np.argwhere(self.spectra <= 0)[0]
            self._need(
                False,
                f"has {self.quantity} {self.spectra[row, column]:g} in spectrum {row + 1} at "
                f"{self.axis[column]:g} {self.axis_unit}, which has no logarithm; remove that "
                "spectrum or that channel",
            )
        return replace(self, spectra=-np.log10(self.spectra), quantity="absorbance")

    def resampled(self, axis: Array, kind: Literal["linear", "cubic"] = "linear") -> SpectralSet:
        """The spectra interpolated at `axis`, (K,) in the same unit, inside the measured range.

        kind: straight lines, or a not-a-knot cubic spline (four channels at least). Raises
        DataError when `axis` leaves the range: nothing is extrapolated.
        """
        from scipy.interpolate import make_interp_spline

        axis = np.asarray(axis, np.float64)
        self._need(axis.ndim == 1 and axis.size > 1, "needs at least two points to resample at")
        self._need(
            bool(axis.min() >= self.axis[0] and axis.max() <= self.axis[-1]),
            f"covers {self.axis[0]:g} to {self.axis[-1]:g} {self.axis_unit}, not "
            f"{axis.min():g} to {axis.max():g}; choose an axis inside it",
        )
        order = {"linear": 1, "cubic": 3}[kind]
        self._need(len(self.axis) > order, f"has too few channels for {kind} interpolation")
        spline = make_interp_spline(self.axis, self.spectra, k=order, axis=1)
        return replace(self, spectra=spline(axis), axis=axis)


def merged(name: str, parts: Sequence[SpectralSet]) -> SpectralSet:
    """The spectra of all parts in order, under one name.

    Parts must agree in axis, units, quantity and properties. Raises DataError naming two that
    differ. sha256 is the digest of the parts' digests.
    """
    first = parts[0]
    for part in parts[1:]:
        for what in ("axis_unit", "quantity", "properties", "units"):
            a, b = getattr(first, what), getattr(part, what)
            if a != b:
                raise DataError(
                    f"{first.name} and {part.name} differ in {what} ({a} and {b}); keep sets "
                    "that differ in separate folders"
                )
        if part.axis.shape != first.axis.shape or not np.allclose(
            part.axis, first.axis, rtol=1e-9, atol=0
        ):
            raise DataError(
                f"{first.name} and {part.name} have different axes ({_extent(first)} and "
                f"{_extent(part)}); resample them to one axis first"
            )
    digests = "".join(part.sha256 for part in parts)
    return replace(
        first,
        name=name,
        spectra=np.concatenate([part.spectra for part in parts]),
        references=np.concatenate([part.references for part in parts]),
        sample_ids=tuple(i for part in parts for i in part.sample_ids),
        instruments=tuple(i for part in parts for i in part.instruments),
        sha256=hashlib.sha256(digests.encode()).hexdigest() if len(parts) > 1 else first.sha256,
    )


def _extent(part: SpectralSet) -> str:
    return f"{len(part.axis)} channels, {part.axis[0]:g} to {part.axis[-1]:g} {part.axis_unit}"


def _numbers(owner: SpectralSet, what: str) -> Array:
    try:
        return np.asarray(getattr(owner, what), np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{owner.name} has {what} that are not numbers ({error})") from None


def _matrix(owner: SpectralSet, what: str) -> Array:
    value = _numbers(owner, what)
    if value.ndim != 2:
        raise DataError(f"{owner.name} has {what} of shape {value.shape}; a table is needed")
    return value
