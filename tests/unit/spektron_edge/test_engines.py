"""Building, keeping and loading TensorRT engines, with stand-ins for TensorRT and the GPU."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from spektron_edge.cli.main import main
from spektron_edge.faults import Faults
from spektron_edge.inference import BackendError, native_tensorrt
from spektron_edge.inference.cuda import Cuda
from spektron_edge.inference.engine_build import build_engine
from spektron_edge.inference.engine_file import key_of, read_engine, store_engine
from spektron_edge.inference.native_tensorrt import NativeTensorrt
from spektron_edge.inference.trtexec import build_with_trtexec, trtexec_version
from tests import bundles, signers
from tests.accelerators import ORIN, FakeCuda, FakeTensorrt

GRAPH = bundles.onnx_graph(bundles.weights())
KEY = key_of(GRAPH, "int8", "10.3.0.26", ORIN)


# ---- building


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("version", ["10.3.0", "11.0.0"])
def test_the_graph_says_the_types_in_every_version(version, precision):
    trt = FakeTensorrt(version)
    assert build_engine(trt, GRAPH, precision).typing == "strong"
    (told,) = trt.seen
    assert told["typing"] == "strong"
    assert not told["flags"]
    assert told["cleared"] == {trt.BuilderFlag.TF32}
    assert told["shapes"] == {"x": ((1, 60), (8, 60), (32, 60))}


@pytest.mark.parametrize(
    ("precision", "flags"), [("fp32", set()), ("fp16", {"FP16"}), ("int8", {"INT8"})]
)
def test_version_10_has_flags_as_a_second_way(precision, flags):
    trt = FakeTensorrt("10.3.0", refuses=("strong",))
    assert build_engine(trt, GRAPH, precision).typing == "flags"
    assert trt.seen[-1]["flags"] == {trt.BuilderFlag[name] for name in flags}


def test_version_11_has_no_second_way_and_gives_its_reason():
    trt = FakeTensorrt("11.0.0", refuses=("strong",))
    with pytest.raises(BackendError, match=r"cannot build \(strong\)"):
        build_engine(trt, GRAPH, "int8")
    assert len(trt.seen) == 1


def test_where_both_ways_fail_both_reasons_are_given():
    trt = FakeTensorrt("10.3.0", refuses=("strong", "flags"))
    with pytest.raises(BackendError, match=r"\(strong\).*with precision flags.*\(flags\)"):
        build_engine(trt, GRAPH, "int8")


# ---- trtexec

TRTEXEC = """#!/bin/sh
echo "&&&& RUNNING TensorRT.trtexec [TensorRT v{number}] # trtexec"
echo "$*" >> {folder}/calls
for a in "$@"; do
  case "$a" in
    --help) exit 0;;
    --stronglyTyped) [ -z "{refused}" ] || {{ echo "[E] no such types"; exit 1; }};;
    --saveEngine=*) out="${{a#--saveEngine=}}";;
  esac
