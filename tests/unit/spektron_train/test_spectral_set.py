import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spektron_train.data.spectral_set import DataError, merged
from tests.unit.spektron_train.layouts import spectral_set


def test_a_decreasing_axis_is_turned_with_its_spectra():
    up = spectral_set()
    down = spectral_set(axis=up.axis[::-1], spectra=up.spectra[:, ::-1])
    assert np.array_equal(down.axis, up.axis)
    assert np.array_equal(down.spectra, up.spectra)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"axis": np.array([1100.0, 1110, 1110, *range(1130, 1210, 10)])}, "1110 is followed by"),
        ({"axis": np.array([1100.0, 1120, 1110, *range(1130, 1210, 10)])}, "1120 is followed by"),
        ({"axis": np.full(11, np.nan)}, "axis value that is not finite"),
        ({"axis": np.arange(10.0), "spectra": np.ones((5, 11))}, "one axis value for each"),
        ({"axis": np.array(["x"] * 11)}, "axis that are not numbers"),
        ({"spectra": np.ones(11)}, "a table is needed"),
        ({"spectra": np.ones((0, 11))}, "holds no spectra"),
        ({"references": np.ones((4, 2))}, "references of shape"),
        ({"references": np.full((5, 2), np.inf)}, "infinite reference"),
        ({"units": ("%",)}, "2 properties and 1 units"),
        ({"properties": ("oil", "oil")}, "two properties of one name"),
        ({"sample_ids": ("a",)}, "needs 5 sample_ids"),
        ({"instruments": ()}, "needs 5 instruments"),
        ({"axis_unit": "um"}, "axis unit 'um'"),
        ({"quantity": "colour"}, "quantity 'colour'"),
    ],
)
def test_a_set_that_does_not_hold_together_is_refused(changes, says):
    with pytest.raises(DataError, match=says):
        spectral_set(**{"axis": None, **changes})


def test_a_value_that_is_not_finite_is_named():
    x = spectral_set().spectra.copy()
    x[2, 3] = np.nan
    with pytest.raises(DataError, match="spectrum 3 at 1130 nm"):
        spectral_set(spectra=x)


def test_rows_are_taken_with_all_that_belongs_to_them():
    part = spectral_set().take(np.array([3, 1]))
    assert part.sample_ids == ("s3", "s1")
    assert np.array_equal(part.spectra, spectral_set().spectra[[3, 1]])
    assert len(spectral_set().take(np.arange(5) > 2)) == 2
    with pytest.raises(DataError, match="has 5 spectra"):
        spectral_set().take(np.array([5]))
    with pytest.raises(DataError, match="holds no spectra"):
        spectral_set().take(np.zeros(5, bool))


def test_reflectance_becomes_absorbance():
    reflectance = spectral_set(quantity="reflectance")
    absorbance = reflectance.to_absorbance()
    assert absorbance.quantity == "absorbance"
    assert np.allclose(10**-absorbance.spectra, reflectance.spectra)
    assert absorbance.to_absorbance() is absorbance
    with pytest.raises(DataError, match="not turned into absorbance"):
        spectral_set(quantity="raman").to_absorbance()
    with pytest.raises(DataError, match="transmittance 0 in spectrum 1 at 1100 nm"):
        spectral_set(quantity="transmittance", spectra=np.zeros((5, 11))).to_absorbance()


@pytest.mark.parametrize("kind", ["linear", "cubic"])
def test_resampling_keeps_straight_lines_and_never_extrapolates(kind):
    axis = np.array([1.0, 2, 4, 7, 11])
    line = spectral_set(n=1, axis=axis, spectra=3 * axis[None, :] + 1)
    new = np.array([1.0, 1.5, 6, 11])
    assert np.allclose(line.resampled(new, kind).spectra, 3 * new + 1)
    with pytest.raises(DataError, match="covers 1 to 11 nm, not 0 to 5"):
        line.resampled(np.array([0.0, 5]), kind)
    with pytest.raises(DataError, match="covers 1 to 11 nm, not nan"):
        line.resampled(np.array([1.0, np.nan]), kind)


def test_cubic_needs_four_channels():
    with pytest.raises(DataError, match="too few channels"):
        spectral_set(axis=np.arange(3.0)).resampled(np.array([0.5, 1]), "cubic")


def test_sets_that_differ_are_not_merged():
    a = spectral_set()
    assert len(merged("both", [a, spectral_set(seed=1)])) == 10
    assert merged("both", [a, spectral_set(seed=1)]).sha256 != a.sha256
    for change, says in [
        ({"quantity": "raman"}, "differ in quantity"),
        ({"units": ("%", "%")}, "differ in units"),
        ({"axis": a.axis + 1}, "different axes"),
        ({"axis": a.axis[:-1], "spectra": a.spectra[:, :-1]}, "different axes"),
    ]:
        with pytest.raises(DataError, match=says):
            merged("both", [a, spectral_set(**{"axis": None, **change})])


@given(rows=st.lists(st.integers(0, 4), min_size=1, max_size=9))
def test_taking_twice_is_taking_once(rows):
    whole = spectral_set()
    once, twice = whole.take(np.array(rows)), whole.take(np.array(rows)).take(np.arange(len(rows)))
    assert once.sample_ids == twice.sample_ids == tuple(f"s{i}" for i in rows)
    assert np.array_equal(once.references, twice.references, equal_nan=True)
