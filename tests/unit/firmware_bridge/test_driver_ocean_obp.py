"""Ocean Binary Protocol: the driver's bytes, what it accepts and what it refuses."""

import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.drivers import ocean_obp
from firmware_bridge.drivers.driver import Place
from firmware_bridge.drivers.obp import VERSIONS, Ask, Flag, Message, decode, encode, length
from firmware_bridge.drivers.ocean_obp import OceanObp
from firmware_bridge.drivers.talk import Nonsense
from firmware_bridge.errors import DeviceRefused, InstrumentExchanged, LineGarbage
from firmware_bridge.protocol import Configure, Position
from firmware_bridge.virtual.ocean_obp import NONLINEARITY, TEC_C, VirtualOceanObp
from firmware_bridge.virtual.port import PtyPort
from tests.drivers.cases import AXIS, CASES, SPECTRA
from tests.drivers.lines import MadeLine

SETTINGS = Configure(20_000, 1, 1, Position.SAMPLE)
TAIL = "00000000000000000000000000000000 c5c4c3c2"
# STS Data Sheet p. 16 (header), QE Pro Data Sheet p. 22; as python-seabreeze and the maker's
# demo-sts-api.c send them.
GOLDEN = {
    "c1c00011 00000000 00010000 00000000 000000000000 00 00"
    f" 00000000000000000000000000000000 14000000 {TAIL}": Message(Ask.SERIAL),
    "c1c00011 04000000 10001100 00000000 000000000000 00 04"
    f" a0860100000000000000000000000000 14000000 {TAIL}": Message(
        Ask.SET_INTEGRATION_US, struct.pack("<I", 100_000), Flag.ASK_ACK
    ),
    "c1c00011 00000000 00111000 00000000 000000000000 00 00"
    f" 00000000000000000000000000000000 14000000 {TAIL}": Message(Ask.RAW_SPECTRUM),
}


@pytest.mark.parametrize("text", GOLDEN)
def test_requests_byte_for_byte(text):
    assert encode(GOLDEN[text]) == bytes.fromhex(text)
    assert decode(bytes.fromhex(text)) == GOLDEN[text]


def test_a_reply_byte_for_byte():
    text = (
        "c1c00011 03000000 00010000 78563412 000000000000 00 06"
        f" 53313139303800000000000000000000 14000000 {TAIL}"
    )
    expected = Message(Ask.SERIAL, b"S11908", Flag.RESPONSE | Flag.ACK, regarding=0x12345678)
    assert decode(bytes.fromhex(text)) == expected
    assert encode(expected) == bytes.fromhex(text)


def test_a_refusal_byte_for_byte():
    text = (
        "c1c00010 09000200 00111000 01000000 000000000000 00 00"
        f" 00000000000000000000000000000000 14000000 {TAIL}"
    )
    reply = decode(bytes.fromhex(text))
    assert (reply.flags, reply.error) == (Flag.RESPONSE | Flag.NACK, 2)
    assert reply.version == 0x1000


messages = st.builds(
    Message,
    kind=st.integers(0, 2**32 - 1),
    payload=st.binary(max_size=5000),
    flags=st.integers(0, 63).map(Flag),
    error=st.integers(0, 65535),
    regarding=st.integers(0, 2**32 - 1),
    version=st.sampled_from(VERSIONS),
    md5=st.booleans(),
)


@given(message=messages, more=st.binary(max_size=8))
def test_what_is_encoded_is_decoded(message, more):
    data = encode(message)
    assert length(data + more) == len(data)
    assert decode(data) == message


