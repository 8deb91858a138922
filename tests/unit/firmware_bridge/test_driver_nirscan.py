"""The NIRscan Nano: packets, scan data files, and what happens between them."""

from struct import pack

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from firmware_bridge.drivers import nirscan, nirscan_file
from firmware_bridge.drivers.driver import Place
from firmware_bridge.drivers.nirscan_file import COLUMN, HADAMARD, ScanFile, Section
from firmware_bridge.drivers.nirscan_packets import (
    READ,
    WRITE,
    Command,
    Outcome,
    Packet,
    decode,
    encode,
    reply_to,
    size,
)
from firmware_bridge.drivers.talk import Nonsense, Refused
from firmware_bridge.errors import DeviceRefused, InstrumentExchanged, LineGarbage
from firmware_bridge.protocol import Configure, Position
from firmware_bridge.virtual.nirscan import VirtualNirscan
from tests.drivers.cases import AXIS, CASES, SPECTRA
from tests.drivers.lines import MadeLine
from tests.drivers.talks import over_a_pty, played

CASE = CASES["nirscan"]
LIGHT = Configure(635, 1, 1, Position.SAMPLE)
DARK = Configure(635, 1, 1, Position.DARK)

# A file that a NIRscan Nano with the serial number 6100039 wrote, up to its 25th value: head, slew
# configuration, sections, converter values (LaserSmoke/pyNIRscanUSB, hex_response.txt).
RECORDED = bytes.fromhex(
    "74706c00a00000005328756323636363636363636a6a76767524286623662329632376636363290014000000"
    "03000000030000000800000001000000436f6c756d6e20310000000000000000000000000f031f0207000e04"
    "09d309c10a2b0a02000002001b9e0c095417c017494243e122a93f92df360ee5141bbf07aeb54f40669c401f"
    "d1cfd3726eedbf27a7b0c923a42ebf3631303030333900ed0018194074706c00520000005328637663236323"
    "7663290008000000280000000271003631303030333900436f6c756d6e203100000000000000000001000001"
    "00000048dffe0000000000000000000000f03f06000174706c00490000005328636376767676292300050000"
    "0000068403a406e40001000000017072003631303030333900486164616d6172642031008702207dff0100d4"
    "930120a97a020074706c008f0d000069230060030000db9b000009a40000e5ab0000ecb20000edba00002fc5"
    "0000dbd000006ddf000086f000001c090100031b0100502a010077380100ad450100475201006e5f0100a96d"
    "01005a7c0100438b01007f980100f0a50100f0b50100e1c001002fca010093530000"
)
WHOLE = len(RECORDED) + 4 * (864 - 25)


def played_out(line, settings=LIGHT, count=1):
    instrument = CASE.instrument(line)
    instrument.open()
    instrument.configure(settings)
    instrument.start(count)
    return [instrument.read(120.0).message for _ in range(count)]


def device(**options):
    return VirtualNirscan(SPECTRA, AXIS, **options)


# ---- packets


def test_read_version_byte_for_byte():
    # DLPU030G, appendix H (packets), the Tiva's version: command byte 0x16, group byte 0x02.
    request = Packet(READ, 0, Command.VERSION)
    whole = bytes.fromhex("41424344 da000000 c0 00 0200 1602 44434241")
    assert encode(request) == whole
    assert size(whole) == len(whole)
    assert decode(whole) == request


def test_requests_byte_for_byte():
    """Command and data as TI's own program sends them (API.cpp), in this layout."""
    scan = encode(Packet(WRITE, 1, Command.SCAN, b"\0"))
    assert scan.hex() == "414243445e0000004001030018020044434241"
    repeats = encode(Packet(WRITE, 2, Command.REPEATS, b"\1\0"))
    assert repeats.hex() == "4142434477000000400204002e02010044434241"
    piece = encode(Packet(READ, 3, Command.FILE_DATA))
    assert piece.hex() == "41424344f3000000c00302002e0044434241"


