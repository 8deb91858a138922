from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import savgol_coeffs, savgol_filter

from spektron_edge.spectra.preprocessing import correlate_valid, savgol_kernel


@st.composite
def filters(draw):
    order = draw(st.integers(0, 5))
    half = draw(st.integers((order + 2) // 2, 15))
    return 2 * half + 1, order, draw(st.integers(0, order))


@given(filters())
def test_kernels_are_scipys(chosen):
    window, order, derivative = chosen
    reference = savgol_coeffs(window, order, deriv=derivative, use="dot")
    ours = savgol_kernel(window, order, derivative)
    np.testing.assert_allclose(ours, reference, atol=1e-9 * np.abs(reference).max() + 1e-12)


@given(filters(), st.integers(0, 2**32 - 1))
def test_filtering_agrees_with_scipy_away_from_the_ends(chosen, seed):
    window, order, derivative = chosen
    x = np.random.default_rng(seed).standard_normal((3, 60))
    half = window // 2
    reference = savgol_filter(x, window, order, deriv=derivative, axis=-1)[:, half:-half]
    ours = correlate_valid(x, savgol_kernel(window, order, derivative))
    np.testing.assert_allclose(ours, reference, atol=1e-8 * max(1.0, np.abs(reference).max()))


@given(filters(), st.integers(0, 2**32 - 1))
def test_a_polynomial_of_the_order_comes_out_as_its_derivative(chosen, seed):
    window, order, derivative = chosen
    polynomial = np.polynomial.Polynomial(np.random.default_rng(seed).uniform(-1, 1, order + 1))
    t = np.arange(40.0) / 10.0
    half = window // 2
    ours = correlate_valid(polynomial(t), savgol_kernel(window, order, derivative))
    wanted = polynomial.deriv(derivative)(t[half:-half]) / 10.0**derivative
    np.testing.assert_allclose(ours, wanted, atol=1e-7)


@pytest.mark.parametrize(
    ("window", "order", "derivative"), [(4, 2, 1), (3, 3, 1), (5, 2, 3), (5, 2, -1)]
)
def test_impossible_filters_are_refused(window, order, derivative):
    with pytest.raises(ValueError, match=r".+"):
        savgol_kernel(window, order, derivative)


def test_a_spectrum_shorter_than_the_window_is_refused():
    with pytest.raises(ValueError, match=r".+"):
        correlate_valid(np.zeros(4), savgol_kernel(5, 2, 0))
