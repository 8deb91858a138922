import numpy as np

from firmware_bridge.virtual import Optics
from spektron_edge.config.instrument import Acquisition
from spektron_train.data.instrument_noise import DetectorNoise, Nuisance, noisy_scans


def test_variance_grows_with_absorbance_as_shot_and_read_noise_do():
    a = np.array([0.0, 0.5, 1.0])
    expected = 1e-8 * (0.8 * 10**a + 0.2 * 10 ** (2 * a))
    assert np.allclose(DetectorNoise().sigma(a) ** 2, expected)


def test_drawn_noise_has_that_variance_and_a_shared_eighth():
    rng = np.random.default_rng(0)
    x = np.full((4000, 50), 0.5)
    error = DetectorNoise().add(x, rng) - x
    sigma = DetectorNoise().sigma(np.array(0.5))
    own = error - error.mean(axis=0)
    assert np.isclose(own.std(), sigma, rtol=0.02)
    # At A = 0 only the white reference is shared: an eighth of a scan's noise.
    error = DetectorNoise().add(np.zeros((4000, 5000)), rng).mean(axis=0)
    assert np.isclose(error.std(), 1e-4 / 8, rtol=0.05)


def test_noiseless_detector_changes_nothing():
    x = np.random.default_rng(0).random((3, 20))
    assert np.array_equal(DetectorNoise(rms=0).add(x, np.random.default_rng(0)), x)


def test_noisy_scans_are_the_same_every_time():
    x = np.random.default_rng(0).random((3, 20))
    first, second = noisy_scans(x, DetectorNoise(), 3), noisy_scans(x, DetectorNoise(), 3)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[0], first[1])


def test_nuisance_is_offset_slope_and_shift():
    rng = np.random.default_rng(0)
    x = np.tile(np.sin(np.linspace(0, 6, 200)), (5, 1))
    change = Nuisance().add(x, 2.0, rng) - x
    u = np.linspace(-1, 1, 200)
    basis = np.stack([np.ones(200), u, np.gradient(x[0], 2.0)])
    rest = change - change @ np.linalg.pinv(basis) @ basis
    assert np.abs(change).max() > 1e-4
    assert np.abs(rest).max() < 1e-12


def test_training_noise_is_that_of_the_virtual_instrument():
    optics, noise = Optics(), DetectorNoise()
    assert (noise.rms, noise.shot) == (optics.noise_absorbance, optics.shot_share)
    assert noise.shot + noise.read == 1.0
    assert noise.reference_averages == Acquisition().reference_averages
