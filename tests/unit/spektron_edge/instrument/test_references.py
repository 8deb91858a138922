"""References that the instrument takes by itself, are kept and expire."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from spektron_edge.faults import Faults
from spektron_edge.inbox import Consumed, Measured, Streaming
from spektron_edge.instrument import reference_taking
from spektron_edge.instrument.reference_store import load_references, save_references

from .rigs import PATIENCE_S


def test_references_are_kept_and_used_again_after_a_restart(make):
    rig = make().start()
    first = rig.until(Streaming).references
    rig.thread.halt()
    rig.thread.join(PATIENCE_S)
    rig.start()
    again = rig.until(Streaming)
    assert not again.measured
    np.testing.assert_array_equal(again.references.white, first.white)


@pytest.mark.parametrize("change", [{"boot_id": 5}, {"serial": "X"}, {"integration_us": 5}])
def test_stored_references_of_other_conditions_are_not_used(make, tmp_path, change):
    rig = make().start()
    references = rig.until(Streaming).references
    rig.thread.halt()
    rig.thread.join(PATIENCE_S)
    save_references(tmp_path, replace(references, **change))
    assert rig.start().until(Streaming).measured


def test_references_that_expire_are_measured_again_while_scans_go_on(make):
    rig = make(acquisition={"dark_max_age_s": 0.3, "white_max_age_s": 0.3}).start()
    first = rig.until(Streaming).references
    rig.measured(1)
    second = rig.until(Streaming)
    assert second.measured
    assert second.references.white_taken.running_s > first.white_taken.running_s
    item = rig.measured(1)[0]
    assert item.references is second.references
    numbers = [
        i.number if isinstance(i, Consumed) else i.scan.number
        for i in rig.history
        if isinstance(i, Consumed | Measured)
    ]
    assert numbers == list(range(len(numbers)))


def test_power_lost_during_a_reference_is_a_fault_and_half_a_pair_is_never_kept(make, tmp_path):
    rig = make(faults={"power_loss_in_reference": True}).start()
    fault = rig.trouble(Faults.REFERENCE_INTERRUPTED)
    assert fault.detail
    assert load_references(tmp_path) is None
    streaming = rig.until(Streaming)
    assert streaming.measured
    assert streaming.references.boot_id == rig.device.boot_id
    rig.measured(1)


def test_a_saturated_reference_is_a_fault_and_is_taken_again(make):
    rig = make(faults={"saturate_at": frozenset({2})}).start()
    rig.trouble(Faults.SATURATED)
    assert rig.until(Streaming).measured


def test_without_leave_to_take_references_scans_go_on_without(make):
    rig = make(acquisition={"automatic_references": False}).start()
    rig.trouble(Faults.NO_DARK)
    streaming = rig.until(Streaming)
    assert streaming.references is None
    assert not streaming.measured
    assert rig.measured(1)[0].references is None


def test_without_leave_expired_references_are_said_and_passed_on(make):
    rig = make().start()
    rig.until(Streaming)
    rig.thread.halt()
    rig.thread.join(PATIENCE_S)
    rig._options = ({"automatic_references": False, "dark_max_age_s": 1e-6}, {})
    rig.start()
    rig.trouble(Faults.REFERENCE_EXPIRED)
    assert rig.until(Streaming).references is not None


def test_references_that_cannot_be_saved_serve_all_the_same(make, monkeypatch):
    def save(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reference_taking, "save_references", save)
    rig = make().start()
    assert rig.until(Streaming).measured
    rig.measured(1)


def test_a_detector_that_has_warmed_makes_the_white_expire(make):
    rig = make(acquisition={"white_max_temperature_change_k": 0.5}).start()
    rig.until(Streaming, lambda s: s.measured)
    optics = rig.device.optics
    drift = rig.device._scene.drift
    warmer = SimpleNamespace(
        at=lambda up_s, lamp_s: replace(drift.at(up_s, lamp_s), temperature_c=26.0),
        warm=drift.warm,
    )
    assert optics.temperature_c == 25.0
    rig.device._scene.drift = warmer
    later = rig.until(Streaming, lambda s: s.measured)
    assert later.references.white_temperature_c == 26.0
