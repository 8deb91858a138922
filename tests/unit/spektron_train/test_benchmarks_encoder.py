"""The benchmarks of the foundation, on a tiny one and a single split."""

import numpy as np
import pytest

from spektron_edge.spectra.preprocessing import FIRST_DERIVATIVE, correlate_valid
from spektron_train.benchmarks import latent, native, peers, pretraining
from spektron_train.data.simulate.domain import NIR
from spektron_train.data.simulate.matter import Matter
from spektron_train.pretraining import linear_prior as prior_module
from spektron_train.pretraining.linear_prior import RANK, linear_prior
from spektron_train.reference.joint_ridge import fit_joint_ridge
from spektron_train.training.calibration import shares
from spektron_train.training.progress import silent
from tests.foundations import tiny_foundation


@pytest.fixture
def foundation(tmp_path, monkeypatch):
    tiny_foundation(tmp_path / "nir", layers=1, slots=4, slot_width=8, z_chem=16, z_inst=8)
    for module in (latent, native, pretraining):
        monkeypatch.setattr(module, "FOUNDATION", tmp_path / "nir")
    monkeypatch.setattr(pretraining, "MID_INFRARED", tmp_path / "mid")
    monkeypatch.setattr(prior_module, "PRODUCTS", 12)
    # The peers have tests of their own, and their searches take long.
    for name in ("pls", "ridge", "svr"):
        monkeypatch.setattr(peers, name, mean_of_the_training)
    monkeypatch.setattr(native, "cui_fearn", mean_of_the_training)
    return tmp_path / "nir"


def test_latent(foundation, monkeypatch):
    monkeypatch.setattr(latent, "INSTRUMENTS", 3)
    monkeypatch.setattr(latent, "SAMPLES", 40)
    report = latent.run(splits=1, advance=silent, foundation=foundation)
    figures = {f.id: f.value for f in report.figures}
    assert set(figures) == {
        "latent_instrument_from_chem_over_chance",
        "latent_instrument_from_inst",
        "latent_chem_r2",
        "latent_chem_r2_loss",
    }
    assert 0 <= figures["latent_instrument_from_chem_over_chance"] <= 3
    assert report.figures == latent.run(splits=1, advance=silent, foundation=foundation).figures


def mean_of_the_training(x, y, test, rng):
    return np.tile(y.mean(axis=0), (len(test), 1))


def test_pretraining(foundation, monkeypatch):
    monkeypatch.setattr(pretraining, "STEPS", 1)
    monkeypatch.setattr(pretraining, "LABELLED", (10,))
    states = []
    report = pretraining.run(splits=1, advance=states.append)
    assert [f.id for f in report.figures] == ["pretraining_gain_n10"]
    assert len(states) == 2
    assert {r.method for r in report.rows} >= {pretraining.SCRATCH, pretraining.PRETRAINED, "PLS"}
    assert any("mid-infrared" in note for note in report.notes)


def test_native(foundation, monkeypatch):
    report = native.run(splits=1, advance=silent)
    assert [f.id for f in report.figures] == [
        "native_r2_margin_m5",
        "native_rmsep_over_pls_tablets",
        "native_cells_better_than_ridge",
    ]
    # 3 instruments x 4 properties and the assay, 5 methods.
    assert len(report.rows) == 13 * 5


def test_the_prior_helps_products_it_has_not_seen():
    first, points = 250, 700
    prior = linear_prior(NIR, first, points, seed=1, products=36)
    assert prior.shape == (points - len(FIRST_DERIVATIVE) + 1, RANK)
    assert np.array_equal(prior, linear_prior(NIR, first, points, seed=1, products=36))
    matter = Matter(1e7 / NIR.fine_axis())
    rng = np.random.default_rng(2)
    gains = []
    for _ in range(8):
        samples = matter.draw(60, rng, "flour")
        fine = NIR.fine_axis()
        x = np.stack([np.interp(NIR.grid_axis(), fine, a) for a in samples.absorbance])
        features = correlate_valid(x[:, first : first + points], FIRST_DERIVATIVE)
        y = samples.composition[:, samples.composition.std(axis=0) > 0.01]

        def error(*blocks, y=y):
            tried = shares(prior=len(blocks) > 1, chem=False)
            fitted = fit_joint_ridge([b[:8] for b in blocks], y[:8], tried)
            missed = fitted.predict(*[b[8:] for b in blocks]) - y[8:]
            return np.mean(missed**2 / y.var(axis=0))

        gains.append(np.log(error(features) / error(features, features @ prior)))
    assert np.median(gains) > 0
