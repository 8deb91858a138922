"""One backend and precision in a process of its own: what `bench-device` measures.

A process each, so that memory is that backend's alone and a driver that crashes takes nobody along.
Requests and answers are JSON lines: {"batch": n, "calls": k} -> {"ms": median of k calls}; the end
of the requests -> {"peak_mb": most memory that was resident}.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any, TextIO, cast

import numpy as np

from spektron_edge.backend_choice import BackendChoice, BackendName
from spektron_edge.bundle import BundleError, read_bundle
from spektron_edge.bundle.manifest import Precision
from spektron_edge.child.own_memory import peak_mb
from spektron_edge.inference import BackendError, Model, load_model

_WARM_UP = 3


def main(arguments: list[str]) -> int:
    """arguments: bundle, product, precision, backend, folder of engines."""
    answers = _answers()
    path, product, precision, backend, engines = arguments
    choice = BackendChoice(cast(BackendName, backend), Path(engines))
    started = time.perf_counter()
    try:
        bundle = read_bundle(Path(path))
        model = load_model(bundle, product, cast(Precision, precision), choice=choice)
    except BundleError as error:
        _answer(answers, {"error": str(error)})
        return 1
    if model.fell_back:
        _answer(answers, {"error": model.fell_back})
        return 1
    load_s = time.perf_counter() - started
    _answer(answers, {"provider": model.backend.provider, "load_s": load_s})
    spectra = bundle.arrays(model.product.golden)["x"]
    for line in sys.stdin:
        request = json.loads(line)
        try:
            ms = _median_ms(model, spectra, request["batch"], request["calls"])
        except BackendError as error:
            _answer(answers, {"error": str(error)})
            return 1
        if model.fell_back:
            _answer(answers, {"error": model.fell_back})
            return 1
        _answer(answers, {"ms": ms})
    _answer(answers, {"peak_mb": peak_mb()})
    return 0


def _median_ms(model: Model, spectra: Any, batch: int, calls: int) -> float:
    x = np.resize(spectra, (batch, spectra.shape[1]))
    for _ in range(_WARM_UP):
        model.infer(x)
    taken = []
    for _ in range(calls):
        started = time.perf_counter()
        model.infer(x)
        taken.append(time.perf_counter() - started)
    return median(taken) * 1e3


def _answers() -> TextIO:
    """Standard output for us alone: libraries of a GPU print there, too."""
    ours = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return ours


def _answer(stream: TextIO, document: dict[str, object]) -> None:
    stream.write(json.dumps(document) + "\n")
    stream.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
