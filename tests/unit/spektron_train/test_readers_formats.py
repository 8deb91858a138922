import struct
import zlib

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from spektron_train.data.readers.csv_table import Declared
from spektron_train.data.readers.folder import read_folder
from spektron_train.data.readers.mat import read_arrays
from spektron_train.data.spectral_set import DataError
from tests.unit.spektron_train.layouts import (
    jcamp_text,
    spc_bytes,
    spc_integers,
    spectral_set,
    write_csv,
)

NIR = Declared("nm", "absorbance")
X = [400, 410, 420, 430, 440, 450, 460]
Y = [0.1, 0.4, 0.9, 0.25, -0.05, 0.2, 0.3]


def _jcamp(folder, text=None, name="a.jdx", encoding="utf-8"):
    (folder / name).write_bytes((text or jcamp_text(X, Y)).encode(encoding))
    return folder / name


def test_jcamp_gives_axis_unit_and_quantity(tmp_path):
    part = read_folder(_jcamp(tmp_path), Declared())
    assert (part.axis_unit, part.quantity, part.sample_ids) == ("cm-1", "absorbance", ("a",))
    assert np.allclose(part.axis, X)
    assert np.allclose(part.spectra, [Y])


@pytest.mark.parametrize(
    ("xunits", "yunits", "unit", "quantity", "scale", "fraction"),
    [
        ("NANOMETERS", "TRANSMITTANCE", "nm", "transmittance", 1, 1),
        ("MICROMETERS", "REFLECTANCE", "nm", "reflectance", 1000, 1),
        ("1/cm", "% Transmittance", "cm-1", "transmittance", 1, 100),
    ],
)
def test_jcamp_units(tmp_path, xunits, yunits, unit, quantity, scale, fraction):
    part = read_folder(_jcamp(tmp_path, jcamp_text(X, Y, xunits, yunits)), Declared())
    assert (part.axis_unit, part.quantity) == (unit, quantity)
    assert np.allclose(part.axis, np.array(X) * scale)
    assert np.allclose(part.spectra * fraction, [Y])


def test_jcamp_raman_and_falling_axis(tmp_path):
    text = jcamp_text(X[::-1], Y, yunits="COUNTS").replace("INFRARED", "RAMAN")
    part = read_folder(_jcamp(tmp_path, text), Declared())
    assert part.quantity == "raman"
    assert np.allclose(part.spectra, [Y[::-1]])


def test_jcamp_difference_form_and_points(tmp_path):
    head = jcamp_text([1, 2, 3, 4, 5], [1, 2, 4, 4, 7]).split("##XYDATA")[0]
    packed = _jcamp(tmp_path, head + "##XYDATA=(X++(Y..Y))\n1AJK%L\n##END=\n")
    assert read_folder(packed, Declared()).spectra.tolist() == [[1, 2, 4, 4, 7]]
    pairs = _jcamp(tmp_path, head + "##XYPOINTS=(XY..XY)\n1,1;2,2;3,4\n4,4;5,7\n##END=\n")
    assert read_folder(pairs, Declared()).spectra.tolist() == [[1, 2, 4, 4, 7]]


