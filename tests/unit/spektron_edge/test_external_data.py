"""No graph may make onnxruntime open a file."""

from __future__ import annotations

import os

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spektron_edge.bundle import read_bundle
from spektron_edge.config.file import shipped_bundle
from spektron_edge.inference import BackendError
from spektron_edge.inference import external_data as module
from spektron_edge.inference.external_data import refuse_external_data
from spektron_edge.inference.onnx import OnnxCpu
from tests import bundles
from tests.bundles import _field, _varint

SIZE = 64
# StringStringEntryProto location = w.bin, inside TensorProto.external_data (13) and data_location.
ENTRY = _field(1, "location") + _field(2, "w.bin")
OUTSIDE = (
    _field(1, SIZE)
    + _field(1, SIZE)
    + _field(2, 1)
    + _field(8, "W")
    + _field(13, ENTRY)
    + _field(14, 1)
)
INSIDE = _field(1, 1) + _field(2, 1) + _field(8, "W") + _field(9, bytes(4))

# Where a tensor can stand: field numbers from the model down to the tensor.
PLACES = {
    "initializer": (7, 5),
    "sparse initializer, values": (7, 15, 1),
    "sparse initializer, indices": (7, 15, 2),
    "attribute": (7, 1, 5, 5),
    "attribute's tensors": (7, 1, 5, 10),
    "attribute's sparse tensor": (7, 1, 5, 22, 1),
    "attribute's sparse tensors": (7, 1, 5, 23, 2),
    "subgraph": (7, 1, 5, 6, 5),
    "subgraphs of a subgraph": (7, 1, 5, 11, 1, 5, 6, 1, 5, 5),
    "training": (20, 1, 5),
    "training algorithm": (20, 2, 1, 5, 5),
    "function": (25, 7, 5, 5),
    "function's attribute": (25, 11, 5),
}


def nested(path, tensor):
    for number in reversed(path):
        tensor = _field(number, tensor)
    return tensor


def graph_that_reads_a_file():
    """y = x W, W outside; a graph that onnxruntime takes."""
    nodes = _field(1, bundles._node("MatMul", ("x", "W"), "y"))
    shape = bundles._value_info
    graph = nodes + _field(2, "g") + _field(5, OUTSIDE)
    graph += _field(11, shape("x", (1, SIZE))) + _field(12, shape("y", (1, SIZE)))
    return _field(1, 10) + _field(7, graph) + _field(8, _field(2, 20))


def test_onnxruntime_would_read_the_file(tmp_path, monkeypatch):
    """Why this module exists. Should this fail one day, the walk has become a second lock."""
    np.full((SIZE, SIZE), 5, np.float32).tofile(tmp_path / "w.bin")
    monkeypatch.chdir(tmp_path)
    session = ort.InferenceSession(graph_that_reads_a_file(), providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"x": np.ones((1, SIZE), np.float32)})
    assert y[0, 0] == 5 * SIZE
    with pytest.raises(BackendError, match="another file"):
        OnnxCpu(graph_that_reads_a_file())


@pytest.mark.parametrize("path", PLACES.values(), ids=PLACES)
def test_values_outside_are_found_wherever_a_tensor_can_stand(path):
    refuse_external_data(nested(path, INSIDE))
    with pytest.raises(BackendError, match="another file"):
        refuse_external_data(nested(path, OUTSIDE))


@pytest.mark.parametrize(
    "tensor",
    [
        _field(13, ENTRY),
        _field(14, 1),
        _field(14, 2**32 + 1),
        _varint(14 << 3) + b"\x81\x80\x00",
        b"\xf0\x80\x00\x01",
        _field(14, 0) + _field(14, 1),
        _field(9, bytes(1000)) + _field(13, b""),
    ],
    ids=["data only", "location only", "wide", "padded value", "padded tag", "twice", "empty"],
)
def test_either_half_and_any_spelling_is_refused(tensor):
    with pytest.raises(BackendError, match="another file"):
        refuse_external_data(nested((7, 5), tensor))


def test_a_graph_split_in_two_is_seen_as_a_whole():
    # protobuf merges a message that is given twice.
    refuse_external_data(_field(7, b"") + _field(7, b""))
    with pytest.raises(BackendError, match="another file"):
        refuse_external_data(_field(7, _field(2, "g")) + _field(7, _field(5, OUTSIDE)))


def test_sound_graphs_pass():
    refuse_external_data(b"")
    refuse_external_data(nested((7, 5), _field(14, 0)))
    for graph in (bundles.onnx_graph(bundles.weights()), *_shipped()):
        refuse_external_data(graph)


def _shipped():
    members = read_bundle(shipped_bundle()).members
    return [data for name, data in members.items() if name.endswith(".onnx")]


@pytest.mark.parametrize(
    "data",
    [
        b"\x0b",
        b"\x0c",
        b"\x0e",
        b"\x3a\x05abc",
        b"\x09abc",
        b"\x80",
        b"\xff" * 11,
        b"\x00\x00",
        b"\x3a" + b"\xff" * 9 + b"\x01",
        _varint(2**34 | 7 << 3 | 2) + b"\x00",
    ],
    ids=["group", "end", "type 6", "short", "short 8", "torn", "long", "field 0", "vast", "tag"],
)
def test_what_is_no_protobuf_is_refused(data):
    with pytest.raises(BackendError):
        refuse_external_data(data)


def test_a_graph_of_endlessly_many_parts_is_refused(monkeypatch):
    monkeypatch.setattr(module, "_MOST_FIELDS", 1000)
    with pytest.raises(BackendError, match="more parts"):
        refuse_external_data(_field(1, 10) * 1001)


def test_a_deep_graph_needs_no_stack():
    tensor = OUTSIDE
    for _ in range(2000):
        tensor = nested((1, 5, 6), tensor)
    refuse_external_data(nested((7,), tensor))


@given(st.binary(max_size=300))
def test_any_bytes_are_taken_or_refused_and_nothing_else(data):
    try:
        refuse_external_data(data)
    except BackendError:
        return


@given(st.data())
def test_nothing_inserted_between_fields_hides_the_tensor(data):
    junk = st.sampled_from(
        [b"", _field(3, "doc"), _field(99, bytes(5)), _varint(77 << 3 | 5) + bytes(4)]
    )
    path = data.draw(st.sampled_from(list(PLACES.values())))
    tensor = OUTSIDE
    for number in reversed(path):
        tensor = data.draw(junk) + _field(number, tensor) + data.draw(junk)
    with pytest.raises(BackendError, match="another file"):
        refuse_external_data(tensor)


def test_onnxruntime_s_own_format_is_not_loaded(tmp_path):
    """It was not looked through, so it must not be taken however the bytes look."""
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "tiny.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    providers = ["CPUExecutionProvider"]
    ort.InferenceSession(bundles.onnx_graph(bundles.weights()), options, providers=providers)
    own = (tmp_path / "tiny.ort").read_bytes()
    ort.InferenceSession(own, providers=providers)
    with pytest.raises(BackendError):
        OnnxCpu(own)
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
