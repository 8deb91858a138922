from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.polynomial import Polynomial
from scipy.optimize import brentq

from spektron_edge.detector.linearity import Linearity
from spektron_edge.faults import Fault, Faults

FULL = 65535.0
# Of one spectrometer of the family, order 7, in counts above dark.
MEASURED = (0.88, 1.2e-5, -4.0e-10, 6.0e-15, -4.0e-20)
bends = st.lists(st.floats(-0.03, 0.03), min_size=1, max_size=7)


def scaled(parts):
    """Coefficients in counts of those in parts of full scale."""
    return [c / FULL**k for k, c in enumerate([1.0, *parts])]


@given(bends, st.floats(1e-3, 1.0))
def test_light_is_what_a_detector_bent_by_the_polynomial_was_given(parts, share):
    found = Linearity.checked(scaled(parts), FULL)
    light = share * float(found.apply(np.array([FULL]))[0][0])
    # The oracle finds the counts of that light by bisection.
    p = Polynomial(scaled(parts))
    counts = brentq(lambda c: c / p(c) - light, -1.0, FULL + 1.0)
    np.testing.assert_allclose(found.apply(np.array([counts]))[0], light, rtol=1e-9, atol=1e-6)


@given(bends, st.floats(0.01, 0.99))
def test_the_slope_is_that_of_the_correction(parts, share):
    found, at, step = Linearity.checked(scaled(parts), FULL), share * FULL, 1e-3 * FULL
    near = found.apply(np.array([at - step, at + step]))[0]
    expected = (near[1] - near[0]) / (2 * step)
    value, slope = found.apply(np.array([at]))
    np.testing.assert_allclose(value * slope, expected, rtol=1e-3)


@given(st.lists(st.floats(-3.0, 3.0), min_size=1, max_size=6))
def test_what_is_refused_is_what_leaves_the_range_or_is_not_monotonic(parts):
    x = np.linspace(0.0, 1.0, 20_001)
    values = np.polynomial.polynomial.polyval(x, [1.0, *parts])
    least, most = values.min(), values.max()
    rising = np.polynomial.polynomial.polyval(
        x, [c * (1 - k) for k, c in enumerate([1.0, *parts])]
    ).min()
    # Where a dense grid cannot tell, either answer is right.
    assume(min(abs(least - 0.5), abs(most - 1.5), abs(rising)) > 1e-4)
    wrong = least < 0.5 or most > 1.5 or rising <= 0
    if not wrong:
        assert Linearity.checked(scaled(parts), FULL).coefficients
        return
    with pytest.raises(Fault) as caught:
        Linearity.checked(scaled(parts), FULL)
    assert caught.value.kind is Faults.NONLINEARITY_UNUSABLE


@pytest.mark.parametrize(
    "bad",
    [[np.nan], [1.0, np.inf], [1.0] + 16 * [0.0], [0.0], [0.0, 1.0], [-1.0], [1.0, 1e300, 1e300]],
    ids=str,
)
def test_no_numbers_and_zeros_are_refused(bad):
    with pytest.raises(Fault, match=r"at most 16 numbers|expected 0\.5 to 1\.5"):
        Linearity.checked(bad, FULL)


def test_none_changes_nothing():
    light = np.array([-1.0, 2.0, 3e4])
    assert Linearity.checked((), FULL).apply(light)[0] is light
    np.testing.assert_array_equal(Linearity().apply(light)[1], 1 / light)


def test_seven_coefficients_as_they_are_stored():
    found = Linearity.checked(MEASURED, FULL)
    light = np.array([1000.0, 20_000.0, 50_000.0])
    np.testing.assert_allclose(found.apply(light)[0], light / np.polyval(MEASURED[::-1], light))
