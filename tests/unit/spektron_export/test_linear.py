"""A laboratory's own model in a bundle, with scikit-learn itself as oracle."""

import json
import pickle

import numpy as np
import pytest
from scipy.signal import savgol_filter
from sklearn.cross_decomposition import PLSRegression
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skops import io

from spektron_edge.bundle import read_bundle
from spektron_edge.bundle.self_test import self_test
from spektron_edge.inference import load_model
from spektron_edge.spectra.preprocessing import correlate_valid, savgol_kernel
from spektron_export import cli
from tests import bundles

AXIS = np.arange(1100.0, 1500.0, 5.0)
N = 60


def matter(n, seed):
    """Two bands whose heights are the references, on a sloping baseline; (n, L), (n, 2)."""
    rng = np.random.default_rng(seed)
    y = rng.uniform((5, 20), (15, 40), (n, 2))
    bands = np.exp(-(((AXIS[:, None] - [1200, 1380]) / [30, 45]) ** 2))
    slope = rng.normal(0, 0.02, (n, 1)) * np.linspace(-1, 1, len(AXIS))
    x = 0.3 + (y / [20, 60]) @ bands.T
    return x + slope + rng.normal(0, 1e-4, x.shape), y + rng.normal(0, 0.05, y.shape)


def write_csv(path, x, y, axis=AXIS, names=("Moisture [%]", "Protein [% dry]")):
    lines = [",".join(["sample_id", *names, *(f"{a:g}" for a in axis)])]
    for i, (row, truth) in enumerate(zip(x, y, strict=True)):
        cells = [f"s-{i}", *("" if np.isnan(v) else repr(float(v)) for v in truth)]
        lines.append(",".join([*cells, *(repr(float(v)) for v in row)]))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def data(tmp_path):
    x, y = matter(N, 0)
    return x, y, write_csv(tmp_path / "calibration.csv", x, y)


@pytest.fixture
def wrap(tmp_path, data, capsys):
    """wrap(model, *words) -> exit status, bundle's path, what was said."""

    def call(model, *words):
        path = model
        if not hasattr(model, "suffix"):
            path = tmp_path / "model.skops"
            io.dump(model, path)
        out = tmp_path / "lab.spektron"
        status = cli.main(
            ["--from-sklearn", str(path), "--spectra-from", str(data[2]), "-o", str(out), "--json"]
            + [str(word) for word in words]
        )
        return status, out, capsys.readouterr()

    return call


MODELS = {
    "pls": PLSRegression(3),
    "pls-unscaled": PLSRegression(3, scale=False),
    "ridge": Ridge(1e-3),
    "scaled": make_pipeline(StandardScaler(), Ridge(0.1)),
    "centred": make_pipeline(StandardScaler(with_std=False), PLSRegression(3, scale=False)),
}


@pytest.mark.parametrize("name", MODELS)
def test_bundle_predicts_what_scikit_learn_predicts(wrap, data, name):
    x, y, _ = data
    model = MODELS[name].fit(x, y)
    status, out, said = wrap(model, "--no-report")
    assert status == 0, said.err
    fresh, _ = matter(40, 1)
    served = load_model(read_bundle(out), None, "fp32")
    assert np.abs(served.infer(fresh).y - model.predict(fresh)).max() < 1e-4


def test_without_int8_the_daemon_takes_fp32(wrap, data):
    x, y, _ = data
    _, out, _ = wrap(Ridge(1e-3).fit(x, y), "--no-report")
    assert load_model(read_bundle(out)).graph.precision == "fp32"


def test_a_report_that_cannot_be_written_leaves_the_bundle(wrap, data, tmp_path):
    x, y, _ = data
    (tmp_path / "lab.report.json").mkdir()
    status, out, said = wrap(Ridge(1e-3).fit(x, y))
    assert status == 6
    assert "lab.spektron is written, its report is not" in said.err
    assert json.loads(said.out)["report"] == []
    assert read_bundle(out).id.startswith("lab-1-")


def test_manifest_says_what_it_is(wrap, data):
    x, y, _ = data
    status, out, said = wrap(PLSRegression(3).fit(x, y), "--version", "4", "--name", "mill")
    assert status == 0, said.err
    bundle = read_bundle(out)
    product = bundle.manifest.product("mill")
    assert bundle.manifest.version == 4
    assert [(p.name, p.unit) for p in product.properties] == [
        ("moisture", "%"),
        ("protein", "% dry"),
    ]
    assert (product.grid.start_nm, product.grid.step_nm, product.grid.points) == (1100, 5, 80)
    assert product.adapt is None
    assert "cross-validation" in product.evaluation.data
    figures = product.evaluation.figures["fp32"]["moisture"]
    assert 0.02 < figures.rmsep < 0.2
    assert "PLSRegression" in product.notes[0]
    assert "z_inst is zero" in product.notes[1]
    assert set(bundle.manifest.provenance.data) == {"calibration spectra", "model file"}
    report = json.loads(out.with_name("lab.report.json").read_text())
    assert set(report["latency"]["milliseconds"]) == {"fp32"}
    assert set(report["figures"]) == {"cross-validation", "fit"}
    assert report["figures"]["cross-validation"]["moisture"]["rmsep"] == figures.rmsep
    assert out.with_name("lab.report.html").read_text().count("<img ") == 1


