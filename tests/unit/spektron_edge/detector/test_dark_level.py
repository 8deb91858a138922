from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spektron_edge.detector.dark_level import drift, level, masked
from spektron_edge.faults import Fault, Faults


@given(st.floats(-500, 500), st.integers(8, 40), st.integers(0, 2**32 - 1))
def test_the_drift_is_found_whatever_a_hot_pixel_says(shift, count, seed):
    rng = np.random.default_rng(seed)
    mask = masked(100, tuple(range(count)))
    dark = 600 + rng.uniform(-5, 5, 100)
    now = dark + shift
    now[rng.integers(0, count)] += 20_000
    assert abs(drift(level(now, mask), level(dark, mask)) - shift) < 10


def test_without_masked_pixels_nothing_is_known_to_drift():
    none = masked(10, ())
    assert np.isnan(level(np.arange(10.0), none))
    assert drift(level(np.arange(10.0), none), 3.0) == 0.0
    assert drift(3.0, float("nan")) == 0.0


@pytest.mark.parametrize("pixels", [(-1,), (10,), tuple(range(7))], ids=str)
def test_pixels_that_are_not_there_or_too_many_are_refused(pixels):
    with pytest.raises(Fault) as caught:
        masked(10, pixels)
    assert caught.value.kind is Faults.AXIS_INVALID
