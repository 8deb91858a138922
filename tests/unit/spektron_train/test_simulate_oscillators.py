"""The oscillator formulas against independent numerical solutions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import eigh_tridiagonal
from scipy.special import voigt_profile

from spektron_train.data.simulate.oscillators import (
    Bands,
    coupled_pair,
    fermi,
    gaussian,
    lorentzian,
    morse_level,
    overtone,
    overtone_area,
    overtone_width,
    pseudo_voigt,
    render,
)


@pytest.mark.parametrize(("harmonic", "anharmonicity"), [(3792.0, 85.0), (3005.0, 58.0)])
def test_morse_levels_solve_the_schroedinger_equation(
    harmonic: float, anharmonicity: float
) -> None:
    # In x = a r the Morse problem is -wexe psi'' + D (1 - e^-x)^2 psi = E psi, D = we^2 / 4 wexe.
    depth = harmonic**2 / (4 * anharmonicity)
    x = np.linspace(-1.5, 8.0, 20_000)
    step = x[1] - x[0]
    diagonal = 2 * anharmonicity / step**2 + depth * (1 - np.exp(-x)) ** 2
    off = np.full(len(x) - 1, -anharmonicity / step**2)
    levels = eigh_tridiagonal(diagonal, off, eigvals_only=True, select="i", select_range=(0, 4))
    formula = [morse_level(v, harmonic, anharmonicity) for v in range(5)]
    np.testing.assert_allclose(formula, levels, atol=0.05)
    fundamental = harmonic - 2 * anharmonicity
    for v in range(1, 5):
        assert overtone(v, fundamental, anharmonicity) == pytest.approx(
            levels[v] - levels[0], abs=0.1
        )


@given(
    st.floats(1000, 6000), st.floats(0, 300), st.floats(0, 100), st.floats(0, 10), st.floats(0, 10)
)
def test_fermi_resonance_diagonalises_two_levels(
    lower: float, gap: float, coupling: float, area_upper: float, area_lower: float
) -> None:
    upper = lower + gap
    centres, areas = fermi(upper, lower, coupling, area_upper, area_lower)
    levels, states = np.linalg.eigh(np.array([[upper, coupling], [coupling, lower]]))
    np.testing.assert_allclose(centres, levels[::-1], rtol=1e-9)
    assert sum(areas) == pytest.approx(area_upper + area_lower)
    if coupling > 1e-3:
        dipole = np.sqrt([area_upper, area_lower])
        np.testing.assert_allclose(areas, ((states.T @ dipole) ** 2)[::-1], atol=1e-6)


def test_a_coupled_pair_is_two_normal_modes_at_one_quantum() -> None:
    levels, shares = coupled_pair(1, 2889, 58, 36, 0.0)
    np.testing.assert_allclose(levels, [2925, 2853])
    np.testing.assert_allclose(shares, [0.5, 0.5])


@pytest.mark.parametrize("v", [2, 3, 4])
def test_uncoupled_bonds_keep_their_own_overtone(v: int) -> None:
    levels, shares = coupled_pair(v, 2889, 58, 0.0, 0.0)
    bright = levels[shares > 1e-9]
    np.testing.assert_allclose(bright, overtone(v, 2889, 58))
    assert shares.sum() == pytest.approx(1.0)


def test_coupled_pair_matches_two_full_morse_oscillators() -> None:
    # The whole product space, not one polyad: exchange conserves the quanta, so they must agree.
    size, w, x, coupling = 4, 2889.0, 58.0, 36.0
    ladder = np.diag(np.sqrt(np.arange(1, size)), 1)
    n = np.arange(size)
    one = np.diag(n * w - n * (n - 1) * x)
    eye = np.eye(size)
    exchange = np.kron(ladder.T, ladder)
    full = np.kron(one, eye) + np.kron(eye, one) + coupling * (exchange + exchange.T)
    levels = np.linalg.eigvalsh(full)
    for v in (1, 2, 3):
        for level in coupled_pair(v, w, x, coupling, 0.0)[0]:
            assert np.abs(levels - level).min() < 1e-6


def test_overtones_weaken_and_broaden() -> None:
    areas = [overtone_area(v, 100.0, 0.004, 0.1) for v in (1, 2, 3, 4)]
    np.testing.assert_allclose(areas, [100, 0.4, 0.04, 0.004])
    assert overtone_width(3, 20.0, 1.0) == pytest.approx(60.0)


def test_shapes_have_unit_area_and_their_width() -> None:
    axis = np.linspace(0, 20_000, 200_001)
    centre, width = np.array([10_000.0]), np.array([40.0])
    for shape in (gaussian(axis, centre, width), lorentzian(axis, centre, width)):
        assert np.trapezoid(shape[0], axis) == pytest.approx(1.0, abs=5e-3)
        above = axis[shape[0] > shape[0].max() / 2]
        assert np.ptp(above) == pytest.approx(40.0, abs=0.3)


def test_pseudo_voigt_follows_a_voigt_profile() -> None:
    # Share and width of the approximation: Thompson, Cox and Hastings, J. Appl. Cryst. 20 (1987).
    fg, fl = 30.0, 20.0
    powers = [1, 2.69269, 2.42843, 4.47163, 0.07842, 1]
    width = sum(c * fg ** (5 - i) * fl**i for i, c in enumerate(powers)) ** 0.2
    r = fl / width
    share = 1.36603 * r - 0.47719 * r**2 + 0.11116 * r**3
    axis = np.linspace(900, 1100, 401)
    ours = pseudo_voigt(axis, np.array([1000.0]), np.array([width]), np.array([share]))[0]
    exact = voigt_profile(axis - 1000, fg / np.sqrt(8 * np.log(2)), fl / 2)
    np.testing.assert_allclose(ours, exact, atol=0.02 * exact.max())


def test_bands_out_of_reach_are_left_out() -> None:
    one = np.ones(1)
    bands = Bands(3000.0 * one, 20.0 * one, one, one, 0 * one)
    assert not render(bands, one, np.linspace(8000, 9000, 11)).any()