def test_runtime_finds_calibration_spectra_inside_and_others_outside(wrap, data):
    x, y, _ = data
    status, out, said = wrap(Ridge(1e-3).fit(x, y), "--no-report")
    assert status == 0, said.err
    bundle = read_bundle(out)
    assert "inside the domain" in self_test(bundle, None, "fp32")[1]
    model = load_model(bundle, None, "fp32")
    fresh, _ = matter(200, 2)
    inside = [not model.applicability.assess(row).reasons for row in fresh]
    assert np.mean(inside) > 0.9
    # Without a derivative an offset changes the value: applicability must see it.
    assert model.applicability.assess(fresh[0] + 0.2).reasons
    strange = fresh[0] + 0.05 * np.sin(AXIS / 7)
    assert "q_above_limit" in model.applicability.assess(strange).reasons


def test_latents_are_scores_whose_squares_are_t2(wrap, data):
    x, y, _ = data
    _, out, _ = wrap(PLSRegression(2).fit(x, y), "--no-report")
    model = load_model(read_bundle(out), None, "fp32")
    latents = model.infer(x)
    t2 = [model.applicability.assess(row).t2 for row in x]
    assert np.allclose(np.sum(latents.z_chem**2, axis=1), t2, rtol=1e-3)
    assert latents.z_chem.shape == (N, 128)
    assert latents.z_inst.shape == (N, 64)
    assert not latents.z_inst.any()
    moved = model.backend.infer(x.astype(np.float32), np.array([1.0, 0.0], np.float32)).y
    assert np.allclose(moved - latents.y, [1, 0], atol=1e-4)


@pytest.mark.parametrize("ends", ["kept", "lost"])
def test_filter_is_folded_into_the_coefficients(wrap, data, ends):
    def filtered(x):
        if ends == "kept":
            return savgol_filter(x, 11, 2, 1, axis=1)
        return correlate_valid(x, savgol_kernel(11, 2, 1))

    x, y, _ = data
    model = PLSRegression(3).fit(filtered(x), y)
    status, out, said = wrap(model, "--savgol", "11,2,1", "--no-report")
    assert status == 0, said.err
    fresh, _ = matter(20, 3)
    served = load_model(read_bundle(out), None, "fp32")
    assert np.abs(served.infer(fresh).y - model.predict(filtered(fresh))).max() < 1e-4
    assert served.applicability.kernel.size == 11
    assert f"ends {'kept' if ends == 'kept' else 'left out'}" in served.product.notes[0]


def test_coefficients_as_a_table(wrap, data, tmp_path):
    x, y, _ = data
    model = Ridge(1e-3).fit(x, y)
    rows = ["wavelength,Moisture [g/kg],Protein"]
    # Falling order, and the constant somewhere.
    for a, c in list(zip(AXIS, model.coef_.T, strict=True))[::-1]:
        rows.append(f"{a:g},{float(c[0])!r},{float(c[1])!r}")
    constant = ",".join(["intercept", *(repr(float(b)) for b in model.intercept_)])
    rows.insert(3, constant)
    table = tmp_path / "coefficients.csv"
    table.write_text("\n".join(rows) + "\n")
    x2, y2 = matter(30, 5)
    other = write_csv(tmp_path / "held.csv", x2, y2)
    status, out, said = wrap(table, "--held-out", other, "--no-report")
    assert status == 0, said.err
    served = load_model(read_bundle(out), None, "fp32")
    assert np.abs(served.infer(x2).y - model.predict(x2)).max() < 1e-4
    assert [p.unit for p in served.product.properties] == ["g/kg", "% dry"]
    assert "held out" in served.product.evaluation.data
    assert served.product.evaluation.samples == 30
    status, out, _ = wrap(table, "--no-report")
    assert "too good" in read_bundle(out).manifest.product(None).evaluation.data


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("wavelength,a\n1100,1\n", "0 rows 'intercept'"),
        ("nm,a\nintercept,1\n", "starts with column 'nm'"),
        ("wavelength,a\nintercept,1\n", "no coefficients"),
        ("wavelength,a\nintercept,1\n1100,x\n", "line 3, column 'a'"),
        ("wavelength,a\nintercept,1\n1100,1\n1100,2\n", "a wavelength twice"),
        ("wavelength,a\nintercept,1\n1100,1\n1105,2\n", "takes 2 features"),
    ],
)
def test_a_table_that_is_wrong_is_named(wrap, tmp_path, text, problem):
    table = tmp_path / "coefficients.csv"
    table.write_text(text)
    status, out, said = wrap(table)
    assert status == 5
    assert problem in said.err
    assert "coefficients.csv" in said.err or "features" in problem
    assert not out.exists()


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("the pickle was opened",))


