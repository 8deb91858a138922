import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_train.physics.lines import invariants, lines, raman_intensities
from spektron_train.physics.shapes import gauss, lorentz, spectrum, voigt
from spektron_train.physics.surface import stored
from spektron_train.physics.units import ACTIVITY, INTENSITY
from spektron_train.physics.wilson import gf_modes


def of(name):
    surface = stored(name)
    return lines(surface, gf_modes(surface))


def test_units_are_the_ones_in_use():
    # Both as programs of quantum chemistry print them.
    assert pytest.approx(974.8801, abs=1e-3) == INTENSITY
    assert pytest.approx(0.0784160, abs=1e-6) == ACTIVITY


def test_water_is_as_measured_within_what_the_method_is_worth():
    found = of("H2O")
    # Harmonic, from experiment: Benedict, Gailar, Plyler, J. Chem. Phys. 24, 1139 (1956).
    np.testing.assert_allclose(found.wavenumbers, [1648.5, 3832.2, 3942.5], rtol=0.025)
    # Intensities: 53.6 to 71.9, 2.2 to 2.98 and 39.8 to 44.6 km/mol have been measured.
    assert (found.infrared > [50, 1, 30]).all()
    assert (found.infrared < [90, 8, 60]).all()
    assert found.depolarisation[2] == pytest.approx(0.75, abs=1e-6)
    assert found.depolarisation[1] < 0.2


@pytest.mark.parametrize("name", ["CO2", "C2H2", "C2H4"])
def test_no_mode_of_a_centred_molecule_is_seen_by_both(name):
    found = of(name)
    shares = found.infrared / found.infrared.max(), found.raman / found.raman.max()
    assert np.minimum(*shares).max() < 1e-4
    assert (found.raman > 1e-3 * found.raman.max()).sum() > 0


def test_methane_and_carbon_dioxide_show_what_textbooks_say():
    methane = of("CH4")
    seen = methane.infrared > 0.1
    assert seen.tolist() == [True] * 3 + [False] * 3 + [True] * 3
    breathing = np.nanargmin(methane.depolarisation)
    assert methane.depolarisation[breathing] < 1e-6
    assert 2900 < methane.wavenumbers[breathing] < 3150
    carbon = of("CO2")
    assert (carbon.infrared > 1).tolist() == [True, True, False, True]
    assert (carbon.raman > 1).tolist() == [False, False, True, False]


@given(st.integers(0, 2**32 - 1))
def test_invariants_do_not_change_as_a_tensor_turns(seed):
    rng = np.random.default_rng(seed)
    tensor = rng.normal(size=(4, 3, 3))
    tensor = tensor + tensor.transpose(0, 2, 1)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    for found, turned in zip(invariants(tensor), invariants(turn @ tensor @ turn.T), strict=True):
        np.testing.assert_allclose(found, turned, rtol=1e-9, atol=1e-12)


def test_a_laser_of_shorter_wavelength_scatters_more_and_cold_matter_less():
    found = of("H2O")
    green, red = (raman_intensities(found, laser) for laser in (532.0, 785.0))
    assert (green > red).all()
    cold, hot = (raman_intensities(found, 785.0, kelvin) for kelvin in (10.0, 2000.0))
    assert (hot > cold).all()


WIDTH = st.floats(2.0, 40.0)


@settings(max_examples=50, deadline=None)
@given(WIDTH, WIDTH)
def test_shapes_have_area_one_and_their_widths(lorentzian, gaussian):
    axis = np.linspace(-4000, 4000, 80001)
    step = axis[1] - axis[0]
    assert gauss(axis, gaussian).sum() * step == pytest.approx(1, abs=1e-6)
    both = voigt(axis, lorentzian, gaussian)
    # The Lorentzian's wings go on beyond the axis.
    assert both.sum() * step == pytest.approx(1 - lorentzian / (np.pi * 4000), abs=1e-5)
    for shape in (lorentz, gauss):
        at = np.array([0.0, gaussian / 2])
        centre, half = shape(at, gaussian)
        assert half == pytest.approx(centre / 2)
    # Olivero and Longbothum, J. Quant. Spectrosc. Radiat. Transfer 17, 233 (1977), to 0.02 %.
    wide = axis[both > both.max() / 2]
    width = 0.5346 * lorentzian + np.sqrt(0.2166 * lorentzian**2 + gaussian**2)
    assert wide[-1] - wide[0] == pytest.approx(width, abs=2 * step + 1e-3 * width)


def test_voigt_becomes_its_parts():
    axis = np.linspace(-50, 50, 101)
    np.testing.assert_allclose(voigt(axis, 8.0, 0.0), lorentz(axis, 8.0))
    np.testing.assert_allclose(voigt(axis, 0.0, 8.0), gauss(axis, 8.0), atol=1e-15)
    np.testing.assert_allclose(voigt(axis, 8.0, 1e-4), lorentz(axis, 8.0), rtol=1e-6)


def test_a_spectrum_is_the_same_on_any_axis():
    positions, areas = np.array([1000.0, 1500.0]), np.array([2.0, 5.0])
    nanometres = np.linspace(5000, 12000, 50)
    by_wavelength = spectrum(1e7 / nanometres, positions, areas, 10, 5)
    backwards = spectrum(1e7 / nanometres[::-1], positions, areas, 10, 5)
    np.testing.assert_array_equal(by_wavelength, backwards[::-1])
    one = spectrum(np.array([1500.0]), positions, areas, 10)
    assert one == pytest.approx(5 * 2 / (np.pi * 10), rel=1e-3)


@pytest.mark.parametrize("widths", [(0, 0), (-1, 5), (5, -1)])
def test_a_width_that_is_no_shapes_is_an_error(widths):
    with pytest.raises(ValueError, match="no line has widths"):
        spectrum(np.zeros(1), np.zeros(1), np.zeros(1), *widths)
