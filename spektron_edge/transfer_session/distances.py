"""Distances between spectra of one set, a block of rows at a time: thousands need no matrix."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_BLOCK = 256


def nearest(x: Array) -> Array:
    """(N,) squared distance of each row of x (N, p) to the nearest other one."""
    found = np.empty(len(x))
    for first, squares in _blocks(x):
        rows = np.arange(len(squares))
        squares[rows, first + rows] = np.inf
        found[first : first + len(squares)] = squares.min(axis=1)
    return np.maximum(found, 0.0)


def farthest_pair(x: Array) -> tuple[int, int]:
    """The two rows of x (N, p) that lie farthest apart, the first one first."""
    best, pair = -np.inf, (0, 0)
    for first, squares in _blocks(x):
        row, column = np.unravel_index(np.argmax(squares), squares.shape)
        if squares[row, column] > best:
            best, pair = float(squares[row, column]), (first + int(row), int(column))
    return pair


def _blocks(x: Array) -> Iterator[tuple[int, Array]]:
    """First row and squared distances (b, N) of each block of rows to all rows."""
    centred = x - x.mean(axis=0)
    power = np.einsum("np,np->n", centred, centred)
    for first in range(0, len(x), _BLOCK):
        block = slice(first, first + _BLOCK)
        yield first, power[block, None] + power - 2 * centred[block] @ centred.T