def test_jcamp_link_block_and_old_encoding(tmp_path):
    link = "##TITLE=both µ\n##DATA TYPE=LINK\n##BLOCKS=2\n" + jcamp_text(X, Y) * 2 + "##END=\n"
    part = read_folder(_jcamp(tmp_path, link, encoding="latin-1"), Declared())
    assert part.sample_ids == ("a-1", "a-2")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: "", "no ##END="),
        (lambda t: t.split("##END")[0], "no ##END="),
        (lambda t: t.replace("450 0.200000", "450"), "Mismatch of array lengths"),
        (lambda t: t.replace("\n450 0.200000 0.300000", ""), "Mismatch of array lengths"),
        (lambda t: t.replace("0.900000", "0,900000"), "X-Check failed"),
        (lambda t: t.replace("0.900000", "?"), "Unknown character"),
        (lambda t: t.replace("0.900000", "9.900000"), "MAXY=0.9 and its data give 9.9"),
        (lambda t: t.replace("450 ", "650 "), "X-Check failed"),
        (lambda t: t.replace("NPOINTS=7", "NPOINTS=99999999999"), "cannot hold"),
        (lambda t: t.replace("NPOINTS=7", "NPOINTS=-7"), "Mismatch|not JCAMP|cannot hold"),
        (lambda t: t.replace("##FIRSTX=400\n", ""), "KeyError"),
        (lambda t: t.replace("(X++(Y..Y))", "(X++(R..R))"), "no table of the form"),
        (lambda t: t.replace("XYDATA=(X++(Y..Y))", "PEAK TABLE=(XY..XY)"), "table of peaks"),
        (lambda t: t.replace("##XUNITS=1/CM", "##XUNITS=HZ"), "XUNITS=HZ; name the axis unit"),
        (lambda t: t.replace("=ABSORBANCE", "=COUNTS"), "YUNITS=COUNTS; name the quantity"),
        (lambda t: t.replace("##TITLE=made", "##TITLE"), "not JCAMP-DX that can be read"),
        (lambda t: t.replace("LASTX=460", "LASTX=400"), "X-Check|not strictly"),
    ],
)
def test_a_bad_jcamp_is_refused(tmp_path, change, says, capsys):
    path = _jcamp(tmp_path, " " if not change("x") else change(jcamp_text(X, Y)))
    with pytest.raises(DataError, match=says) as error:
        read_folder(path, Declared())
    assert "a.jdx" in str(error.value)
    assert capsys.readouterr().out == ""


def test_what_is_said_may_not_contradict_the_file(tmp_path):
    path = _jcamp(tmp_path)
    with pytest.raises(DataError, match="in cm-1, not in nm"):
        read_folder(path, Declared("nm"))
    with pytest.raises(DataError, match="holds absorbance, not raman"):
        read_folder(path, Declared(quantity="raman"))
    (tmp_path / "a.spc").write_bytes(spc_bytes(Y))
    with pytest.raises(DataError, match="in cm-1, not in nm"):
        read_folder(tmp_path / "a.spc", Declared("nm"))
    with pytest.raises(DataError, match="holds absorbance, not raman"):
        read_folder(tmp_path / "a.spc", Declared(quantity="raman"))


def test_spc_gives_axis_unit_and_quantity(tmp_path):
    path = tmp_path / "a.spc"
    path.write_bytes(spc_bytes(Y, 400, 460))
    part = read_folder(path, Declared())
    assert (part.axis_unit, part.quantity, part.instruments) == ("cm-1", "absorbance", ("FTIR",))
    assert np.allclose(part.axis, X)
    assert np.allclose(part.spectra, [Y])
    path.write_bytes(spc_bytes(Y, 1.0, 2.5, xtype=2, ytype=129))
    part = read_folder(path, Declared())
    assert (part.axis_unit, part.axis[0], part.axis[-1]) == ("nm", 1000, 2500)
    path.write_bytes(spc_bytes(Y, xtype=13, ytype=4))
    assert read_folder(path, Declared()).quantity == "raman"


def test_spc_written_by_spc_io_is_read(tmp_path):
    from spc_io import SPC
    from spc_io.high_level.even_axis import EvenAxis

    made = SPC(EvenAxis(400, 460, 7))
    made.add_subfile(yarray=np.array(Y), w=0.0, z=0.0)
    made.add_subfile(yarray=np.array(Y) * 2, w=0.0, z=1.0)
    (tmp_path / "a.spc").write_bytes(made.to_spc_raw().to_bytes())
    # Its writer leaves out the types of the axes.
    part = read_folder(tmp_path, NIR)
    assert part.sample_ids == ("a-1", "a-2")
    assert np.allclose(part.spectra, [Y, np.array(Y) * 2])


def test_spc_log_text_does_not_stop_the_reader(tmp_path, caplog):
    (tmp_path / "a.spc").write_bytes(spc_bytes(Y, log=b"a=b=c\r\n\0"))
    assert np.allclose(read_folder(tmp_path, Declared()).spectra, [Y])
    assert caplog.text == ""


