from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spektron_edge.clock import Stamp
from spektron_edge.faults import Fault, Faults
from spektron_edge.spectra.recent import KEPT, MAX_AGE_S, Recent, RecentSpectrum

NOW = Stamp(1_800_000_000.0, 1000.0, "boot-a")
AXIS = np.linspace(1000.0, 2000.0, 8)


def spectrum(number, age_s=1.0, serial="SN1", axis=AXIS, boot="boot-a"):
    taken = replace(NOW, running_s=NOW.running_s - age_s, boot=boot)
    return RecentSpectrum(serial, 7, number, axis, np.full(8, float(number)), taken)


@pytest.fixture
def recent():
    recent = Recent()
    for number in range(1, 6):
        recent.put(spectrum(number))
    return recent


def numbers(found):
    return [one.number for one in found]


def refused(recent, *arguments):
    with pytest.raises(Fault) as caught:
        recent.take(*arguments)
    assert caught.value.kind is Faults.SAMPLE_REFUSED
    return caught.value.detail


def test_the_last_ones_are_taken_in_order(recent):
    assert numbers(recent.take("SN1", 3, NOW, ())) == [3, 4, 5]


def test_what_served_a_sample_serves_no_other(recent):
    detail = refused(recent, "SN1", 3, NOW, {(7, 3), (7, 4), (7, 5)})
    assert "wait for 1 more scans of SN1" in detail
    recent.put(spectrum(6))
    assert numbers(recent.take("SN1", 3, NOW, {(7, 3), (7, 4), (7, 5)})) == [1, 2, 6]


def test_too_old_ones_and_those_from_before_a_reboot_do_not_count(recent):
    assert refused(recent, "SN1", 1, replace(NOW, running_s=NOW.running_s + MAX_AGE_S), ())
    assert refused(recent, "SN1", 1, replace(NOW, boot="boot-b"), ())


def test_another_instrument_s_and_another_axis_s_are_forgotten(recent):
    assert "0 sound spectra" in refused(recent, "SN2", 1, NOW, ())
    recent.put(spectrum(9, axis=AXIS + 1))
    assert "1 sound spectra" in refused(recent, "SN1", 2, NOW, ())


def test_it_does_not_grow(recent):
    for number in range(6, 200):
        recent.put(spectrum(number))
    assert numbers(recent.take("SN1", KEPT, NOW, ()))[0] == 200 - KEPT
    refused(recent, "SN1", KEPT + 1, NOW, ())
