from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spektron_edge.faults import Fault, Faults
from spektron_edge.spectra.resampling import Resampler, check_axis

GRID = 1200.0 + 20.0 * np.arange(60)


@st.composite
def axes(draw):
    """Increasing axes, unevenly spaced, that cover GRID."""
    steps = draw(st.lists(st.floats(0.5, 40.0), min_size=6, max_size=120))
    axis = np.concatenate([[0.0], np.cumsum(steps)])
    return 1195.0 + axis * (2400.0 - 1195.0) / axis[-1]


@given(axis=axes(), coefficients=st.lists(st.floats(-3, 3), min_size=4, max_size=4))
def test_cubics_are_reproduced_exactly_on_any_axis(axis, coefficients):
    def cubic(nm):
        return np.polynomial.polynomial.polyval((nm - 1800.0) / 600.0, coefficients)

    seen = Resampler.between(axis, GRID).apply(cubic(axis))
    np.testing.assert_allclose(seen, cubic(GRID), atol=1e-8)


def test_a_smooth_spectrum_agrees_with_a_cubic_spline():
    from scipy.interpolate import CubicSpline

    axis = np.linspace(1190.0, 2390.0, 700)
    spectrum = 0.5 + 0.3 * np.sin(axis / 90.0) + np.exp(-(((axis - 1700.0) / 60.0) ** 2))
    seen = Resampler.between(axis, GRID).apply(spectrum)
    np.testing.assert_allclose(seen, CubicSpline(axis, spectrum)(GRID), atol=2e-7)


@given(axis=axes())
def test_nodes_keep_their_values(axis):
    values = np.sin(axis)
    seen = Resampler.between(axis, axis).apply(values)
    np.testing.assert_allclose(seen, values, atol=1e-12)


def test_a_grid_that_ends_where_the_axis_ends_is_covered():
    resampler = Resampler.between(GRID, GRID)
    np.testing.assert_allclose(resampler.apply(np.cos(GRID)), np.cos(GRID), atol=1e-12)
    assert resampler.weights.shape == (GRID.size, 4)


@pytest.mark.parametrize(
    "axis", [np.linspace(1200.1, 2400, 50), np.linspace(1100, 2379.9, 50)], ids=["left", "right"]
)
def test_nothing_is_extrapolated(axis):
    with pytest.raises(Fault) as caught:
        Resampler.between(axis, GRID)
    assert caught.value.kind is Faults.AXIS_OUTSIDE_MODEL
    assert "1200.0 to 2380.0 nm" in caught.value.detail


@pytest.mark.parametrize(
    "axis",
    [
        np.array([]),
        np.array([1.0, 2.0, 3.0]),
        np.ones((4, 4)),
        np.array([1.0, 2.0, np.nan, 4.0]),
        np.array([1.0, 2.0, 3.0, np.inf]),
        np.array([0.0, 1.0, 2.0, 3.0]),
        np.array([-4.0, 1.0, 2.0, 3.0]),
        np.array([1.0, 2.0, 2.0, 3.0]),
        np.array([4.0, 3.0, 2.0, 1.0]),
    ],
    ids=["empty", "short", "matrix", "nan", "infinite", "zero", "negative", "equal", "falling"],
)
def test_a_broken_axis_is_a_fault(axis):
    with pytest.raises(Fault) as caught:
        check_axis(axis)
    assert caught.value.kind is Faults.AXIS_INVALID