done
[ "{refused}" = all ] && {{ echo "[E] nothing works"; exit 1; }}
printf plan > "$out"
"""


@pytest.fixture
def trtexec(tmp_path):
    def make(number="100300", refused=""):
        program = tmp_path / "trtexec"
        program.write_text(TRTEXEC.format(number=number, refused=refused, folder=tmp_path))
        program.chmod(0o755)
        return program

    return make


@pytest.mark.parametrize(
    ("number", "version"), [("100300", "10.3.0"), ("101303", "10.13.3"), ("110000", "11.0.0")]
)
def test_trtexec_says_its_version(trtexec, number, version):
    assert trtexec_version(trtexec(number)) == version


@pytest.mark.parametrize(
    ("version", "refused", "typing", "last"),
    [
        ("10.3.0", "", "strong", "--stronglyTyped"),
        ("10.3.0", "strong", "flags", "--int8"),
        ("11.0.0", "", "strong", "--skipInference"),
    ],
)
def test_trtexec_is_told_what_its_version_knows(trtexec, tmp_path, version, refused, typing, last):
    built = build_with_trtexec(trtexec(refused=refused), version, GRAPH, "int8", 60)
    assert (built.plan, built.typing) == (b"plan", typing)
    call = (tmp_path / "calls").read_text().splitlines()[-1]
    assert call.endswith(last)
    assert "--minShapes=x:1x60 --optShapes=x:8x60 --maxShapes=x:32x60" in call


def test_trtexec_s_last_words_are_passed_on(trtexec, tmp_path):
    with pytest.raises(BackendError, match=r"no such types.*nothing works"):
        build_with_trtexec(trtexec(refused="all"), "10.3.0", GRAPH, "int8", 60)
    with pytest.raises(BackendError, match="cannot run"):
        trtexec_version(tmp_path / "absent")
    with pytest.raises(BackendError, match="does not say"):
        trtexec_version(trtexec(number=""))


# ---- engines on disk


@pytest.mark.parametrize(
    "other",
    [
        replace(KEY, graph_sha256="0" * 64),
        replace(KEY, precision="fp16"),
        replace(KEY, tensorrt="10.4.0"),
        replace(KEY, gpu="Orin Nano"),
        replace(KEY, capability=(8, 6)),
        replace(KEY, batch=(1, 8, 16)),
    ],
)
def test_an_engine_is_found_by_its_own_key_only(tmp_path, other):
    path = store_engine(tmp_path / "engines", KEY, b"plan")
    assert read_engine(tmp_path / "engines", KEY) == b"plan"
    assert path.name.startswith("int8-trt10.3.0-orin-nvgpu-sm87-")
    with pytest.raises(BackendError, match="build-engine"):
        read_engine(tmp_path / "engines", other)
    # Nor under another's name.
    path.rename(path.with_name(other.file_name))
    with pytest.raises(BackendError, match="damaged; set aside as"):
        read_engine(tmp_path / "engines", other)


@pytest.mark.parametrize(
    "damage", [lambda d: d[:-1], lambda d: d + b"x", lambda d: b"", bytes.upper]
)
def test_a_damaged_engine_never_reaches_tensorrt(tmp_path, damage):
    path = store_engine(tmp_path, KEY, b"plan")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(BackendError, match="damaged"):
        read_engine(tmp_path, KEY)
    assert not path.exists()
    assert len(list(tmp_path.glob("*.damaged-1"))) == 1


# ---- running


@pytest.mark.parametrize("what", ["load", "shape", "run"])
def test_an_engine_that_does_not_run_is_an_error_of_the_backend(what):
    trt = FakeTensorrt(refuses=(what,))
    with pytest.raises(BackendError, match=r"TensorRT 10\.3\.0"):
        NativeTensorrt(trt.device, GRAPH).infer(np.zeros((1, 60), np.float32), bundles.THETA)


def test_device_memory_is_given_back():
    trt = FakeTensorrt()
    engine = NativeTensorrt(trt.device, GRAPH)
    assert len(trt.cuda.memory) == 5
    del engine
    assert not trt.cuda.memory


def test_an_empty_batch_is_an_error_of_the_backend():
    with pytest.raises(BackendError, match="takes float32"):
        NativeTensorrt(FakeTensorrt().device, GRAPH).infer(
            np.zeros((0, 60), np.float32), bundles.THETA
        )


class Driver:
    """A libcuda that answers 0 to everything, or an error to one call."""

    def __init__(self, failing=""):
        self._failing = failing
        self.calls = []

    def __getattr__(self, name):
        def call(*arguments):
            self.calls.append(name)
            if name == "cuDeviceGetName":
                arguments[0].value = b"Orin"
            if name == "cuDeviceGetAttribute":
                arguments[0]._obj.value = 8 if arguments[1].value == 75 else 7
            if name == "cuMemAlloc_v2":
                arguments[0]._obj.value = 4096
            return 100 if name == self._failing else 0

        return call


def test_the_driver_is_asked_who_the_gpu_is():
    cuda = Cuda(Driver())
    assert str(cuda.gpu) == "Orin (sm_87)"
    assert cuda.allocate(16) == 4096
    cuda.upload(4096, np.zeros(4, np.float32))
    cuda.download(np.zeros(4, np.float32), 4096)
    cuda.wait()
    cuda.free(4096)


def test_a_driver_that_refuses_is_an_error_of_the_backend():
    with pytest.raises(BackendError, match=r"cuInit \(CUresult 100\)"):
        Cuda(Driver("cuInit"))


def test_without_tensorrt_the_reason_is_given(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(BackendError, match="Python package cannot be used"):
        native_tensorrt.find_device()


# ---- the command


@pytest.fixture
def machine(monkeypatch, trtexec):
    """Make this machine one with TensorRT, as module or program, and a GPU."""
    from spektron_edge.inference import device_engine

    def make(module=None, program=None, gpu=True):
        monkeypatch.setitem(sys.modules, "tensorrt", module)
        find = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util,
            "find_spec",
            lambda n, *a: module if n == "tensorrt" else find(n, *a),
        )
        monkeypatch.setattr(device_engine, "find_trtexec", lambda: program)
        if gpu:
            cuda = module.cuda if module else FakeCuda()
            monkeypatch.setattr(device_engine, "Cuda", lambda: cuda)
            monkeypatch.setattr(native_tensorrt, "Cuda", lambda: cuda)

    return make


def built(capsys, bundle, folder, *arguments):
    status = main(["build-engine", str(bundle), "--cache", str(folder), "--json", *arguments])
    return status, json.loads(capsys.readouterr().out.splitlines()[-1])


def test_an_engine_is_built_once_and_tried(capsys, machine, tiny_bundle, tmp_path):
    trt = FakeTensorrt()
    machine(trt)
    status, report = built(capsys, tiny_bundle, tmp_path / "engines")
    assert status == 0
    assert report["golden vectors"] == "hold on this device"
    assert report["gpu"] == "Orin (nvgpu) (sm_87)"
    assert report["built with"] == "the Python module tensorrt"
    (file,) = (tmp_path / "engines").iterdir()
    assert report["engine"] == str(file)
    _, again = built(capsys, tiny_bundle, tmp_path / "engines")
    assert "there already" in again["typing"]
    assert len(trt.seen) == 1


def test_with_a_configuration_it_lies_where_the_daemon_looks(
    capsys, machine, tiny_bundle, tmp_path
):
    machine(FakeTensorrt())
    path = tmp_path / "edge.toml"
    path.write_text(
        f'site = "s"\ninstrument = "i"\nstate_dir = "state"\nbundle = "{tiny_bundle}"\n'
        '[serial]\nurl = "/dev/x"\n[mqtt]\nurl = "mqtt://h"\n[inference]\nbackend = "tensorrt"\n'
    )
    assert main(["build-engine", str(tiny_bundle), "--config", str(path)]) == 0
    assert "backend = " in capsys.readouterr().out
    assert len(list((tmp_path / "state" / "engines").glob("*.engine"))) == 1
    assert main(["check-config", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["backend"] == "tensorrt (TensorRT 10.3.0)"


def test_with_a_configuration_only_what_the_daemon_would_take_is_built(
    capsys, machine, tiny_bundle, tmp_path, anna
):
    trt = FakeTensorrt()
    machine(trt)
    signers.trusting(tmp_path / "trust", anna)
    path = tmp_path / "edge.toml"
    path.write_text(
        f'site = "s"\ninstrument = "i"\nstate_dir = "state"\nbundle = "{tiny_bundle}"\n'
        '[serial]\nurl = "/dev/x"\n[mqtt]\nurl = "mqtt://h"\n[trust]\nkeys = "trust"\n'
    )
    status = main(["build-engine", str(tiny_bundle), "--config", str(path)])
    assert status == Faults.BUNDLE_UNTRUSTED.value.exit_status
    assert not trt.seen
    signed = signers.signed_tiny(tmp_path / "signed.spektron", anna)
    assert main(["build-engine", str(signed), "--config", str(path)]) == 0
    assert len(trt.seen) == 1


def test_an_engine_that_computes_something_else_is_set_aside(
    capsys, machine, tiny_bundle, tmp_path
):
    machine(FakeTensorrt(off_by=0.1))
    status, report = built(capsys, tiny_bundle, tmp_path / "engines")
    assert status == Faults.ENGINE_FAILED.value.exit_status
    assert "differs from its golden value by 0.1" in report["error"]["detail"]
    (file,) = (tmp_path / "engines").iterdir()
    assert file.name.endswith(".engine.damaged-1")


def test_trtexec_builds_where_the_module_is_missing(
    capsys, machine, tiny_bundle, tmp_path, trtexec
):
    machine(program=trtexec())
    status, report = built(capsys, tiny_bundle, tmp_path / "engines", "--precision", "fp32")
    assert status == 0
    assert report["tensorrt"] == "10.3.0"
    assert "needs the Python module" in report["golden vectors"]


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({}, Faults.TENSORRT_MISSING),
        ({"module": FakeTensorrt(), "gpu": False}, Faults.GPU_MISSING),
        ({"module": FakeTensorrt("8.6.1")}, Faults.ENGINE_FAILED),
        ({"module": FakeTensorrt(refuses=("strong", "flags"))}, Faults.ENGINE_FAILED),
    ],
    ids=["nothing", "no gpu", "old", "refused"],
)
def test_what_is_missing_has_its_own_exit_status(
    capsys, machine, tiny_bundle, tmp_path, monkeypatch, given, kind
):
    monkeypatch.setattr("spektron_edge.inference.cuda._LIBRARY", "libabsent.so.1")
    machine(**given)
    status, report = built(capsys, tiny_bundle, tmp_path / "engines")
    assert (status, report["error"]["code"]) == (kind.value.exit_status, kind.value.code)


def test_a_folder_that_cannot_be_written_is_told(capsys, machine, tiny_bundle, tmp_path):
    machine(FakeTensorrt())
    (tmp_path / "engines").write_text("a file")
    status, _ = built(capsys, tiny_bundle, tmp_path / "engines")
    assert status == Faults.STATE_UNWRITABLE.value.exit_status
