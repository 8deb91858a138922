"""What was asked for against what runs: checked after loading, told, and never silent."""

from __future__ import annotations

import json
import sys

import numpy as np
import onnxruntime as ort
import pytest

from spektron_edge.backend_choice import BackendChoice
from spektron_edge.bundle import BundleError, read_bundle
from spektron_edge.config.loading import load_config
from spektron_edge.daemon.daemon import Daemon
from spektron_edge.faults import Fault
from spektron_edge.inbox import Measured
from spektron_edge.inference import BackendError, load_model, native_tensorrt
from spektron_edge.inference.engine_file import store_engine
from spektron_edge.inference.onnx_gpu import OnnxTensorrt
from spektron_edge.publishing.reporter import model_info
from tests import bundles
from tests.accelerators import FakeTensorrt, pretend_providers

GRAPH = bundles.onnx_graph(bundles.weights())


@pytest.fixture
def load(tiny_bundle, tmp_path):
    def make(name):
        return load_model(
            read_bundle(tiny_bundle), choice=BackendChoice(name, tmp_path / "engines")
        )

    return make


@pytest.fixture
def with_tensorrt(monkeypatch, tmp_path):
    """A machine with a GPU, TensorRT and, where wanted, the tiny bundle's engine."""

    def make(trt, stored=True):
        monkeypatch.setitem(sys.modules, "tensorrt", trt)
        monkeypatch.setattr(native_tensorrt, "Cuda", lambda: trt.cuda)
        if stored:
            store_engine(tmp_path / "engines", trt.device.key(GRAPH, "int8"), GRAPH)
        return trt

    return make


def names(model):
    info = model_info(model)
    return info.backend_asked, info.backend_active, info.provider


@pytest.mark.parametrize("name", ["cuda", "tensorrt-ep"])
def test_a_gpu_that_onnxruntime_does_not_use_is_noticed(load, name):
    # Not even a provider to try: what `pip install onnxruntime` brings.
    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this onnxruntime has GPU providers")
    model = load(name)
    assert names(model) == (name, "cpu", "CPUExecutionProvider")
    assert model.fell_back.startswith(f"{name} was asked for, the CPU is used: onnxruntime")


def test_onnxruntime_that_goes_on_without_its_provider_is_noticed(load, monkeypatch):
    asked = pretend_providers(monkeypatch)
    model = load("cuda")
    assert asked[0][0][0] == "CUDAExecutionProvider"
    assert names(model) == ("cuda", "cpu", "CPUExecutionProvider")
    assert "does not run CUDAExecutionProvider here" in model.fell_back


@pytest.mark.parametrize(
    ("name", "provider"),
    [("cuda", "CUDAExecutionProvider"), ("tensorrt-ep", "TensorrtExecutionProvider")],
)
def test_what_was_asked_for_and_runs_is_published(load, monkeypatch, name, provider):
    asked = pretend_providers(monkeypatch, provider)
    model = load(name)
    assert names(model) == (name, name, provider)
    assert model.fell_back == ""
    if name == "tensorrt-ep":
        options = asked[-1][0][1]
        assert options["trt_profile_max_shapes"] == "x:32x60"
        assert options["trt_int8_enable"]


def test_a_tensorrt_provider_without_the_cuda_one_counts_as_absent(load, monkeypatch):
    pretend_providers(monkeypatch, "CUDAExecutionProvider")
    assert names(load("tensorrt-ep"))[1] == "cpu"


def test_an_engine_of_onnxruntime_s_that_was_set_aside_is_not_built_again(
    load, monkeypatch, tmp_path
):
    pretend_providers(monkeypatch, "TensorrtExecutionProvider")
    monkeypatch.setattr(OnnxTensorrt, "infer", lambda *_: wrong())

    def wrong():
        raise BackendError("the engine is on fire")

    assert "on fire; set aside as onnxruntime-int8-" in load("tensorrt-ep").fell_back
    (aside,) = (tmp_path / "engines").iterdir()
    asked = pretend_providers(monkeypatch, "TensorrtExecutionProvider")
    assert f"remove {aside} to try again" in load("tensorrt-ep").fell_back
    assert {name for ((name, _),) in asked} == {"CPUExecutionProvider"}


def test_an_engine_that_was_built_is_used(load, with_tensorrt):
    with_tensorrt(FakeTensorrt())
    model = load("tensorrt")
    assert names(model) == ("tensorrt", "tensorrt", "TensorRT 10.3.0")
    x = bundles.spectra(40)
    np.testing.assert_allclose(model.infer(x).y, bundles.expected(x)["y"], atol=1e-5)


def test_without_an_engine_the_command_that_makes_one_is_named(load, with_tensorrt):
    with_tensorrt(FakeTensorrt(), stored=False)
    model = load("tensorrt")
    assert model.active == "cpu"
    assert "`spektron-edge build-engine` makes one" in model.fell_back