@pytest.mark.parametrize("sub_exponent", [0, 3])
def test_spc_integers_are_scaled_by_the_main_header(tmp_path, sub_exponent):
    counts = [2**29, 2**30, -(2**29), 5, 6, 7, 8]
    (tmp_path / "a.spc").write_bytes(spc_integers(counts, 3, sub_exponent))
    read = read_folder(tmp_path, Declared())
    assert np.allclose(read.spectra, [np.array(counts) / 2**29])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda raw: b"", "too short"),
        (lambda raw: raw[:300], "too short"),
        (lambda raw: raw[:520], "damaged or no SPC"),
        (lambda raw: raw[:-4], "damaged or no SPC"),
        (lambda raw: raw[:1] + b"\x4d" + raw[2:], "variant that is not read"),
        (lambda raw: raw[:1] + b"\x4c" + raw[2:], "variant that is not read"),
        (lambda raw: raw[:4] + struct.pack("<I", 2**32 - 1) + raw[8:], "damaged or no SPC"),
        (lambda raw: raw[:4] + struct.pack("<I", 0) + raw[8:], "traces of 0 points"),
        (lambda raw: raw[:24] + struct.pack("<I", 2**32 - 1) + raw[28:], "damaged or no SPC"),
        (lambda raw: raw[:24] + struct.pack("<I", 0) + raw[28:], "damaged or no SPC"),
        (lambda raw: raw[:28] + b"\x00" + raw[29:], "axis of type XARB"),
        (lambda raw: raw[:29] + b"\x04" + raw[30:], "values of type YCOUNT"),
        (lambda raw: raw[:-4] + struct.pack("<f", np.nan), "not finite"),
        (lambda raw: raw[:8] + raw[16:24] + raw[16:], "not strictly"),
    ],
)
def test_a_bad_spc_is_refused(tmp_path, change, says):
    (tmp_path / "a.spc").write_bytes(change(spc_bytes(Y)))
    with pytest.raises(DataError, match=says) as error:
        read_folder(tmp_path, Declared())
    assert "a.spc" in str(error.value)


def _mat5(path, **values):
    savemat(path, values)


