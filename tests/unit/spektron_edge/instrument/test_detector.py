"""What a detector does, and what is done about it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from firmware_bridge.link import Link
from firmware_bridge.virtual import Flaws
from spektron_edge.faults import Faults
from spektron_edge.inbox import Consumed, FaultRaised, InstrumentReady, Measured, Streaming, Told
from spektron_edge.instrument.orders import Order
from spektron_edge.instrument.reference_store import load_references, save_references
from spektron_edge.spectra.acquisition import absorbance

from . import rigs
from .rigs import AXIS, SPECTRA

BENT = (1.0, 1.5e-6, -3.0e-11)


def evaluated(rig, count=2):
    """Absorbances of that many samples, whose rows are flat, less what the row is."""
    rig.until(Streaming)
    found = []
    for item in rig.measured(count):
        spectrum = absorbance(item.scan, item.references)
        row = rig.device.presented[item.scan.number]
        found.append(spectrum.absorbance - SPECTRA[row][0])
    return np.array(found)


def test_scans_averaged_on_the_host_know_their_noise_and_every_number_is_told(make, monkeypatch):
    monkeypatch.setattr(rigs, "SPECTRA", np.full((1, AXIS.size), 0.3))
    rig = make(acquisition={"coadds": 5, "reference_averages": 20}).start()
    items = rig.measured(4)
    rig.stop()
    last = items[-1].scan
    numbers = [i.number for i in rig.history if isinstance(i, Consumed)]
    numbers += [i.scan.number for i in rig.history if isinstance(i, Measured)]
    assert sorted(n for n in numbers if n <= last.number) == list(range(last.number + 1))
    assert [i.scan.averages for i in items] == [5] * 4
    references = items[-1].references
    assert references.exposures == 5
    spectrum = absorbance(last, references)
    # Read and shot noise of five exposures, and of references of twenty each.
    sd = np.sqrt(np.median(spectrum.variance))
    assert 0.3e-4 < sd < 1.5e-4
    errors = np.array([absorbance(i.scan, i.references).absorbance - 0.3 for i in items])
    assert np.std(errors - errors.mean(axis=1, keepdims=True)) < 3 * sd


def test_one_scan_now_is_averaged_like_the_others(make):
    rig = make(acquisition={"coadds": 3}).start()
    rig.until(Streaming)
    rig.orders.put(Order(1, "scan-now"))
    answered = rig.until(Measured, lambda m: m.ticket == 1)
    assert answered.scan.averages == 3
    assert answered.scan.variance is not None


def test_a_flawed_detector_gives_what_a_clean_one_does(make):
    flaws = Flaws(nonlinearity=BENT, dead=(40,), hot=(60, 61))
    rig = make(optics={"flaws": flaws, "drift": 0.0}, acquisition={"nonlinearity": BENT}).start()
    told = rig.until(Told, lambda t: t.code == "nonlinearity_corrected")
    assert "1.5e-06" in told.message
    told = rig.until(Told, lambda t: t.code == "bad_pixels_bridged")
    assert "hot 60 (" in told.message
    assert "dead 40 (" in told.message
    streaming = rig.until(Streaming)
    assert streaming.references.detector.bad.indices == (40, 60, 61)
    for item in rig.measured(2):
        # Hot ones are full with the light of the white: nothing follows from that.
        assert item.scan.saturated == 0
        spectrum = absorbance(item.scan, item.references)
        row = rig.device.presented[item.scan.number]
        np.testing.assert_allclose(spectrum.absorbance, SPECTRA[row][0], atol=2e-3)


def test_without_its_correction_the_same_detector_is_off(make):
    rig = make(optics={"flaws": Flaws(nonlinearity=BENT), "drift": 0.0}).start()
    assert np.max(np.abs(evaluated(rig))) > 5e-3


def test_what_is_found_is_told_again_only_when_it_changes(make):
    rig = make(optics={"flaws": Flaws(dead=(40,))}, acquisition={"dark_max_age_s": 0.2}).start()
    for _ in range(3):
        rig.until(Streaming, lambda s: s.measured)
    rig.port.unplug()
    rig.until(FaultRaised)
    rig.port.plug()
    rig.until(Streaming)
    told = [item for item in rig.history if isinstance(item, Told)]
    assert [t.code for t in told] == ["bad_pixels_bridged"]


def test_stored_references_that_show_too_many_bad_pixels_are_measured_again(make, tmp_path):
    rig = make().start()
    references = rig.until(Streaming).references
    rig.stop()
    white = references.white.copy()
    white[::12] = references.dark[::12]
    save_references(tmp_path, replace(references, white=white))
    again = make()
    again.device.boot_id = references.boot_id
    again.start()
    streaming = again.until(Streaming)
    assert streaming.measured
    assert streaming.references.detector.bad is None


def test_bad_pixels_of_the_configuration_are_bridged_and_found_ones_only_where_wanted(make):
    rig = make(
        optics={"flaws": Flaws(hot=(60,))},
        acquisition={"find_bad_pixels": False, "bad_pixels": [60], "bad_ranges_nm": [[1200, 1212]]},
    ).start()
    references = rig.until(Streaming).references
    assert references.detector.bad.indices == (9, 60)
    assert set(references.detector.bad.reasons) == {"configured"}


@pytest.mark.parametrize(
    ("acquisition", "kind"),
    [
        ({"bad_pixels": [120]}, Faults.BAD_PIXELS),
        ({"bad_pixels": list(range(50, 60))}, Faults.BAD_PIXELS),
        ({"bad_ranges_nm": [[3000, 3001]]}, Faults.BAD_PIXELS),
        ({"nonlinearity": [1.0, 1.0]}, Faults.NONLINEARITY_UNUSABLE),
        ({"wavelength_nm": [1100.0, 1.0, -0.01]}, Faults.AXIS_INVALID),
        ({"axis_file": "none.csv"}, Faults.AXIS_INVALID),
    ],
    ids=str,
)
def test_what_does_not_fit_the_instrument_is_a_fault_and_tried_again(make, acquisition, kind):
    rig = make(acquisition=acquisition).start()
    rig.trouble(kind)
    rig.trouble(kind)


def test_a_configured_axis_takes_the_place_of_the_instruments(make, tmp_path):
    table = tmp_path / "axis.csv"
    table.write_text("pixel,nm\n" + "".join(f"{i},{1000 + 5 * i}\n" for i in range(120)))
    rig = make(acquisition={"axis_file": table}).start()
    np.testing.assert_array_equal(rig.until(InstrumentReady).axis_nm, 1000.0 + 5 * np.arange(120))
    told = rig.until(Told)
    assert told.code == "axis_replaced"
    assert "1000.00 to 1595.00 nm" in told.message
    assert rig.until(Measured).scan.axis_nm[-1] == 1595.0


def test_masked_pixels_give_the_dark_level_and_no_channel(make, monkeypatch):
    opened = Link.open
    monkeypatch.setattr(
        Link, "open", lambda self: replace(opened(self), dark_pixels=tuple(range(8)))
    )
    rig = make(optics={"flaws": Flaws(masked=tuple(range(8)))}).start()
    assert rig.until(InstrumentReady).axis_nm.size == 112
    item = rig.until(Measured)
    references = item.references
    assert item.scan.counts.size == references.dark.size == 112
    assert abs(item.scan.dark_level - references.dark_level) < 5
    # The level rises by 100 counts everywhere: nobody sees it in the absorbance.
    scan = item.scan
    shifted = replace(scan, counts=scan.counts + 100, dark_level=scan.dark_level + 100)
    np.testing.assert_allclose(
        absorbance(shifted, references).absorbance,
        absorbance(scan, references).absorbance,
        atol=1e-12,
    )
    kept = load_references(rig.folder)
    assert kept.dark_level == references.dark_level


def test_a_lamp_that_nobody_knows_of_is_given_its_time_once_per_power_on(make):
    rig = make(acquisition={"lamp_warmup_s": 1.0}).start()
    assert "warming" in rig.trouble(Faults.LAMP_NOT_WARM).detail
    rig.until(Streaming)
    seen = len(rig.history)
    rig.port.unplug()
    rig.until(FaultRaised)
    rig.port.plug()
    rig.until(Streaming)
    again = [i for i in rig.history[seen:] if isinstance(i, FaultRaised)]
    assert Faults.LAMP_NOT_WARM not in {i.fault.kind for i in again}
