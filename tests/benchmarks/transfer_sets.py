"""What the transfer benchmark is run on: corn, tablets, simulated pairs of unlike instruments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from spektron_train.benchmarks.splits import Split, corn_split, tablet_split
from spektron_train.data.readers.corn_set import corn_sets
from spektron_train.data.readers.tablets import tablet_sets
from spektron_train.data.simulate.domain import NIR
from spektron_train.data.simulate.families import FAMILIES
from spektron_train.data.simulate.matter import Matter
from spektron_train.data.simulate.optics import random_instrument
from spektron_train.data.spectral_set import SpectralSet

INSTRUMENTS = ("m5", "mp5", "mp6")
PROPERTIES = ("moisture", "oil", "protein", "starch")
SIMULATED = 50


@dataclass(frozen=True)
class Case:
    """One split of one direction: training samples on both instruments, test samples on the target.

    x_source (N, S), x_target (N, P), y (N, m): the same training samples on both; x_test (k, P),
    y_test (k, m); transfer samples are chosen among the training samples.
    """

    source_axis: np.ndarray
    target_axis: np.ndarray
    x_source: np.ndarray
    x_target: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def kennard_stone(x: np.ndarray, n: int) -> np.ndarray:
    """n rows that cover x (k, p): Kennard and Stone, Technometrics 11 (1969) 137."""
    gram = (x - x.mean(axis=0)) @ (x - x.mean(axis=0)).T
    squares = np.diag(gram)[:, None] + np.diag(gram)[None] - 2 * gram
    chosen = list(np.unravel_index(np.argmax(squares), squares.shape))
    while len(chosen) < n:
        nearest = squares[:, chosen].min(axis=1)
        nearest[chosen] = -1
        chosen.append(int(np.argmax(nearest)))
    return np.array(chosen[:n])


@lru_cache
def _corn():
    return corn_sets()


@lru_cache
def _tablets():
    return tablet_sets()


def corn(source: str, target: str, seed: int) -> Case:
    sets = _corn()
    return _case(sets[source], sets[target], corn_split(seed))


def tablets(source: int, target: int, seed: int) -> Case:
    sets = _tablets()
    return _case(sets[f"spectrometer-{source}"], sets[f"spectrometer-{target}"], tablet_split(seed))


def _case(a: SpectralSet, b: SpectralSet, split: Split) -> Case:
    train, test = split.train, split.test
    return Case(
        a.axis,
        b.axis,
        a.spectra[train],
        b.spectra[train],
        a.references[train],
        b.spectra[test],
        a.references[test],
    )


@lru_cache
def _matter() -> Matter:
    return Matter.within(NIR)


def simulated(seed: int) -> Case:
    """60 samples of one product on two unlike instruments, 40 to test; the two constituents that
    vary most, with a reference error of a tenth of their spread. Photometric scales of 0.3 to 3,
    axes with errors, a target axis of its own range and pitch."""
    rng = np.random.default_rng([seed, 77])
    samples = _matter().draw(100, rng, list(FAMILIES)[seed % len(FAMILIES)])
    columns = np.argsort(-samples.composition.std(axis=0))[:2]
    y = 100 * samples.composition[:, columns]
    y = y + 0.1 * y.std(axis=0) * rng.standard_normal(y.shape)
    source, target = (random_instrument(NIR, rng) for _ in range(2))
    a, b = (i.measure(samples.absorbance, rng) for i in (source, target))
    axis = NIR.grid_axis()
    low, high = axis[0] + rng.uniform(0, 250), axis[-1] - rng.uniform(0, 250)
    own = np.arange(low, high, rng.uniform(1.5, 5.0))
    b = np.stack([np.interp(own, axis, spectrum) for spectrum in b])
    return Case(axis, own, a[:60], b[:60], y[:60], b[60:], y[60:])


def directions() -> Iterator[tuple[str, str]]:
    for source in INSTRUMENTS:
        for target in INSTRUMENTS:
            if source != target:
                yield source, target
