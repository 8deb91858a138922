import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState

from spektron_train import archive
from spektron_train.cli import main
from spektron_train.commands import pretrain as command
from spektron_train.model.theta import ADAPTER
from spektron_train.pretraining import loop, state
from spektron_train.pretraining.config import TERMS, ConfigError
from spektron_train.pretraining.foundation import load_foundation
from spektron_train.pretraining.objective import PretrainModel
from spektron_train.pretraining.prefetch import Prefetch
from spektron_train.pretraining.state import StateError
from spektron_train.pretraining.status import read_status
from tests.unit.spektron_train.pretrain_runs import (
    assert_same_weights,
    environment,
    kill_after,
    rows,
    run,
    smoke,
    telling,
    weights,
)

STEPS = 12


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    """What a run sets for its process ends with the test."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    for name, value in environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    result = run(folder)
    assert (result.state, result.steps, result.signal) == ("finished", STEPS, None)
    return folder


def test_a_run_leaves_logs_checkpoints_and_a_foundation(whole):
    encoder, card = load_foundation(whole / "foundation")
    assert (card.steps, card.metrics["spectra"]) == (STEPS, STEPS * 2 * 12 * 2)
    assert set(card.metrics["validation"]) == {"total", "smoothed", *TERMS}
    x = torch.zeros(1, encoder.config.points)
    assert encoder(x, encoder.theta)[1].shape == (1, 16)
    assert torch.equal(encoder.theta[: len(ADAPTER)], torch.zeros(len(ADAPTER)))
    assert not torch.equal(encoder.tokenizer.scales, torch.ones_like(encoder.tokenizer.scales))
    train = rows(whole / "log" / "train.csv")
    assert [row["step"] for row in train] == [str(n) for n in range(1, STEPS + 1)]
    for row in train:
        assert float(row["total"]) == pytest.approx(sum(float(row[t]) for t in TERMS))
    assert [row["step"] for row in rows(whole / "log" / "validation.csv")] == ["4", "8", "12"]
    kept = sorted(p.name for p in (whole / "checkpoints").iterdir())
    assert kept == ["step-000000008", "step-000000012"]
    status = read_status(whole)
    assert (status.state, status.step, status.checkpoint) == ("finished", 12, kept[-1])


def test_two_runs_give_the_same_weights_however_often_they_save(whole, tmp_path):
    run(tmp_path / "again", smoke(checkpoint={"every": 5}))
    assert_same_weights(whole, tmp_path / "again")
    assert rows(tmp_path / "again" / "log" / "train.csv") == rows(whole / "log" / "train.csv")
    run(tmp_path / "other", smoke(seed=1, steps=1))
    assert not np.array_equal(weights(whole)["theta"], weights(tmp_path / "other")["theta"])


def test_a_killed_run_resumes_to_the_same_bits(whole, tmp_path):
    folder = tmp_path / "run"
    # Anywhere after the first checkpoint, from a fixed seed.
    assert kill_after(folder, random.Random(20).randint(5, STEPS - 1)) == -signal.SIGKILL
    assert main(["status", str(folder)]) == 6
    assert main(["pretrain", "--resume", "--out", str(folder)]) == 0
    assert_same_weights(whole, folder)
    for name in ("train.csv", "validation.csv"):
        assert rows(folder / "log" / name) == rows(whole / "log" / name)


def test_a_run_may_break_anywhere(whole, tmp_path, monkeypatch):
    """Before its first checkpoint, then half way through writing one."""
    write, folder = archive._write_through, tmp_path / "run"

    def stumble(step):
        if step == 2:
            raise OSError("no space left")

    def broken_off(path, raw):
        if path.name == "state.npz" and "000000008" in str(path):
            write(path, raw[: len(raw) // 2])
            raise OSError("no space left")
        write(path, raw)

    said = []
    with pytest.raises(StateError, match=r"no space left.*--resume"):
        run(folder, watch=lambda steps: telling(stumble))
    assert read_status(folder).state == "failed"
    with monkeypatch.context() as patch:
        patch.setattr(archive, "_write_through", broken_off)
        with pytest.raises(StateError, match="no space left"):
            run(folder, resume=True, say=said.append)
    run(folder, resume=True, say=said.append)
    assert said == ["no checkpoint was written yet; beginning anew", "resuming after step 4"]
    assert_same_weights(whole, folder)
    assert rows(folder / "log" / "train.csv") == rows(whole / "log" / "train.csv")


@pytest.mark.parametrize("damage", ["torn", "altered"])
def test_a_damaged_checkpoint_is_told_of_and_passed_over(whole, tmp_path, damage):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    last = folder / "checkpoints" / "step-000000012"
    if damage == "torn":
        raw = (last / "state.npz").read_bytes()
        (last / "state.npz").write_bytes(raw[: len(raw) // 2])
    else:
        card = json.loads((last / "state.json").read_text())
        (last / "state.json").write_text(json.dumps({**card, "step": 3}))
    (folder / "foundation" / "weights.npz").unlink()
    said = []
    assert run(folder, resume=True, say=said.append).steps == STEPS
    assert str(last) in said[0]
    assert said[-1] == "resuming after step 8"
    assert_same_weights(whole, folder)


def test_a_run_is_not_begun_anew_over_checkpoints_that_are_all_damaged(whole, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    for path in folder.glob("checkpoints/*/state.npz"):
        path.write_bytes(b"")
    with pytest.raises(StateError, match="begin in another folder"):
        run(folder, resume=True)


def test_a_checkpoint_of_a_version_with_fewer_keys_is_whole(whole, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    for path in folder.glob("checkpoints/*/state.json"):
        card = state.StateCard.model_validate_json(path.read_bytes())
        # A key with its default's value, which an older version's file does not have.
        fewer = {key: value for key, value in card.config.items() if key != "log"}
        card = card.model_copy(update={"config": fewer})
        sealed = card.model_copy(update={"seal": card.sealed()})
        path.write_text(json.dumps(sealed.model_dump(mode="json")))
    assert run(folder, resume=True).steps == STEPS


def test_resume_refuses_another_configuration(whole, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    with pytest.raises(ConfigError, match=r"another optimiser\.rate"):
        run(folder, smoke(optimiser={"rate": 5e-4}), resume=True)
    with pytest.raises(ConfigError, match=r"another steps"):
        run(folder, smoke(steps=14), resume=True)
    with pytest.raises(StateError, match="done 12 steps already"):
        run(folder, smoke(steps=10), resume=True, extend=True)
    assert run(folder, smoke(steps=14), resume=True, extend=True).steps == 14
    assert len(rows(folder / "log" / "train.csv")) == 14


def test_folders_are_not_overwritten(whole, tmp_path, capsys):
    arguments = ["pretrain", "--config", "smoke", "--out"]
    assert main([*arguments, str(whole)]) == 4
    assert "add --resume" in capsys.readouterr().err
    (tmp_path / "thesis.txt").write_text("years of work")
    assert main([*arguments, str(tmp_path)]) == 4
    assert main([*arguments, str(tmp_path / "thesis.txt" / "run")]) == 4
    assert main([*arguments, str(tmp_path / "none"), "--resume"]) == 4
    assert main(["pretrain", "--out", str(tmp_path / "none")]) == 2
    assert main(["pretrain", "--config", "nirvana", "--out", str(tmp_path / "none")]) == 2
    assert not (tmp_path / "none").exists()


def test_a_live_run_is_not_resumed_beside_itself(tmp_path):
    def meddle(step):
        with pytest.raises(StateError, match="still running"):
            loop.claim(tmp_path / "run", smoke(steps=1), "test", resume=True)

    run(tmp_path / "run", smoke(steps=1), watch=lambda steps: telling(meddle))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run_between_steps(whole, tmp_path, monkeypatch, capsys, number, code):
    folder = tmp_path / "run"

    def stop(step):
        if step == 5:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(command, "_watch", lambda steps: telling(stop))
    arguments = ["pretrain", "--out", str(folder), "--json"]
    assert main([*arguments, "--config", "smoke"]) == code
    told = json.loads(capsys.readouterr().out)
    assert (told["state"], told["steps"], told["foundation"]) == ("stopped", 6, None)
    assert "--resume" in told["told"]
    assert read_status(folder).state == "stopped"
    if number == signal.SIGTERM:
        assert main([*arguments, "--resume"]) == 0
        assert_same_weights(whole, folder)


def _spoilt(monkeypatch, name, value):
    """From step 6 (of 12) on, one term is `value`."""
    forward = PretrainModel.forward

    def spoilt(self, episode, progress, seed):
        terms = forward(self, episode, progress, seed)
        return {**terms, name: terms[name] * value} if progress >= 5 / STEPS else terms

    monkeypatch.setattr(PretrainModel, "forward", spoilt)


def test_a_loss_that_is_no_number_ends_the_run(tmp_path, monkeypatch, capsys):
    _spoilt(monkeypatch, "optics", float("nan"))
    # Validation sees the weights of the end of training, where the term is spoilt too.
    monkeypatch.setattr(loop, "validate", lambda *_: dict.fromkeys(TERMS, 1.0))
    folder = tmp_path / "run"
    assert main(["pretrain", "--config", "smoke", "--out", str(folder)]) == 6
    assert "step 6: optics is nan; the checkpoint of step 4 is kept" in capsys.readouterr().err
    with np.load(folder / "checkpoints" / "step-000000004" / "state.npz") as state:
        assert all(np.isfinite(state[name]).all() for name in state.files)
    assert read_status(folder).state == "failed"
    assert not (folder / "foundation").exists()


def test_early_stop_ends_with_a_foundation(tmp_path, monkeypatch):
    totals = iter(range(100))
    monkeypatch.setattr(loop, "validate", lambda *_: dict.fromkeys(TERMS, float(next(totals))))
    result = run(tmp_path / "run", smoke(validation={"every": 1, "patience": 3}))
    assert (result.state, result.steps) == ("finished", 4)
    assert "early stop" in result.told
    assert load_foundation(result.foundation)[1].steps == 4
    again = run(tmp_path / "run", smoke(validation={"every": 1, "patience": 3}), resume=True)
    assert again.steps == 4


def test_an_error_of_the_simulation_is_not_swallowed(tmp_path, monkeypatch):
    def broken(key):
        raise KeyError("no such family")

    monkeypatch.setattr(loop, "Prefetch", lambda make, keys: Prefetch(broken, keys))
    with pytest.raises(KeyError, match="no such family"):
        run(tmp_path / "run")
    assert read_status(tmp_path / "run").state == "failed"
    assert not [t for t in threading.enumerate() if t.name == "episodes"]


def test_half_precision_runs(tmp_path):
    AcceleratorState._reset_state(reset_partial_state=True)
    try:
        result = run(tmp_path / "run", smoke(steps=2, precision="bf16"))
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
    assert np.isfinite(result.metrics["train"]["total"])
    assert weights(tmp_path / "run")["theta"].dtype == np.float32


def test_two_processes_learn_what_one_does(whole, tmp_path):
    folder = tmp_path / "run"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    arguments = ["-m", "spektron_train", "pretrain", "--config", "smoke", "--out", str(folder)]
    done = subprocess.run(
        [*launch, *arguments], env=environment(), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert read_status(folder).processes == 2
    # Float32 sums in another order: 1e-4 of the largest weight after 12 steps; seen here: equal.
    alone, together = weights(whole), weights(folder)
    for name, value in alone.items():
        bound = 1e-4 * max(1.0, float(np.abs(value).max()))
        assert np.abs(value - together[name]).max() <= bound, name
    for a, b in zip(
        rows(whole / "log" / "train.csv"), rows(folder / "log" / "train.csv"), strict=True
    ):
        assert float(a["total"]) == pytest.approx(float(b["total"]), rel=1e-4)


def test_help_does_not_wait_for_torch():
    code = (
        "import sys; from spektron_train.cli import main\n"
        "try: main(['pretrain', '--help'])\n"
        "except SystemExit: sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_a_lost_process_is_told_without_a_traceback(tmp_path, monkeypatch, capsys):
    def lose(*_):
        raise RuntimeError("[/gloo/transport/tcp/pair.cc:537] Connection closed by peer")

    monkeypatch.setattr(loop, "train_step", lose)
    monkeypatch.setattr(loop, "is_lost_contact", lambda error: "gloo" in str(error))
    assert main(["pretrain", "--config", "smoke", "--out", str(tmp_path / "run")]) == 6
    assert "lost contact with another process" in capsys.readouterr().err
    assert main(["status", str(tmp_path / "run")]) == 6
