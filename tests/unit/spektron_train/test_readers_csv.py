import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_train.data.readers import table
from spektron_train.data.readers.csv_table import Declared, csv_blocks
from spektron_train.data.readers.folder import folder_blocks, read_folder
from spektron_train.data.spectral_set import DataError
from tests.unit.spektron_train.layouts import spectral_set, write_csv, write_table

NIR = Declared("nm", "absorbance")
_FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)


def _assert_same(a, b):
    for what in ("axis", "spectra", "references"):
        assert np.array_equal(getattr(a, what), getattr(b, what), equal_nan=True)
    for what in ("properties", "units", "sample_ids", "instruments", "axis_unit", "quantity"):
        assert getattr(a, what) == getattr(b, what)


@pytest.mark.parametrize(
    ("name", "separator", "decimal"),
    [
        ("a.csv", ",", "."),
        ("a.csv.gz", ",", "."),
        ("a.csv", ";", "."),
        ("a.csv", "\t", "."),
        ("a.csv", ";", ","),
    ],
)
def test_a_table_gives_the_set_it_was_written_from(tmp_path, name, separator, decimal):
    part = spectral_set(axis=np.linspace(1100.5, 1110.5, 11))
    if name.endswith(".gz"):
        plain = write_csv(tmp_path / "plain.csv", part)
        (tmp_path / name).write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    else:
        write_csv(tmp_path / name, part, separator, decimal)
    declared = Declared("nm", "absorbance", decimal=decimal)
    _assert_same(read_folder(tmp_path / name, declared), part)
    _assert_same(read_folder(tmp_path, declared), part)


@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(st.lists(_FINITE, min_size=3, max_size=3), min_size=1, max_size=6),
    axis=st.sets(st.floats(1, 1e5), min_size=3, max_size=3),
    rows=st.integers(1, 4),
)
def test_any_numbers_round_trip(tmp_path_factory, values, axis, rows):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    part = spectral_set(len(values), np.array(sorted(axis)), spectra=np.array(values))
    write_csv(path, part)
    blocks = list(csv_blocks(path, NIR, rows))
    assert all(len(block) == rows for block in blocks[:-1])
    _assert_same(read_folder(path, NIR), part)
    assert np.array_equal(np.concatenate([b.spectra for b in blocks]), part.spectra)


@settings(max_examples=60, deadline=None)
@given(noise=st.binary(max_size=120), at=st.integers(0, 400))
def test_noise_is_refused_or_read_but_never_a_traceback(tmp_path_factory, noise, at):
    path = write_csv(tmp_path_factory.mktemp("csv") / "a.csv", spectral_set(2))
    raw = path.read_bytes()
    path.write_bytes(raw[:at] + noise + raw[at + len(noise) :])
    said = str(path)
    try:
        read_folder(path, NIR)
    except DataError as error:
        said = str(error)
    assert str(path) in said


def test_a_header_of_wavelengths_alone_is_enough(tmp_path):
    part = read_folder(write_table(tmp_path / "a.csv", [3, 2, 1], [[1, 2, 3], [4, 5, 6]]), NIR)
    assert part.spectra.tolist() == [[3, 2, 1], [6, 5, 4]]
    assert part.sample_ids == ("a-1", "a-2")
    assert part.properties == ()


def test_percent_must_be_said(tmp_path):
    path = write_table(tmp_path / "a.csv", [1, 2], [[50, 60]])
    with pytest.raises(DataError, match="up to 60, which is no fraction"):
        read_folder(path, Declared("nm", "reflectance"))
    read = read_folder(path, Declared("nm", "reflectance", percent=True))
    assert np.allclose(read.spectra, [[0.5, 0.6]])


