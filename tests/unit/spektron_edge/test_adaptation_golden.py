"""A device's adaptation, kept as version 0.1.0 wrote it: every later version reads it.

tests/golden/adaptation/ holds a bundle whose every y is one channel plus a number of theta (so that
no processor rounds it otherwise), the state folder of an instrument that uses one adaptation of it,
and what is in that. It was made once; another format gets a folder beside it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from spektron_edge.adaptation_state import AdaptationStore
from spektron_edge.adaptation_state.file import decode
from spektron_edge.adaptation_state.header import Header
from spektron_edge.bundle import read_bundle
from spektron_edge.bundle.canonical import canonical
from spektron_edge.bundle.members import Caps
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.state_file import pack, unpack
from spektron_edge.inference import load_model
from tests.adaptations import SERIAL

GOLDEN = Path(__file__).parents[2] / "golden" / "adaptation"
EXPECTED = json.loads((GOLDEN / "expected.json").read_text())


@pytest.fixture
def store(tmp_path):
    # Reading takes a lock, which is a file.
    shutil.copytree(GOLDEN / "state", tmp_path / "state")
    return AdaptationStore(tmp_path / "state")


@pytest.fixture
def entry(store):
    return store.read().active(SERIAL)


@pytest.fixture(scope="module")
def golden_model():
    return load_model(read_bundle(GOLDEN / "bundle.spektron"))


def exactly(array, expected):
    """JSON has every digit of a number."""
    assert array.dtype in (np.float32, np.float64)
    assert array.tobytes() == np.asarray(expected, array.dtype).tobytes()


def test_it_says_the_same_of_itself(store, entry):
    header = store.load(entry).header.model_dump(mode="json")
    assert {name: header[name] for name in EXPECTED["header"]} == EXPECTED["header"]
    assert (entry.status, entry.approved_by, entry.scans) == ("installed", ("anna",), "boot 7: 3-8")
    assert len(store.batch(entry, store.load(entry).header).spectra) == 6


def test_every_number_in_it_is_the_same(store, entry):
    state = store.load(entry)
    correction = state.adapted.correction
    # A later version may know more terms; none of them does anything here.
    assert {name: value for name, value in correction.named.items() if value} == EXPECTED[
        "coefficients"
    ]
    exactly(correction.residual, EXPECTED["residual"])
    exactly(correction.axis_nm, EXPECTED["axis_nm"])
    exactly(state.adapted.theta, EXPECTED["theta"])
    exactly(state.examples, EXPECTED["examples"])
    exactly(state.values, EXPECTED["values"])


def test_it_is_used_and_predicts_the_same_in_every_bit(store, entry, golden_model):
    assert golden_model.bundle_id == EXPECTED["bundle"]
    state = store.load_for(entry, golden_model)
    corrected = state.adapted.correction.apply(state.examples)
    y = golden_model.infer(corrected, state.adapted.theta).y
    exactly(y.astype(np.float64), EXPECTED["values"])
    # Without the adaptation it is another number.
    assert np.all(golden_model.infer(state.examples, golden_model.theta).y != y)


def test_a_file_of_a_newer_version_is_refused_as_such(store, entry):
    data = (store.folder / entry.file).read_bytes()
    header, arrays = unpack(data, Header, Caps(16, 2**20, 2**22))
    later = header.model_copy(update={"format": 2})
    with pytest.raises(
        Fault, match=r"a newer version of Spektron Edge wrote it \(format 2"
    ) as told:
        decode(pack(later, arrays))
    assert told.value.kind is Faults.ADAPTATION_UNUSABLE
    assert "ValidationError" not in told.value.detail


def test_a_list_of_a_newer_version_is_refused_as_such(store):
    path = store.folder / "adaptations.json"
    path.write_bytes(canonical({**json.loads(path.read_text()), "format": 2, "rings": []}))
    with pytest.raises(Fault, match=r"json: a newer version of .* \(format 2; this one") as told:
        store.read()
    assert told.value.kind is Faults.ADAPTATION_UNUSABLE
    # The way back works, whatever else is in there.
    assert store.reset(None, "anna").active(SERIAL) is None


@pytest.mark.parametrize("value", [0, "2", None, [2]])
def test_another_odd_format_is_damage(store, value):
    path = store.folder / "adaptations.json"
    path.write_bytes(canonical({**json.loads(path.read_text()), "format": value}))
    with pytest.raises(Fault, match="is damaged"):
        store.read()
