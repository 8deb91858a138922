import numpy as np
import pytest

from spektron_train.physics.modes import cartesian_modes
from spektron_train.physics.molecule import Molecule, library
from spektron_train.physics.quantum import METHODS, QuantumError
from spektron_train.physics.quantum.derivatives import response_derivatives
from spektron_train.physics.quantum.optimise import optimised
from spektron_train.physics.quantum.pyscf_engine import PySCF
from spektron_train.physics.surface import Surface, compute
from spektron_train.physics.wilson import gf_modes, internals


@pytest.mark.parametrize("method", ["gfn2", "hf"])
def test_the_gradient_in_a_field_is_the_energys_difference(method):
    water = library("H2O")
    engine = METHODS[method](water)
    x = water.positions + np.linspace(-0.05, 0.06, 9).reshape(3, 3) ** 2
    field = np.array([0.01, -0.02, 0.015])
    gradient = engine.gradient(x, field)[1].reshape(-1)
    assert np.abs(gradient.reshape(3, 3).sum(axis=0)).max() < 1e-8
    for column in (0, 4, 8):
        moved = np.zeros(9)
        moved[column] = 1e-3
        moved = moved.reshape(3, 3)
        ahead, behind = (engine.gradient(x + m, field)[0] for m in (moved, -moved))
        assert gradient[column] == pytest.approx((ahead - behind) / 2e-3, abs=2e-6)


@pytest.mark.parametrize("method", ["gfn2", "hf"])
def test_the_hessian_is_the_gradients_difference(method):
    water = library("H2O")
    engine = METHODS[method](water)
    hessian = engine.hessian(water.positions)
    moved = np.zeros((3, 3))
    moved[1, 1] = 1e-3
    sides = [engine.gradient(water.positions + m)[1].reshape(-1) for m in (moved, -moved)]
    np.testing.assert_allclose(hessian[4], (sides[0] - sides[1]) / 2e-3, rtol=0, atol=2e-5)


def test_responses_are_the_differences_of_pyscfs_own_dipole_moment():
    water = library("H2O")
    engine = PySCF(water, "HF", "def2-SVP")
    dipole, _ = response_derivatives(engine, water.positions)
    moved = np.zeros((3, 3))
    moved[1, 2] = 2e-3
    ahead, behind = (
        engine.mean_field(water.positions + m).dip_moment(unit="AU", verbose=0)
        for m in (moved, -moved)
    )
    np.testing.assert_allclose(dipole[5], (ahead - behind) / 4e-3, rtol=0, atol=1e-5)


@pytest.mark.parametrize("method", ["gfn2", "hf"])
def test_responses_turn_with_the_molecule_and_not_with_the_field(method):
    molecule = library("H2CO") if method == "gfn2" else library("H2O")
    turn = np.linalg.qr(np.random.default_rng(7).normal(size=(3, 3)))[0]
    count = len(molecule.symbols)
    engine = METHODS[method](molecule)
    dipole, tensor = response_derivatives(engine, molecule.positions)
    turned, bent = response_derivatives(engine, molecule.positions @ turn.T)
    expected = np.einsum("ij,njk,lk->nil", turn, dipole.reshape(count, 3, 3), turn)
    np.testing.assert_allclose(turned.reshape(count, 3, 3), expected, rtol=0, atol=2e-4)
    expected = np.einsum("ai,bj,ck,nijk->nabc", turn, turn, turn, tensor.reshape(count, 3, 3, 3))
    np.testing.assert_allclose(bent.reshape(count, 3, 3, 3), expected, rtol=0, atol=5e-3)
    # What moves the whole molecule changes neither: no charge, and no origin.
    assert np.abs(dipole.reshape(count, 3, 3).sum(axis=0)).max() < 1e-4
    assert np.abs(tensor.reshape(count, 3, 3, 3).sum(axis=0)).max() < 1e-3


@pytest.mark.parametrize("name", ["H2O", "CO2", "CH4", "HOOH", "C6H6", "trans-1,2-dichloroethene"])
def test_optimisation_ends_at_a_stationary_point(name):
    molecule = library(name)
    engine = METHODS["gfn2"](molecule)
    found = optimised(engine, molecule)
    assert np.abs(engine.gradient(found.positions)[1]).max() < 1e-5
    assert engine.gradient(found.positions)[0] < engine.gradient(molecule.positions)[0]


@pytest.mark.parametrize("name", ["CO2", "CH3CN", "allene", "HOOH"])
def test_a_shaken_molecule_finds_back_and_its_chain_need_not_be_straight(name):
    molecule = library(name)
    expected = len(internals(molecule).g)
    rng = np.random.default_rng(1)
    shaken = molecule.moved(molecule.positions + 0.05 * rng.normal(size=(len(molecule.masses), 3)))
    # Of a bent CO2, one of four vibrations is a rotation.
    assert len(internals(shaken).g) == expected - molecule.is_linear()
    surface = compute(shaken, "gfn2")
    np.testing.assert_allclose(
        gf_modes(surface).wavenumbers,
        gf_modes(compute(molecule, "gfn2")).wavenumbers,
        rtol=0,
        atol=0.5,
    )


def test_an_optimisation_that_does_not_end_is_an_error():
    water = library("H2O")
    with pytest.raises(QuantumError, match="did not converge in 2 steps"):
        optimised(METHODS["gfn2"](water), water, steps=2)


@pytest.mark.parametrize("method", ["gfn2", "hf"])
def test_what_a_method_cannot_do_is_an_error(method):
    radical = Molecule.at(("O", "H"), np.array([[0, 0, 0], [0, 0, 1.8]]))
    with pytest.raises(QuantumError, match="odd number of electrons"):
        METHODS[method](radical)
    uranium = Molecule.at(("U",), np.zeros((1, 3)))
    with pytest.raises(QuantumError):
        METHODS[method](uranium).gradient(uranium.positions)


def test_b3lyp_water_has_pyscfs_own_wavenumbers():
    from pyscf.hessian import thermo

    molecule = library("H2O")
    engine = METHODS["b3lyp"](molecule)
    found = engine.mean_field(molecule.positions)
    blocks = found.Hessian().set(verbose=0).kernel()
    own = thermo.harmonic_analysis(found.mol, blocks)["freq_wavenumber"]
    hessian = blocks.transpose(0, 2, 1, 3).reshape(9, 9)
    none = np.zeros((9, 3)), np.zeros((9, 3, 3))
    gradient = engine.gradient(molecule.positions)[1].reshape(-1)
    surface = Surface(molecule, gradient, (hessian + hessian.T) / 2, *none, "b3lyp")
    wilson = gf_modes(surface).wavenumbers
    assert np.abs(wilson - own).max() < 1
    np.testing.assert_allclose(wilson, [1641.6, 3715.3, 3810.6], rtol=0, atol=1)
    assert np.abs(cartesian_modes(surface).wavenumbers - own).max() < 1
