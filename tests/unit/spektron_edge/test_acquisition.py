from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_bridge.protocol import LampState
from spektron_edge.detector.bad_pixels import BadPixels
from spektron_edge.detector.detector import Detector
from spektron_edge.faults import Fault, Faults
from spektron_edge.instrument.half_pair import due
from spektron_edge.spectra.acquisition import (
    Ages,
    Repetition,
    absorbance,
    check_references,
    check_scan,
)
from spektron_edge.spectra.spectrum import Spectrum

AGES = Ages(dark_s=60.0, white_s=30.0)


def fault_of(action, *arguments) -> Fault:
    with pytest.raises(Fault) as caught:
        action(*arguments)
    return caught.value


def test_absorbance_is_recovered_from_counts(make_scan, references):
    wanted = np.linspace(-0.05, 2.5, 80)
    spectrum = absorbance(make_scan(wanted), references)
    np.testing.assert_allclose(spectrum.absorbance, wanted, atol=1e-12)
    np.testing.assert_array_equal(spectrum.axis_nm, make_scan().axis_nm)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(gain=st.floats(0.01, 100), offset=st.floats(0, 10_000))
def test_absorbance_knows_neither_gain_nor_offset_of_the_detector(
    make_scan, references, gain, offset
):
    scan = make_scan(np.linspace(0.0, 1.5, 80))
    other = absorbance(
        replace(scan, counts=gain * scan.counts + offset),
        replace(
            references,
            dark=gain * references.dark + offset,
            white=gain * references.white + offset,
        ),
    )
    plain = absorbance(scan, references)
    np.testing.assert_allclose(other.absorbance, plain.absorbance, atol=1e-8)


@pytest.mark.parametrize("counts", [600.0, 599.0, 0.0, np.nan, np.inf])
def test_a_channel_without_usable_light_is_named_by_its_wavelength(make_scan, references, counts):
    scan = make_scan()
    scan.counts[11] = counts
    fault = fault_of(absorbance, scan, references)
    assert fault.kind is Faults.NOT_FINITE
    assert "1 channels" in fault.detail
    assert f"{scan.axis_nm[11]:.1f} nm" in fault.detail


def test_a_white_reference_without_light_is_a_fault(make_scan, references):
    references.white[4] = references.dark[4]
    assert fault_of(absorbance, make_scan(), references).kind is Faults.NOT_FINITE


@pytest.mark.parametrize(
    "change", [{"serial": "other"}, {"boot_id": 8}, {"integration_us": 2000}], ids=str
)
def test_references_of_other_conditions_are_refused(make_scan, references, change):
    fault = fault_of(absorbance, make_scan(), replace(references, **change))
    assert fault.kind is Faults.NO_REFERENCE


@pytest.mark.parametrize("part", ["counts", "axis", "dark", "white"])
def test_any_difference_in_the_number_of_channels_is_a_fault(make_scan, references, part):
    scan = make_scan()
    if part == "counts":
        scan = replace(scan, counts=scan.counts[:-1])
    elif part == "axis":
        scan = replace(scan, axis_nm=scan.axis_nm[:-1])
    else:
        references = replace(references, **{part: getattr(references, part)[:-1]})
    kind = Faults.AXIS_INVALID if part == "axis" else Faults.NO_REFERENCE
    assert fault_of(absorbance, scan, references).kind is kind


def test_a_saturated_scan_is_refused(make_scan):
    assert fault_of(check_scan, make_scan(saturated=2)).kind is Faults.SATURATED


@pytest.mark.parametrize("lamp", [LampState.OFF, LampState.WARMING])
def test_a_lamp_that_is_not_stable_is_refused(make_scan, lamp):
    fault = fault_of(check_scan, make_scan(lamp=lamp))
    assert fault.kind is Faults.LAMP_NOT_WARM
    assert lamp.name.lower() in fault.detail


def test_a_good_scan_passes(make_scan):
    check_scan(make_scan())


def test_without_references_there_is_no_dark(now):
    assert fault_of(check_references, None, AGES, now).kind is Faults.NO_DARK


@pytest.mark.parametrize(("name", "limit"), [("dark", 60.0), ("white", 30.0)])
def test_a_reference_counts_up_to_its_limit_and_no_longer(references, now, name, limit):
    def aged(seconds):
        taken = replace(now, running_s=now.running_s - seconds)
        return replace(references, **{f"{name}_taken": taken})

    assert check_references(aged(limit), AGES, now).serial == references.serial
    fault = fault_of(check_references, aged(limit + 1), AGES, now)
    assert fault.kind is Faults.REFERENCE_EXPIRED
    assert name in fault.detail


def test_references_from_before_a_reboot_are_expired(references, now):
    fault = fault_of(check_references, references, AGES, replace(now, boot="boot-b"))
    assert fault.kind is Faults.REFERENCE_EXPIRED
    assert "restart" in fault.detail


