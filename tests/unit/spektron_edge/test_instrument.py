"""The acquisition thread against the virtual spectrometer, through a real pty."""

from __future__ import annotations

import queue
import sys
import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from firmware_bridge import errors
from firmware_bridge.link import Link
from firmware_bridge.protocol import LampState, Position
from firmware_bridge.protocol import Scan as WireScan
from firmware_bridge.virtual import Flaws, InjectedFaults, Optics, PtyPort, VirtualSpectrometer
from spektron_edge.clock import Clock
from spektron_edge.config.instrument import Acquisition, Serial
from spektron_edge.faults import Fault, Faults
from spektron_edge.inbox import (
    Consumed,
    FaultRaised,
    InstrumentReady,
    Measured,
    OrderDone,
    Streaming,
    Told,
)
from spektron_edge.instrument import exposures
from spektron_edge.instrument import session as instrument_session
from spektron_edge.instrument import thread as module
from spektron_edge.instrument.line_faults import LINE_FAULTS, as_fault
from spektron_edge.instrument.orders import Order, Orders
from spektron_edge.instrument.reference_store import load_references, save_references
from spektron_edge.instrument.session import Settings
from spektron_edge.instrument.thread import InstrumentThread
from spektron_edge.spectra.acquisition import absorbance
from spektron_edge.spectra.scan import Scan

AXIS = np.arange(1100.0, 2499.0, 2.0)
SPECTRA = np.outer([0.2, 0.6], np.ones(AXIS.size))
PATIENCE_S = 60.0


class Rig:
    """A virtual instrument, the thread that reads it, and what it says."""

    def __init__(self, folder, faults, optics, acquisition, serial, **device):
        self.folder = folder
        self.device = VirtualSpectrometer(
            SPECTRA,
            AXIS,
            Optics(pixels=120, **optics),
            faults=InjectedFaults(**faults),
            baud=4_000_000,
            interval_s=0.02,
            **device,
        )
        self.port = PtyPort(self.device, link=folder / "tty")
        self.said: queue.SimpleQueue = queue.SimpleQueue()
        self.history = []
        self._options = (acquisition, serial)
        self.thread = None

    def start(self):
        acquisition, serial = self._options
        settings = Settings(
            Serial(url=self.port.url, baud=4_000_000, **serial),
            Acquisition(**{"reference_averages": 4, **acquisition}),
            self.folder,
        )
        self.orders = Orders()
        self.thread = InstrumentThread(settings, Clock(), self.said.put, self.orders)
        self.thread.link.reply_timeout_s = 5.0
        self.thread.start()
        return self

    def until(self, kind, when=lambda item: True):
        """The next item of that kind for which `when` holds."""
        while True:
            item = self.said.get(timeout=PATIENCE_S)
            self.history.append(item)
            if isinstance(item, kind) and when(item):
                return item

    def trouble(self, kind):
        return self.until(FaultRaised, lambda t: t.fault.kind is kind).fault

    def order(self, ticket, what, integration_us=None):
        """Ask for something; what came of it."""
        self.orders.put(Order(ticket, what, integration_us))
        return self.until(OrderDone, lambda done: done.ticket == ticket)

    def measured(self, count):
        return [self.until(Measured) for _ in range(count)]

    def stop(self):
        if self.thread is not None:
            self.thread.halt()
            self.thread.join(PATIENCE_S)
            assert not self.thread.is_alive()
        self.port.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(module, "_PAUSE_S", 0.05)
    monkeypatch.setattr(instrument_session, "_PAUSE_S", 0.05)


@pytest.fixture
def make(tmp_path):
    rigs = []

    def build(faults=None, optics=None, acquisition=None, serial=None, **device):
        rig = Rig(tmp_path, faults or {}, optics or {}, acquisition or {}, serial or {}, **device)
        rigs.append(rig)
        return rig

    yield build
    for rig in rigs:
        rig.stop()


def test_from_nothing_to_a_stream_of_scans_with_their_references(make):
    rig = make().start()
    ready = rig.until(InstrumentReady)
    assert (ready.serial, ready.boot_id) == ("VIRT-0001", rig.device.boot_id)
    assert (ready.capabilities, ready.protocol) == (("shutter", "reference", "lamp"), 1)
    np.testing.assert_allclose(ready.axis_nm, rig.device.optics.wavelengths)
    streaming = rig.until(Streaming)
    assert streaming.measured
    scans = rig.measured(4)
    for item in scans:
        spectrum = absorbance(item.scan, item.references)
        row = rig.port.call(lambda n=item.scan.number: rig.device.presented[n])
        np.testing.assert_allclose(spectrum.absorbance, [0.2, 0.6][row], atol=2e-3)
    # Lamp, dark and white took numbers of their own: every number is told.
    numbers = [i.number for i in rig.history if isinstance(i, Consumed)]
    assert numbers == [0, 1, 2]
    assert [i.scan.number for i in scans] == [3, 4, 5, 6]


