"""From a cable to a stream of scans, and through all that ends one."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from firmware_bridge import errors
from firmware_bridge.link import Link
from firmware_bridge.protocol import LampState, Position
from firmware_bridge.protocol import Scan as WireScan
from firmware_bridge.virtual import VirtualSpectrometer
from spektron_edge.faults import Fault, Faults
from spektron_edge.inbox import Consumed, FaultRaised, InstrumentReady, Measured, Streaming, Told
from spektron_edge.instrument import exposures
from spektron_edge.instrument.line_faults import LINE_FAULTS, as_fault
from spektron_edge.spectra.acquisition import absorbance
from spektron_edge.spectra.scan import Scan

from . import rigs
from .rigs import PATIENCE_S


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


def test_scans_begin_when_the_lamp_is_warm(make):
    rig = make(optics={"warmup_s": 0.4}).start()
    assert "warming" in rig.trouble(Faults.LAMP_NOT_WARM).detail
    rig.until(Streaming)
    assert rig.measured(1)[0].scan.lamp is LampState.STABLE


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


class Cut(VirtualSpectrometer):
    """Every third scan has lost its last pixels."""

    def _send(self, message, *rest):
        if isinstance(message, WireScan) and message.number % 3 == 0 and message.number > 3:
            message = replace(message, counts=message.counts[:-5])
        return super()._send(message, *rest)


def test_scans_of_another_size_are_told_and_the_others_go_on(make, monkeypatch):
    monkeypatch.setattr(rigs, "VirtualSpectrometer", Cut)
    rig = make().start()
    numbers = [item.scan.number for item in rig.measured(6)]
    assert numbers == [3, 4, 5, 7, 8, 10]
    told = [i.fault for i in rig.history if isinstance(i, FaultRaised)]
    assert {f.kind for f in told} == {Faults.SCAN_INVALID}
    assert told[0].detail == "scan 6 has 115 pixels, expected the detector's 120"
    assert sum(isinstance(item, InstrumentReady) for item in rig.history) == 1
    assert {6, 9}.isdisjoint(i.number for i in rig.history if isinstance(i, Consumed))
    assert rig.thread.link.counters.malformed >= 2


def test_an_exchanged_instrument_that_streams_already_is_told_and_gives_no_scan(make):
    rig = make().start()
    rig.measured(30)
    other = VirtualSpectrometer(
        rigs.SPECTRA, rigs.AXIS, rig.device.optics, serial="BBB", seed=2, baud=4_000_000
    )

    def exchange():
        now, mine = time.monotonic(), rig.device
        other.poll(now)
        other._booted_at, other._settings, other._number = now - 500.0, mine._settings, 2
        other._lamp_on_at, other._next_at, other._interval_s = now - 500.0, now, 0.02
        rig.port.device = other

    rig.port.call(exchange)
    begun = len(rig.history)
    told = rig.trouble(Faults.INSTRUMENT_EXCHANGED)
    assert "'BBB' instead of 'VIRT-0001'" in told.detail
    late = [i.scan.number for i in rig.history[begun:] if isinstance(i, Measured)]
    assert all(number > 30 for number in late)
    assert rig.until(InstrumentReady).serial == "BBB"
    assert rig.until(Streaming).measured


def untold_power_cycle(rig):
    """While the cable is out: an instrument that keeps its boot_id."""
    rig.port.unplug()

    def power_cycle():
        kept = rig.device.boot_id
        rig.device.power_cycle(time.monotonic())
        rig.device.boot_id = kept

    rig.port.call(power_cycle)
    rig.port.plug()


def test_a_power_on_that_the_firmware_does_not_tell_makes_references_anew(make):
    rig = make().start()
    before = rig.measured(20)[-1].scan.boot_id
    untold_power_cycle(rig)
    told = rig.until(Told, lambda t: t.code == "power_on_untold")
    assert "its firmware does not tell: its clock went back" in told.message
    streaming = rig.until(Streaming)
    assert streaming.measured
    assert streaming.references.boot_id != before
    assert rig.measured(1)[0].scan.boot_id == streaming.references.boot_id


def test_references_of_before_an_untold_power_on_are_not_kept(make):
    rig = make(acquisition={"automatic_references": False}).start()
    rig.until(Streaming)
    rig.order(1, "take-dark")
    rig.order(2, "take-reference")
    assert (rig.folder / "references.npz").exists()
    rig.until(Streaming, lambda s: s.references is not None)
    rig.measured(10)
    untold_power_cycle(rig)
    rig.until(Told, lambda t: t.code == "power_on_untold")
    assert rig.until(Streaming).references is None
    assert not (rig.folder / "references.npz").exists()
