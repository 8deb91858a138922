"""Which sealed sample to measure next: Kennard and Stone, Technometrics 11 (1969) 137.

On the source's spectra of the samples that the engineer holds: first the two that lie farthest
apart, then always the one that lies farthest from all that have been measured. D-optimal choices
(largest determinant in principal components) were measured beside it; see decision 20.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def next_samples(x: Array, measured: Sequence[int], held: Sequence[int], count: int) -> list[int]:
    """Up to `count` rows of x (N, S) to measure next, best first.

    measured: rows that were measured; held: rows that may be chosen, measured ones among them or
    not. Fewer, or none, where all have been measured.
    """
    left = [row for row in dict.fromkeys(held) if row not in set(measured)]
    chosen = list(dict.fromkeys(measured))
    found: list[int] = []
    squares = _squared_distances(x)
    while left and len(found) < count:
        if chosen:
            nearest = squares[np.ix_(left, chosen)].min(axis=1)
            row = left[int(np.argmax(nearest))]
        else:
            among = squares[np.ix_(left, left)]
            row = left[int(np.unravel_index(np.argmax(among), among.shape)[0])]
        found.append(row)
        chosen.append(row)
        left.remove(row)
    return found


def _squared_distances(x: Array) -> Array:
    centred = x - x.mean(axis=0)
    gram = centred @ centred.T
    squares: Array = np.diag(gram)[:, None] + np.diag(gram)[None] - 2 * gram
    return squares
