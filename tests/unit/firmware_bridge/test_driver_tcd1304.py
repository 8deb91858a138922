"""The TCD1304: its bytes, its ring of twelve, its three kinds of firmware."""

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.drivers import tcd1304
from firmware_bridge.drivers.driver import Place
from firmware_bridge.drivers.talk import Nonsense
from firmware_bridge.errors import LineGarbage
from firmware_bridge.protocol import Configure, Position
from firmware_bridge.virtual.tcd1304 import VirtualTcd1304
from tests.drivers.cases import AXIS, CASES, SPECTRA, TCD1304_NM
from tests.drivers.lines import MadeLine
from tests.drivers.talks import over_a_pty, played

CASE = CASES["tcd1304"]
PLACE = Place("made", 115200, "bench", TCD1304_NM)


def exposure(words):
    return np.asarray(words, "<u2").tobytes()


def read_scan(line, integration_us=20_000):
    instrument = CASE.instrument(line)
    instrument.open()
    instrument.configure(Configure(integration_us, 1, 1, Position.SAMPLE))
    instrument.start(1)
    return instrument.read(60.0).message


def test_requests_byte_for_byte():
    # The author's program, comment at forum.hiasm.com/post/315391: 'E' 'R', SH and ICG of 32 bits,
    # 0 for one exposure, how many to average; its example is SH 100, ICG 2000000: 50 us.
    assert tcd1304.request(100, 2_000_000).hex(" ") == "45 52 00 00 00 64 00 1e 84 80 00 01"
    assert tcd1304.periods(50)[0] == 100
    # The shortest: SH 20 at 2 MHz is the data sheet's 10 us, ICG the next multiple from 14776 on.
    assert tcd1304.request(*tcd1304.periods(10)).hex(" ") == "45 52 00 00 00 14 00 00 39 bc 00 01"
    # src/stm32f4xx_it.c of 2017: the byte after the periods must be 1.
    assert tcd1304.request(20, 14780, 1).hex(" ") == "45 52 00 00 00 14 00 00 39 bc 01 01"


def test_words_are_little_endian_and_fall_with_light():
    # src/UART_conf.c: "the uint16 0x0102 is received as 0x02 0x01".
    reply = bytes((0x02, 0x01)) + exposure([4095] * 3692 + [0])
    assert tcd1304.frame(reply) == 7388
    counts = tcd1304.counts(reply)
    assert (counts[0], counts[1], counts[-1]) == (4095 - 0x0102, 0, 4095)


def test_what_identify_and_expose_send():
    dialect = tcd1304.Tcd1304(PLACE)
    dark = exposure([4000] * 3694)
    sent, identity = played(dialect.identify(), dark)
    assert sent == [tcd1304.request(20, 14780)]
    assert (identity.serial, identity.pixels, identity.full_scale) == ("bench", 3694, 4095)
    assert identity.dark_pixels == tuple(range(16, 29))
    assert identity.axis_nm[[0, -1]] == pytest.approx([350.0, 1000.0])
    settings = Configure(5000, 1, 1, Position.SAMPLE)
    assert played(dialect.set_up(settings), dark)[0] == [tcd1304.request(10_000, 20_000)]
    sent, found = played(dialect.expose(settings), dark)
    assert sent == [tcd1304.request(10_000, 20_000)]
    assert np.all(found.counts == 95)


@given(integration_us=st.integers(tcd1304.LEAST_US, tcd1304.MOST_US))
def test_icg_is_a_multiple_of_sh_and_holds_a_readout(integration_us):
    sh, icg = tcd1304.periods(integration_us)
    assert sh == 2 * integration_us
    assert sh >= 20
    assert icg % sh == 0
    assert 14_776 <= icg <= 2**32 - 1
    assert icg - sh < 14_776


@given(at=st.integers(0, 7387), seed=st.integers(0, 2**32 - 1))
def test_a_lost_byte_never_passes(at, seed):
    words = np.random.default_rng(seed).normal(3000.0, 20.0, 3694)
    whole = exposure(words)
    assert tcd1304.frame(whole) == 7388
    # Its length never does; most of the time the words show it at once.
    with suppress(Nonsense):
        assert tcd1304.frame(whole[:at] + whole[at + 1 :]) is None


def test_words_that_are_too_large_are_told():
    with pytest.raises(Nonsense, match="a word of 47115 after 1: a byte is missing"):
        tcd1304.frame(bytes.fromhex("b80b0bb8"))


def test_a_byte_too_many_never_passes():
    for received in (exposure([3000] * 3695), b"\x0b" + exposure([3000] * 3694)):
        with pytest.raises(Nonsense):
            tcd1304.frame(received)


@pytest.mark.parametrize("left", [b"E", b"ER\0\0\0", b"ER\0\0\0\x14\0\0\x39\xbc\0", b"RERERER"])
def test_rest_of_a_request_in_the_ring_makes_no_wrong_exposure(left):
    line = MadeLine(CASE.device())
    line.device.feed(left, 0.0)
    long, short = read_scan(line, 40_000), read_scan(MadeLine(CASE.device()), 20_000)
    assert any(np.array_equal(long.counts, made) for made in line.device.made.values())
    assert np.mean(long.counts) == pytest.approx(2.0 * np.mean(short.counts), rel=0.3)


def test_the_first_firmware_answers_another_flag():
    line = MadeLine(VirtualTcd1304(SPECTRA, AXIS, of_2017=True))
    scan = read_scan(line)
    assert np.array_equal(scan.counts, line.device.made[max(line.device.made)])


def test_firmware_that_runs_on_is_stopped():
    line = MadeLine(CASE.device())
    line.device.feed(tcd1304.request(20, 14780, 1), 0.0)
    line.sleep(3.0)
    scan = read_scan(line)
    assert np.array_equal(scan.counts, line.device.made[max(line.device.made)])
    assert line.device.next_due is None


def test_firmware_taken_for_the_first_one_is_found_out():
    """All three requests for one exposure were lost, so that it was asked to run on."""
    line = MadeLine(CASE.device())
    heard, feed = [], line.device.feed

    def deaf_at_first(data, now):
        heard.append(data)
        return feed(data, now) if len(heard) > 3 else b""

    line.device.feed = deaf_at_first
    with pytest.raises(LineGarbage, match="one after another"):
        CASE.instrument(line).open()
    assert read_scan(line) is not None
    assert line.device.next_due is None


@pytest.mark.parametrize("missing", ["serial", "wavelength_nm"])
def test_what_it_does_not_know_must_be_given(missing):
    with pytest.raises(ValueError, match=r"`wavelength_nm`.*`serial`"):
        tcd1304.DRIVER.make(replace(PLACE, **{missing: None}))
    assert missing in tcd1304.DRIVER.needs
    assert tcd1304.DRIVER.quiet


def test_over_a_pty():
    device = CASE.device()
    first, second = over_a_pty(
        tcd1304.DRIVER, device, 20_000, serial="bench", wavelength_nm=TCD1304_NM
    )
    made = list(device.made.values())
    for received in (first, second):
        assert any(np.array_equal(received.message.counts, counts) for counts in made)
