"""What every inference backend must do, whatever engine it stands on.

A new backend is added to BACKENDS and must pass all of this. No GPU is here: onnxruntime only says
that it uses one, and TensorRT's module and the driver are stand-ins (tests/accelerators.py). Of
those three is shown what this software does around the arithmetic, not the arithmetic.
"""

from __future__ import annotations

import numpy as np
import pytest

from spektron_edge.bundle import read_bundle
from spektron_edge.config.file import shipped_bundle
from spektron_edge.inference import BackendError
from spektron_edge.inference.engine_build import build_engine
from spektron_edge.inference.native_tensorrt import NativeTensorrt
from spektron_edge.inference.onnx import OnnxCpu
from spektron_edge.inference.onnx_gpu import OnnxCuda, OnnxTensorrt
from tests import bundles
from tests.accelerators import FakeTensorrt, pretend_providers

GRAPH = bundles.onnx_graph(bundles.weights())


def on_cpu(monkeypatch, folder):
    return OnnxCpu


def on_cuda(monkeypatch, folder):
    pretend_providers(monkeypatch, "CUDAExecutionProvider")
    return OnnxCuda


def on_onnxruntime_s_tensorrt(monkeypatch, folder):
    pretend_providers(monkeypatch, "TensorrtExecutionProvider", "CUDAExecutionProvider")
    return lambda graph: OnnxTensorrt(graph, "int8", folder / "engines")


def on_tensorrt(monkeypatch, folder):
    trt = FakeTensorrt()
    return lambda graph: NativeTensorrt(trt.device, build_engine(trt, graph, "int8").plan)


BACKENDS = [on_cpu, on_cuda, on_onnxruntime_s_tensorrt, on_tensorrt]


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.__name__)
def make(request, monkeypatch, tmp_path):
    return request.param(monkeypatch, tmp_path)


@pytest.fixture
def backend(make):
    return make(GRAPH)


def batch(n, seed=3):
    return bundles.spectra(n, seed).astype(np.float32)


@pytest.mark.parametrize("size", [1, 2, 17, 32, 71])
def test_outputs_are_those_of_the_graph(backend, size):
    x = batch(size)
    outputs = backend.infer(x, bundles.THETA)
    for name, wanted in bundles.expected(x.astype(np.float64)).items():
        seen = getattr(outputs, name)
        assert seen.dtype == np.float32
        assert seen.shape == wanted.shape
        np.testing.assert_allclose(seen, wanted, atol=1e-5)


def test_theta_takes_part_in_every_call(backend):
    x = batch(2)
    shifted = backend.infer(x, bundles.THETA + 1).y
    np.testing.assert_allclose(shifted, backend.infer(x, bundles.THETA).y + 1, atol=1e-5)


def test_the_same_input_gives_the_same_output_to_the_bit(backend):
    x = batch(5)
    first = backend.infer(x, bundles.THETA)
    for _ in range(3):
        again = backend.infer(x, bundles.THETA)
        np.testing.assert_array_equal(again.y, first.y)
        np.testing.assert_array_equal(again.z_chem, first.z_chem)


def test_a_row_does_not_depend_on_its_neighbours(backend):
    x = batch(6)
    alone = np.vstack([backend.infer(row[None], bundles.THETA).y for row in x])
    np.testing.assert_allclose(backend.infer(x, bundles.THETA).y, alone, atol=1e-5)


def test_inputs_are_left_as_they_were(backend):
    x, theta = batch(3), bundles.THETA.copy()
    before = x.copy()
    backend.infer(x, theta)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(theta, bundles.THETA)


def test_a_number_that_is_none_comes_out_as_none(backend):
    x = batch(2)
    x[1, 7] = np.nan
    y = backend.infer(x, bundles.THETA).y
    assert np.all(np.isfinite(y[0]))
    assert np.all(np.isnan(y[1]))


def test_it_says_what_it_runs_on(backend):
    assert backend.provider.endswith("ExecutionProvider") or backend.provider == "TensorRT 10.3.0"


@pytest.mark.parametrize(
    "x",
    [
        np.zeros((1, 59), np.float32),
        np.zeros(60, np.float32),
        np.zeros((1, 60), np.float64),
        np.zeros((1, 1, 60), np.float32),
    ],
    ids=["grid", "vector", "float64", "cube"],
)
def test_spectra_that_do_not_fit_are_an_error_of_the_backend(backend, x):
    with pytest.raises(BackendError):
        backend.infer(x, bundles.THETA)
    # And it goes on working.
    assert backend.infer(batch(1), bundles.THETA).y.shape == (1, 2)


def test_a_theta_that_does_not_fit_is_an_error_of_the_backend(backend):
    with pytest.raises(BackendError):
        backend.infer(batch(1), np.zeros(5, np.float32))


@pytest.mark.parametrize(
    "graph",
    [
        b"",
        b"not a graph",
        GRAPH[: len(GRAPH) // 2],
        bundles.onnx_graph(bundles.weights(), x_name="spectrum"),
        bundles.onnx_graph(bundles.weights(), y_name="result"),
        bundles.onnx_graph(bundles.weights(), y_kind="NoSuchOperator"),
    ],
    ids=["empty", "text", "half", "other input", "other output", "unknown operator"],
)
def test_a_graph_that_cannot_serve_is_an_error_of_the_backend(make, graph):
    with pytest.raises(BackendError):
        make(graph)


def test_the_shipped_graphs_run(make):
    bundle = read_bundle(shipped_bundle())
    for product in bundle.manifest.products:
        theta = bundle.vector(product.theta)
        x = bundle.arrays(product.golden)["x"].astype(np.float32)
        for graph in product.graphs:
            outputs = make(bundle.graph(graph)).infer(x, theta)
            assert outputs.y.shape[0] == len(x)
            assert np.all(np.isfinite(outputs.y))
