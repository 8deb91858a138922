from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_edge.detector.linearity import Linearity
from spektron_edge.detector.noise import absorbance_variance

DRAWS = 40_000


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    absorbance=st.floats(0.0, 1.5),
    bend=st.floats(-0.2, 0.2),
    sds=st.tuples(st.floats(0.0, 60.0), st.floats(0.0, 60.0), st.floats(1.0, 60.0)),
)
def test_variance_is_that_of_many_draws(seed, absorbance, bend, sds):
    rng = np.random.default_rng(seed)
    linearity = Linearity.checked((1.0, bend / 65535), 65535)
    dark, white = 800.0, 50_800.0
    sample = dark + (white - dark) * 10**-absorbance
    s, d, w = (
        level + sd * rng.standard_normal(DRAWS)
        for level, sd in zip((sample, dark, white), sds, strict=True)
    )
    drawn = -np.log10(linearity.apply(s - d) / linearity.apply(w - d))
    found = absorbance_variance(
        np.array([sample - dark]),
        np.array([white - dark]),
        linearity,
        *(np.array([sd**2]) for sd in sds),
    )[0]
    # The draws' own error is 0.7 %, five times over; the second order is below (60 / 1580)^2.
    np.testing.assert_allclose(drawn.var(), found, rtol=0.05)


def test_the_darks_error_cancels_where_sample_and_white_are_alike():
    light = np.full(3, 1e4)
    none, some = np.zeros(3), np.full(3, 100.0)
    np.testing.assert_array_equal(
        absorbance_variance(light, light, Linearity(), none, some, none), 0.0
    )
