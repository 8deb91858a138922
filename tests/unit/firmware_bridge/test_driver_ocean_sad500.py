"""The SAD500 dialect: its manual's examples, and every trap that is known of it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.drivers import ocean_sad500
from firmware_bridge.drivers.driver import Place
from firmware_bridge.drivers.ocean_sad500 import OceanSad500
from firmware_bridge.drivers.sad500 import (
    Form,
    SpectrumReader,
    checksum,
    compress,
    compressed_checksum,
    expand,
)
from firmware_bridge.drivers.talk import Nonsense
from firmware_bridge.errors import DeviceRefused, InstrumentExchanged, LineGarbage
from firmware_bridge.protocol import Configure, Position
from firmware_bridge.virtual.ocean_sad500 import VirtualOceanSad500
from firmware_bridge.virtual.port import PtyPort
from tests.drivers.cases import AXIS, CASES, FLAME_NM, SPECTRA
from tests.drivers.lines import MadeLine

SETTINGS = Configure(20_000, 1, 1, Position.SAMPLE)
# Technical Note 3: ten pixels and their checksum.
NOTE_3 = (15, 23, 46, 98, 231, 509, 1023, 2432, 3245, 1984)
# Technical Note 1, p. 15: what is sent for a section of a line spectrum of 29 pixels.
NOTE_1 = bytes.fromhex(
    "80 00b9 80 0867 80 0344 80 01c5 80 00d2 a4 e4 ff fe 02 fd 02 0a 17 80 017f 80 048a"
    "80 027a 80 0164 80 00d3 b1 d4 fb 03 fc 09 01 f5 ff 04"
)
NOTE_1_PIXELS = (
    185, 2151, 836, 453, 210, 118, 90, 89, 87, 89, 86, 88, 98, 121, 383, 1162, 634, 356, 211,
    132, 88, 83, 86, 82, 91, 92, 81, 80, 84,
)  # fmt: skip
words = st.lists(st.integers(0, 65535), min_size=1, max_size=80)
# Mostly small steps, as spectra have them.
smooth = st.lists(st.integers(-130, 130), min_size=1, max_size=80).map(
    lambda steps: np.clip(30_000 + np.cumsum(steps), 0, 65535).tolist()
)


def u16(values):
    return np.array(values, np.uint16)


# ---- the codec


def test_technical_note_3():
    assert checksum(u16(NOTE_3)) == 0x2586


def test_technical_note_1():
    assert expand(NOTE_1).tolist() == list(NOTE_1_PIXELS)
    assert compress(u16(NOTE_1_PIXELS)) == NOTE_1
    assert compressed_checksum(NOTE_1) == 0x28DD


def test_compressed_counts_that_leave_16_bits():
    with pytest.raises(Nonsense, match="-2 to 1"):
        expand(bytes.fromhex("80 0001 fd"))
    with pytest.raises(Nonsense, match="before the first pixel"):
        expand(b"\x01")


@given(counts=words | smooth)
def test_what_is_compressed_is_expanded(counts):
    data = compress(u16(counts))
    assert expand(data).tolist() == counts
    assert len(data) <= 3 * len(counts)


def reply(counts, *, compressed, checked, marked=True, head="ffff 0000 0001 0014 0000 0578 0000"):
    """As an instrument sends it, put together here from the manual's pages 9 and 15."""
    data = compress(u16(counts)) if compressed else u16(counts).astype(">u2").tobytes()
    total = compressed_checksum(data) if compressed else checksum(u16(counts))
    if compressed and not marked:
        data, total = data[1:], total - 0x80
    tail = (total & 0xFFFF).to_bytes(2, "big") if checked else b""
    return b"\x02" + bytes.fromhex(head) + data + b"\xff\xfd" + tail


def reader(counts, *, compressed, checked):
    return SpectrumReader(Form(len(counts), 20, compressed, checked))


@given(
    counts=words | smooth,
    compressed=st.booleans(),
    checked=st.booleans(),
    marked=st.booleans(),
    more=st.binary(max_size=4),
    pieces=st.integers(1, 9),
)
def test_every_form_of_a_spectrum_is_read_in_any_pieces(
    counts, compressed, checked, marked, more, pieces
):
    # Without a checksum, a bare first word of 80xx cannot be told from the other form.
    if compressed and not marked and not checked:
        counts = [counts[0] & 0x7FFF, *counts[1:]]
    sent = reply(counts, compressed=compressed, checked=checked, marked=marked)
    read = reader(counts, compressed=compressed, checked=checked)
    for end in range(1, len(sent), pieces):
        assert read.whole(sent[:end]) is None
    assert read.whole(sent + more) == len(sent)
    assert read.counts(sent).tolist() == counts


