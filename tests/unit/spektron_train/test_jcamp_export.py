"""JCAMP-DX as the page writes it, read back by `jcamp` and by the training stack's reader."""

from __future__ import annotations

from datetime import datetime, timezone

import jcamp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spektron_edge.spectra.jcamp_dx import Spectrum, block, compound
from spektron_train.data.readers.csv_table import Declared
from spektron_train.data.readers.jcamp_dx import read_jcamp

TAKEN = datetime(2026, 11, 22, 10, 0, 1, 250000, tzinfo=timezone.utc)


def spectrum(values, x=None, **changes):
    values = np.asarray(values, np.float64)
    known = {
        "title": "lab/m5 scan 3",
        "origin": "lab/m5",
        "owner": "lab",
        "instrument": "VIRT-0001",
        "taken": TAKEN,
        "x_nm": 1100.0 + 1.7 * np.arange(values.size) ** 1.01 if x is None else x,
        "values": values,
        "y_units": "ABSORBANCE",
    }
    return Spectrum(**{**known, **changes})


def read(text):
    return jcamp.read(text.splitlines())


floats = st.floats(-1e6, 1e6, width=32)


@given(arrays(np.float32, st.integers(2, 60), elements=floats))
@settings(deadline=None)
def test_every_float32_comes_back(values):
    made = spectrum(values)
    found = read(block(made))
    np.testing.assert_array_equal(np.asarray(found["y"], np.float32), values)
    np.testing.assert_allclose(np.asarray(found["x"], float), made.x_nm, rtol=1e-9)
    assert found["npoints"] == values.size


@given(st.text(), st.text())
@settings(deadline=None)
def test_no_text_becomes_a_label_or_breaks_a_line(title, serial):
    made = block(spectrum([0.1, 0.2, 0.3], title=title, instrument=serial))
    assert made.isascii()
    assert all(len(line) <= 80 for line in made.split("\r\n"))
    assert made.count("\n") == made.count("\r\n")
    labels = [line.partition("=")[0] for line in made.split("\r\n") if line.startswith("##")]
    plain = block(spectrum([0.1, 0.2, 0.3]))
    assert labels == [a.partition("=")[0] for a in plain.split("\r\n") if a.startswith("##")]
    assert len(read(made)["y"]) == 3


def test_labels_of_the_standard():
    found = read(block(spectrum([0.1, 0.2], more={"SPEKTRON RECORD": "01K0"})))
    assert found["jcamp-dx"] == 5.01
    assert (found["xunits"], found["yunits"]) == ("NANOMETERS", "ABSORBANCE")
    assert (found["data type"], found["data class"]) == ("INFRARED SPECTRUM", "XYPOINTS")
    assert found["longdate"] == TAKEN.replace(microsecond=0)
    assert (found["origin"], found["owner"]) == ("lab/m5", "lab")
    assert found["$spektron record"] == "01K0"
    assert (found["firsty"], found["miny"], found["maxy"]) == (0.1, 0.1, 0.2)
    visible = read(block(spectrum([1, 2], np.array([400.0, 500.0]))))
    assert visible["data type"] == "UV/VIS SPECTRUM"


def test_channels_without_a_number_are_left_out():
    found = read(block(spectrum([0.1, np.nan, 0.3, np.inf], np.array([900.0, 901, 902, 903]))))
    assert (list(found["x"]), list(found["y"])) == ([900.0, 902.0], [0.1, 0.3])
    with pytest.raises(ValueError, match="no value"):
        block(spectrum([np.nan]))
    with pytest.raises(ValueError, match="do not fit"):
        block(spectrum([1.0, 2.0], np.array([900.0])))


def test_a_compound_file_and_the_training_stacks_reader(tmp_path):
    spectra = [spectrum(np.linspace(0.1, 0.9, 50) + n) for n in range(3)]
    blocks = (block(s, n) for n, s in enumerate(spectra, start=1))
    path = tmp_path / "spectra.jdx"
    path.write_text("".join(compound("three", "lab/m5", "lab", blocks, 3)), newline="")
    whole = read(path.read_text())
    assert (whole["blocks"], len(whole["children"])) == (3, 3)
    sets = read_jcamp(path, Declared())
    assert [s.axis_unit for s in sets] == ["nm"] * 3
    for made, found in zip(spectra, sets, strict=True):
        np.testing.assert_allclose(found.spectra[0], made.values)
        np.testing.assert_allclose(found.axis, made.x_nm, rtol=1e-9)
    assert block(spectra[0]) == block(spectra[0])
