"""Static INT8 quantisation of the Transformer's products with constant weights, as symmetric QDQ.

Attention, convolutions, heads, the adapter and the linear path stay in float32: they cost little
and lose most. Standard operators only, so that TensorRT reads the same file.
"""

from __future__ import annotations

import io
import logging
import tempfile
import warnings
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from spektron_edge.inference.session import open_session

from .errors import ExportError
from .graphs import tidy


def _centre(
    quantised: onnx.ModelProto, model: onnx.ModelProto, feed: dict[str, NDArray[np.float32]]
) -> None:
    """Take the mean error over the calibration spectra out of the latents, in place.

    Rounding errors of one product are alike in all its spectra, so half of what they do to a value
    can be an offset (Nagel et al., ICCV 2019, bias correction).
    """
    outputs = ["z_chem", "z_inst"]
    actual, expected = (
        open_session(m.SerializeToString(), tuple(feed), outputs).run(outputs, feed)
        for m in (quantised, model)
    )
    for output, a, e in zip(outputs, actual, expected, strict=True):
        last = next(node for node in quantised.graph.node if output in node.output)
        biases = [t for t in quantised.graph.initializer if t.name in last.input]
        if last.op_type != "Add" or len(biases) != 1:
            raise ExportError(f"{output} does not end in a bias")
        bias = numpy_helper.to_array(biases[0]) - (a - e).mean(axis=0)
        users = sum(list(node.input).count(biases[0].name) for node in quantised.graph.node)
        if users == 1:
            biases[0].CopyFrom(numpy_helper.from_array(bias, biases[0].name))
            continue
        # Equal weights are stored once; the others go on using theirs.
        own = numpy_helper.from_array(bias, f"{output}.bias")
        last.input[list(last.input).index(biases[0].name)] = own.name
        quantised.graph.initializer.append(own)


class _Batches(CalibrationDataReader):
    def __init__(self, x: NDArray[np.float32], theta: NDArray[np.float32], size: int) -> None:
        self._feeds = iter([{"x": x[i : i + size], "theta": theta} for i in range(0, len(x), size)])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next batch, or None at the end."""
        return next(self._feeds, None)


def constant_products(model: onnx.ModelProto) -> list[str]:
    """Names of the MatMul nodes of the Transformer blocks whose right side is a weight."""
    weights = {t.name for t in model.graph.initializer if t.name.startswith("blocks.")}
    return [n.name for n in model.graph.node if n.op_type == "MatMul" and n.input[1] in weights]


def quantise(
    model: onnx.ModelProto,
    x: NDArray[np.float32],
    theta: NDArray[np.float32],
    *,
    expected: int,
    reduce_range: bool = True,
) -> onnx.ModelProto:
    """Quantise with ranges seen on calibration spectra x (n, L).

    expected: how many products there must be. reduce_range: 7-bit weights, which keep the 16-bit
    sums of processors without VNNI from saturating. Raises ExportError.
    """
    nodes = constant_products(model)
    if len(nodes) != expected:
        raise ExportError(f"found {len(nodes)} products to quantise, expected {expected}")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source, target = Path(folder) / "fp32.onnx", Path(folder) / "qdq.onnx"
        onnx.save(model, source)
        previous = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            with redirect_stdout(io.StringIO()):
                quantize_static(
                    str(source),
                    str(target),
                    _Batches(x, theta, 20),
                    quant_format=QuantFormat.QDQ,
                    op_types_to_quantize=["MatMul"],
                    nodes_to_quantize=nodes,
                    per_channel=True,
                    reduce_range=reduce_range,
                    activation_type=QuantType.QInt8,
                    weight_type=QuantType.QInt8,
                    # Clipping even 1e-4 of the activations ruins the one sample they belong to.
                    calibrate_method=CalibrationMethod.MinMax,
                    extra_options={
                        "ActivationSymmetric": True,
                        "WeightSymmetric": True,
                        "QuantizeBias": False,
                        "OpTypesToExcludeOutputQuantization": ["MatMul"],
                    },
                )
        finally:
            logging.disable(previous)
        quantised = onnx.load(str(target))
    quantised.ir_version = model.ir_version
    _centre(quantised, model, {"x": x, "theta": theta})
    tidy(quantised)
    foreign = {n.domain for n in quantised.graph.node if n.domain not in ("", "ai.onnx")}
    if foreign:
        raise ExportError(f"the quantised graph uses operators of {sorted(foreign)}")
    return quantised