def _mat73(path, **values):
    """As MATLAB writes it: a 512-byte block before HDF5, and arrays turned round."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in values.items():
            file[name] = np.atleast_2d(value).T
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file")


def _hdf5(path, **values):
    with h5py.File(path, "w") as file:
        for name, value in values.items():
            file[name] = value


WRITERS = [(_mat5, "a.mat"), (_mat73, "a.mat"), (_hdf5, "a.h5")]


@pytest.mark.parametrize(("write", "name"), WRITERS)
def test_arrays_by_name(tmp_path, write, name):
    part = spectral_set()
    write(tmp_path / name, spectra=part.spectra, wavelengths=part.axis, y=part.references)
    read = read_folder(tmp_path, NIR)
    assert np.array_equal(read.spectra, part.spectra)
    assert np.array_equal(read.axis, part.axis)
    assert np.array_equal(read.references, part.references, equal_nan=True)
    assert read.properties == ("y1", "y2")
    write(tmp_path / name, X=part.spectra, wv=part.axis, y=part.references[:, 0])
    assert read_folder(tmp_path, NIR).references.shape == (5, 1)


@pytest.mark.parametrize(("write", "name"), WRITERS)
def test_arrays_that_do_not_fit_are_refused(tmp_path, write, name):
    part = spectral_set()
    for values, says in [
        ({"a": part.spectra}, "holds a; one of spectra, X"),
        ({"X": part.spectra}, "one of axis"),
        ({"X": part.spectra, "wv": part.axis[:-1]}, r"\(5, 11\) and the axis 10"),
        ({"X": part.spectra.T, "wv": part.axis}, r"\(11, 5\) and the axis 11"),
        ({"X": part.spectra, "wv": part.axis, "y": np.ones((4, 1))}, "references of shape"),
        ({"X": part.spectra * np.nan, "wv": part.axis}, "not finite"),
        ({"X": part.spectra, "wv": part.axis * 0}, "not strictly"),
    ]:
        write(tmp_path / name, **values)
        with pytest.raises(DataError, match=says):
            read_folder(tmp_path, NIR)
    with pytest.raises(DataError, match="name axis unit and quantity"):
        read_folder(tmp_path, Declared())


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_damage_to_any_file_is_never_a_traceback(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damage")
    part = spectral_set(2)
    _mat5(folder / "a.mat", X=part.spectra, wv=part.axis)
    _hdf5(folder / "b.h5", X=part.spectra, wv=part.axis)
    (folder / "c.spc").write_bytes(spc_bytes(Y))
    _jcamp(folder, name="d.jdx")
    path = folder / data.draw(st.sampled_from(["a.mat", "b.h5", "c.spc", "d.jdx"]))
    raw = path.read_bytes()
    at = data.draw(st.integers(0, len(raw) - 1))
    noise = data.draw(st.binary(min_size=1, max_size=6))
    cut = data.draw(st.booleans())
    path.write_bytes(raw[:at] if cut else raw[:at] + noise + raw[at + len(noise) :])
    said = path.name
    try:
        read_folder(path, NIR if path.suffix in (".mat", ".h5") else Declared())
    except DataError as error:
        said = str(error)
    assert path.name in said


def test_a_declared_size_is_not_believed(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("X", (10**7, 3000), "f8", chunks=(1, 3000))
        file["wv"] = np.arange(3000.0)
    with pytest.raises(DataError, match="too many to read at once"):
        read_folder(tmp_path, NIR)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("X", (1000, 3000), "f8", chunks=(1, 3000))
        file["wv"] = np.arange(3000.0)
    with pytest.raises(DataError, match="so it is damaged"):
        read_folder(tmp_path, NIR)


def test_two_variables_of_one_name_are_not_guessed_between(tmp_path):
    _mat5(tmp_path / "a.mat", X=np.ones((2, 3)))
    raw = (tmp_path / "a.mat").read_bytes()
    (tmp_path / "a.mat").write_bytes(raw + raw[128:])
    with pytest.raises(DataError, match="not a MAT file that can be read"):
        read_arrays(tmp_path / "a.mat")


@pytest.mark.parametrize("packed", [False, True])
def test_a_damaged_tag_does_not_end_the_process(tmp_path, packed):
    """scipy indexes a table with the type in the tag; see readers/mat_tags.py."""
    path = tmp_path / "a.mat"
    savemat(path, {"X": np.full((2, 3), 1.5)})
    raw = bytearray(path.read_bytes())
    at = raw.index(struct.pack("<II", 9, 48))
    for kind in (0, 8, 10, 11, 19, 20, 255):
        raw[at] = kind
        body = zlib.compress(raw[128:])
        head = raw[:128] + struct.pack("<II", 15, len(body))
        path.write_bytes(head + body if packed else raw)
        with pytest.raises(DataError, match="is damaged"):
            read_arrays(path)


def test_arrays_of_other_kinds_are_passed_over(tmp_path):
    path = tmp_path / "a.mat"
    savemat(path, {"X": np.eye(2), "s": {"a": 1}, "t": "text", "c": np.array(["a"], object)})
    assert list(read_arrays(path)) == ["X"]
    savemat(path, {"X": np.eye(2) * 1j})
    with pytest.raises(DataError, match="complex"):
        read_arrays(path)
    savemat(path, {"X": np.eye(2)}, format="4")
    with pytest.raises(DataError, match=r"no MAT file of version 5 or 7\.3"):
        read_arrays(path)


def test_formats_may_be_mixed_where_the_axes_agree(tmp_path):
    _jcamp(tmp_path)
    (tmp_path / "b.spc").write_bytes(spc_bytes(Y, 400, 460))
    assert read_folder(tmp_path, Declared()).sample_ids == ("a", "b")
    write_csv(tmp_path / "c.csv", spectral_set(1, properties=(), units=(), references=[[]]))
    with pytest.raises(DataError, match="different axes"):
        read_folder(tmp_path, Declared("cm-1", "absorbance"))
