"""The bundle in the package is what its manifest says it is."""

import hashlib
import zipfile
from importlib import resources

import numpy as np
import pytest

from spektron_edge.bundle import read_bundle
from spektron_edge.bundle.merit import median_merits, merits
from spektron_edge.demo.corn import PROPERTIES, UNIT, CornMissing, load_corn
from spektron_edge.inference import load_model
from spektron_train.data.instrument_noise import DetectorNoise, noisy_scans

BARS = {"moisture": 0.99, "oil": 0.90, "protein": 0.95, "starch": 0.92}
PATH = resources.files("spektron_edge") / "bundles" / "corn.spektron"


@pytest.fixture(scope="module")
def bundle():
    return read_bundle(PATH)


@pytest.fixture(scope="module")
def product(bundle):
    return bundle.manifest.product("corn")


@pytest.fixture(scope="module")
def corn():
    try:
        return load_corn()
    except CornMissing as error:
        pytest.skip(str(error))


def test_sizes(bundle, product):
    assert PATH.stat().st_size <= 16 * 2**20
    assert len(bundle.members[product.graph("int8").file]) <= 4 * 2**20


def test_every_member_is_listed_with_its_hash(bundle):
    with zipfile.ZipFile(PATH) as archive:
        names = set(archive.namelist()) - {"manifest.json"}
        assert names == set(bundle.manifest.files)
        for name, digest in bundle.manifest.files.items():
            assert hashlib.sha256(archive.read(name)).hexdigest() == digest


def test_manifest(bundle, product):
    manifest = bundle.manifest
    assert (manifest.name, manifest.opset, manifest.ir_version) == ("corn", 20, 10)
    assert [(p.name, p.unit, p.column) for p in product.properties] == [
        (name, UNIT, column) for column, name in enumerate(PROPERTIES)
    ]
    assert product.grid.points == 700
    assert product.grid.axis()[[0, -1]].tolist() == [1100.0, 2498.0]
    assert {"corn spectra", "corn references"} <= set(manifest.provenance.data)
    assert all(p.calibrated_min < p.calibrated_max for p in product.properties)


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_golden_vectors_hold(bundle, precision):
    # load_model compares them and refuses a difference.
    model = load_model(bundle, "corn", precision)
    assert model.graph.precision == precision
    golden = bundle.arrays(model.product.golden)
    assert golden["x"].shape[0] >= 4
    for name, figure in model.product.evaluation.figures["fp32"].items():
        assert model.graph.y_tolerance[name] <= 0.1 * figure.rmsep


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_claimed_figures_are_reproduced(bundle, product, corn, precision):
    model = load_model(bundle, "corn", precision)
    test = corn.test
    assert product.evaluation.samples == len(test.references) == 20
    runs = []
    for scan in noisy_scans(test.spectra["m5"], DetectorNoise()):
        y = model.infer(scan).y.astype(np.float64)
        runs.append(merits(y, test.references, PROPERTIES))
    for name, actual in median_merits(runs).items():
        claimed = product.evaluation.figures[precision][name]
        assert actual.rmsep == pytest.approx(claimed.rmsep, rel=0.01)
        assert actual.sep == pytest.approx(claimed.sep, rel=0.01)
        assert actual.bias == pytest.approx(claimed.bias, abs=0.02 * claimed.rmsep)
        assert actual.r2 == pytest.approx(claimed.r2, abs=1e-3)
        assert actual.rpd == pytest.approx(claimed.rpd, rel=0.01)
        assert actual.r2 >= BARS[name]


def test_int8_costs_at_most_two_percent(product):
    figures = product.evaluation.figures
    for name in PROPERTIES:
        assert figures["int8"][name].rmsep <= 1.02 * figures["fp32"][name].rmsep


def test_source_is_the_training_set_only(bundle, product, corn):
    source = bundle.arrays(product.source)
    assert np.array_equal(source["samples"], corn.train.samples)
    assert np.allclose(source["x"], corn.train.spectra["m5"], atol=1e-6)
    assert np.allclose(source["y"], corn.train.references, atol=1e-5)
    assert source["z_chem"].shape == (60, 128)
    assert source["theta_sizes"].sum() == bundle.vector(product.theta).size
    assert len(source["theta_names"]) == len(source["theta_sizes"])
    assert bundle.manifest.provenance.data["corn spectra"] == corn.sha256


def test_good_spectra_are_inside_the_domain_and_strange_ones_outside(bundle, corn):
    model = load_model(bundle, "corn")
    scans = noisy_scans(corn.test.spectra["m5"], DetectorNoise(), 3)
    for scan in scans:
        assert sum(bool(model.applicability.assess(x).reasons) for x in scan) <= 2
    strange = corn.test.spectra["m5"][0] * np.linspace(0.5, 1.5, 700)
    assert model.applicability.assess(strange).reasons


def test_theta_matters_and_batches_agree(bundle, corn):
    model = load_model(bundle, "corn")
    x = corn.test.spectra["m5"].astype(np.float32)
    base = model.backend.infer(x, model.theta)
    one = model.backend.infer(x[3:4], model.theta)
    for j, name in enumerate(PROPERTIES):
        assert abs(base.y[3, j] - one.y[0, j]) <= model.graph.y_tolerance[name]
    shifted = model.theta.copy()
    shifted[1] = 0.01
    moved = model.backend.infer(x, shifted)
    assert np.allclose(moved.y, model.backend.infer(x + np.float32(0.01), model.theta).y, atol=5e-3)
    assert not np.allclose(moved.z_inst, base.z_inst, atol=1e-3)


@pytest.mark.parametrize("file", ["encoder.fp32.onnx", "encoder.qdq.onnx"])
def test_graphs_carry_no_host_paths(bundle, file):
    data = bundle.members[file]
    for trace in (b"/home", b"/root", b"/work", b"site-packages", b"Traceback", b".py"):
        assert trace not in data
