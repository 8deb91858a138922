"""The encoder as an ONNX graph: (x, theta) -> y, z_chem, z_inst."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout

import onnx
import torch

from spektron_edge.inference.backend import OUTPUTS
from spektron_train.model import Encoder

from .errors import ExportError

OPSET = 20
IR_VERSION = 10
BATCH = "batch"
Shape = tuple[str | int, ...]


def export_fp32(encoder: Encoder) -> onnx.ModelProto:
    """Export with a dynamic batch and a fixed number of points; checked, without metadata.

    Raises ExportError when the exporter froze the batch or freed another dimension.
    """
    encoder = encoder.eval()
    theta = encoder.theta.detach()
    # Two rows: a batch of one would be specialised to one.
    x = encoder.linear.x_mean.repeat(2, 1)
    with torch.no_grad(), quiet():
        program = torch.onnx.export(
            encoder,
            (x, theta),
            dynamo=True,
            opset_version=OPSET,
            input_names=["x", "theta"],
            output_names=list(OUTPUTS),
            dynamic_shapes=({0: torch.export.Dim(BATCH)}, None),
            verbose=False,
        )
    model = program.model_proto
    tidy(model)
    check_interface(model, encoder)
    return model


def tidy(model: onnx.ModelProto, name: str = "encoder") -> None:
    """Pin the IR version; strip stack traces, host paths and everything else that is not maths."""
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "spektron-export", ""
    model.doc_string, model.graph.doc_string = "", ""
    model.graph.name = name
    del model.metadata_props[:]
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info):
        del part.metadata_props[:]
        part.doc_string = ""
    for tensor in graph.initializer:
        del tensor.metadata_props[:]
        tensor.doc_string = ""
    onnx.checker.check_model(model, full_check=True)


def check_interface(model: onnx.ModelProto, encoder: Encoder) -> None:
    """Assert that it is an encoder's graph. Raises ExportError naming what differs."""
    c = encoder.config
    expected = {
        "x": (BATCH, c.points),
        "theta": (encoder.layout.size,),
        "y": (BATCH, c.properties),
        "z_chem": (BATCH, c.z_chem),
        "z_inst": (BATCH, c.z_inst),
    }
    check_dimensions(model, expected)


def check_dimensions(model: onnx.ModelProto, expected: Mapping[str, Shape]) -> None:
    """Assert inputs and outputs, opset and IR. Raises ExportError naming what differs."""
    graph = model.graph
    actual = {value.name: _shape(value) for value in (*graph.input, *graph.output)}
    for name, shape in expected.items():
        if actual.get(name) != shape:
            raise ExportError(f"the graph's {name} is {actual.get(name)}, expected {shape}")
    if set(actual) != set(expected):
        raise ExportError(f"the graph has inputs and outputs {sorted(actual)}")
    opsets = {o.domain: o.version for o in model.opset_import}
    if opsets != {"": OPSET} or model.ir_version != IR_VERSION:
        raise ExportError(f"the graph uses opsets {opsets} and IR {model.ir_version}")


def _shape(value: onnx.ValueInfoProto) -> Shape:
    dims = value.type.tensor_type.shape.dim
    return tuple(d.dim_param or d.dim_value for d in dims)


@contextmanager
def quiet() -> Iterator[None]:
    """The exporter prints its steps and warns of its own internals."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        previous = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(previous)
