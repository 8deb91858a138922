"""The virtual spectrometer's state machine, on a clock made of numbers."""

import math
from dataclasses import replace

import numpy as np
import pytest

from firmware_bridge.framing import encode_frame
from firmware_bridge.protocol import (
    Ack,
    Configure,
    ErrorCode,
    Event,
    EventCode,
    Hello,
    Info,
    LampState,
    MessageType,
    Ping,
    Position,
    Scan,
    Start,
    Stop,
    decode,
    encode,
    wavelengths,
)
from firmware_bridge.virtual import Optics, VirtualSpectrometer, scene
from tests.clocked import DARK, REFERENCE, SAMPLE, Bench


@pytest.fixture
def bench(make_device):
    return lambda **options: Bench(make_device(**options))


def test_hello_is_answered_by_info(bench):
    b = bench()
    info = b.ask(Hello(1, 1))
    assert isinstance(info, Info)
    assert (info.version, info.serial, info.pixels) == (1, "VIRT-0001", 120)
    assert info.full_scale == 65535
    assert wavelengths(info) == pytest.approx(b.device.optics.wavelengths)


def test_coefficients_that_overflow_give_an_axis_that_is_not_finite(bench):
    info = replace(bench().ask(Hello(1, 1)), coefficients=(1e308,) * 6)
    assert not np.all(np.isfinite(wavelengths(info)))


def test_samples_step_through_the_rows_in_order(bench):
    b = bench()
    b.ask(REFERENCE)
    b.ask(Start(2))
    assert len(b.scans(1.0)) == 2
    b.ask(SAMPLE)
    b.ask(Start(6))
    scans = b.scans(1.0)
    assert [s.number for s in scans] == [2, 3, 4, 5, 6, 7]
    assert b.device.presented == {2: 0, 3: 1, 4: 2, 5: 3, 6: 0, 7: 1}
    means = [s.counts.mean() for s in scans]
    assert means[0] > means[1] > means[2] > means[3]
    assert means[4] == pytest.approx(means[0], rel=1e-3)
    b.ask(Start(1))
    b.wait(1.0)
    assert b.device.presented[8] == 2


def test_samples_are_paced_and_stop_stops(bench):
    b = bench(interval_s=0.1)
    b.ask(SAMPLE)
    b.ask(Start())
    assert len(b.scans(1.0001)) == 10
    assert b.device.next_due == pytest.approx(b.now + 0.1, abs=0.001)
    assert b.ask(Stop()) == Ack(MessageType.STOP)
    assert b.scans(10.0) == []


def test_no_scan_is_faster_than_its_exposures_or_the_wire(bench):
    b = bench()
    b.ask(Configure(1000, 500, 1, Position.REFERENCE))
    b.ask(Start())
    assert len(b.scans(5.0001)) == 10
    b.ask(Configure(10, 1, 1, Position.REFERENCE))
    assert len(b.scans(1.0)) == int(921600 / 10 / (2 * 120 + 64))


def test_it_stops_by_itself_and_goes_on_answering(bench):
    b = bench(scans=3)
    b.ask(SAMPLE)
    b.ask(Start())
    out = b.wait(10.0)
    assert [type(m) for m in out] == [Scan, Scan, Scan, Event]
    assert out[-1].code == EventCode.STREAM_ENDED
    assert b.device.samples_shown == 3
    assert b.ask(Ping(1)) == Ping(1)
    assert b.ask(Start()) == Ack(MessageType.START)
    assert [e.code for e in b.events] == [EventCode.STREAM_ENDED]
    b.ask(DARK)
    b.ask(Start(2))
    assert len(b.scans(1.0)) == 2


def test_the_positions_give_dark_white_and_sample(bench):
    b = bench()
    levels = []
    for settings in (DARK, SAMPLE, REFERENCE):
        b.ask(settings)
        b.ask(Start(1))
        (scan,) = b.scans(1.0)
        assert scan.position == settings.position
        levels.append(scan.counts.mean())
    assert levels[0] == pytest.approx(600, rel=0.05)
    assert levels[0] < levels[1] < levels[2]


def test_counts_repeat_bit_for_bit_and_change_with_the_seed(bench):
    def run(seed):
        b = bench(seed=seed)
        b.ask(SAMPLE)
        b.ask(Start(3))
        return np.array([s.counts for s in b.scans(1.0)])

    assert (run(7) == run(7)).all()
    assert (run(7) != run(8)).any()


