"""Which sealed sample to measure next: Kennard and Stone, Technometrics 11 (1969) 137.

On the source's spectra of the samples that the engineer holds: first the two that lie farthest
apart, then always the one that lies farthest from all that have been measured. D-optimal choices
(largest determinant in principal components) were measured beside it; see decision 21.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .distances import farthest_pair

Array = NDArray[np.float64]


def next_samples(x: Array, measured: Sequence[int], held: Sequence[int], count: int) -> list[int]:
    """Up to `count` rows of x (N, S) to measure next, best first.

    measured: rows that were measured; held: rows that may be chosen, measured ones among them or
    not. Fewer, or none, where all have been measured.
    """
    left = [row for row in dict.fromkeys(held) if row not in set(measured)]
    chosen = list(dict.fromkeys(measured))
    found: list[int] = []
    if left and not chosen:
        found.append(left.pop(farthest_pair(x[left])[0]))
        chosen += found
    to_nearest = np.full(len(left), np.inf)
    for row in chosen:
        to_nearest = np.minimum(to_nearest, _squares(x[left], x[row]))
    while left and len(found) < count:
        place = int(np.argmax(to_nearest))
        found.append(left.pop(place))
        to_nearest = np.delete(to_nearest, place)
        to_nearest = np.minimum(to_nearest, _squares(x[left], x[found[-1]]))
    return found[:count]


def _squares(x: Array, one: Array) -> Array:
    difference = x - one
    squares: Array = np.einsum("np,np->n", difference, difference)
    return squares