def test_an_engine_of_another_version_is_not_used(load, with_tensorrt):
    with_tensorrt(FakeTensorrt("10.3.0"))
    with_tensorrt(FakeTensorrt("10.4.0"), stored=False)
    assert "no int8 engine" in load("tensorrt").fell_back


def test_an_engine_that_misses_its_golden_vectors_is_set_aside(load, with_tensorrt, tmp_path):
    with_tensorrt(FakeTensorrt(off_by=0.5))
    model = load("tensorrt")
    assert model.active == "cpu"
    assert "differs from its golden value by 0.5" in model.fell_back
    assert "set aside as" in model.fell_back
    assert [p.name.endswith(".damaged-1") for p in (tmp_path / "engines").iterdir()] == [True]
    assert "no int8 engine" in load("tensorrt").fell_back


def test_a_gpu_that_fails_later_is_left_with_the_same_batch(load, with_tensorrt):
    trt = with_tensorrt(FakeTensorrt())
    model = load("tensorrt")
    trt.refuses.add("run")
    x = bundles.spectra(3)
    np.testing.assert_allclose(model.infer(x).y, bundles.expected(x)["y"], atol=1e-5)
    assert names(model) == ("tensorrt", "cpu", "CPUExecutionProvider")
    assert "could not run the engine" in model.fell_back


def test_a_batch_that_nobody_takes_is_no_reason_to_leave_the_gpu(load, with_tensorrt):
    with_tensorrt(FakeTensorrt())
    model = load("tensorrt")
    with pytest.raises(BackendError):
        model.infer(np.zeros((1, 59)))
    assert (model.active, model.fell_back) == ("tensorrt", "")


def test_a_bundle_that_the_cpu_cannot_run_either_is_the_bundle_s_fault(tmp_path):
    golden = bundles.golden_arrays()
    golden["y_int8"] = golden["y_int8"] + 1
    path = bundles.write_tiny(tmp_path / "b.spektron", replaced={"golden.npz": bundles.npz(golden)})
    with pytest.raises(BundleError, match="differs from its golden value"):
        load_model(read_bundle(path), choice=BackendChoice("tensorrt", tmp_path))


# ---- configuration and daemon


@pytest.fixture
def configured(tmp_path, tiny_bundle):
    def make(inference=""):
        path = tmp_path / "edge.toml"
        path.write_text(
            f'site = "s"\ninstrument = "i"\nstate_dir = "state"\nbundle = "{tiny_bundle}"\n'
            f'[serial]\nurl = "/dev/absent"\n[mqtt]\nurl = "mqtt://127.0.0.1:1"\n{inference}'
        )
        return path

    return make


def test_the_cpu_is_the_default_and_engines_lie_in_the_state_folder(configured, tmp_path):
    config = load_config(configured())
    assert config.backend == BackendChoice("cpu", tmp_path / "state" / "engines")
    config = load_config(configured('[inference]\nbackend = "cuda"\nengines = "here"\n'))
    assert config.backend == BackendChoice("cuda", tmp_path / "here")


def test_a_backend_that_does_not_exist_is_refused(configured):
    with pytest.raises(Fault, match=r"inference\.backend"):
        load_config(configured('[inference]\nbackend = "quantum"\n'))


def test_the_daemon_tells_that_it_fell_back_and_that_it_no_longer_does(
    configured, with_tensorrt, make_scan, monkeypatch
):
    asked = '[inference]\nbackend = "tensorrt"\nengines = "engines"\n'
    trt = with_tensorrt(FakeTensorrt(refuses=("load",)))
    path = configured(asked)
    daemon = Daemon(path)
    try:
        daemon._serving.tell_of_backend()
        assert daemon._notices.codes == ("backend_fell_back",)
        assert "cannot load the engine" in events(daemon)[-1]["message"]
        trt.refuses.clear()
        assert daemon._reload.reload().ok
        assert daemon._notices.codes == ()
        assert events(daemon)[-1]["code"] == "backend_fell_back_over"
        # The GPU fails in the middle of things.
        trt.refuses.add("run")
        told = []
        monkeypatch.setattr(daemon._serving, "_changed", told.append)
        monkeypatch.setattr(
            "spektron_edge.prediction.serving.evaluate",
            lambda *a: daemon._serving.model.infer(bundles.spectra(1)) and _Nothing,
        )
        daemon._serving.evaluate(Measured(make_scan(), None), None, None)
        assert daemon._notices.codes == ("backend_fell_back",)
        assert len(told) == 1
    finally:
        daemon._state.close()


class _Nothing:
    values = absorbance = None


def events(daemon):
    daemon._delivery.commit(())
    return [json.loads(r.payload) for r in daemon._state.outbox.unsent(100)]
