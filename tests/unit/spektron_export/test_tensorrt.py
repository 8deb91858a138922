"""Every graph of a bundle parses and builds in TensorRT, which needs no GPU.

Running what was built needs one: outputs and speed of an engine are not looked at here.
"""

from __future__ import annotations

import pytest

from spektron_edge.bundle import read_bundle
from spektron_edge.config import shipped_bundle
from spektron_edge.manifest import GraphFile
from tests import bundles
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
