"""Streams of spectra that an instrument in use records, and what an adapter makes of them.

A stream is held-out samples, each scan with noise of its own: drawn at random until `changed`,
where the instrument drifts or is swapped, and in rounds of random order from there on. Adapters see
what was recorded up to `seen`, without references, and are judged on the scans after it.

Corn has twenty held-out samples, so they come back after the change, which samples in production do
not: an adapter that compares before with after gains by it. With history="calibration" what comes
before the change are calibration samples, none of which comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from spektron_edge.adaptation.candidate import Adapted
from spektron_edge.bundle import Bundle
from spektron_edge.demo.corn import Corn
from spektron_edge.inference import Model, load_model
from spektron_train.data.corn import read_corn
from spektron_train.data.instrument_noise import DetectorNoise
from spektron_train.data.readers.tablets import tablet_sets

from . import adapt_drifts

BEFORE, WINDOW, LATER = 40, 40, 40
# "After 20 spectra" of the other instrument.
SWAP_WINDOW = 20
SERVICE = "service"
History = Literal["held-out", "calibration"]


@dataclass(frozen=True, eq=False)
class Source:
    """What ships with an instrument: its bundle, the model, and calibration spectra x (N, L) with
    references y (N, m) on axis (L,) nm; path_mm: see `adapt_drifts.effective_path`.
    """

    name: str
    bundle: Bundle
    model: Model
    x: np.ndarray
    y: np.ndarray
    samples: np.ndarray
    axis: np.ndarray
    noise: DetectorNoise
    path_mm: float = 0.0

    @property
    def spread(self) -> np.ndarray:
        """(m,) standard deviation of the references: the unit of RMSEP."""
        return self.y.std(axis=0, ddof=1)


@dataclass(frozen=True)
class Event:
    """Something that the instrument was told of, before scan `at` of the stream."""

    at: int
    kind: str


@dataclass(frozen=True, eq=False)
class Stream:
    """spectra, undrifted (n, L): as read, and as the instrument would have read them had nothing
    happened, with the same noise; y (n, m), nan where it is unknown; scans from `changed` on are of
    the new state, and those from `seen` on are judged.
    """

    spectra: np.ndarray
    undrifted: np.ndarray
    y: np.ndarray
    changed: int
    seen: int
    events: tuple[Event, ...] = ()

    @property
    def window(self) -> np.ndarray:
        """(k, L) of the new state that adapters see; only peers are told that it is one."""
        return self.spectra[self.changed : self.seen]


@dataclass(frozen=True, eq=False)
class Decision:
    """An adapter's, once scan `at` had been read: scans after it are predicted with `adapted` where
    it was installed (None: the frozen model again). told: reasons, for tables.
    """

    at: int
    installed: bool
    adapted: Adapted | None = None
    told: tuple[str, ...] = ()


class Adapter(Protocol):
    """Reads a stream (n, L) from its first scan; a decision may rest on nothing after its `at`."""

    def __call__(
        self, source: Source, spectra: np.ndarray, events: Sequence[Event]
    ) -> tuple[Decision, ...]:
        """Decisions, oldest first."""
        ...


def do_nothing(
    source: Source, spectra: np.ndarray, events: Sequence[Event]
) -> tuple[Decision, ...]:
    """The adapter that stands here until there is one."""
    return ()


def predict(source: Source, spectra: np.ndarray, adapted: Adapted | None = None) -> np.ndarray:
    """(n, m) of the frozen model, or of an adapted one."""
    if adapted is None:
        return source.model.infer(spectra).y.astype(np.float64)
    x = adapted.correction.apply(np.asarray(spectra, np.float64)).astype(np.float32)
    return source.model.backend.infer(x, adapted.theta).y.astype(np.float64)


def adapted_predictions(
    source: Source, spectra: np.ndarray, decisions: Sequence[Decision], first: int = 0
) -> np.ndarray:
    """(n - first, m): every scan from `first` on with what was installed when it was read."""
    installed = [d for d in decisions if d.installed]
    out = np.empty((len(spectra) - first, len(source.spread)))
    edges = [0, *(d.at + 1 for d in installed), len(spectra)]
    for k, adapted in enumerate([None, *(d.adapted for d in installed)]):
        start, end = max(edges[k], first), edges[k + 1]
        if start < end:
            out[start - first : end - first] = predict(source, spectra[start:end], adapted)
    return out


def corn_source(bundle: Bundle, instrument: str = "m5") -> Source:
    """Of a corn bundle calibrated on that instrument: the shipped one is on m5."""
    model = load_model(bundle)
    arrays = bundle.arrays(model.product.source)
    x, y = arrays["x"].astype(np.float64), arrays["y"].astype(np.float64)
    corn = read_corn()
    path = adapt_drifts.effective_path(x, y[:, 0] / 100, corn.axis_nm)
    samples = arrays["samples"]
    return Source(
        instrument, bundle, model, x, y, samples, corn.axis_nm, DetectorNoise(), path_mm=path
    )


def tablets_source(bundle: Bundle, noise: DetectorNoise) -> Source:
    """Of a bundle that `tests.tablets` made on spectrometer 1."""
    model = load_model(bundle)
    arrays = bundle.arrays(model.product.source)
    axis = tablet_sets()["spectrometer-1"].axis
    x, y = arrays["x"].astype(np.float64), arrays["y"].astype(np.float64)
    return Source("spectrometer-1", bundle, model, x, y, arrays["samples"], axis, noise)


def drifting(
    source: Source, kind: str, strength: int, seed: int, history: History = "held-out"
) -> Stream:
    """Corn's held-out samples; the drift comes at a scan of its own choice, and stays."""
    rng = np.random.default_rng([seed, adapt_drifts.KINDS.index(kind), strength])
    held_out = corn_held_out(source)
    drift = adapt_drifts.draw(kind, strength, rng)
    truth, y = held_out.spectra[source.name], held_out.references
    read = adapt_drifts.apply(
        drift, adapt_drifts.Samples(truth, source.axis, y[:, 0] / 100, source.path_mm)
    )
    changed = BEFORE + int(rng.integers(0, 20))
    before = (source.x, source.y) if history == "calibration" else (truth, y)
    return _stream(source, before, (truth, read, y), changed, WINDOW, rng)


