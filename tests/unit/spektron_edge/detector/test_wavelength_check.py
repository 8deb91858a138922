from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_edge.detector.wavelength_check import (
    Band,
    Standard,
    check,
    load_standard,
    read_bands,
    shipped,
)
from spektron_edge.faults import Fault, Faults

AXIS = np.arange(900.0, 2450.0, 2.0)


def spectrum(bands, shift=0.0, width=6.0, height=0.4, slope=0.0, axis=AXIS):
    total = slope * (axis - axis[0])
    for band in bands:
        total = total + height * np.exp(-(((axis - band.nm - shift) / width) ** 2) / 2)
    return total


def standard(method, *places):
    return Standard("glass", tuple(Band(nm, 0.1, method) for nm in places))


@settings(deadline=None)
@given(
    shift=st.floats(-4.0, 4.0),
    width=st.floats(4.0, 8.0),
    height=st.floats(0.1, 2.0),
    step=st.floats(0.8, 2.5),
    method=st.sampled_from(["maximum", "centroid"]),
    start=st.floats(0, 1),
)
def test_the_shift_of_every_band_is_found(shift, width, height, step, method, start):
    known = standard(method, 1000.0, 1222.5, 1469.4)
    axis = np.arange(940.0 + start, 1540.0, step)
    seen = spectrum(known.bands, shift, width, height, axis=axis)
    result = check(known, seen, axis, limit_nm=1.0)
    np.testing.assert_allclose(result.errors, shift, atol=0.15)
    np.testing.assert_allclose(result.mean_nm, np.mean(result.errors))
    np.testing.assert_allclose(result.rms_nm, math.sqrt(np.mean(np.square(result.errors))))
    if abs(abs(shift) - 1.1) > 0.2:
        assert result.passed == (abs(shift) < 1.1)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 1e-3))
def test_noise_moves_what_is_found_little(seed, noise):
    known = standard("maximum", 1000.0, 1222.5, 1469.4)
    seen = spectrum(known.bands, 0.5, width=7.0)
    seen += noise * np.random.default_rng(seed).standard_normal(AXIS.size)
    result = check(known, seen, AXIS, 1.0, noise)
    np.testing.assert_allclose(result.errors, 0.5, atol=0.25)


def test_a_slope_below_the_band_moves_the_centroid_not():
    known = standard("centroid", 1000.0, 1222.5)
    result = check(known, spectrum(known.bands, slope=1e-3), AXIS, 1.0)
    np.testing.assert_allclose(result.errors, 0.0, atol=0.05)


def test_another_sample_is_recognised_as_such():
    other = spectrum(standard("maximum", 1100.0, 1300.0).bands)
    for seen in (other, np.zeros(AXIS.size), 1e-4 * np.sin(AXIS), 1e-3 * (AXIS - 900)):
        with pytest.raises(Fault, match="does it lie in the beam") as caught:
            check(standard("maximum", 1000.0, 1222.5), seen, AXIS, 1.0)
        assert caught.value.kind is Faults.WAVELENGTH_ASTRAY


def test_bands_beyond_the_axis_are_left_out_and_one_alone_is_too_few():
    known = standard("maximum", 800.0, 1000.0, 1222.5)
    assert [b.band.nm for b in check(known, spectrum(known.bands), AXIS, 1.0).bands] == [
        1000.0,
        1222.5,
    ]
    with pytest.raises(Fault, match="covers 1 bands"):
        check(known, spectrum(known.bands)[:100], AXIS[:100], 1.0)


def test_a_band_that_is_missing_fails_the_check_and_is_named():
    known = standard("maximum", 1000.0, 1222.5, 1469.4)
    result = check(known, spectrum(known.bands[:2]), AXIS, 1.0)
    assert not result.passed
    assert "glass: failed" in result.told
    assert "1469.4 nm not seen" in result.told


def test_every_table_of_the_package_is_found_by_an_instrument_without_error():
    assert shipped() == ("polystyrene", "srm-2035")
    for name in shipped():
        table = load_standard(name)
        result = check(table, spectrum(table.bands), AXIS, 0.2)
        assert result.passed, result.told
        assert len(result.bands) == len(table.bands)


def test_a_table_of_ones_own_comes_before_that_of_the_package(tmp_path):
    (tmp_path / "polystyrene.csv").write_text(
        "# film 7\nnm,uncertainty_nm,method\n1143.6,0.3,centroid\n1681.0,0.3,maximum\n"
    )
    table = load_standard("polystyrene", tmp_path)
    assert table.bands[0] == Band(1143.6, 0.3, "centroid")
    assert load_standard("srm-2035", tmp_path).bands == load_standard("srm-2035").bands


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nm\n1\n",
        "nm,uncertainty_nm,method\n",
        "nm,uncertainty_nm,method\n1143,1\n",
        "nm,uncertainty_nm,method\n1143,1,top\n",
        "nm,uncertainty_nm,method\nx,1,maximum\n",
        "nm,uncertainty_nm,method\nnan,1,maximum\n",
        "nm,uncertainty_nm,method\n1143,-1,maximum\n",
        "nm,uncertainty_nm,method\n1200,1,maximum\n1100,1,maximum\n",
    ],
)
def test_a_table_that_is_none_is_refused(text):
    with pytest.raises(Fault) as caught:
        read_bands(text, "mine")
    assert caught.value.kind is Faults.COMMAND_INPUT
    assert "mine" in caught.value.detail


@pytest.mark.parametrize("name", ["water", "../axis", ""])
def test_an_unknown_standard_is_refused_with_those_there_are(tmp_path, name):
    with pytest.raises(Fault, match="polystyrene, srm-2035"):
        load_standard(name, tmp_path)