def test_the_wall_clock_has_no_say_in_ages(references, now):
    assert check_references(references, AGES, replace(now, utc_s=0.0)) is references


@pytest.mark.parametrize(
    ("absorbance", "axis"), [(np.zeros(3), np.zeros(4)), (np.zeros((2, 2)), np.zeros((2, 2)))]
)
def test_a_spectrum_is_two_vectors_of_one_length(absorbance, axis):
    with pytest.raises(ValueError, match="vectors of one length"):
        Spectrum(absorbance, axis)


# ---- a readout that stands still


def test_counts_that_do_not_change_at_all_are_no_measurement(make_scan):
    repetition, counts = Repetition(), make_scan().counts
    for number in range(10):
        repetition.check(make_scan(number=number, counts=counts.copy()))
    for number in (10, 11):
        with pytest.raises(Fault, match=f"scan {number} are those of the {number} scans") as caught:
            repetition.check(make_scan(number=number, counts=counts.copy()))
        assert caught.value.kind is Faults.COUNTS_REPEATED
    # One count is enough, and the count begins anew.
    moved = counts.copy()
    moved[7] += 1
    for number in range(12, 22):
        repetition.check(make_scan(number=number, counts=moved))


def test_another_number_of_channels_is_another_spectrum(make_scan):
    repetition, counts = Repetition(), make_scan().counts
    for number in range(30):
        repetition.check(make_scan(number=number, counts=counts[: 80 - number % 2]))


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30
)
@given(seed=st.integers(0, 2**32 - 1), noise=st.floats(0.05, 3.0))
def test_noise_far_below_one_count_is_no_repetition(make_scan, seed, noise):
    """Counts are whole numbers; the sample lies still."""
    rng, repetition = np.random.default_rng(seed), Repetition()
    level = rng.uniform(500, 50_000, 256)
    for number in range(40):
        counts = np.round(level + noise * rng.standard_normal(level.size))
        repetition.check(make_scan(number=number, counts=counts))


def test_a_white_from_another_temperature_has_expired(references, now):
    ages = replace(AGES, white_k=2.0)
    white_c = references.white_temperature_c
    assert check_references(references, ages, now, white_c - 2.0) is references
    assert check_references(references, ages, now) is references
    fault = fault_of(check_references, references, ages, now, white_c + 2.1)
    assert fault.kind is Faults.REFERENCE_EXPIRED
    assert "2.1 K" in fault.detail
    assert due(references, ages, now, white_c + 2.1) == ("take-reference",)
    assert due(references, ages, now, white_c) == ()


def test_a_bad_pixel_needs_no_light_and_is_bridged(make_scan, references):
    scan = make_scan(0.5)
    mask = np.zeros(80, np.bool_)
    mask[[11, 12]] = True
    bad = BadPixels.of(scan.axis_nm, {"dead": mask})
    known = replace(references, detector=Detector(bad=bad))
    scan.counts[[11, 12]] = [np.nan, 0.0]
    known.white[11] = known.dark[11]
    spectrum = absorbance(scan, known)
    np.testing.assert_allclose(spectrum.absorbance, 0.5, atol=1e-12)
    scan.counts[40] = 0.0
    assert "1 channels" in fault_of(absorbance, scan, known).detail


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
def test_the_variance_of_an_absorbance_is_what_it_scatters_by(make_scan, references, seed):
    rng = np.random.default_rng(seed)
    clean = make_scan(np.linspace(0.0, 1.0, 80))
    of = {"sample": 400.0, "dark": 100.0, "white": 200.0}

    def drawn(values, variance):
        return values + np.sqrt(variance) * rng.standard_normal(80)

    known = replace(
        references,
        dark_variance=np.full(80, of["dark"]),
        white_variance=np.full(80, of["white"]),
    )
    scan = replace(clean, variance=np.full(80, of["sample"]))
    expected = absorbance(scan, known).variance
    found = [
        absorbance(
            replace(scan, counts=drawn(clean.counts, of["sample"])),
            replace(
                known,
                dark=drawn(references.dark, of["dark"]),
                white=drawn(references.white, of["white"]),
            ),
        ).absorbance
        for _ in range(400)
    ]
    # 80 channels of 400 draws each: their mean ratio is known to 0.8 %.
    assert np.mean(np.var(found, axis=0) / expected) == pytest.approx(1.0, abs=0.06)


def test_without_one_variance_there_is_none(make_scan, references):
    one = np.ones(80)
    scan, known = replace(make_scan(), variance=one), replace(references, dark_variance=one)
    assert absorbance(scan, known).variance is None
    assert absorbance(make_scan(), replace(known, white_variance=one)).variance is None
