from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_edge.detector.linearity import Linearity
from spektron_edge.detector.noise import ReferenceNoise, absorbance_variance

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
    drawn = -np.log10(linearity.apply(s - d)[0] / linearity.apply(w - d)[0])
    slopes = [linearity.apply(np.array([x - dark]))[1] for x in (sample, white)]
    of_s, of_d, of_w = (np.array([sd**2]) for sd in sds)
    found = absorbance_variance(slopes[0], of_s, ReferenceNoise.of(slopes[1], of_w, of_d))[0]
    # The draws' own error is 0.7 %, five times over; the second order is below (60 / 1580)^2.
    np.testing.assert_allclose(drawn.var(), found, rtol=0.05)


def test_the_darks_error_cancels_where_sample_and_white_are_alike():
    slope, none, some = np.full(3, 1e-4), np.zeros(3), np.full(3, 100.0)
    found = absorbance_variance(slope, none, ReferenceNoise.of(slope, none, some))
    np.testing.assert_array_equal(found, 0.0)
