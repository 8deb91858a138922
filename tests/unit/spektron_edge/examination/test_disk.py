"""What the state folder may come to, on real file systems of all sizes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from spektron_edge.config.loading import load_config
from spektron_edge.config.outbox import OutboxLimits
from spektron_edge.examination import disk
from spektron_edge.retention.budget import (
    MB,
    fitting_budget_mb,
    fitting_outbox_mb,
    outbox_bytes,
    outlook,
)
from spektron_edge.setup import questions
from spektron_edge.setup.asking import Question
from spektron_edge.setup.given import collected
from spektron_edge.setup.prober import Prober
from tests.requirements import need

_CONFIG = """
site = "lab"
instrument = "m5"
state_dir = "state"
bundle = "slots"
[serial]
url = "/dev/absent"
[mqtt]
url = "mqtt://127.0.0.1:1"
"""


@pytest.fixture
def sized(tmp_path):
    """sized(megabytes): a folder on a file system of that size, which takes no memory unused."""
    need("tmpfs")
    mounted = []

    def make(megabytes):
        folder = tmp_path / f"disk-{megabytes}"
        folder.mkdir()
        size = f"size={megabytes}m"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], check=True)
        mounted.append(folder)
        (folder / "state").mkdir()
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)


def configured(folder, more=""):
    path = folder / "edge.toml"
    path.write_text(_CONFIG + more)
    return load_config(path)


def looked(config):
    found = list(disk.look(SimpleNamespace(config=config)))
    return {finding.part: finding for finding in found}


def fill(path: Path, size: int) -> None:
    """With bytes that take room on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(MB) * (size // MB))


def test_a_disk_that_holds_it_all(sized):
    found = looked(configured(sized(4000)))
    assert [found[part].state for part in (disk.PART, disk.BUDGET)] == ["ok", "ok"]


def test_a_disk_that_is_full_before_its_budget_is_told(sized):
    found = looked(configured(sized(1000)))
    assert found[disk.PART].state == "ok"
    assert found[disk.BUDGET].state == "warning"
    assert "full before that" in found[disk.BUDGET].said
    step = found[disk.BUDGET].next_step
    assert "retention.total_mb" in step
    fits = float(step.split(" to ")[1].split()[0])
    found = looked(configured(sized(1001), f"[retention]\ntotal_mb = {fits}\n"))
    assert found[disk.BUDGET].state == "ok"


def test_an_outbox_that_outgrows_the_disk(sized):
    found = looked(configured(sized(200)))
    assert found[disk.PART].state == "warning"
    assert "outbox by 366 MB" in found[disk.PART].said


def test_all_that_is_capped_is_added_up(sized):
    config = configured(sized(4000), '[adaptation]\nmode = "propose"\n')
    state = config.state_dir
    fill(state / "bundles" / "a-0123456789ab.spektron", 20 * MB)
    fill(state / "audit" / "00000001-00000002-0123456789ab.jsonl.gz", 8 * MB)
    found = outlook(config)
    # Nothing bounds segments: they count as they are, and `archive` moves them.
    assert found.taken["audit segments"] == found.most["audit segments"] == 8 * MB
    assert found.most["bundles"] == 80 * MB
    assert found.most["adaptations"] == 256 * MB
    assert found.most["audit log"] == 4 * MB
    assert found.most["outbox"] == int(outbox_bytes(config.outbox))
    assert "outbox by" in found.largest


def test_caps_that_contradict_the_budget(sized):
    found = looked(configured(sized(4000), "[retention]\ntotal_mb = 200\n"))
    assert found[disk.BUDGET].state == "warning"
    assert "may come to 370 MB" in found[disk.BUDGET].said


def test_what_is_beyond_the_budget_is_said_before_the_daemon_says_it(sized):
    config = configured(sized(4000), "[retention]\ntotal_mb = 64\n[outbox]\nmax_mb = 1\n")
    fill(config.state_dir / "qualification" / "report", 65 * MB)
    found = looked(config)
    assert (found[disk.BUDGET].state, found[disk.BUDGET].code) == ("warning", "budget_exceeded")


# ---- what setup offers


def answered(folder, **more):
    steps = questions.steps(folder / "edge.toml", None, Prober(lambda _: None), look=False)
    asked = [step for step in steps if isinstance(step, Question)]
    given = {"site": "lab", "instrument": "m5", "port": "socket://h:1", "driver": "spektron"}
    return collected(asked, {**given, "broker": "mqtt://127.0.0.1:1", **more})


@pytest.mark.parametrize("megabytes", [100, 400, 1000, 2700, 8000])
def test_what_setup_offers_fits_the_disk(sized, megabytes):
    folder = sized(megabytes)
    answers = answered(folder)
    total, most = float(answers["total_mb"]), float(answers["max_mb"])
    assert total <= 2048
    found = looked(
        configured(folder, f"[retention]\ntotal_mb = {total}\n[outbox]\nmax_mb = {most}\n")
    )
    assert [found[part].state for part in (disk.PART, disk.BUDGET)] == ["ok", "ok"]


def test_defaults_stay_where_they_fit():
    assert fitting_budget_mb(10_000 * MB) == 2048
    assert fitting_outbox_mb(2048) == OutboxLimits().max_mb == 256
    # No smaller than the configuration takes.
    assert fitting_budget_mb(1 * MB) == 64
    assert fitting_outbox_mb(64) == 16