@given(message=messages, data=st.data())
def test_one_wrong_bit_under_a_checksum_is_found(message, data):
    good = encode(replace(message, md5=True))
    bit = data.draw(st.integers(0, 8 * len(good) - 1))
    bad = bytearray(good)
    bad[bit // 8] ^= 1 << bit % 8
    if bit // 8 == 22:
        return  # the byte that says that there is a checksum
    with pytest.raises(Nonsense):
        decode(bytes(bad))


@given(junk=st.binary(min_size=44, max_size=100))
def test_nothing_may_claim_to_be_long(junk):
    try:
        size = length(b"\xc1\xc0" + junk)
    except Nonsense:
        return
    assert 64 <= size <= 44 + 20 + (1 << 15)


def test_the_checksum_type_that_nobody_knows():
    bad = bytearray(encode(Message(Ask.SERIAL)))
    bad[22] = 2
    with pytest.raises(Nonsense, match="checksum type 2"):
        decode(bytes(bad))


# ---- the driver


def line_of(**options):
    options.setdefault("model", "STS")
    return MadeLine(VirtualOceanObp(SPECTRA, AXIS, **options))


def opened(line, **given_):
    case = replace(CASES["ocean-obp"], given=given_)
    instrument = case.instrument(line)
    return instrument, instrument.open()


def scan(instrument):
    instrument.configure(SETTINGS)
    instrument.start(1)
    received = None
    while received is None:
        received = instrument.read(10.0)
    return received


def test_an_sts_says_what_it_keeps():
    line = line_of()
    _, identity = opened(line)
    device = line.device
    assert (identity.serial, identity.model, identity.firmware) == ("S11908", "STS", "107")
    assert np.allclose(identity.axis_nm, device.optics.wavelengths, atol=1e-3)
    assert identity.nonlinearity == pytest.approx(NONLINEARITY)
    assert identity.dark_pixels == ()
    assert (identity.min_integration_us, identity.max_integration_us) == (10, 85_000_000)


def test_a_qe_pro_gives_32_bits_its_clock_and_its_temperature():
    line = line_of(model="QE Pro", baud=115200)
    instrument, identity = opened(line)
    assert identity.model == "QE Pro"
    assert identity.dark_pixels == (4, 5, 6, 7, 8, 9, 1034, 1035, 1036, 1037, 1038, 1039)
    first, second = scan(instrument), scan(instrument)
    assert first.message.counts.max() > 65535
    assert first.message.temperature_c == TEC_C
    assert 0 < first.header.device_us < second.header.device_us
    asked = [m.kind for m in line.device.heard]
    assert asked[asked.index(Ask.BUFFERED_SPECTRUM) - 1] == Ask.CLEAR_BUFFER


def test_a_spectrum_from_the_buffer_of_another_integration_time_is_refused():
    line = line_of(model="QE Pro", baud=115200)
    instrument, _ = opened(line)
    instrument.configure(SETTINGS)
    line.device.integration_us = 50_000
    instrument.start()
    with pytest.raises(LineGarbage, match="a spectrum of 50000 us, not 20000 us"):
        instrument.read(60.0)


def test_what_speaks_only_the_old_version_is_asked_in_it():
    line = line_of(model="Ventana", versions=(0x1000,))
    instrument, identity = opened(line, model="Ventana")
    assert (identity.model, identity.full_scale) == ("Ventana", 65535)
    assert scan_at(instrument, 25_000).message.counts.size == 1024


def scan_at(instrument, integration_us):
    instrument.configure(Configure(integration_us, 1, 1, Position.SAMPLE))
    instrument.start(1)
    return instrument.read(30.0)


def test_what_speaks_only_version_2_is_told():
    with pytest.raises(DeviceRefused, match="invalid or unsupported protocol"):
        opened(line_of(versions=(0x2000,)))


def test_an_hdx_has_a_message_of_its_own():
    line = line_of(model="HDX", baud=115200)
    instrument, identity = opened(line)
    assert (identity.pixels, identity.model) == (2068, "HDX")
    assert np.array_equal(scan(instrument).message.counts, line.device.made[0])


def test_a_serial_number_that_does_not_tell_the_model():
    line = line_of(model="Ventana")
    with pytest.raises(LineGarbage, match="give `model`, one of STS, QE Pro, Ventana, HDX"):
        opened(line)
    with pytest.raises(ValueError, match="no model 'USB2000'"):
        OceanObp(Place("x", 9600, model="USB2000"))


def test_a_refusal_has_the_errors_name():
    line = line_of()
    instrument, _ = opened(line)
    line.device.model = replace(line.device.model, least_us=30_000)
    with pytest.raises(DeviceRefused, match=r"SET_INTEGRATION_US.*payload data invalid") as raised:
        instrument.configure(SETTINGS)
    assert raised.value.code == 6


def test_an_answer_that_is_put_off_is_waited_for():
    line = line_of()
    instrument, _ = opened(line)
    answer = line.device._answer

    def twice(asked, payload=b"", *, error=0, after_s=0.0):
        answer(asked, error=255)
        answer(asked, payload, error=error, after_s=after_s)

    line.device._answer = twice
    assert np.array_equal(scan(instrument).message.counts, line.device.made[0])


def test_an_old_answer_before_the_right_one_is_passed_over():
    line = line_of()
    instrument, _ = opened(line)
    old = encode(Message(Ask.SERIAL, b"S00000", Flag.RESPONSE, regarding=1))
    say = line.device.say
    line.device.say = lambda reply, after_s=0.0: say(old + reply, after_s)
    assert instrument.ping() > 0.0
    assert instrument.counters.malformed == 0


def test_an_old_answer_alone_is_none():
    line = line_of()
    instrument, _ = opened(line)
    line.device._answer = lambda asked, payload=b"", **_: line.device.say(
        encode(Message(asked.kind, b"S11908", Flag.RESPONSE, regarding=asked.regarding - 1))
    )
    with pytest.raises(LineGarbage, match=r"expected a response to SERIAL \(0x00000100\)"):
        instrument.ping()


def without_echo(device):
    answer = device._answer
    device._answer = lambda asked, *rest, **more: answer(replace(asked, regarding=0), *rest, **more)


def test_an_instrument_that_sends_back_nothing_is_read_all_the_same():
    line = line_of()
    without_echo(line.device)
    instrument, _ = opened(line)
    assert np.array_equal(scan(instrument).message.counts, line.device.made[0])


def test_one_that_sent_back_what_it_was_sent_must_go_on_so():
    line = line_of()
    instrument, _ = opened(line)
    without_echo(line.device)
    with pytest.raises(LineGarbage, match="expected a response to SERIAL"):
        instrument.ping()


def test_checksums_are_verified_and_then_demanded():
    line = line_of(md5=True)
    instrument, _ = opened(line)
    say = line.device.say
    spoilt = []

    def spoil(reply, after_s=0.0):
        if not spoilt:
            spoilt.append(reply)
            reply = reply[:500] + bytes((reply[500] ^ 1,)) + reply[501:]
        say(reply, after_s)

    instrument.configure(SETTINGS)
    line.device.say = spoil
    instrument.start(1)
    received = instrument.read(30.0)
    assert instrument.counters.malformed == 1
    assert np.array_equal(received.message.counts, line.device.made[1])
    line.device.md5 = False
    with pytest.raises(LineGarbage, match="without its MD5"):
        instrument.ping()


def test_another_instrument_of_the_same_kind_does_not_answer_a_ping():
    line = line_of()
    instrument, _ = opened(line)
    line.device.serial = "S00007"
    with pytest.raises(InstrumentExchanged, match="'S00007' instead of 'S11908'"):
        instrument.ping()


@pytest.mark.parametrize("coefficients", [(), (640.0,), (640.0, float("nan")), (0.0,) * 17])
def test_a_wavelength_axis_that_is_none(coefficients, monkeypatch):
    line = line_of()
    monkeypatch.setattr(VirtualOceanObp, "wavelength_nm", coefficients)
    with pytest.raises(LineGarbage, match="coefficients"):
        opened(line)


def test_binning_and_triggers_that_another_program_left_are_undone():
    line = line_of()
    opened(line)
    heard = {m.kind: m.payload for m in line.device.heard}
    assert heard[Ask.SET_BINNING] == b"\x00"
    assert heard[Ask.SET_TRIGGER] == b"\x00"


def test_what_an_older_firmware_does_not_know_is_done_without():
    unknown = frozenset((Ask.SET_BINNING, Ask.SET_TRIGGER, Ask.FIRMWARE, Ask.NONLINEARITY_COUNT))
    line = line_of(unknown=unknown)
    instrument, identity = opened(line)
    assert (identity.firmware, identity.nonlinearity) == ("", ())
    assert np.array_equal(scan(instrument).message.counts, line.device.made[0])
    line = line_of(model="QE Pro", unknown=frozenset((Ask.CLEAR_BUFFER, Ask.TEC_TEMPERATURE)))
    instrument, _ = opened(line)
    assert np.isnan(scan(instrument).message.temperature_c)


def test_on_a_real_pty():
    device = VirtualOceanObp(SPECTRA, AXIS, baud=115200)
    with PtyPort(device) as port:
        instrument = ocean_obp.DRIVER.make(Place(port.url, 115200))
        try:
            assert instrument.open().serial == "S11908"
            received = scan(instrument)
        finally:
            instrument.close()
        made = port.call(lambda: dict(device.made))
    assert np.array_equal(received.message.counts, made[0])
