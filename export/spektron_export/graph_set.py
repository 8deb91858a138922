"""All graphs of a bundle: made from one encoder, and laid down as members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from spektron_edge.bundle.manifest import Precision
from spektron_train.model import Encoder

from .gradient import export_gradient
from .graphs import export_fp32
from .half import halve
from .quantise import quantise
from .sharing import share_weights

PRECISIONS: tuple[Precision, ...] = ("int8", "fp16", "fp32")
FILES: dict[Precision, str] = {
    "fp32": "encoder.fp32.onnx",
    "fp16": "encoder.fp16.onnx",
    "int8": "encoder.qdq.onnx",
}
GRADIENT_FILE, WEIGHTS_FILE = "adapt.onnx", "weights.onnx"


@dataclass(frozen=True)
class GraphSet:
    """encoders: of every precision asked for, and fp32, which all others are compared with."""

    encoders: Mapping[Precision, onnx.ModelProto]
    gradient: onnx.ModelProto | None


@dataclass(frozen=True)
class GraphMembers:
    """Members of the bundle by file name; `sharing`: files that are followed by `WEIGHTS_FILE`."""

    members: Mapping[str, bytes]
    sharing: frozenset[str]

    def weights_of(self, file: str) -> str | None:
        """The manifest's `weights_file` of that file."""
        return WEIGHTS_FILE if file in self.sharing else None


def build_graphs(
    encoder: Encoder,
    calibration: NDArray[np.float32],
    precisions: Sequence[Precision],
    adapt: bool,
) -> GraphSet:
    """Export; INT8 with ranges seen on calibration spectra (n, L). Raises ExportError."""
    theta = encoder.theta.detach().numpy()
    layers = encoder.config.layers
    encoders: dict[Precision, onnx.ModelProto] = {"fp32": export_fp32(encoder)}
    if "fp16" in precisions:
        # Each layer: four products with weights, two of attention.
        encoders["fp16"] = halve(encoders["fp32"], expected=6 * layers)
    if "int8" in precisions:
        encoders["int8"] = quantise(encoders["fp32"], calibration, theta, expected=4 * layers)
    return GraphSet(encoders, export_gradient(encoder) if adapt else None)


def graph_members(graphs: GraphSet, precisions: Sequence[Precision]) -> GraphMembers:
    """Serialise what was asked for. INT8 stays whole: it has few weights in common with the rest.

    Raises ExportError.
    """
    models = {FILES[p]: graphs.encoders[p] for p in FILES if p in precisions and p != "int8"}
    if graphs.gradient is not None:
        models[GRADIENT_FILE] = graphs.gradient
    members: dict[str, bytes] = {}
    if "int8" in precisions:
        members[FILES["int8"]] = graphs.encoders["int8"].SerializeToString(deterministic=True)
    shared = share_weights(models)
    members.update(shared.graphs)
    if shared.weights:
        members[WEIGHTS_FILE] = shared.weights
    return GraphMembers(members, frozenset(models if shared.weights else ()))