def test_what_an_instrument_is_asked():
    dialect = nirscan.Nirscan(Place("made", 115200))
    file = RECORDED + bytes(WHOLE - len(RECORDED))
    pieces = [file[at : at + 208] for at in range(0, len(file), 208)]
    data = [
        (READ, Command.VERSION, bytes((6, 4, 2, 0)) + bytes(24)),
        (READ, Command.SERIAL, b"6100039\0"),
        (READ, Command.SCAN_TIME, pack("<I", 2000)),
        (WRITE, Command.SCAN, b""),
        (READ, Command.SCAN_STATUS, b"\0"),
        (READ, Command.SCAN_STATUS, b"\1"),
        (READ, Command.ERRORS, bytes(20)),
        (READ, Command.FILE_SIZE, pack("<I", len(file))),
        *((READ, Command.FILE_DATA, piece) for piece in pieces),
    ]
    replies = [encode(Packet(f, i, c, d)) for i, (f, c, d) in enumerate(data, 1)]
    sent, identity = played(dialect.identify(), *replies)
    asked = [decode(request) for request in sent]
    assert [(p.flags, p.command) for p in asked] == [(f, c) for f, c, _ in data]
    assert [p.data for p in asked if p.data] == [b"\0", b"\0"]
    assert (identity.serial, identity.firmware) == ("6100039", "2.4.6")
    assert (identity.pixels, identity.full_scale) == (228, 2**23 - 1)
    assert identity.min_integration_us == identity.max_integration_us == 1270


@given(
    flags=st.integers(0, 255),
    sequence=st.integers(0, 255),
    command=st.integers(0, 0xFFFF),
    data=st.binary(max_size=510),
    more=st.binary(max_size=30),
)
def test_packets_come_back(flags, sequence, command, data, more):
    packet = Packet(flags, sequence, command, data)
    whole = encode(packet)
    assert all(size(whole[:at]) is None for at in range(1, len(whole), 7))
    assert size(whole + more) == len(whole)
    assert decode(whole) == packet


@given(data=st.binary(max_size=40), at=st.integers(0, 55), change=st.integers(1, 255))
def test_a_changed_byte_never_passes(data, at, change):
    whole = bytearray(encode(Packet(READ, 7, Command.SERIAL, data)))
    whole[at % len(whole)] ^= change
    try:
        assert size(bytes(whole)) is None
    except Nonsense:
        return


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Packet(READ, 6, Command.SERIAL, b"6100039"), "sequence 6"),
        (Packet(READ, 7, Command.VERSION, b"6100039"), "command 0x0216"),
        (Packet(READ, 7, Command.SERIAL), "0 bytes of data"),
    ],
)
def test_replies_to_something_else(reply, why):
    with pytest.raises(Nonsense, match=why):
        reply_to(Packet(READ, 7, Command.SERIAL), 1)(encode(reply))


# ---- files


def test_a_recorded_file():
    scan = nirscan_file.decode(RECORDED + bytes(WHOLE - len(RECORDED)))
    assert scan.serial == b"6100039"
    assert scan.index == 0x02000002
    assert scan.temperature_c == 25.15
    assert (scan.gain, scan.black_first, scan.black_period) == (64, 24, 25)
    assert scan.sections == (Section(COLUMN, 6, 900, 1700, 228, 1),)
    assert scan.coefficients == pytest.approx(
        (1817.5628040683239, -0.9197324883412284, -0.00023377358306336216), rel=1e-15
    )
    assert scan.adc.size == 237
    assert scan.adc[[0, 1, 23, 24]].tolist() == [39899, 41993, 117295, 21395]
    assert np.flatnonzero(nirscan_file.black(scan)).tolist() == list(range(24, 237, 25))


def test_its_wavelengths():
    """As TI's library computed them for this instrument (wavelengths.csv)."""
    axis = nirscan_file.wavelengths(nirscan_file.decode(RECORDED + bytes(WHOLE - len(RECORDED))))
    first = [901.629019, 905.541187, 909.449148, 913.352901, 917.252446, 921.147783, 925.038912,
             928.925834, 932.808547, 937.978952]  # fmt: skip
    last = [
        1682.739984,
        1685.695551,
        1688.64691,
        1691.594062,
        1694.537005,
        1697.475741,
        1701.387509,
    ]
    assert axis.size == 228
    assert axis[:10] == pytest.approx(first, abs=1e-6)
    assert axis[-7:] == pytest.approx(last, abs=1e-6)