def test_unit_and_quantity_must_be_said(tmp_path):
    path = write_table(tmp_path / "a.csv", [1, 2], [[1, 2]])
    for declared in (Declared(), Declared("nm"), Declared(quantity="raman")):
        with pytest.raises(DataError, match="name the axis unit"):
            read_folder(path, declared)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("\n1,2\n", "is empty or starts"),
        ("1,2\n", "has a header and no rows"),
        ("a,b\n1,2\n", "no column of the header is a wavelength"),
        ("1,2\n1,2\n1\n", "line 3: 1 cells where the header has 2"),
        ("1,2\n0,1,0,2\n", "decimal commas"),
        ("1;2\n0,1;0,2\n", "say that the decimal separator is a comma"),
        ("1,2\n1,x\n", r"line 2, column '2': 'x' is not a number"),
        ("1,2\n1,\n", "'' is not a number"),
        ("1,2\n1,nan\n", "'nan' is not a number"),
        ("1,2\n1,inf\n", "'inf' is not a number"),
        ("1,2\n1,1e999\n", "'1e999' is not a number"),
        ("1,2\n1,1_0\n", "'1_0' is not a number"),
        ("1,2,nan\n1,2,3\n", "column 'nan' comes after the wavelengths"),
        ("1,2,oil\n1,2,3\n", "column 'oil' comes after the wavelengths"),
        ("origin,1,2\nPeru,1,2\n", "'Peru' is not a number"),
        ("1,2,2\n1,2,3\n", "2 is followed by 2"),
        ("1,3,2\n1,2,3\n", "3 is followed by 2"),
        ("oil,oil,1,2\n1,2,3,4\n", "two properties of one name"),
        ("1\n1\n", "at least two channels"),
        ('1,2\n"1,2\n', "not a CSV table"),
        ("1,2\n" + "9" * 200_000 + ",1\n", "not a CSV table"),
    ],
)
def test_a_bad_table_is_refused(tmp_path, text, says):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=says) as error:
        read_folder(path, NIR)
    assert "a.csv" in str(error.value)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ("1,2\n1,2\n".encode("utf-16"), "not UTF-8"),
        ("1,2\n1,2\n".encode("utf-16-le"), "zero bytes"),
        ("é,1,2\n1,2,3\n".encode("latin-1"), "not UTF-8"),
        (b"1,2\n1,\x002\n", "zero bytes"),
    ],
)
def test_another_encoding_is_refused(tmp_path, raw, says):
    (tmp_path / "a.csv").write_bytes(raw)
    with pytest.raises(DataError, match=says):
        read_folder(tmp_path, NIR)


def test_a_byte_order_mark_is_read_over(tmp_path):
    (tmp_path / "a.csv").write_bytes("﻿1,2\n3,4\n".encode())
    assert read_folder(tmp_path, NIR).axis.tolist() == [1, 2]


def test_a_cut_or_foreign_gz_is_refused(tmp_path):
    path = tmp_path / "a.csv.gz"
    packed = gzip.compress(b"1,2\n" + b"3,4\n" * 5000)
    for raw in (packed[:-6], packed[: len(packed) // 2], b"1,2\n3,4\n", packed[:12] + b"x" * 40):
        path.write_bytes(raw)
        with pytest.raises(DataError, match="damaged or cut short"):
            read_folder(path, NIR)


def test_a_line_without_end_is_not_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "_LONGEST_LINE", 100)
    (tmp_path / "a.csv").write_text("1," * 200)
    with pytest.raises(DataError, match="so it is not a table"):
        read_folder(tmp_path, NIR)


def test_decimal_commas_need_another_separator(tmp_path):
    write_table(tmp_path / "a.csv", [1, 2], [[1, 2]])
    with pytest.raises(DataError, match="cannot have decimal commas"):
        read_folder(tmp_path, Declared("nm", "absorbance", decimal=","))


def test_files_of_a_folder_must_agree(tmp_path):
    part = spectral_set()
    write_csv(tmp_path / "a.csv", part)
    write_csv(tmp_path / "b.csv", spectral_set(seed=1))
    assert len(read_folder(tmp_path, NIR)) == 10
    write_csv(tmp_path / "c.csv", spectral_set(axis=part.axis + 1))
    with pytest.raises(DataError, match=r"a\.csv and .*c\.csv have different axes"):
        list(folder_blocks(tmp_path, NIR))
    (tmp_path / "c.csv").unlink()
    write_csv(tmp_path / "d.csv", spectral_set(properties=("moisture", "fat")))
    with pytest.raises(DataError, match="differ in properties"):
        read_folder(tmp_path, NIR)


def test_an_empty_folder_and_a_foreign_file_are_refused(tmp_path):
    with pytest.raises(DataError, match="holds no file with one of"):
        read_folder(tmp_path, NIR)
    with pytest.raises(DataError, match="no such file or folder"):
        read_folder(tmp_path / "nowhere", NIR)
    (tmp_path / "a.xlsx").write_text("")
    with pytest.raises(DataError, match="suffix that is not read"):
        read_folder(tmp_path / "a.xlsx", NIR)
