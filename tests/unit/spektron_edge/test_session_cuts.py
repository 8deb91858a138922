"""Whenever the power goes during a transfer, the engineer goes on with what is there."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

# A fit takes seconds on a slow machine.
_LONG = [pytest.mark.long, pytest.mark.timeout(3600)]


def cuts(folder, *more):
    done = subprocess.run(
        [sys.executable, "-m", "tests.session_cuts", folder, *more],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines()]
    # The worker says its own.
    first, *lines = [line for line in said if "step" not in line]
    return first["steps"], lines


@pytest.mark.once
@pytest.mark.parametrize("lose", [[], ["--lose"]], ids=["killed", "power cut"])
@pytest.mark.parametrize("most", [5, pytest.param(200, marks=_LONG)])
def test_a_cut_while_samples_are_added_loses_at_most_the_one_being_added(tmp_path, most, lose):
    steps, lines = cuts(tmp_path, "--most", str(most), *lose)
    # Start: one file. Each sample: its spectra and the session; the first makes its folder, too.
    # A file is synced, renamed, and its folder synced, each with a place before and after it.
    assert steps == 3 * 2 + 4 * 2 * 3 * 2 + 2
    for line in lines:
        assert line["died"] == -signal.SIGKILL
        # What is stored is told, and what is told is stored.
        assert line["told"] == len(line["samples"]), line
        assert line["again"] == 0, line
        assert sorted({*line["after"]["samples"]}) == ["5", "55", "75"], line
    assert lines[0]["samples"] == []
    assert len(lines[-1]["samples"]) == 4


@pytest.mark.once
@pytest.mark.parametrize("lose", [[], ["--lose"]], ids=["killed", "power cut"])
@pytest.mark.parametrize("most", [3, pytest.param(200, marks=_LONG)])
def test_a_cut_while_it_is_fitted_leaves_no_half_of_a_transfer(tmp_path, most, lose):
    _, lines = cuts(tmp_path, "--worker", "--most", str(most), *lose)
    for line in lines:
        assert line["died"] == -signal.SIGKILL
        assert line["again"] == 0, line
        assert line["after"]["active"] is not None, line
        assert line["after"]["open"] is False, line
        # One that was stored and not activated stays a record.
        assert 1 <= line["after"]["held"] <= 2, line
    assert lines[0]["held"] == 0