@st.composite
def files(draw):
    patterns = draw(st.lists(st.integers(2, 80), min_size=1, max_size=5))
    first, period = draw(st.integers(0, 24)), draw(st.integers(2, 25))
    lit = sum(patterns)
    values = next(
        n
        for n in range(lit, 2000)
        if n - np.count_nonzero((np.arange(n) - first) % period == 0) >= lit
    )
    return ScanFile(
        index=draw(st.integers(0, 2**32 - 1)),
        serial=draw(st.binary(min_size=1, max_size=8).filter(lambda s: not s.endswith(b"\0"))),
        temperature_c=draw(st.integers(-4000, 8000)) / 100.0,
        coefficients=(1817.56, -0.9197, -2.3e-4),
        gain=draw(st.sampled_from((1, 2, 4, 8, 16, 32, 64))),
        black_first=first,
        black_period=period,
        sections=tuple(
            Section(
                draw(st.integers(0, 1)),
                draw(st.integers(1, 60)),
                900,
                1700,
                p,
                draw(st.integers(0, 6)),
            )
            for p in patterns
        ),
        adc=np.array(
            draw(st.lists(st.integers(-(2**23), 2**23 - 1), min_size=values, max_size=values))
            if values < 60
            else np.arange(values),
            np.int32,
        ),
    )


@given(scan=files())
def test_files_come_back(scan):
    assume(scan.black_first < scan.adc.size <= 864)
    again = nirscan_file.decode(nirscan_file.encode(scan))
    assert again.setup == scan.setup
    assert (again.index, again.temperature_c, again.gain) == (
        scan.index, scan.temperature_c, scan.gain
    )  # fmt: skip
    assert np.array_equal(again.adc, scan.adc)


@given(cut=st.integers(0, 400), at=st.integers(0, 330), change=st.binary(min_size=0, max_size=6))
def test_damaged_files_are_nonsense_or_a_scan(cut, at, change):
    data = bytearray(RECORDED + bytes(WHOLE - len(RECORDED)))
    data[at : at + len(change)] = change
    data = bytes(data[: len(data) - 9 * cut])
    try:
        scan = nirscan_file.decode(data)
        axis = nirscan_file.wavelengths(scan)
    except (Nonsense, Refused):
        return
    assert axis.size == np.count_nonzero(~nirscan_file.black(scan)) <= 864
    assert np.isfinite(nirscan.counts(scan)[0]).all()


def test_the_file_of_firmware_before_version_2():
    """All in one image, without sections (dlpspec_scan.h, SCAN_DATA_FORMAT)."""
    fields = b"S(uc#cccccccjjvvu$(f#f#)c#vccccvc#c#vvcvvi#)\0"
    lengths = pack("<7I", 20, 3, 3, 8, 8, 40, 864)
    configuration = pack("<BH8s40sHHBHH", 0, 1, b"6100039", b"Column 1", 900, 1700, 6, 228, 1)
    body = RECORDED[56:160] + configuration + bytes(4 * 864)
    whole = b"tpl\0" + pack("<I", 8 + len(fields) + len(lengths) + len(body))
    scan = nirscan_file.decode(whole + fields + lengths + body)
    assert scan.sections == (Section(COLUMN, 6, 900, 1700, 228, 0),)
    assert nirscan_file.wavelengths(scan)[0] == pytest.approx(901.629019, abs=1e-6)


def test_sections_that_overlap_are_refused():
    scan = nirscan_file.decode(RECORDED + bytes(WHOLE - len(RECORDED)))
    halves = (Section(COLUMN, 6, 900, 1400, 114), Section(COLUMN, 6, 1300, 1700, 114))
    with pytest.raises(Refused, match="overlap"):
        nirscan_file.wavelengths(
            ScanFile(**{**vars(scan), "sections": halves})  # type: ignore[arg-type]
        )


# ---- talks


def test_hadamard_is_refused_with_what_to_do():
    with pytest.raises(DeviceRefused, match=r"Hadamard: activate one of columns"):
        CASE.instrument(MadeLine(device(kind=HADAMARD))).open()


def test_busy_is_waited_for_and_told_in_the_end():
    line = MadeLine(device())
    line.device.busy = 5
    CASE.instrument(line).open()
    line.device.busy = 10**6
    with pytest.raises(DeviceRefused, match="busy with another connection"):
        CASE.instrument(line).open()


def test_errors_of_a_scan_are_told_and_cleared():
    line = MadeLine(device())
    line.device.errors = 0x01 | 0x40 | 0x04
    with pytest.raises(DeviceRefused, match="errors of scan, hardware"):
        CASE.instrument(line).open()
    assert line.device.errors == 0
    # An empty SD card spoils no scan.
    line.device.errors = 0x04
    CASE.instrument(line).open()