def swapped_corn(source: Source, target: str, seed: int) -> Stream:
    """The same held-out samples on another instrument from a service event on."""
    rng = np.random.default_rng([seed, 100])
    held_out = corn_held_out(source)
    own, other, y = held_out.spectra[source.name], held_out.spectra[target], held_out.references
    stream = _stream(source, (own, y), (own, other, y), BEFORE, SWAP_WINDOW, rng)
    return replace(stream, events=(Event(BEFORE, SERVICE),))


def swapped_tablets(source: Source, seed: int, later: int = 100) -> Stream:
    """Tablets that the bundle does not hold, on spectrometer 2 from a service event on."""
    rng = np.random.default_rng([seed, 101])
    sets = tablet_sets()
    held_out = np.setdiff1d(np.arange(len(sets["spectrometer-1"].spectra)), source.samples)
    own, other = (sets[f"spectrometer-{k}"].spectra[held_out] for k in (1, 2))
    y = sets["spectrometer-1"].references[held_out]
    stream = _stream(source, (own, y), (own, other, y), BEFORE, SWAP_WINDOW, rng, later)
    return replace(stream, events=(Event(BEFORE, SERVICE),))


def corn_held_out(source: Source) -> Corn:
    """The samples that the bundle does not hold; both number them 1 to 80."""
    corn = read_corn()
    return corn.take(~np.isin(corn.samples, source.samples))


def _stream(source, before, after, changed, window, rng, later=LATER):
    """before: spectra (k, L) and references; after: spectra without and with the change (k, L), and
    references. Noise goes with the light of the undrifted spectrum, so that it is the same with and
    without the change.
    """
    first = rng.integers(len(before[0]), size=changed)
    clean, moved, y = after
    rounds = -(-(window + later) // len(clean))
    order = np.concatenate([rng.permutation(len(clean)) for _ in range(rounds)])[: window + later]
    # References are measured again with every change of state, at the least.
    undrifted = np.concatenate(
        [source.noise.add(before[0][first], rng), source.noise.add(clean[order], rng)]
    )
    spectra = undrifted.copy()
    spectra[changed:] += (moved - clean)[order]
    y = np.concatenate([before[1][first], y[order]])
    return Stream(spectra, undrifted, y, changed, changed + window)
