"""The runtime's tests that matter to a device, in the guest, and what it computes beside this host.

Bounded: golden vectors, and what does not come a hundred times from hypothesis; `make arm64`: more.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import metadata

import numpy as np
import pytest

UNIT = "tests/unit/spektron_edge"
LINE = "tests/unit/firmware_bridge"
SOME = (
    f"{LINE}/test_framing.py",
    f"{LINE}/test_protocol.py",
    f"{UNIT}/outbox/test_in_and_out.py",
    f"{UNIT}/outbox/test_accidents.py::test_after_kill_9_every_commit_that_returned_is_there[1]",
    f"{UNIT}/outbox/test_accidents.py::test_a_file_cut_short_is_set_aside",
    f"{UNIT}/outbox/test_damage.py::test_on_both_sides_of_the_damage_everything_is_read",
    f"{UNIT}/outbox/test_damage.py::test_a_single_flipped_bit_of_a_result_is_damage",
    f"{UNIT}/outbox/test_schemas.py::test_every_earlier_schema_is_migrated_and_nothing_is_lost",
    f"{UNIT}/test_adaptation_golden.py",
    f"{UNIT}/test_gradient.py",
)
ALL = (
    f"{LINE}/test_framing.py",
    f"{LINE}/test_protocol.py",
    f"{UNIT}/outbox",
    f"{UNIT}/test_storage.py",
    f"{UNIT}/test_audit.py",
    f"{UNIT}/test_bundle.py",
    f"{UNIT}/test_trust.py",
    f"{UNIT}/test_pipeline.py",
    f"{UNIT}/test_resampling.py",
    f"{UNIT}/test_transfer_fit.py",
    f"{UNIT}/test_transfer_state.py",
    f"{UNIT}/test_transfer_in_use.py",
    f"{UNIT}/test_adaptation_golden.py",
    f"{UNIT}/test_gradient.py",
    f"{UNIT}/adaptation_state",
)
_PLUGINS = ("-p", "no:cacheprovider")


@pytest.fixture(scope="module")
def guest(make_guest):
    return make_guest(metadata.version("onnxruntime"))


@pytest.mark.parametrize(
    ("which", "chosen", "at_least", "patience_s"),
    [
        pytest.param(
            SOME,
            ["-m", "not long and not hypothesis", "-k", "not roundtrip"],
            120,
            900.0,
            marks=pytest.mark.timeout(1000),
            id="some",
        ),
        pytest.param(
            ALL,
            # scipy, which that one compares with, is on no device.
            ["-m", "not long and not hypothesis", "-k", "not cubic_spline"],
            500,
            10_000.0,
            marks=[pytest.mark.long, pytest.mark.timeout(10_100)],
            id="all",
        ),
    ],
)
def test_what_a_device_relies_on(guest, exchange, which, chosen, at_least, patience_s):
    words = ["-m", "pytest", *_PLUGINS, "-o", f"timeout={patience_s}", *chosen, *which]
    done = guest.run(*words, exchange=exchange, timeout_s=patience_s)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed, done.stdout
    # A test that is skipped there shows nothing.
    assert "skipped" not in done.stdout
    assert int(passed[1]) >= at_least


@pytest.mark.timeout(600)
def test_a_transfer_and_a_step_of_adaptation_are_those_of_this_processor(guest, exchange, tmp_path):
    here = tmp_path / "here.npz"
    words = ["-m", "tests.emulation.steps"]
    subprocess.run([sys.executable, *words, here], check=True, capture_output=True)
    done = guest.run(*words, "/exchange/out.npz", exchange=exchange, timeout_s=500.0)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["machine"] == "aarch64"
    with np.load(here) as expected, np.load(exchange / "out.npz") as actual:
        assert set(actual) == set(expected)
        assert expected["transfer/valid"]
        assert actual["transfer/valid"]
        truth = expected["transfer/truth"]
        # What both are off by from the truth is a hundred thousand times this.
        assert np.abs(expected["transfer/y"] - truth).max() < 0.1
        for name in ("transfer/y", "transfer/half"):
            np.testing.assert_allclose(actual[name], expected[name], rtol=0, atol=1e-7)
        tolerance = float(expected["adapt/tolerance"])
        for name in ("adapt/loss", "adapt/terms", "adapt/gradient"):
            limit = tolerance * np.abs(expected[name]).max()
            np.testing.assert_allclose(actual[name], expected[name], rtol=0, atol=limit)
