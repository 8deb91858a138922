"""A predictor's many parts as a few matrices: what a file keeps of it.

Alignments of target spectra and all filters but SNV are affine, so parts that share an alignment
add up to one matrix before SNV and one after it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .alignment import Alignment
from .filters import standard_normal_variate
from .linear import LinearPredictor, Part

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Normalised:
    """What is read from SNV spectra: snv(mix(x) + shift) slopes.

    mix: (L, L), or None where spectra stay as they are; shift: (L,); slopes: (L, m).
    """

    mix: Array | None
    shift: Array
    slopes: Array

    def predict(self, spectra: Array) -> Array:
        """(k, L) -> (k, m)."""
        mixed = spectra if self.mix is None else spectra @ self.mix
        read: Array = standard_normal_variate(mixed + self.shift) @ self.slopes
        return read


@dataclass(frozen=True, eq=False)
class Compact:
    """Predicts what the `LinearPredictor` that it came from does: slopes (L, m), offset (m,)."""

    slopes: Array
    offset: Array
    normalised: tuple[Normalised, ...] = ()

    @classmethod
    def of(cls, predictor: LinearPredictor, channels: int) -> Compact:
        """From a fitted predictor for spectra of `channels` channels."""
        scale, bias = predictor.after
        slopes = np.zeros((channels, scale.size))
        offset = bias.astype(np.float64)
        groups: dict[int, list[Part]] = {}
        for part in predictor.parts:
            offset = offset + scale * part.offset
            if part.filter.snv:
                groups.setdefault(id(part.alignment), []).append(part)
                continue
            mix, shift = _affine(part.alignment, channels)
            after = _filtered(part, channels)
            slopes += scale * (after if mix is None else mix @ after)
            offset = offset + scale * (shift @ after)
        normalised = []
        for parts in groups.values():
            mix, shift = _affine(parts[0].alignment, channels)
            after = scale * np.sum([_filtered(part, channels) for part in parts], axis=0)
            normalised.append(Normalised(mix, shift, after))
        return cls(slopes, offset, tuple(normalised))

    def predict(self, spectra: Array) -> Array:
        """(k, L) target spectra on the shared axis -> (k, m)."""
        total: Array = self.offset + spectra @ self.slopes
        for part in self.normalised:
            total = total + part.predict(spectra)
        return total


def _affine(alignment: Alignment, channels: int) -> tuple[Array | None, Array]:
    """(L, L) matrix, or None for the identity, and (L,) shift of what it does to target spectra."""
    shift = alignment.target(np.zeros((1, channels)))[0]
    unit = np.eye(channels)
    mix = alignment.target(unit) - shift
    return (None if np.array_equal(mix, unit) else mix), shift


def _filtered(part: Part, channels: int) -> Array:
    """(L, m) slopes of spectra that are not filtered any more (nor normalised)."""
    plain = replace(part.filter, snv=False)
    slopes: Array = plain.apply(np.eye(channels)) @ part.slopes
    return slopes
