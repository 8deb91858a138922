"""The graphs on the held-out spectra: beside each other, and what each is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spektron_edge.bundle.manifest import Precision
from spektron_edge.bundle.merit import Merit, median_merits, merits
from spektron_edge.inference import Inference
from spektron_edge.inference.backend import OUTPUTS
from spektron_train.checkpoint import Checkpoint
from spektron_train.data.instrument_noise import DetectorNoise, noisy_scans

from .drift import drifting_layer
from .errors import ParityError
from .graph_set import GraphSet
from .parity import Limits, Parity, compare, require, run_torch
from .session import Run

Array = NDArray[Any]
Figures = dict[str, dict[str, Merit]]
_SPECTRA_TO_LOCATE = 4


@dataclass(frozen=True, eq=False)
class Comparison:
    """What the engines gave for the same spectra.

    figures: by engine and property; reference: (s, m) laboratory's values of the s scans;
    values: by engine, (s, m) predicted.
    """

    parity: tuple[Parity, ...]
    figures: Figures
    reference: Array
    values: Mapping[str, Array]


def compare_graphs(
    checkpoint: Checkpoint,
    graphs: GraphSet,
    runs: Mapping[Precision, Run],
    noise: DetectorNoise,
    limits: Mapping[Precision, Limits],
) -> Comparison:
    """fp32 against torch and the others against fp32; figures of merit by engine and property.

    Raises ParityError naming the quantity out of its limit and the layer where it comes from.
    """
    names = tuple(p.name for p in checkpoint.card.properties)
    x, y = np.asarray(checkpoint.held_out["x"]), np.asarray(checkpoint.held_out["y"])
    engines: dict[str, Callable[[Array], Inference]] = {
        "torch": lambda scan: run_torch(checkpoint.encoder, scan),
        **runs,
    }
    scans = noisy_scans(x, noise)
    outputs = {name: [run(scan) for scan in scans] for name, run in engines.items()}
    figures = {
        name: median_merits([merits(out.y.astype(np.float64), y, names) for out in outs])
        for name, outs in outputs.items()
    }
    joined = {name: _join(outs) for name, outs in outputs.items()}
    rmsep = {name: merit.rmsep for name, merit in figures["torch"].items()}
    result = []
    for graph in runs:
        reference = "torch" if graph == "fp32" else "fp32"
        pair = (figures[graph], figures[reference])
        parity = compare((graph, reference), joined[graph], joined[reference], pair)
        try:
            require(parity, rmsep, limits[graph])
        except ParityError as error:
            raise ParityError(f"{error}{_where(checkpoint, graphs, graph)}") from None
        result.append(parity)
    values = {name: out.y.astype(np.float64) for name, out in joined.items()}
    return Comparison(tuple(result), figures, np.tile(y, (len(scans), 1)), values)


def _where(checkpoint: Checkpoint, graphs: GraphSet, graph: Precision) -> str:
    # fp32 is compared with torch, which has no values with names.
    if graph == "fp32":
        return ""
    x = np.asarray(checkpoint.held_out["x"])[:_SPECTRA_TO_LOCATE].astype(np.float32)
    theta = checkpoint.encoder.theta.detach().numpy()
    models = graphs.encoders
    return f"; it drifts from {drifting_layer(models[graph], models['fp32'], graph, x, theta)} on"


def _join(outputs: list[Inference]) -> Inference:
    return Inference(*(np.concatenate([getattr(o, name) for o in outputs]) for name in OUTPUTS))
