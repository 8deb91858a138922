"""The graph of a linear model, with the inputs and outputs that the runtime expects of an encoder.

y = (x - x_mean) W + y_mean + theta,  z_chem = (x - x_mean) V + v,  z_inst = 0

Centring first keeps float32 from losing digits. theta has an offset for each property.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from spektron_edge.prediction.diagnostics import ApplicabilityModel
from spektron_edge.spectra.preprocessing import correlate_valid
from spektron_train.model.linear_path import unfilter

from ..graphs import BATCH, OPSET, check_dimensions, tidy

Array = NDArray[np.float64]
Z_CHEM, Z_INST = 128, 64


@dataclass(frozen=True, eq=False)
class Latents:
    """Principal component scores of unit variance as z_chem: (x - x_mean) V + v, zeros beyond.

    v: (128,); V: (L, 128).
    """

    V: Array
    v: Array

    @classmethod
    def of(cls, model: ApplicabilityModel, x_mean: Array) -> Latents:
        """Those whose squares sum to T2."""
        k = len(model.score_std)
        V, v = np.zeros((model.points, Z_CHEM)), np.zeros(Z_CHEM)
        V[:, :k] = unfilter(model.loadings.T, model.kernel) / model.score_std
        centre = correlate_valid(x_mean, model.kernel) - model.mean
        v[:k] = model.loadings @ centre / model.score_std
        return cls(V, v)

    def scores(self, x: Array, x_mean: Array) -> Array:
        """(n, L) -> (n, 128) in float64."""
        scores: Array = (x - x_mean) @ self.V + self.v
        return scores


def linear_graph(x_mean: Array, weights: Array, y_mean: Array, latents: Latents) -> onnx.ModelProto:
    """The graph of this module's docstring; x_mean (L,), weights (L, m), y_mean (m,).

    Raises ExportError when its interface is not what the runtime expects.
    """
    points, m = weights.shape
    constants = {
        "x_mean": x_mean,
        "W": weights,
        "y_mean": y_mean,
        "V": latents.V,
        "v": latents.v,
        "none": np.zeros((points, Z_INST)),
    }
    nodes = [
        helper.make_node("Sub", ["x", "x_mean"], ["centred"]),
        helper.make_node("MatMul", ["centred", "W"], ["y_centred"]),
        helper.make_node("Add", ["y_mean", "theta"], ["offset"]),
        helper.make_node("Add", ["y_centred", "offset"], ["y"]),
        helper.make_node("MatMul", ["centred", "V"], ["scores"]),
        helper.make_node("Add", ["scores", "v"], ["z_chem"]),
        helper.make_node("MatMul", ["centred", "none"], ["z_inst"]),
    ]
    inputs = {"x": (BATCH, points), "theta": (m,)}
    outputs = {"y": (BATCH, m), "z_chem": (BATCH, Z_CHEM), "z_inst": (BATCH, Z_INST)}
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        [numpy_helper.from_array(a.astype(np.float32), n) for n, a in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    tidy(model, "linear")
    check_dimensions(model, {**inputs, **outputs})
    return model
