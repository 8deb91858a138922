from dataclasses import replace

import numpy as np
import pytest

from spektron_train.physics.surface import STORED, SurfaceError, load, save, stored


def test_what_is_saved_is_loaded(tmp_path):
    surface = stored("H2O")
    path = tmp_path / "a" / "water.npz"
    save(surface, path)
    again = load(path)
    assert again.molecule.symbols == ("O", "H", "H")
    for name in ("gradient", "hessian", "dipole", "polarisability", "method", "command"):
        np.testing.assert_array_equal(getattr(again, name), getattr(surface, name))
    save(again, tmp_path / "b.npz")
    assert (tmp_path / "b.npz").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("path", sorted(STORED.glob("*.npz")), ids=lambda path: path.stem)
def test_what_ships_is_of_a_stationary_point_and_says_what_made_it(path):
    surface = load(path)
    assert np.abs(surface.gradient).max() < 1e-5
    name, method = path.stem.split(".")
    assert surface.command == f"spektron-train physics hessian {name} --method {method}"
    assert "PySCF" in surface.method


def test_a_file_that_is_no_surface_is_an_error(tmp_path):
    whole = (STORED / "H2O.b3lyp.npz").read_bytes()
    for raw in (b"", b"text", whole[:500], whole[:-100]):
        (tmp_path / "x.npz").write_bytes(raw)
        with pytest.raises(SurfaceError, match=r"x\.npz"):
            load(tmp_path / "x.npz")
    np.savez(tmp_path / "y.npz", format=np.array(1), symbols=np.array(["H"]))
    with pytest.raises(SurfaceError, match="holds no 'positions'"):
        load(tmp_path / "y.npz")
    with np.load(STORED / "H2O.b3lyp.npz") as archive:
        arrays = dict(archive)
    for name, value in (
        ("symbols", np.array([{"a": 1}, 2, 3], dtype=object)),
        ("format", np.array(9)),
        ("hessian", np.zeros((3, 3))),
        ("dipole", np.full((9, 3), np.nan)),
        ("masses", np.array([-1.0, 1, 1])),
    ):
        np.savez(tmp_path / "z.npz", **{**arrays, name: value})
        with pytest.raises(SurfaceError, match=r"z\.npz"):
            load(tmp_path / "z.npz")


def test_a_hessian_that_is_not_symmetric_is_an_error():
    surface = stored("H2O")
    crooked = surface.hessian.copy()
    crooked[0, 1] += 1e-3
    with pytest.raises(SurfaceError, match="not symmetric"):
        replace(surface, hessian=crooked)


def test_a_surface_that_does_not_ship_is_answered_with_those_that_do():
    with pytest.raises(SurfaceError, match=r"H2O\.b3lyp"):
        stored("cubane")
