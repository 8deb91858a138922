"""Whenever the power goes while adaptations change, the change was made or it was not."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

# What is in use after so many things were told; a state in between would be half a change.
IN_USE = {0: None, 1: None, 2: None, 4: 1, 5: 1, 6: 2, 7: 1, 8: 1, 9: 1, 10: None}


@pytest.mark.once
@pytest.mark.parametrize("lose", [[], ["--lose"]], ids=["killed", "power cut"])
@pytest.mark.parametrize("most", [12, pytest.param(200, marks=pytest.mark.long)])
def test_a_cut_leaves_what_was_before_or_what_comes_after(tmp_path, most, lose):
    done = subprocess.run(
        [sys.executable, "-m", "tests.adaptation_cuts", tmp_path, "--most", str(most), *lose],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, *lines = map(json.loads, done.stdout.splitlines())
    # A file is synced, renamed, its folder synced, each with a place before and after it: batch,
    # adaptation and ledger for each of three proposals, the ledger for each of six decisions, and
    # once before the first file.
    assert first["steps"] == 3 * 3 * 6 + 6 * 6 + 6
    assert len(lines) == min(most, first["steps"])
    for line in lines:
        assert line["died"] == -signal.SIGKILL
        assert line["active"] == IN_USE[line["told"]], line
        assert line["agrees"], line
        assert line["again"] == 0, line
        assert line["after"] == {"told": 10, "active": None, "agrees": True}, line
    assert lines[0]["told"] == 0
    assert lines[-1]["told"] == 10