@given(counts=words, data=st.data())
def test_a_wrong_byte_under_a_checksum_is_found(counts, data):
    sent = bytearray(reply(counts, compressed=False, checked=True))
    at = data.draw(st.integers(15, len(sent) - 1), label="at")
    sent[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Nonsense, match=r"checksum|ff fd"):
        reader(counts, compressed=False, checked=True).whole(bytes(sent))


def test_a_sum_that_counts_the_mark_of_a_bare_first_word_is_right_too():
    sent = bytearray(reply(NOTE_3, compressed=True, checked=True, marked=False))
    sent[-2:] = compressed_checksum(compress(u16(NOTE_3))).to_bytes(2, "big")
    assert reader(NOTE_3, compressed=True, checked=True).whole(bytes(sent)) == len(sent)


def test_pixels_that_look_like_the_end_mark():
    counts = [0xFFFD] * 30
    for compressed in (False, True):
        sent = reply(counts, compressed=compressed, checked=False)
        read = reader(counts, compressed=compressed, checked=False)
        assert all(read.whole(sent[:end]) is None for end in range(1, len(sent)))
        assert read.counts(sent).tolist() == counts


def test_a_spoilt_compressed_spectrum_is_told_at_the_latest_when_no_longer_one_is_possible():
    counts = list(range(100, 130))
    sent = bytearray(reply(counts, compressed=True, checked=True))
    sent[-1] ^= 1
    read = reader(counts, compressed=True, checked=True)
    assert read.whole(bytes(sent)) is None
    with pytest.raises(Nonsense, match="checksum"):
        read.whole(bytes(sent) + bytes(200))


HEADS = {
    "Flame, Flame manual p. 88": "ffff 0000 0001 0014 0000 0578 0000",
    "SAD500, its manual p. 9": "ffff 0000 0007 0001 0014 0000 0000",
}


@pytest.mark.parametrize("head", HEADS)
def test_both_headers(head):
    sent = reply(NOTE_3, compressed=False, checked=True, head=HEADS[head])
    assert sent.hex(" ").startswith("02 ff ff 00 00 00")
    assert sent.hex(" ").endswith("07 c0 ff fd 25 86")
    read = reader(NOTE_3, compressed=False, checked=True)
    assert read.whole(sent) == 1 + 14 + 20 + 4
    assert read.counts(sent).tolist() == list(NOTE_3)


@pytest.mark.parametrize(
    "head",
    [
        "ffff 0000 0001 0064 0000 0578 0000",  # 100 ms
        "ffff 0001 0001 0014 0000 0578 0000",  # 32 bits
        "ffff 0000 0002 0014 0000 0578 0000",  # two scans added
        "ffff 0003 0007 0001 0014 0000 0000",  # channel 3
        "ffff 0000 0001 0014 0000 0578 0003",  # some of the pixels
        "fffe 0000 0001 0014 0000 0578 0000",
    ],
)
def test_a_header_of_something_else(head):
    sent = reply(NOTE_3, compressed=False, checked=True, head=head)
    with pytest.raises(Nonsense, match="header"):
        reader(NOTE_3, compressed=False, checked=True).whole(sent)


# ---- the driver


def opened(model="Flame-S", **options):
    line = MadeLine(VirtualOceanSad500(SPECTRA, AXIS, model=model, **options))
    case = replace(
        CASES["ocean-sad500"], given={"model": model, "wavelength_nm": FLAME_NM, "serial": "here"}
    )
    instrument = case.instrument(line)
    return line, instrument, instrument.open()


def scan(instrument):
    instrument.configure(SETTINGS)
    instrument.start(1)
    received = None
    while received is None:
        received = instrument.read(10.0)
    return received


def test_what_is_sent_byte_for_byte():
    line, instrument, identity = opened()
    line.device.heard.clear()
    scan(instrument)
    assert line.device.heard == [b"I\x00\x14", b"v", b"S"]
    assert (identity.serial, identity.firmware, identity.model) == ("here", "3.00.1", "Flame-S")
    assert identity.axis_nm[:2] == pytest.approx([350.0, 350.36 - 2e-5])
    assert identity.dark_pixels == tuple(range(6, 21))


def test_settings_another_program_left_are_undone():
    line = MadeLine(VirtualOceanSad500(SPECTRA, AXIS, model="S2000"))
    line.device.settings |= {"A": 15, "B": 200, "M": 1, "N": 9, "T": 3}
    instrument = CASES["ocean-sad500, S2000"].instrument(line)
    instrument.open()
    for letter, value in {"A": 1, "B": 0, "M": 0, "N": 1, "T": 0, "G": 1, "k": 1}.items():
        assert line.device.settings[letter] == value
    assert np.array_equal(scan(instrument).message.counts, line.device.made[0])


