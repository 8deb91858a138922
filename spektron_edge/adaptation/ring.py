"""The last spectra of the stream that adaptation may learn from, and which of them may enter.

What lies within the applicability limits enters. What lies beyond enters when that is common to
the recent stream, in one direction: then the instrument changed, or all samples did. A single one
beyond the limits never enters; what is published of it stays invalid either way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .candidate import Batch
from .gauge import Gauge

Array = NDArray[np.float64]
KEPT = 256
# Of one sample: the second and third tell the noise.
PER_RUN = 3
_WINDOW = 20
_COMMON_OF = 10
_ALIKE, _SHARE_ALIKE = 0.5, 0.75


@dataclass(frozen=True, eq=False)
class Entry:
    """order: of the stream's sound spectra; run: which sample, counted; spectrum: (L,) absorbance
    on the model's grid as measured, without any correction; gauge: as corrected, against the
    source; z_inst, z_chem: where known."""

    boot_id: int
    number: int
    order: int
    run: int
    spectrum: Array
    gauge: Gauge
    beyond: bool
    z_inst: NDArray[np.float32] | None = None
    z_chem: NDArray[np.float32] | None = None


class Ring:
    """Spectra of one instrument on one grid under one bundle; whoever changes those clears it."""

    def __init__(self, t2_limit: float, q_limit: float) -> None:
        """Limits as published: beyond either is beyond the calibration."""
        self._scale = np.sqrt(t2_limit), np.sqrt(q_limit)
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._window: deque[Entry] = deque(maxlen=_WINDOW)
        self._entered: set[int] = set()
        self._of_run: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Oldest first."""
        return tuple(self._entries)

    def clear(self) -> None:
        """Another bundle, instrument or axis."""
        self._entries.clear()
        self._window.clear()
        self._entered.clear()
        self._of_run.clear()

    def put(self, entry: Entry, *, counts: bool) -> None:
        """A sound spectrum; counts: it is the one of its sample that is an observation."""
        if not counts:
            if entry.run in self._entered and self._of_run[entry.run] < PER_RUN:
                self._enter(entry)
            return
        self._window.append(entry)
        if not entry.beyond:
            self._enter(entry)
            return
        common = self._common()
        for waiting in self._window:
            fits = common is not None and _cosine(self._shift(waiting), common) >= _ALIKE
            if waiting.beyond and waiting.run not in self._entered and fits:
                self._enter(waiting)

    def _enter(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._entered.add(entry.run)
        self._of_run[entry.run] = self._of_run.get(entry.run, 0) + 1
        # Memory must not grow with the stream.
        for run in [r for r in self._of_run if r < entry.run - KEPT]:
            del self._of_run[run]
            self._entered.discard(run)

    def _common(self) -> Array | None:
        """Where the stream has gone, if most of it went the same way."""
        beyond = [self._shift(entry) for entry in self._window if entry.beyond]
        if len(self._window) < _COMMON_OF or 2 * len(beyond) <= len(self._window):
            return None
        middle: Array = np.median(beyond, axis=0)
        # Far outliers on all sides have a middle too, but few of them lie along it.
        along = sum(_cosine(shift, middle) >= _ALIKE for shift in beyond)
        common = 2 * along > len(self._window) and along >= _SHARE_ALIKE * len(beyond)
        return middle if common else None

    def _shift(self, entry: Entry) -> Array:
        of_t2, of_q = self._scale
        return np.concatenate([entry.gauge.scores / of_t2, entry.gauge.residual / of_q])


def sampled(
    entries: Sequence[Entry], most: int, held: float, seed: int
) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """A diverse batch of at most `most`, and spectra held out of it: a share `held` of the samples.

    No sample is in both. Diverse: each next one is farthest in scores from those chosen (Kennard
    and Stone, Technometrics 11 (1969) 137), beginning near the middle; repeats come last.
    """
    runs = sorted({entry.run for entry in entries})
    rng = np.random.default_rng(seed)
    out = set(rng.permutation(runs)[: round(held * len(runs))].tolist())
    rest = [entry for entry in entries if entry.run not in out]
    chosen = _farthest(np.array([entry.gauge.scores for entry in rest]), most) if rest else []
    batch = tuple(rest[i] for i in sorted(chosen))
    return batch, tuple(entry for entry in entries if entry.run in out)


def as_batch(entries: Sequence[Entry]) -> Batch:
    """Their spectra, oldest first, rounded to float32: what is kept of a batch has to be what was
    adapted to."""
    spectra = np.array([entry.spectrum for entry in entries], np.float32).astype(np.float64)
    return Batch(spectra, tuple((entry.boot_id, entry.number) for entry in entries))


def _farthest(scores: Array, most: int) -> list[int]:
    middle = np.sum((scores - np.median(scores, axis=0)) ** 2, axis=1)
    chosen = [int(np.argmin(middle))]
    apart = np.sum((scores - scores[chosen[0]]) ** 2, axis=1)
    while len(chosen) < min(most, len(scores)):
        apart[chosen] = -1.0
        chosen.append(int(np.argmax(apart)))
        apart = np.minimum(apart, np.sum((scores - scores[chosen[-1]]) ** 2, axis=1))
    return chosen


def _cosine(a: Array, b: Array) -> float:
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-300))