def test_a_lost_piece_has_the_file_read_again():
    """The instrument goes on with the next one, whatever became of the last."""
    line = MadeLine(device())
    instrument = CASE.instrument(line)
    instrument.open()
    act, lost = line.device._answer, []

    def losing(request):
        if request.command == Command.FILE_DATA and len(lost) < 2:
            lost.append(request)
            line.device._act(request)
        else:
            act(request)

    line.device._answer = losing
    instrument.configure(LIGHT)
    instrument.start(1)
    scan = instrument.read(60.0).message
    assert len(lost) == 2
    assert np.array_equal(scan.counts, line.device.made[max(line.device.made)])


def test_a_file_of_another_format_is_described():
    line = MadeLine(device())
    act = line.device._act

    def other(request):
        if request.command == Command.FILE_SIZE:
            line.device._file = RECORDED.replace(b"uc#", b"uv#", 1)
        return act(request)

    line.device._act = other
    with pytest.raises(LineGarbage, match=r"scan data.*the format b'S\(uv#.*tried 3 times"):
        CASE.instrument(line).open()


@pytest.mark.parametrize("outcome", [Outcome.ERROR, Outcome.OK])
def test_an_old_scan_is_not_taken_for_a_new_one(outcome):
    line = MadeLine(device())
    instrument = CASE.instrument(line)
    instrument.open()
    instrument.configure(LIGHT)
    act = line.device._answer

    def idle(request):
        if request.command == Command.SCAN:
            flags = request.flags | outcome << 4
            line.device.say(encode(Packet(flags, request.sequence, request.command)))
        else:
            act(request)

    line.device._answer = idle
    instrument.start(1)
    with pytest.raises((DeviceRefused, LineGarbage), match=r"started no scan|a new scan"):
        instrument.read(60.0)


def test_a_scan_that_goes_on_is_waited_for():
    line = MadeLine(device())
    line.device.feed(encode(Packet(WRITE, 1, Command.SCAN, b"\0")), 0.0)
    (scan,) = played_out(line)
    assert np.array_equal(scan.counts, line.device.made[1])


def test_another_configuration_is_noticed():
    line = MadeLine(device())
    instrument = CASE.instrument(line)
    instrument.open()
    line.device.kind = HADAMARD
    instrument.configure(LIGHT)
    instrument.start(1)
    with pytest.raises(InstrumentExchanged, match="another scan configuration"):
        instrument.read(60.0)


def test_another_instrument_is_noticed():
    line = MadeLine(device())
    instrument = CASE.instrument(line)
    instrument.open()
    line.device.serial = b"6100040"
    with pytest.raises(InstrumentExchanged, match=r"6100039.*6100040"):
        instrument.ping()


@pytest.mark.parametrize("gain", [1, 2, 4])
def test_counts_do_not_depend_on_the_gain(gain):
    line = MadeLine(device(gain=gain))
    (scan,) = played_out(line)
    made = line.device.made[max(line.device.made)]
    below = made * gain + 21_000 < nirscan_file.FULL
    assert below.any()
    assert np.array_equal(scan.counts[below], made[below])
    assert np.all(scan.counts[~below] == nirscan_file.FULL)
    assert scan.saturated == np.count_nonzero(~below)


def test_the_dark_is_what_the_black_patterns_leave():
    line = MadeLine(device())
    (dark,) = played_out(line, DARK)
    assert np.all(dark.counts == 0.0)
    assert dark.position == Position.DARK
    scan = nirscan_file.decode(RECORDED + bytes(WHOLE - len(RECORDED)))
    scan.adc[nirscan_file.black(scan)] = 21_395 + np.arange(9) * 64
    level, full = nirscan.counts(scan, dark=True)
    assert not full.any()
    assert (level[0], level[-1]) == (-4.0, 4.0)
    assert level.mean() == pytest.approx(0.0, abs=0.5)


def test_pieces_as_small_as_the_guide_has_them():
    line = MadeLine(device(piece=208))
    (scan,) = played_out(line)
    assert np.array_equal(scan.counts, line.device.made[max(line.device.made)])


def test_over_a_pty():
    made_by = device()
    first, second = over_a_pty(nirscan.DRIVER, made_by, 635)
    made = list(made_by.made.values())
    for received in (first, second):
        assert any(np.array_equal(received.message.counts, counts) for counts in made)
        assert received.message.temperature_c == pytest.approx(25.15)
