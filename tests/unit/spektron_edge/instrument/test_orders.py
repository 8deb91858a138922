"""What operators ask of the instrument."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from firmware_bridge.protocol import LampState
from firmware_bridge.virtual import VirtualSpectrometer
from spektron_edge.faults import Faults
from spektron_edge.inbox import FaultRaised, Measured, Streaming
from spektron_edge.instrument import exposures, reference_taking
from spektron_edge.instrument.orders import Order, Orders
from spektron_edge.instrument.reference_store import load_references
from spektron_edge.spectra.acquisition import absorbance

from . import rigs
from .rigs import AXIS

BY_HAND = {"automatic_references": False}


def test_a_scan_that_was_asked_for_comes_from_after_the_asking(make):
    rig = make().start()
    last = rig.measured(2)[-1].scan.number
    rig.orders.put(Order(1, "scan-now"))
    asked = rig.until(Measured, lambda item: item.ticket == 1)
    assert asked.scan.number > last
    assert asked.references is not None
    assert rig.measured(1)[0].ticket is None


def test_references_by_hand_are_a_pair_once_both_were_asked_for(make, tmp_path):
    rig = make(acquisition=BY_HAND).start()
    waiting = rig.until(Streaming)
    assert waiting.by_hand
    assert waiting.lacking == ("take-dark", "take-reference")
    assert rig.order(1, "take-dark").told == "dark measured; send take-reference next"
    assert rig.until(Streaming).lacking == ("take-reference",)
    assert load_references(tmp_path) is None
    assert rig.order(2, "take-reference").told == "white reference measured"
    done = rig.until(Streaming)
    assert done.measured
    assert done.lacking == ()
    item = rig.until(Measured, lambda item: item.references is not None)
    assert absorbance(item.scan, item.references).absorbance.max() < 1.0
    kept = load_references(tmp_path)
    np.testing.assert_array_equal(kept.dark, done.references.dark)
    assert kept.white_temperature_c == done.references.white_temperature_c
    assert np.isfinite(kept.white_temperature_c)


def test_half_a_pair_by_hand_outlives_the_cable_and_not_the_power(make):
    rig = make(acquisition=BY_HAND).start()
    rig.until(Streaming)
    rig.order(1, "take-dark")
    rig.port.unplug()
    rig.until(FaultRaised)
    rig.port.plug()
    assert rig.until(Streaming).lacking == ("take-reference",)
    rig.port.power_cycle()
    assert rig.until(Streaming, lambda s: len(s.lacking) == 2)


def test_power_lost_during_a_reference_by_hand_is_answered(make):
    rig = make(acquisition=BY_HAND, faults={"power_loss_in_reference": True}).start()
    rig.until(Streaming)
    rig.order(1, "take-dark")
    assert rig.order(2, "take-reference").fault.kind is Faults.REFERENCE_INTERRUPTED
    assert rig.until(Streaming).lacking == ("take-dark", "take-reference")


def test_a_white_that_is_not_brighter_than_the_dark_is_refused(make, monkeypatch):
    # Without shutter and tile a person shows them; here nobody does.
    info = VirtualSpectrometer.info
    monkeypatch.setattr(
        VirtualSpectrometer, "info", lambda self: replace(info(self), capabilities=0)
    )
    monkeypatch.setattr(rigs, "SPECTRA", np.full((2, AXIS.size), 0.3))
    rig = make().start()
    assert rig.until(Streaming).by_hand
    assert rig.order(1, "take-dark").fault is None
    fault = rig.order(2, "take-reference").fault
    assert fault.kind is Faults.NOT_FINITE
    assert "not brighter than the dark" in fault.detail
    assert rig.measured(1)


def test_a_wrong_integration_is_mended_while_references_cannot_be_had(make):
    rig = make(acquisition={"integration_us": 100_000}).start()
    rig.trouble(Faults.SATURATED)
    done = rig.order(1, "set-integration", 1000)
    assert (done.fault, done.integration_us) == (None, 1000)
    assert rig.until(Streaming).integration_us == 1000
    assert rig.measured(1)[0].scan.integration_us == 1000


def test_an_integration_that_saturates_leaves_the_one_before(make):
    rig = make().start()
    before = rig.until(Streaming)
    assert rig.order(1, "set-integration", 100_000).fault.kind is Faults.SATURATED
    assert rig.order(2, "set-integration", 1).fault.kind is Faults.COMMAND_INPUT
    after = rig.until(Streaming)
    assert (after.integration_us, after.measured) == (1000, False)
    assert after.references is before.references


def test_an_integration_that_was_set_outlives_the_cable(make):
    rig = make().start()
    rig.until(Streaming)
    rig.order(1, "set-integration", 900)
    rig.port.unplug()
    rig.until(FaultRaised)
    rig.port.plug()
    assert rig.until(Streaming, lambda s: not s.measured).integration_us == 900
    assert rig.order(2, "set-integration").told == "integration 900 -> 1000 us"


def test_what_was_not_begun_can_be_withdrawn(make):
    orders = Orders()
    orders.put(Order(1, "scan-now"))
    orders.put(Order(2, "take-dark"))
    assert orders.take(("set-integration",)) is None
    assert orders.withdraw(2)
    assert not orders.withdraw(2)
    assert orders.take() == Order(1, "scan-now")
    assert not orders.withdraw(1)
    assert orders.take() is None
    assert not orders.any


def test_an_instrument_without_samples_left_answers_so(make):
    rig = make(scans=2).start()
    rig.measured(2)
    assert "no sample scan" in rig.order(1, "scan-now").fault.detail


def test_whatever_goes_wrong_an_order_is_answered(make, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("nobody thought of that")

    rig = make().start()
    rig.until(Streaming)
    with monkeypatch.context() as patch:
        patch.setattr(reference_taking, "replace", broken)
        assert "nobody thought of that" in rig.order(1, "take-dark").fault.detail
        rig.trouble(Faults.INTERNAL)
    rig.until(Streaming)
    assert rig.order(2, "take-dark").fault is None


def test_auto_range_finds_the_integration_of_the_white_and_takes_references(make):
    rig = make(optics={"white_counts": 9000.0}).start()
    rig.until(Streaming)
    done = rig.order(1, "auto-range")
    assert done.fault is None
    assert f"integration 1000 -> {done.integration_us} us" in done.told
    streaming = rig.until(Streaming)
    assert (streaming.integration_us, streaming.measured) == (done.integration_us, True)
    white = streaming.references.white
    assert 0.8 * 65535 < np.max(white) < 0.88 * 65535
    assert all(item.scan.saturated == 0 for item in rig.measured(3))


def test_auto_range_that_finds_none_changes_nothing(make):
    rig = make(optics={"white_counts": 0.05}, acquisition={"find_bad_pixels": False}).start()
    before = rig.until(Streaming)
    done = rig.order(1, "auto-range")
    assert done.fault.kind is Faults.AUTO_RANGE_FAILED
    assert "too dark" in done.fault.detail
    assert rig.until(Streaming).integration_us == before.integration_us


def test_auto_range_needs_a_warm_lamp(make, monkeypatch):
    rig = make().start()
    rig.until(Streaming)
    monkeypatch.setattr(exposures, "lamp_state", lambda _: LampState.WARMING)
    assert rig.order(1, "auto-range").fault.kind is Faults.LAMP_NOT_WARM
