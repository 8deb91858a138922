"""Pure substances against published band positions and absolute absorption."""

from __future__ import annotations

import numpy as np
import pytest

from spektron_train.data.simulate.environment import bulk_water, water_shares
from spektron_train.data.simulate.groups import GROUPS
from spektron_train.data.simulate.matter import CONSTITUENTS
from spektron_train.data.simulate.molecules import absorption_forms
from spektron_train.data.simulate.substances import SUBSTANCES, absorptivity, raman_activity
from spektron_train.data.simulate.unknowns import random_substance

# Band, nm, and tolerance, nm. Osborne, Fearn and Hindle (1993), appendix; Workman and Weyer (2007).
LANDMARKS = {
    "water": [(970, 20), (1190, 12), (1450, 10), (1940, 12)],
    "starch": [(1450, 15), (1580, 15), (2100, 12), (2280, 10), (2322, 10), (2500, 12)],
    "cellulose": [(1490, 32), (1580, 15), (2100, 15), (2270, 25), (2336, 10), (2500, 12)],
    "cereal protein": [(1510, 10), (1570, 15), (1690, 12), (1980, 12), (2050, 10), (2180, 10)],
    "unsaturated oil": [(1210, 10), (1725, 10), (1762, 10), (2143, 10), (2308, 10), (2347, 10)],
    "saturated fat": [(1210, 10), (1725, 10), (1762, 10), (2308, 10), (2347, 10)],
    "ethanol": [(1410, 10), (1580, 20), (1695, 10), (2270, 10), (2305, 10)],
    "sucrose": [(1440, 12), (2090, 15), (2280, 12), (2325, 12)],
    "paracetamol": [(1668, 12), (2145, 12), (2460, 12)],
}
# Decadic, per mm: Kou, Labrie and Chylek (1993) to 2500 nm, Hale and Querry (1973) beyond.
WATER_PER_MM = {
    970: 0.020,
    1190: 0.054,
    1450: 1.25,
    1680: 0.23,
    1790: 0.35,
    1940: 5.3,
    2220: 0.75,
    2490: 4.0,
    2941: 510.0,
    6086: 117.0,
}


def _minima_of_second_derivative(nm: np.ndarray, spectrum: np.ndarray) -> np.ndarray:
    curvature = np.gradient(np.gradient(spectrum, nm), nm)
    inner = curvature[1:-1]
    found = (inner < curvature[:-2]) & (inner < curvature[2:]) & (inner < 0)
    return nm[1:-1][found]


@pytest.mark.parametrize("name", LANDMARKS)
def test_landmark_bands_come_out_of_the_fundamentals(name: str) -> None:
    nm = np.arange(900.0, 2560.0, 1.0)
    bands = _minima_of_second_derivative(nm, absorptivity(SUBSTANCES[name], 1e7 / nm))
    for landmark, tolerance in LANDMARKS[name]:
        assert np.abs(bands - landmark).min() <= tolerance, landmark


def test_water_absorbs_as_much_as_measured() -> None:
    nm = np.array(list(WATER_PER_MM), np.float64)
    ratio = absorptivity(SUBSTANCES["water"], 1e7 / nm) / np.array(list(WATER_PER_MM.values()))
    assert np.all((ratio > 0.5) & (ratio < 2.0)), ratio
    assert ratio[2] == pytest.approx(1.0, abs=0.15)


def test_oil_absorbs_as_much_as_measured() -> None:
    peak = absorptivity(SUBSTANCES["unsaturated oil"], 1e7 / np.arange(1710.0, 1735.0)).max()
    assert 0.3 < peak < 0.55


def test_warm_water_loses_hydrogen_bonds_about_an_isosbestic_point() -> None:
    nm = np.arange(1380.0, 1560.0, 1.0)
    forms = absorption_forms(SUBSTANCES["water"], 1e7 / nm)
    spectra = bulk_water(np.array([15.0, 25.0, 35.0, 45.0])) @ forms
    peaks = nm[spectra.argmax(axis=1)]
    assert np.all(np.diff(peaks) < 0)
    for warmer in spectra[1:]:
        change = warmer - spectra[0]
        assert change[nm == 1410] > 0 > change[nm == 1490]
        crossing = nm[1:][np.diff(np.sign(change)) != 0]
        assert np.abs(crossing - 1441).min() < 10


def test_the_last_water_left_in_a_dry_sample_absorbs_at_shorter_wavelength() -> None:
    nm = np.arange(1880.0, 1990.0, 1.0)
    forms = absorption_forms(SUBSTANCES["water"], 1e7 / nm)
    peaks = nm[(water_shares(np.full(3, 25.0), np.array([0.03, 0.15, 0.99])) @ forms).argmax(1)]
    assert peaks[0] < peaks[1] < peaks[2]
    assert peaks[0] == pytest.approx(1930, abs=8)
    assert peaks[2] == pytest.approx(1940, abs=5)


def test_ester_carbonyl_rules_the_mid_infrared_and_c_c_the_raman_of_oil() -> None:
    shift = np.arange(1500.0, 1900.0, 1.0)
    oil = SUBSTANCES["unsaturated oil"]
    assert shift[absorptivity(oil, shift).argmax()] == pytest.approx(1745, abs=5)
    assert shift[raman_activity(oil, shift).argmax()] == pytest.approx(1655, abs=5)


@pytest.mark.parametrize("name", SUBSTANCES)
def test_every_substance_is_plausible_everywhere(name: str) -> None:
    substance = SUBSTANCES[name]
    axis = np.linspace(400.0, 16_700.0, 3000)
    spectrum = absorptivity(substance, axis)
    assert np.all(np.isfinite(spectrum))
    assert np.all(spectrum >= 0)
    assert spectrum[axis < 4000].max() > 20 * spectrum[(axis > 5500) & (axis < 10_000)].max()
    assert np.all(raman_activity(substance, axis) >= 0)
    assert substance.kind in CONSTITUENTS


def test_all_substances_use_known_groups() -> None:
    used = {part.group for s in SUBSTANCES.values() for part in s.parts}
    assert used <= set(GROUPS)


def test_random_substances_differ_and_repeat_with_the_seed() -> None:
    nm = np.arange(1100.0, 2500.0, 4.0)
    first = random_substance(np.random.default_rng(5))
    assert first == random_substance(np.random.default_rng(5))
    bank = [random_substance(np.random.default_rng(s)) for s in range(30)]
    spectra = np.stack([absorptivity(s, 1e7 / nm) for s in bank])
    correlation = np.corrcoef(spectra)[np.triu_indices(30, 1)]
    assert correlation.max() < 0.9999
    assert np.all((spectra.max(axis=1) > 0.1) & (spectra.max(axis=1) < 20))
