from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spektron_edge.instrument.reference_store import load_references, save_references
from spektron_edge.spectra.acquisition import References
from tests import bundles


def test_what_was_saved_is_loaded(tmp_path, references):
    references.dark[:] = np.linspace(0.1, 1e6, 80)
    save_references(tmp_path, references)
    loaded = load_references(tmp_path)
    np.testing.assert_array_equal(loaded.dark, references.dark)
    np.testing.assert_array_equal(loaded.white, references.white)
    for name in ("dark_taken", "white_taken", "serial", "boot_id", "integration_us"):
        assert getattr(loaded, name) == getattr(references, name)
    assert [p.name for p in tmp_path.iterdir()] == ["references.npz"]


def test_saving_again_replaces_the_whole_file(tmp_path, references):
    save_references(tmp_path, references)
    references.white[:] = 7.0
    save_references(tmp_path, references)
    assert np.all(load_references(tmp_path).white == 7.0)


def test_a_write_that_fails_leaves_the_old_file(tmp_path, references, monkeypatch):
    save_references(tmp_path, references)
    references.white[:] = 7.0

    def fsync(_fd):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(OSError, match="No space"):
            save_references(tmp_path, references)
    assert not np.any(load_references(tmp_path).white == 7.0)


def test_without_a_file_there_are_none(tmp_path):
    assert load_references(tmp_path) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", bundles.npy(np.zeros(3)), bundles.npz({"dark": np.zeros(3)})],
    ids=["empty", "text", "npy", "other arrays"],
)
def test_a_file_that_holds_something_else_counts_as_none(tmp_path, content):
    (tmp_path / "references.npz").write_bytes(content)
    assert load_references(tmp_path) is None


@pytest.mark.filterwarnings("ignore")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_damaged_file_counts_as_none(tmp_path, references, data):
    save_references(tmp_path, references)
    path = tmp_path / "references.npz"
    raw = bytearray(path.read_bytes())
    edits = st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255))
    for at, value in data.draw(st.lists(edits, min_size=1, max_size=4)):
        raw[at] = value
    path.write_bytes(raw[: data.draw(st.integers(len(raw) - 200, len(raw)))])
    loaded = load_references(tmp_path)
    if loaded is not None:  # the damage was in a date or the like
        assert isinstance(loaded, References)
        np.testing.assert_array_equal(loaded.white, references.white)
        np.testing.assert_array_equal(loaded.dark, references.dark)


def test_noise_and_levels_are_kept(tmp_path, references):
    full = replace(
        references,
        dark_variance=references.dark * 0 + 2.0,
        white_variance=references.dark * 0 + 3.0,
        dark_level=599.5,
        white_level=600.5,
        exposures=16,
    )
    save_references(tmp_path, full)
    loaded = load_references(tmp_path)
    for name in ("dark_variance", "white_variance"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(full, name))
    assert (loaded.dark_level, loaded.white_level, loaded.exposures) == (599.5, 600.5, 16)
