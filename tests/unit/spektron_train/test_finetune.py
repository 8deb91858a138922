import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from spektron_edge.demo.corn import PROPERTIES
from spektron_train.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from spektron_train.cli import main
from spektron_train.data.corn import read_corn
from spektron_train.evaluation import run_encoder
from spektron_train.finetune import STAGES, Settings, finetune_corn
from spektron_train.model.theta import ADAPTER
from spektron_train.pretraining import linear_prior
from tests.foundations import tiny_foundation

BARS = {"moisture": 0.99, "oil": 0.90, "protein": 0.95, "starch": 0.92}


@pytest.fixture(scope="module", autouse=True)
def few_products():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear_prior, "PRODUCTS", 12)
        yield


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(foundation=tiny_foundation(tmp_path_factory.mktemp("nir")), threads=1)


@pytest.fixture(scope="module")
def corn():
    return read_corn()


@pytest.fixture(scope="module")
def checkpoint(corn, settings):
    return finetune_corn(corn, settings)


@pytest.fixture
def folder(checkpoint, tmp_path):
    save_checkpoint(tmp_path / "checkpoint", checkpoint)
    return tmp_path / "checkpoint"


def test_two_runs_with_one_seed_give_the_same_weights(corn, settings, checkpoint):
    again = finetune_corn(corn, settings)
    for name, value in checkpoint.encoder.state_dict().items():
        assert torch.equal(value, again.encoder.state_dict()[name]), name
    other = finetune_corn(corn, replace(settings, seed=1))
    assert not torch.equal(other.encoder.linear.weight, checkpoint.encoder.linear.weight)


def test_held_out_references_do_not_influence_anything(corn, settings, checkpoint):
    scrambled = replace(corn, references=corn.references.copy())
    scrambled.references[scrambled.held_out] += 100.0
    spectra = {name: x.copy() for name, x in corn.spectra.items()}
    for x in spectra.values():
        x[corn.held_out] += 0.5
    again = finetune_corn(replace(scrambled, spectra=spectra), settings)
    for name, value in checkpoint.encoder.state_dict().items():
        assert torch.equal(value, again.encoder.state_dict()[name]), name
    for name, value in checkpoint.source.items():
        assert np.array_equal(value, again.source[name]), name


def test_an_untrained_foundation_costs_nothing_that_matters(checkpoint):
    figures = checkpoint.card.metrics["held_out"]
    for name, bar in BARS.items():
        assert figures["with_noise"][name]["r2"] >= bar, name
        assert figures["with_noise_ridge"][name]["r2"] >= bar, name


def test_values_are_linear_path_and_residual(checkpoint):
    encoder, x = checkpoint.encoder, checkpoint.held_out["x"]
    y, z_chem, _ = run_encoder(encoder, x)
    spectra = torch.from_numpy(x).float()
    with torch.inference_mode():
        linear = encoder.linear(spectra).double().numpy()
    weight = (encoder.residual.weight * encoder.residual_scale).detach().double().numpy()
    bias = (encoder.residual.bias * encoder.residual_scale).detach().double().numpy()
    assert np.allclose(y, linear + z_chem @ weight + bias, atol=1e-4)


def test_metrics_say_what_each_block_is_worth(checkpoint):
    for name in PROPERTIES:
        share = checkpoint.card.metrics["share"][name]
        assert sum(share.values()) == pytest.approx(1)
        assert min(share.values()) >= 0
    assert set(checkpoint.card.metrics["z_chem_probe_r2"]) == set(PROPERTIES)


def test_adapter_stays_the_identity(checkpoint):
    assert torch.all(checkpoint.encoder.theta[: len(ADAPTER)] == 0)


def test_progress_is_announced_as_often_as_promised(corn, settings):
    states = []
    finetune_corn(corn, settings, states.append)
    assert tuple(states) == STAGES


def test_checkpoint_round_trip(checkpoint, folder):
    read = load_checkpoint(folder)
    for name, value in checkpoint.encoder.state_dict().items():
        assert torch.equal(value, read.encoder.state_dict()[name]), name
    for name, value in checkpoint.source.items():
        assert np.array_equal(value, read.source[name]), name
    assert read.card.metrics == checkpoint.card.metrics
    save_checkpoint(folder, read)
    assert load_checkpoint(folder).card == read.card
    assert {p.suffix for p in folder.iterdir()} == {".json", ".npz"}


def _edit_card(folder, **changes):
    path = folder / "checkpoint.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _flip(folder):
    path = folder / "weights.npz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (_flip, "does not match its hash"),
        (lambda f: (f / "source.npz").unlink(), "cannot read"),
        (lambda f: (f / "checkpoint.json").unlink(), "is not a checkpoint"),
        (lambda f: (f / "checkpoint.json").write_text("{"), "document"),
        (lambda f: _edit_card(f, format=2), "format"),
        (lambda f: _edit_card(f, extra=1), "extra"),
        (lambda f: _edit_card(f, encoder={"width": 64}), "weights do not fit"),
        (lambda f: _edit_card(f, encoder={"breadth": 64}), "unusable encoder configuration"),
    ],
)
def test_damaged_checkpoint_is_refused(folder, damage, says):
    damage(folder)
    with pytest.raises(CheckpointError) as error:
        load_checkpoint(folder)
    assert says in str(error.value)


def test_checkpoint_does_not_replace_a_foreign_folder(checkpoint, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        save_checkpoint(tmp_path, checkpoint)
    assert (tmp_path / "thesis.txt").exists()
    with pytest.raises(CheckpointError, match="cannot write"):
        save_checkpoint(tmp_path / "thesis.txt" / "below", checkpoint)


def test_cli_reports_bad_input_without_a_traceback(tmp_path, capsys):
    assert main(["finetune", "corn", "--corn-dir", str(tmp_path)]) == 3
    assert "holds neither" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    assert main(["finetune", "corn", "--out", str(tmp_path / "mine")]) == 4
    assert "not a checkpoint" in capsys.readouterr().err
    assert main(["finetune", "corn", "--out", str(tmp_path / "mine" / "thesis.txt")]) == 4
    nowhere = ["finetune", "corn", "--foundation", str(tmp_path / "nowhere")]
    assert main([*nowhere, "--out", str(tmp_path / "new")]) == 4
    assert "has no foundation.json" in capsys.readouterr().err
    for wrong in (["finetune", "corn", "--seed", "-1"], ["finetune", "wheat"], []):
        with pytest.raises(SystemExit) as error:
            main(wrong)
        assert error.value.code == 2


@pytest.mark.long
@pytest.mark.timeout(900)
def test_full_finetune_meets_the_bars(tmp_path, capsys):
    out = tmp_path / "checkpoint"
    assert main(["finetune", "corn", "--out", str(out), "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)
    assert metrics["parameters"] >= 2_000_000
    for name, bar in BARS.items():
        assert metrics["held_out"]["with_noise"][name]["r2"] >= bar, name
    assert metrics["z_inst_instrument_accuracy"] > 0.9
    assert load_checkpoint(out).card.seed == 0