@pytest.mark.parametrize("suffix", [".pkl", ".joblib"])
def test_pickles_are_not_opened(wrap, tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(pickle.dumps(Bomb()))
    status, _, said = wrap(path)
    assert status == 5
    assert "skops.io.dump" in said.err


def own_step(x):
    return x


def test_what_is_no_linear_model_of_scikit_learn_is_refused(wrap, data, tmp_path):
    x, y, _ = data
    status, _, said = wrap(KernelRidge(kernel="rbf").fit(x, y))
    assert (status, "not linear" in said.err) == (5, True)
    status, _, said = wrap(StandardScaler().fit(x))
    assert (status, "no fitted regression" in said.err) == (5, True)
    own = make_pipeline(FunctionTransformer(own_step), LinearRegression()).fit(x, y)
    status, _, said = wrap(own)
    assert (status, "own_step" in said.err) == (5, True), said.err
    broken = tmp_path / "broken.skops"
    broken.write_bytes(b"PK but not really")
    status, _, said = wrap(broken)
    assert (status, "no .skops file" in said.err) == (5, True)
    # A pickle by another name.
    broken.write_bytes(pickle.dumps(Bomb()))
    assert wrap(broken)[0] == 5


def test_what_does_not_fit_is_said(wrap, data, tmp_path):
    x, y, spectra = data
    model = Ridge(1e-3).fit(x, y)
    narrow = Ridge(1e-3).fit(x[:, :50], y)
    for words, problem in (
        ((model, "--property", "fat=%"), "1 properties are named"),
        ((model, "--property", "fat=%", "--property", "Protein"), "no references 'fat'"),
        ((narrow,), "takes 50 features"),
        ((narrow, "--savgol", "11,2,1"), "gives 80, or 70"),
    ):
        status, out, said = wrap(*words)
        assert status == 5
        assert problem in said.err
        assert not out.exists()
    assert wrap(model, "--savgol", "10,2,1")[0] == 2
    write_csv(spectra, x[:15], y[:15])
    assert "20 are needed" in wrap(model)[2].err
    write_csv(spectra, x, y, names=("Moisture", "Protein"))
    assert "Moisture has no unit" in wrap(model)[2].err
    status, _, said = wrap(
        model, "--property", "Moisture=%", "--property", "Protein=%", "--no-report"
    )
    assert status == 0, said.err
    uneven = AXIS.copy()
    uneven[5] += 1
    write_csv(spectra, x, y, axis=uneven)
    assert "not even" in wrap(model)[2].err


def test_spectra_without_references_are_left_out_and_one_property_is_enough(wrap, data):
    x, y, spectra = data
    y = y.copy()
    y[:3, 0] = np.nan
    write_csv(spectra, x, y)
    model = PLSRegression(3).fit(x[3:], y[3:, 0])
    status, out, said = wrap(model, "--property", "Moisture=%", "--no-report")
    assert status == 0, said.err
    bundle = read_bundle(out)
    assert "3 without a reference" in bundle.manifest.product(None).notes[2]
    assert len(bundle.arrays("source.npz")["x"]) == N - 3


def test_outputs_in_another_order_or_another_filter_are_noticed(wrap, data):
    x, y, _ = data
    model = PLSRegression(3).fit(savgol_filter(x, 11, 2, 1, axis=1), y)
    for words in (("--savgol", "11,2,0"), ("--savgol", "11,2,2"), ()):
        assert "than their mean" in wrap(model, *words)[2].err
    swapped = ("--property", "Protein=%", "--property", "Moisture=%")
    assert "is --property in the order" in wrap(model, "--savgol", "11,2,1", *swapped)[2].err


def test_spectra_can_be_kept_back(wrap, data):
    x, y, _ = data
    status, out, said = wrap(
        Ridge(1e-3).fit(x, y), "--spectra", "left-out", "--serial", "X-1", "--no-report"
    )
    assert status == 0, said.err
    bundle = read_bundle(out)
    assert "x" not in bundle.arrays("source.npz")
    assert bundle.manifest.devices == ("X-1",)


def test_a_model_that_float32_cannot_carry_is_refused(wrap, data):
    x, y, _ = data
    model = Ridge(1e-3).fit(x, y)
    # Sees nothing of the calibration spectra, but all of their rounding.
    unseen = np.linalg.svd(x)[2][-1]
    model.coef_ = model.coef_ + 1e6 * unseen
    status, out, said = wrap(model, "--no-report")
    assert status == 5
    assert "float32" in said.err
    assert not out.exists()


def test_what_instruments_see_of_an_analyte_goes_into_the_bundle(wrap, data, tmp_path):
    seen, wrong = tmp_path / "ir.json", tmp_path / "wrong.json"
    seen.write_text(json.dumps(bundles.observability()))
    wrong.write_text(json.dumps({**bundles.observability(), "format": 2}))
    model = LinearRegression().fit(*data[:2])

    status, out, said = wrap(model, "--observability", seen, "--observability", seen)

    assert status == 0, said.err
    held = read_bundle(out).manifest.product(None).observability
    assert [one.smiles for one in held] == ["O=C=O", "O=C=O"]
    assert "seen of O=C=O" in out.with_name("lab.report.html").read_text()
    for path, why in ((wrong, "format"), (tmp_path / "no.json", "cannot read")):
        status, _, said = wrap(model, "--observability", path)
        assert status == 5
        assert why in said.err
