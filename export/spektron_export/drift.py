"""Which layer of a graph is the first to leave its reference."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray

from spektron_edge.bundle.manifest import Precision
from spektron_edge.inference.backend import INPUTS
from spektron_edge.inference.session import open_session

Array = NDArray[np.float32]
# What rounding alone makes of a layer's output, relative to its norm.
_ROUNDING: Mapping[Precision, float] = {"fp32": 1e-5, "fp16": 1e-3, "int8": 1e-2}
_JUMP = 3.0


def drifting_layer(
    graph: onnx.ModelProto,
    reference: onnx.ModelProto,
    precision: Precision,
    x: Array,
    theta: Array,
) -> str:
    """Name of the layer, with its error, for an error message; x (n, L) spectra.

    It is the first one whose error is several times the largest of those before it, and of what
    rounding alone would do; where there is none, the one where the error grows most.
    """
    errors = layer_errors(graph, reference, x, theta)
    growth: dict[str, float] = {}
    before = _ROUNDING[precision]
    for layer, error in errors.items():
        # A NaN is no number and therefore the largest of all.
        growth[layer] = np.inf if np.isnan(error) else error / before
        before = max(before, error)
    jumps = [layer for layer, factor in growth.items() if factor > _JUMP]
    layer = jumps[0] if jumps else max(growth, key=lambda name: growth[name])
    return f"{layer} (its output is off by {errors[layer]:.2g} of its size)"


def layer_errors(
    graph: onnx.ModelProto, reference: onnx.ModelProto, x: Array, theta: Array
) -> dict[str, float]:
    """Layer -> ||output - reference's|| / ||reference's||, in the order of computation."""
    outputs = {
        layer: name for layer, name in _outputs(reference).items() if name in _computed(graph)
    }
    actual, expected = (_run(m, list(outputs.values()), x, theta) for m in (graph, reference))
    norms = [max(float(np.linalg.norm(e)), 1e-30) for e in expected]
    return {
        layer: float(np.linalg.norm(a - e)) / norm
        for layer, a, e, norm in zip(outputs, actual, expected, norms, strict=True)
    }


def _outputs(model: onnx.ModelProto) -> dict[str, str]:
    """Layer -> name of its last value; a layer is what the encoder's own weights are named for."""
    weights = {t.name for t in model.graph.initializer if "." in t.name}
    result: dict[str, str] = {}
    for node in model.graph.node:
        for name in node.input:
            layer = name.rpartition(".")[0]
            # The exporter makes one of equal weights: only what goes on from a layer is that layer.
            if name in weights and (layer not in result or result[layer] in node.input):
                result[layer] = node.output[0]
    return result


def _computed(model: onnx.ModelProto) -> set[str]:
    return {name for node in model.graph.node for name in node.output}


def _run(model: onnx.ModelProto, names: list[str], x: Array, theta: Array) -> list[Array]:
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    known = {value.name for value in shown.graph.output}
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    session = open_session(shown.SerializeToString(), INPUTS, names)
    values: list[Array] = session.run(names, {"x": x, "theta": theta})
    return values