@pytest.mark.parametrize("refuses", ["", "G", "k", "Gk", "MN"])
def test_compression_and_checksum_are_used_where_the_instrument_has_them(refuses):
    line, instrument, _ = opened(refuses=refuses)
    before = instrument.counters.bytes
    assert np.array_equal(scan(instrument).message.counts, line.device.made[0])
    whole = 15 + 2 * 2048 + 2 + 2 * ("k" not in refuses)
    received = instrument.counters.bytes - before
    assert line.device.settings["k"] == int("k" not in refuses)
    assert (received >= whole) == ("G" in refuses)


@pytest.mark.parametrize("first_marked", [True, False])
def test_both_forms_of_the_first_pixel(first_marked):
    line, instrument, _ = opened(first_marked=first_marked)
    assert np.array_equal(scan(instrument).message.counts, line.device.made[0])


def test_ascii_is_left():
    line = MadeLine(VirtualOceanSad500(SPECTRA, AXIS))
    line.device.ascii = True
    instrument = CASES["ocean-sad500"].instrument(line)
    assert instrument.open().firmware == "3.00.1"
    assert not line.device.ascii


@pytest.mark.parametrize("begun", [b"I", b"I\x00", b"B\x00", b"W\x00\x00", b"?", b"b", b"K\x00"])
def test_what_another_program_began_is_ended(begun):
    line = MadeLine(VirtualOceanSad500(SPECTRA, AXIS))
    line.device.feed(begun, 0.0)
    instrument = CASES["ocean-sad500"].instrument(line)
    assert instrument.open().firmware == "3.00.1"
    assert np.array_equal(scan(instrument).message.counts, line.device.made[0])


def test_etx_is_a_refusal():
    line, instrument, _ = opened(model="S2000")
    line.device.settings["N"] = 2
    instrument.configure(SETTINGS)
    instrument.start()
    with pytest.raises(DeviceRefused, match=r"S: .*ETX: not enough memory"):
        instrument.read(30.0)


def test_nak_is_a_refusal():
    line, instrument, _ = opened()
    line.device.refuses = "I"
    with pytest.raises(DeviceRefused, match=r"I 20: .*NAK"):
        instrument.configure(SETTINGS)


def test_integration_that_is_no_whole_millisecond_is_refused():
    _, instrument, _ = opened()
    with pytest.raises(DeviceRefused, match="whole milliseconds, not 20500 us"):
        instrument.configure(Configure(20_500, 1, 1, Position.SAMPLE))


def test_a_spectrum_of_another_integration_time_is_none():
    line, instrument, _ = opened()
    instrument.configure(SETTINGS)
    line.device.settings["I"] = 100
    instrument.start()
    with pytest.raises(LineGarbage, match="16 bits, channel 0 and 20 ms"):
        instrument.read(60.0)


def test_another_firmware_does_not_answer_a_ping():
    line, instrument, _ = opened()
    line.device.is_sad500 = True
    with pytest.raises(InstrumentExchanged, match="version 07d1 instead of 0bb9"):
        instrument.ping()


def test_bytes_go_out_one_by_one():
    # The SAD500 loses what comes faster: this one does so, too.
    line, _, identity = opened(model="S2000")
    assert identity.model == "S2000"
    line.device.heard.clear()
    line.device.feed(b"I\x00\x14", line.now)
    assert line.device.heard == []


@pytest.mark.parametrize(
    ("place", "needs"),
    [
        (Place("x", 9600, wavelength_nm=FLAME_NM), "model"),
        (Place("x", 9600, wavelength_nm=FLAME_NM, model="STS"), "one of S2000"),
        (Place("x", 9600, model="usb2000"), "wavelength_nm"),
    ],
)
def test_what_it_needs(place, needs):
    with pytest.raises(ValueError, match=needs):
        OceanSad500(place)


def test_on_a_real_pty():
    device = VirtualOceanSad500(SPECTRA, AXIS, baud=115200)
    with PtyPort(device) as port:
        place = Place(port.url, 115200, wavelength_nm=FLAME_NM, model="Flame-S")
        instrument = ocean_sad500.DRIVER.make(place)
        try:
            assert instrument.open().pixels == 2048
            received = scan(instrument)
        finally:
            instrument.close()
        made = port.call(lambda: dict(device.made))
    assert np.array_equal(received.message.counts, made[0])


@pytest.mark.parametrize(
    ("there", "configured"), [("S2000", "Flame-S"), ("Flame-S", "S2000"), ("Flame-S", "USB4000")]
)
def test_a_wrong_model_is_told_as_such(there, configured):
    case = replace(CASES["ocean-sad500"], given={"model": configured, "wavelength_nm": FLAME_NM})
    line = MadeLine(VirtualOceanSad500(SPECTRA, AXIS, model=there))
    instrument = case.instrument(line)
    instrument.open()
    instrument.configure(Configure(20_000, 1, 1, Position.SAMPLE))
    instrument.start()
    with pytest.raises(LineGarbage, match=r"`model`"):
        instrument.read(100.0)
