"""One case of the benchmark of adaptation: what is frozen, adapted and adapted by peers."""

from __future__ import annotations

import os
from functools import lru_cache

import numpy as np

from spektron_train.data.corn import read_corn
from spektron_train.data.readers.tablets import tablet_sets

from ..tablets import NOISE
from . import adapt_auto, adapt_bundles, adapt_controls, adapt_streams
from .adapt_peers import PEERS, YARDSTICK, to_history
from .adapt_streams import Source, Stream
from .transfer_cases import native, r2

# Of a normal distribution, within which 90 % lie.
_HALF_WIDTH = 1.645
WITH_PEERS = os.environ.get("PEERS", "yes") != "no"


@lru_cache
def source(name: str) -> Source:
    """m5, mp5, mp6 or tablets."""
    if name == "tablets":
        return adapt_streams.tablets_source(adapt_bundles.tablets(), NOISE)
    return adapt_streams.corn_source(adapt_bundles.corn_bundle(name), name)


def drift_job(arguments):
    """(kind, strength, seed, history) -> the same and method -> RMSEP (m,) in units of the
    references' spread, on the scans after the window; methods: undrifted, adapted and the peers.
    """
    kind, strength, seed, history = arguments
    m5 = source("m5")
    stream = adapt_streams.drifting(m5, kind, strength, seed, history)

    def score(predicted):
        return np.sqrt(np.mean((predicted - stream.y[stream.seen :]) ** 2, axis=0)) / m5.spread

    # What the samples before the change are is nothing to the peers.
    with_peers = WITH_PEERS and history == "held-out"
    return arguments, _predictions(m5, stream, score, with_peers)


def swap_job(arguments):
    """(source, target, seed) -> the same and method -> R2 (m,), with the native ceiling."""
    name, target, seed = arguments
    own = source(name)
    if name == "tablets":
        stream = adapt_streams.swapped_tablets(own, seed)
        native_x = tablet_sets()["spectrometer-2"].spectra[own.samples]
    else:
        stream = adapt_streams.swapped_corn(own, target, seed)
        corn = read_corn()
        rows = [int(np.flatnonzero(corn.samples == s)[0]) for s in own.samples]
        native_x = corn.spectra[target][rows]

    def score(predicted):
        return r2(predicted, stream.y[stream.seen :])

    found = _predictions(own, stream, score, WITH_PEERS)
    found["native"] = score(native(native_x, own.y, stream.spectra[stream.seen :])[0])
    return arguments, found


def control_job(arguments):
    """(kind, seed) -> the same, whether anything was installed, and the largest change of a
    prediction over half its 90 % interval.
    """
    kind, seed = arguments
    m5 = source("m5")
    stream = adapt_controls.control(m5, kind, seed)
    decisions = adapt_auto.ADAPTER(m5, stream.spectra, stream.events)
    if not any(d.installed for d in decisions):
        return arguments, False, 0.0
    frozen = adapt_streams.predict(m5, stream.spectra)
    adapted = adapt_streams.adapted_predictions(m5, stream.spectra, decisions)
    return arguments, True, float(np.max(np.abs(adapted - frozen) / half_width(m5)))


def half_width(own: Source) -> np.ndarray:
    """(m,) of a 90 % interval: the spread of errors on the bundle's held-out samples, in the
    precision that runs.
    """
    product = own.model.product
    figures = product.evaluation.figures[own.model.graph.precision]
    return _HALF_WIDTH * np.array([figures[p.name].rmsep for p in product.properties])


def _predictions(own: Source, stream: Stream, score, with_peers):
    later = stream.spectra[stream.seen :]
    decisions = adapt_auto.ADAPTER(own, stream.spectra[: stream.seen], stream.events)
    found = {
        "undrifted": score(adapt_streams.predict(own, stream.undrifted[stream.seen :])),
        "adapted": score(
            adapt_streams.adapted_predictions(own, stream.spectra, decisions, stream.seen)
        ),
    }
    peers = PEERS if with_peers else {"none": PEERS["none"]}
    for name, fit in peers.items():
        found[name] = score(fit(own, stream.window)(later))
    found[YARDSTICK] = score(
        to_history(own, stream.spectra[: stream.changed], stream.window)(later)
    )
    found["installed"] = float(any(d.installed for d in decisions))
    return found
