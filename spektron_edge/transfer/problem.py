"""What a transfer starts from, checked: every wrong input ends here with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
LEAST_SOURCE = 8
LEAST_PAIRS = 3
LEAST_UNPAIRED = 8
# Of the spread of the source's references.
_FLAT = 0.1
# Squares of larger numbers, summed, are none.
_MOST = 1e100


class TransferError(ValueError):
    """The input cannot be used; the message says what is wrong and what to do."""


@dataclass(frozen=True, eq=False)
class Differences:
    """What another instrument showed: source spectra (k, L), and source - other (k, L)."""

    source: Array
    difference: Array

    def without(self, spectra: Array) -> Differences:
        """Less those of samples whose source spectrum is one of `spectra` (q, L).

        The same sample on a third instrument would tell how it differs on the target.
        """
        gone = library_rows(spectra, self.source) >= 0
        return Differences(self.source[~gone], self.difference[~gone])


@dataclass(frozen=True, eq=False)
class Problem:
    """Everything on one axis of L channels; N source spectra, n pairs, m properties.

    source: (N, L); y: (N, m); axis: (L,); pairs_source, pairs_target: (n, L), row i the same
    sample; labels: (n, m) references of the transfer samples, NaN where unknown; library: (n,) row
    of `source` that is the same sample, -1 where none is; unpaired: (u, L) target spectra of other
    samples; fleet: what other instruments showed, one entry an instrument.
    """

    source: Array
    y: Array
    axis: Array
    pairs_source: Array
    pairs_target: Array
    labels: Array
    library: NDArray[np.int64]
    unpaired: Array
    fleet: tuple[Differences, ...] = ()

    @property
    def pairs(self) -> int:
        """Number of transfer samples measured on both."""
        return len(self.pairs_source)

    @property
    def flat(self) -> NDArray[np.bool_]:
        """(m,) properties whose known labels hardly vary: they cannot say what changes them."""
        return flat(self.labels, self.y)

    def keep(self, pairs: NDArray[np.int64]) -> Problem:
        """Without all pairs but these, their references and their rows of the source."""
        gone = np.setdiff1d(np.arange(self.pairs), pairs)
        rows = np.setdiff1d(np.arange(len(self.source)), self.library[gone])
        place = np.full(len(self.source) + 1, -1)
        place[rows] = np.arange(len(rows))
        return Problem(
            self.source[rows],
            self.y[rows],
            self.axis,
            self.pairs_source[pairs],
            self.pairs_target[pairs],
            self.labels[pairs],
            place[self.library[pairs]],
            self.unpaired,
            tuple(f.without(self.pairs_source[gone]) for f in self.fleet),
        )


def numbers(name: str, value: ArrayLike) -> Array:
    """A copy as real numbers. Raises TransferError."""
    try:
        # A complex number would lose its imaginary part with no more than a warning.
        if np.iscomplexobj(value if isinstance(value, np.ndarray) else np.asarray(value)):
            raise TypeError("complex numbers")
        return np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise TransferError(f"{name} must be numbers ({error})") from None


def matrix(name: str, value: ArrayLike, columns: int | None = None) -> Array:
    """Spectra as (k, columns) finite numbers. Raises TransferError naming what is wrong."""
    result = numbers(name, value)
    if result.ndim != 2:
        raise TransferError(
            f"{name} has shape {result.shape}; give one row a spectrum and one column a channel"
        )
    if columns is not None and result.shape[1] != columns:
        raise TransferError(
            f"{name} has {result.shape[1]} channels and its axis {columns}; give one axis value "
            "for each channel"
        )
    if not np.all(np.isfinite(result)):
        row, column = np.argwhere(~np.isfinite(result))[0]
        raise TransferError(
            f"{name} holds a value that is not a finite number in row {row} at channel {column}; "
            "leave that spectrum out or measure it again"
        )
    if np.any(np.abs(result) > _MOST):
        raise TransferError(f"{name} holds values above {_MOST:g}, which no spectrum has")
    return result


def varying(name: str, spectra: Array) -> Array:
    """The same. Raises TransferError where each is one value throughout, which tells nothing."""
    if len(spectra) and np.all(np.ptp(spectra, axis=1) == 0):
        raise TransferError(f"{name} holds no spectra: each row is one value throughout")
    return spectra


def axis_values(name: str, value: ArrayLike) -> Array:
    """An axis (L,), strictly increasing. Raises TransferError."""
    result = numbers(name, value)
    if result.ndim != 1 or result.size < 8:
        raise TransferError(f"{name} has shape {result.shape}; at least eight channels are needed")
    if not np.all(np.isfinite(result)):
        raise TransferError(f"{name} holds values that are not finite numbers; correct them")
    if np.any(np.diff(result) <= 0):
        at = int(np.argmax(np.diff(result) <= 0))
        raise TransferError(
            f"{name} must increase from channel to channel ({result[at]:g} is followed by "
            f"{result[at + 1]:g}); sort axis and spectra together, and remove repeated channels"
        )
    return result


def references(name: str, value: ArrayLike, rows: int, *, gaps: bool) -> Array:
    """References (rows, m); one property may come as (rows,). Raises TransferError.

    gaps: whether NaN may stand for an unknown value.
    """
    result = numbers(name, value)
    if result.ndim == 1:
        result = result[:, None]
    if result.ndim != 2 or len(result) != rows or result.shape[1] < 1:
        raise TransferError(
            f"{name} has shape {result.shape}; give one row for each of the {rows} spectra and one "
            "column a property"
        )
    if np.any(np.isinf(result)) or (not gaps and np.any(np.isnan(result))):
        hint = "use NaN where a value is unknown" if gaps else "leave samples without one out"
        raise TransferError(f"{name} holds values that are not finite; {hint}")
    if np.any(np.abs(result) > _MOST):
        raise TransferError(f"{name} holds values above {_MOST:g}; correct them")
    return result


def flat(labels: Array, y: Array) -> NDArray[np.bool_]:
    """(m,) whose known labels (n, m) hardly vary, beside the source's references y (N, m)."""
    known = labels[np.isfinite(labels).all(axis=1)]
    if not len(known):
        return np.zeros(y.shape[1], np.bool_)
    return np.asarray(known.std(axis=0) < _FLAT * y.std(axis=0), np.bool_)


def labelled(labels: Array) -> int:
    """How many rows of (n, m) references are known for every property."""
    return int(np.isfinite(labels).all(axis=1).sum())


def library_rows(source: Array, pairs: Array) -> NDArray[np.int64]:
    """(n,) row of `source` that equals a pair's source spectrum, -1 where none does.

    A transfer sample taken from the calibration set must not vouch for itself when it is left out,
    and its reference is known.
    """
    found = np.full(len(pairs), -1)
    for i, spectrum in enumerate(pairs):
        same = np.flatnonzero(np.all(np.isclose(source, spectrum, rtol=1e-9, atol=1e-12), axis=1))
        if same.size:
            found[i] = same[0]
    return found
