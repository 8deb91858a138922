"""Every graph of a bundle parses and builds in TensorRT, which needs no GPU.

Running what was built needs one: outputs and speed of an engine are not looked at here.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from spektron_edge.bundle import read_bundle
from spektron_edge.bundle.manifest import GraphFile
from spektron_edge.config.file import shipped_bundle
from spektron_edge.inference import BackendError
from spektron_edge.inference.native_tensorrt import Device, NativeTensorrt
from tests import bundles
from tests.accelerators import FakeCuda
from tests.requirements import need
from tests.tensorrt import build, refusals


@pytest.fixture(autouse=True)
def _needed():
    need("tensorrt-rtx")


@pytest.mark.parametrize("name", ["int8", "fp16", "fp32", "adapt"])
def test_a_graph_as_exported_builds(exported, name):
    bundle = read_bundle(exported.path)
    product = bundle.manifest.products[0]
    graph = product.adapt if name == "adapt" else product.graph(name)
    # The gradient has all of its arithmetic in float32.
    built = build(bundle.graph(graph), "fp32" if name == "adapt" else name)
    assert built.typing == "strong"
    assert len(built.plan) > 10_000


def test_every_shipped_graph_builds():
    bundle = read_bundle(shipped_bundle())
    graphs: list[GraphFile] = []
    for product in bundle.manifest.products:
        graphs += [*product.graphs, *([product.adapt] if product.adapt else [])]
    for graph in graphs:
        assert len(build(bundle.graph(graph)).plan) > 1_000_000, graph.file


def test_what_tensorrt_does_not_know_is_noticed(gradient):
    for node in gradient.graph.node:
        assert node.op_type != "NonZero"
    broken = type(gradient)()
    broken.CopyFrom(gradient)
    norm = next(n for n in broken.graph.node if n.op_type == "LayerNormalization")
    norm.output.append("statistics")
    assert "LayerNormalization" in refusals(broken.SerializeToString())


def test_an_operator_that_does_not_exist_is_named():
    graph = bundles.onnx_graph(bundles.weights(), y_kind="NoSuchOperator")
    assert "NoSuchOperator" in refusals(graph)


def test_half_a_graph_never_reaches_the_parser():
    assert "cut short" in refusals(bundles.onnx_graph(bundles.weights())[:-1])


@pytest.mark.parametrize(
    ("of", "names"),
    [
        ("ICudaEngine", "create_execution_context num_io_tensors get_tensor_name get_tensor_mode"),
        ("ICudaEngine", "get_tensor_shape get_tensor_dtype"),
        ("IExecutionContext", "set_tensor_address set_input_shape execute_async_v3"),
        ("Runtime", "deserialize_cuda_engine"),
        ("TensorIOMode", "INPUT"),
        ("DataType", "FLOAT"),
        ("Logger", "ERROR"),
    ],
)
def test_what_running_an_engine_calls_exists(of, names):
    # tests/accelerators.py stands in for these; here is the real module.
    rtx = importlib.import_module("tensorrt_rtx")
    assert all(hasattr(getattr(rtx, of), name) for name in names.split())


def test_an_engine_without_its_gpu_is_an_error_of_the_backend():
    if Path("/dev/nvidia0").exists():
        pytest.skip("a GPU is here")
    rtx = importlib.import_module("tensorrt_rtx")
    with pytest.raises(BackendError, match="cannot load the engine"):
        NativeTensorrt(Device(rtx, FakeCuda()), build(bundles.onnx_graph(bundles.weights())).plan)