def test_absorbance_can_be_recovered(bench):
    b = bench()
    got = {}
    for settings in (DARK, REFERENCE, SAMPLE):
        b.ask(settings)
        b.ask(Start(1))
        got[settings.position] = b.scans(1.0)[0].counts.astype(float)
    dark = got[Position.DARK]
    absorbance = -np.log10((got[Position.SAMPLE] - dark) / (got[Position.REFERENCE] - dark))
    assert absorbance.mean() == pytest.approx(0.1, abs=1e-3)
    assert absorbance.std() < 5e-4


def test_the_lamp_warms_up(bench):
    b = bench(optics=Optics(pixels=120, warmup_s=60.0))
    b.ask(REFERENCE)
    assert [e.code for e in b.events] == [EventCode.LAMP_WARMING]
    b.ask(Start(1))
    (cold,) = b.scans(0.1)
    assert cold.lamp == LampState.WARMING
    assert b.device.next_due == pytest.approx(160.0)
    assert [m.code for m in b.wait(61.0)] == [EventCode.LAMP_STABLE]
    b.ask(REFERENCE)
    assert b.events == []
    b.ask(Start(1))
    (warm,) = b.scans(0.1)
    assert warm.lamp == LampState.STABLE
    assert warm.counts.mean() > 1.03 * cold.counts.mean()
    b.ask(Configure(1000, 1, 0, Position.REFERENCE))
    b.ask(Start(1))
    (off,) = b.scans(0.1)
    assert off.lamp == LampState.OFF
    assert off.counts.mean() < 700


def test_power_cycle_starts_anew(bench):
    b = bench()
    first = b.device.boot_id
    b.ask(SAMPLE)
    b.ask(Start())
    before = b.scans(0.02)
    assert b.device.presented
    (body,) = b.framer.feed(b.device.power_cycle(b.now))
    header, event = decode(body)
    assert event.code == EventCode.RESTARTED
    assert header.device_us == 0
    assert b.device.boot_id != first
    assert not b.device.streaming
    assert b.device.presented == {}
    b.ask(SAMPLE)
    b.ask(Start(1))
    (scan,) = b.scans(1.0)
    assert scan.number == 0
    assert b.device.presented == {0: len(before) % 4}


def test_power_fails_in_the_reference_once(bench):
    b = bench(faults={"power_loss_in_reference": True})
    b.ask(REFERENCE)
    b.ask(Start(3))
    out = b.wait(1.0)
    assert [type(m) for m in out] == [Event]
    b.ask(REFERENCE)
    b.ask(Start(3))
    assert len(b.scans(1.0)) == 3


def test_dropped_broken_and_saturated_scans(bench):
    b = bench(
        faults={
            "drop_numbers": {0, 1},
            "flip_bits_at": {1, 2},
            "saturate_at": {4},
        }
    )
    b.ask(SAMPLE)
    b.ask(Start(6))
    out = b.wait(1.0)
    assert [m.number for m in out if isinstance(m, Scan)] == [3, 4, 5]
    assert b.framer.counters.bad_frames == 1
    saturated = [m for m in out if isinstance(m, Scan) and m.saturated]
    assert [m.number for m in saturated] == [4]
    assert [m.code for m in out if isinstance(m, Event)] == [EventCode.SATURATED]
    assert list(b.device.presented) == [0, 1, 2, 3, 4, 5]


def test_silent(bench):
    b = bench(faults={"silent": True})
    assert b.device.feed(encode_frame(encode(Hello(1, 1))), b.now) == b""


def test_nan_axis(bench):
    assert math.isnan(bench(faults={"nan_axis": True}).ask(Hello(1, 1)).coefficients[1])


def test_error_on_configure(bench):
    assert bench(faults={"error_on_configure": True}).ask(SAMPLE).code == ErrorCode.HARDWARE


def test_refuse_version(bench):
    answer = bench(faults={"refuse_version": True}).ask(Hello(1, 255))
    assert answer.code == ErrorCode.UNSUPPORTED_VERSION


def test_presented_is_bounded(bench, monkeypatch):
    monkeypatch.setattr(scene, "PRESENTED_KEPT", 3)
    b = bench()
    b.ask(SAMPLE)
    b.ask(Start(5))
    b.wait(1.0)
    assert list(b.device.presented) == [2, 3, 4]


def test_spectra_must_match_their_axis():
    with pytest.raises(ValueError, match="rows of that length"):
        VirtualSpectrometer(np.zeros((2, 5)), np.arange(6.0))
