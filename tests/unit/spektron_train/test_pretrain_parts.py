import json
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch
from accelerate.commands.config.config_args import load_config_from_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from spektron_train.checkpoint import CheckpointError
from spektron_train.cli import main
from spektron_train.pretraining.config import RECIPES
from spektron_train.pretraining.foundation import (
    FoundationCard,
    load_foundation,
    save_foundation,
)
from spektron_train.pretraining.logs import TRAIN, TRAIN_COLUMNS, RunLog
from spektron_train.pretraining.prefetch import Prefetch
from spektron_train.pretraining.status import STALE_AFTER_S, Heart, read_status, seen_state
from spektron_train.pretraining.stopping import StopRecord
from tests.unit.spektron_train.pretrain_runs import rows


def test_prefetch_keeps_order_and_stays_within_its_depth():
    made = []

    def make(key):
        made.append(key)
        return key * 10

    with Prefetch(make, iter(range(20)), depth=2) as ready:
        assert ready.take(3) == [0, 10, 20]
        # Three taken, two waiting, one made and not yet put.
        assert len(made) <= 6
        assert list(ready) == [key * 10 for key in range(3, 20)]
    assert made == list(range(20))


def test_prefetch_raises_an_error_in_its_turn_and_ends_its_thread():
    def make(key):
        if key == 2:
            raise ValueError("no such family")
        return key

    with Prefetch(make, iter(range(5))) as ready:
        assert ready.take(2) == [0, 1]
        with pytest.raises(ValueError, match="no such family"):
            next(ready)
    assert not [t for t in threading.enumerate() if t.name == "episodes"]


def test_prefetch_ends_its_thread_when_left_early():
    with Prefetch(lambda key: key, iter(range(1000))) as ready:
        next(ready)
    assert not [t for t in threading.enumerate() if t.name == "episodes"]


def test_a_dead_prefetch_thread_does_not_hang(monkeypatch):
    monkeypatch.setattr(Prefetch, "_work", lambda self: None)
    with (
        Prefetch(lambda key: key, iter(range(3))) as ready,
        pytest.raises(RuntimeError, match="is gone"),
    ):
        next(ready)


def test_early_stop_looks_at_a_smoothed_total():
    record = StopRecord()
    for step, total in enumerate((5.0, 4.0, 3.0, 3.5, 2.0)):
        record = record.after(total, step)
    assert record.best == pytest.approx((3.0 + 3.5 + 2.0) / 3)
    assert (record.best_step, record.since) == (4, 0)
    assert not record.exhausted(1)
    record = record.after(9.0, 5).after(9.0, 6)
    assert (record.best_step, record.since) == (4, 2)
    assert record.exhausted(2)
    assert not record.exhausted(3)
    assert not record.exhausted(0)


def _values(step):
    return dict.fromkeys(TRAIN_COLUMNS[1:], float(step))


def test_resumed_logs_have_each_step_once(tmp_path):
    with RunLog(tmp_path, 0) as log:
        for step in range(1, 7):
            log.train(step, _values(step))
    with (tmp_path / TRAIN).open("a") as file:
        file.write("7,1.0,torn")
    with RunLog(tmp_path, 4) as log:
        for step in (5, 6, 7):
            log.train(step, _values(10 * step))
    found = rows(tmp_path / TRAIN)
    assert [row["step"] for row in found] == [str(n) for n in range(1, 8)]
    assert [row["total"] for row in found[3:5]] == ["4.0", "50.0"]
    board = EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    events = {e.step: e.value for e in board.Scalars("train/total")}
    assert events == {1: 1.0, 2: 2.0, 3: 3.0, 4: 4.0, 5: 50.0, 6: 60.0, 7: 70.0}


@pytest.fixture
def gone():
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_status_tells_running_from_stale(tmp_path, gone):
    heart = Heart(tmp_path, steps=10, processes=1, device="cpu")
    heart.beat(state="running", step=3)
    status = read_status(tmp_path)
    assert (status.step, status.pid) == (3, os.getpid())
    assert seen_state(status, status.beat + 1) == "running"
    assert seen_state(status, status.beat + STALE_AFTER_S + 1) == "stale"
    dead = status.model_copy(update={"pid": gone})
    assert seen_state(dead, status.beat + 1) == "stale"
    elsewhere = dead.model_copy(update={"host": "another host"})
    assert seen_state(elsewhere, status.beat + 1) == "running"
    finished = dead.model_copy(update={"state": "finished"})
    assert seen_state(finished, status.beat + 10 * STALE_AFTER_S) == "finished"


def test_status_command_answers_for_people_and_programs(tmp_path, gone, capsys):
    heart = Heart(tmp_path, steps=10, processes=2, device="cpu")
    heart.beat(state="running", step=3, metrics={"total": 1.5}, seconds_left=70.0)
    assert main(["status", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "running, step 3 of 10" in shown
    assert "0:01:10" in shown
    heart.status = heart.status.model_copy(update={"pid": gone})
    heart.beat(state="running")
    assert main(["status", str(tmp_path), "--json"]) == 6
    assert json.loads(capsys.readouterr().out)["state"] == "stale"
    heart.beat(state="finished", told="10 of 10 steps done [/tmp/x]")
    assert main(["status", str(tmp_path)]) == 0
    assert main(["status", str(tmp_path / "nothing")]) == 4
    assert "holds no run" in capsys.readouterr().err
    (tmp_path / "status.json").write_text("{")
    assert main(["status", str(tmp_path)]) == 4


def test_heart_writes_no_more_than_it_must(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    heart = Heart(tmp_path, steps=10, processes=1, device="cpu")
    heart.beat(step=1)
    heart.beat(step=2)
    assert read_status(tmp_path).step == 1
    heart.beat(state="stopped")
    assert read_status(tmp_path).step == 2


@pytest.fixture
def card(small_encoder):
    return FoundationCard(
        recipe="test",
        config={"steps": 1},
        encoder=small_encoder.config.to_json(),
        seed=0,
        steps=1,
        versions={"torch": torch.__version__},
        metrics={},
    )


def test_foundation_reads_back_bit_for_bit(tmp_path, small_encoder, card):
    save_foundation(tmp_path / "f", small_encoder, card)
    encoder, read = load_foundation(tmp_path / "f")
    for name, value in small_encoder.state_dict().items():
        assert torch.equal(value, encoder.state_dict()[name]), name
    assert read.data == "simulated"
    assert read.config == card.config
    assert read.encoder["width"] == small_encoder.config.width
    save_foundation(tmp_path / "f", small_encoder, card)


def test_foundation_refuses_what_is_not_one(tmp_path, small_encoder, card):
    folder = tmp_path / "f"
    save_foundation(folder, small_encoder, card)
    with np.load(folder / "weights.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    np.savez(folder / "weights.npz", **{**arrays, "theta": arrays["theta"] + 1})
    with pytest.raises(CheckpointError, match="does not match its hash"):
        load_foundation(folder)
    (folder / "weights.npz").unlink()
    with pytest.raises(CheckpointError, match="cannot read"):
        load_foundation(folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("years of work")
    with pytest.raises(CheckpointError, match="name another folder"):
        save_foundation(tmp_path / "other", small_encoder, card)
    with pytest.raises(CheckpointError, match=r"no foundation\.json"):
        load_foundation(tmp_path / "other")


@pytest.mark.parametrize("name", ["ddp.yaml", "fsdp.yaml"])
def test_accelerate_reads_the_configurations_that_ship(name):
    config = load_config_from_file(str(RECIPES / name))
    assert config.num_processes == 2
    assert (config.distributed_type == "FSDP") == (name == "fsdp.yaml")