def test_halting_stops_the_stream(make):
    rig = make().start()
    rig.measured(1)
    rig.thread.halt()
    rig.thread.join(PATIENCE_S)
    assert not rig.thread.is_alive()
    assert not rig.port.call(lambda: rig.device.streaming)
    assert not rig.thread.link.is_open


def test_halting_ends_the_wait_for_an_instrument_that_is_not_there(make):
    rig = make()
    rig.port.unplug()
    rig.start()
    rig.trouble(Faults.PORT_MISSING)


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


def test_scans_begin_when_the_lamp_is_warm(make):
    rig = make(optics={"warmup_s": 0.4}).start()
    assert "warming" in rig.trouble(Faults.LAMP_NOT_WARM).detail
    rig.until(Streaming)
    assert rig.measured(1)[0].scan.lamp is LampState.STABLE


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

    monkeypatch.setattr(instrument_session, "save_references", save)
    rig = make().start()
    assert rig.until(Streaming).measured
    rig.measured(1)


def test_an_unplugged_instrument_is_found_again(make):
    rig = make().start()
    rig.measured(2)
    rig.port.unplug()
    fault = rig.until(FaultRaised).fault
    assert fault.kind in (Faults.PORT_LOST, Faults.PORT_MISSING)
    rig.port.plug()
    rig.until(InstrumentReady)
    # Its references still count: it kept its power.
    assert not rig.until(Streaming).measured
    rig.measured(2)


def test_a_power_cycle_while_streaming_is_noticed_and_references_are_new(make):
    rig = make().start()
    before = rig.measured(1)[0].scan.boot_id
    rig.port.power_cycle()
    assert "restarted" in rig.trouble(Faults.DEVICE_SILENT).detail
    after = rig.until(Streaming)
    assert after.measured
    assert rig.measured(1)[0].scan.boot_id == after.references.boot_id != before


def test_an_instrument_that_falls_silent_is_a_fault(make):
    rig = make(serial={"silence_s": 0.2}).start()
    rig.measured(1)
    rig.port.call(lambda: setattr(rig.device, "faults", replace(rig.device.faults, silent=True)))
    rig.thread.link.reply_timeout_s = 0.1
    rig.trouble(Faults.DEVICE_SILENT)
    rig.port.call(lambda: setattr(rig.device, "faults", replace(rig.device.faults, silent=False)))
    rig.until(Streaming)


def test_exposures_longer_than_the_allowed_silence_are_no_silence(make):
    rig = make(
        serial={"silence_s": 0.05}, acquisition={"integration_us": 300, "averages": 1500}
    ).start()
    rig.measured(2)


def test_a_stream_that_ended_by_itself_is_no_silence(make, monkeypatch):
    rig = make(serial={"silence_s": 1.0}, scans=2)
    asked = threading.Semaphore(0)
    ping = Link.ping

    def counted(link):
        asked.release()
        return ping(link)

    monkeypatch.setattr(Link, "ping", counted)
    rig.start()
    rig.measured(2)
    for _ in range(2):
        assert asked.acquire(timeout=PATIENCE_S)
    assert rig.said.empty()
    assert not [i for i in rig.history if isinstance(i, FaultRaised)]


def test_an_axis_that_is_no_axis_is_passed_on_for_the_main_path_to_judge(make):
    rig = make(faults={"nan_axis": True}).start()
    assert np.isnan(rig.until(InstrumentReady).axis_nm).any()


@pytest.mark.parametrize(
    ("faults", "kind"),
    [
        ({"refuse_version": True}, Faults.VERSION_MISMATCH),
        ({"error_on_configure": True}, Faults.DEVICE_REFUSED),
        ({"silent": True}, Faults.DEVICE_SILENT),
    ],
)
def test_an_instrument_that_will_not_is_a_fault_of_its_own(make, faults, kind):
    rig = make(faults=faults).start()
    rig.thread.link.reply_timeout_s = 0.2
    rig.trouble(kind)


def test_scans_that_never_came_leave_a_hole_in_the_numbers(make):
    rig = make(faults={"drop_numbers": frozenset({5}), "flip_bits_at": frozenset({7})}).start()
    assert [i.scan.number for i in rig.measured(4)] == [3, 4, 6, 8]
    assert rig.thread.link.counters.crc_errors + rig.thread.link.counters.cobs_errors == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.PortMissing("x"), Faults.PORT_MISSING),
        (errors.PortBusy("x"), Faults.PORT_BUSY),
        (errors.PortDenied("x"), Faults.PORT_DENIED),
        (errors.PortLost("x"), Faults.PORT_LOST),
        (errors.LineGarbage("x"), Faults.LINE_GARBAGE),
        (errors.DeviceSilent("x"), Faults.DEVICE_SILENT),
        (errors.NoReply("x"), Faults.DEVICE_SILENT),
        (errors.VersionMismatch("x"), Faults.VERSION_MISMATCH),
        (errors.DeviceRefused("START", 4, "OUT_OF_RANGE", "no"), Faults.DEVICE_REFUSED),
        (errors.LinkError("x"), Faults.PORT_LOST),
    ],
)
def test_every_error_of_the_line_has_its_fault(error, kind):
    fault = as_fault(error)
    assert fault.kind is kind
    assert fault.detail == str(error)


def test_no_error_of_the_line_is_without_a_fault():
    def below(kind):
        return {kind}.union(*(below(k) for k in kind.__subclasses__()))

    for kind in below(errors.LinkError) - {errors.LinkError}:
        assert any(k in LINE_FAULTS for k in kind.__mro__)


def wire_scan(**changes):
    fields = {
        "number": 4,
        "integration_us": 1000,
        "averages": 1,
        "lamp": 2,
        "position": 1,
        "temperature_c": 25.0,
        "saturated": 0,
        "counts": np.zeros(3, np.uint16),
    }
    return SimpleNamespace(**{**fields, **changes})


def test_a_lamp_state_of_the_future_is_not_trusted():
    assert exposures.lamp_state(7) is LampState.OFF
    assert exposures.lamp_state(2) is LampState.STABLE


def test_a_position_of_the_future_is_a_fault_and_not_the_end_of_the_thread():
    assert exposures.position_of(wire_scan(position=2)) is Position.REFERENCE
    with pytest.raises(Fault) as caught:
        exposures.position_of(wire_scan(position=9))
    assert caught.value.kind is Faults.VERSION_MISMATCH


def test_scan_carries_what_the_wire_said(make):
    rig = make().start()
    scan = rig.measured(1)[0].scan
    assert isinstance(scan, Scan)
    assert scan.counts.dtype == np.float64
    assert scan.position is Position.SAMPLE
    assert scan.device_us > 0


# ---- what operators ask for

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
    monkeypatch.setitem(globals(), "SPECTRA", np.full((2, AXIS.size), 0.3))
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
        patch.setattr(instrument_session, "replace", broken)
        assert "nobody thought of that" in rig.order(1, "take-dark").fault.detail
        rig.trouble(Faults.INTERNAL)
    rig.until(Streaming)
    assert rig.order(2, "take-dark").fault is None


# ---- what a detector does, and what is done about it

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
    monkeypatch.setitem(globals(), "SPECTRA", np.full((1, AXIS.size), 0.3))
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
        ({"nonlinearity": [0.0, 1.0]}, Faults.NONLINEARITY_UNUSABLE),
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


class Cut(VirtualSpectrometer):
    """Every third scan has lost its last pixels."""

    def _send(self, message, *rest):
        if isinstance(message, WireScan) and message.number % 3 == 0 and message.number > 3:
            message = replace(message, counts=message.counts[:-5])
        return super()._send(message, *rest)


def test_scans_of_another_size_are_told_and_the_others_go_on(make, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "VirtualSpectrometer", Cut)
    rig = make().start()
    numbers = [item.scan.number for item in rig.measured(6)]
    assert numbers == [3, 4, 5, 7, 8, 10]
    told = [i.fault for i in rig.history if isinstance(i, FaultRaised)]
    assert {f.kind for f in told} == {Faults.SCAN_INVALID}
    assert told[0].detail == "scan 6 has 115 pixels, expected the detector's 120"
    assert sum(isinstance(item, InstrumentReady) for item in rig.history) == 1
    assert {6, 9}.isdisjoint(i.number for i in rig.history if isinstance(i, Consumed))
    assert rig.thread.link.counters.malformed >= 2
