"""The wire protocol: golden frames, round trips of every message, and everything malformed."""

import struct
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge import protocol_doc, wire_c
from firmware_bridge.framing import MAX_FRAME, Framer, encode_frame
from firmware_bridge.golden import EXAMPLES
from firmware_bridge.protocol import (
    MAX_PIXELS,
    MESSAGES,
    Ack,
    Configure,
    ErrorReply,
    Event,
    Flags,
    Hello,
    Info,
    MessageType,
    Ping,
    Position,
    ProtocolError,
    Scan,
    Start,
    Stop,
    capability_names,
    decode,
    encode,
    wavelengths,
)

# Pinned: a change here is a change of the wire, and takes a new protocol version.
GOLDEN = {
    "hello": ("0301010102010101010101010101070101944c910e00"),
    "info": (
        "04010201020104404b4c0101010115010853504b2d3030343205312e322e33efbeadde0401ffff01"
        "0205010101010104208c4001010101010b0c402d431cebe2361abf01010101010101010101010101"
        "01010101010101010101020a01010440420f07e8036a56ef2a00"
    ),
    "configure": ("030103010202010101010101010103e803010204070101898e684100"),
    "ack": ("04010a01020204a44b4c0101010106033c21f8ee00"),
    "start": ("0301040102030101010101010101021401010570bb5b5800"),
    "stop": ("030105010204010101010101010105d88b705800"),
    "scan_u16": (
        "03010601010104808d5b010101010207010103e8030102040302010104cc410103010401010b5802"
        "20cbffffabb42c8000"
    ),
    "scan_u32": (
        "03010601010104c0cf6a010101010208010103e8030102040302020103cc41010302030101010104"
        "70110109ffffffff16c9202400"
    ),
    "event": ("0301070101010103127a010101010201140e6c616d7020697320737461626c654830eb2700"),
    "error": ("0401080102050209010101010101020418126176657261676573203120746f2031303030d43fa52b00"),
    "ping": ("03010901020601010101010101010904030201ddcd28d900"),
    "pong": ("04010901020604809698010101010904030201a6c059f400"),
}
HEADER_BYTES = 14


def same(left, right):
    """Equality that knows arrays and NaN."""
    if type(left) is not type(right):
        return False
    for field in fields(left):
        a, b = getattr(left, field.name), getattr(right, field.name)
        if isinstance(a, np.ndarray):
            if a.dtype != b.dtype or not np.array_equal(a, b):
                return False
        elif not np.array_equal(a, b, equal_nan=not isinstance(a, str)):
            return False
    return True


def u(bits):
    return st.integers(0, 2**bits - 1)


def text(limit):
    return st.text(st.characters(exclude_categories=["Cs"])).filter(
        lambda s: len(s.encode()) <= limit
    )


def counts():
    def array(values, dtype):
        return np.array(values, dtype)

    return st.one_of(
        st.lists(u(16), max_size=60).map(lambda v: array(v, np.uint16)),
        st.lists(u(32), max_size=60).map(lambda v: array(v, np.uint32)),
    )


STRATEGIES = {
    Hello: st.builds(Hello, u(8), u(8)),
    Info: st.builds(
        Info,
        u(8),
        text(32),
        text(32),
        u(32),
        u(16),
        u(32),
        u(16),
        st.tuples(*[st.floats()] * 6),
        u(32),
        u(32),
        u(16),
    ),
    Configure: st.builds(Configure, u(32), u(16), u(8), u(8)),
    Start: st.builds(Start, u(32)),
    Stop: st.just(Stop()),
    Scan: st.builds(Scan, u(32), u(32), u(16), u(8), u(8), st.floats(width=32), u(16), counts()),
    Event: st.builds(Event, u(16), text(120)),
    ErrorReply: st.builds(ErrorReply, u(16), text(120)),
    Ping: st.builds(Ping, u(32)),
    Ack: st.builds(Ack, u(8)),
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_golden_frame(example):
    assert example.frame.hex() == GOLDEN[example.name]
    (body,) = Framer().feed(bytes.fromhex(GOLDEN[example.name]))
    header, message = decode(body)
    assert same(message, example.message)
    assert (header.sequence, header.device_us) == (example.sequence, example.device_us)
    assert header.flags == example.flags
    assert header.version == 1


def test_every_message_has_a_golden_frame_and_a_strategy():
    assert {type(e.message) for e in EXAMPLES} == set(MESSAGES) == set(STRATEGIES)
    assert {m.TYPE for m in MESSAGES} == set(MessageType)
    assert set(GOLDEN) == {e.name for e in EXAMPLES}


def test_the_documentation_page_shows_every_golden_frame():
    page = protocol_doc.render()
    assert all(GOLDEN[e.name][:96].strip() in page for e in EXAMPLES)


def test_the_c_codec_has_every_message_and_every_field():
    files = {path.name: text for path, text in wire_c.files().items()}
    for message in MESSAGES:
        case = f"case SPK_MESSAGE_TYPE_{message.TYPE.name}:"
        # Where it is decoded, checked, measured and encoded.
        assert files["spektron_wire.c"].count(case) == 4
        for field in fields(message):
            assert f"out->{field.name}" in files["spektron_wire.c"]
            assert f"in->{field.name}" in files["spektron_wire.c"]


def test_the_page_is_written_to_standard_output(capsys):
    protocol_doc.main()
    assert capsys.readouterr().out == protocol_doc.render()


@pytest.mark.parametrize("declaration", MESSAGES, ids=lambda m: m.__name__)
def test_roundtrip(declaration):
    @given(STRATEGIES[declaration], u(16), u(64), u(16))
    def check(message, sequence, device_us, flags):
        body = encode(message, sequence, device_us, flags)
        (arrived,) = Framer().feed(encode_frame(body))
        header, decoded = decode(arrived)
        assert same(decoded, message)
        assert (header.sequence, header.device_us, header.flags) == (sequence, device_us, flags)

    check()


@pytest.mark.parametrize("declaration", MESSAGES, ids=lambda m: m.__name__)
def test_every_truncation_is_refused(declaration):
    body = encode(next(e.message for e in EXAMPLES if type(e.message) is declaration))
    for size in range(len(body)):
        with pytest.raises(ProtocolError):
            decode(body[:size])


def test_a_body_without_a_whole_header_is_refused():
    with pytest.raises(ProtocolError, match="too short"):
        decode(b"\x01" * (HEADER_BYTES - 1))


def test_an_unknown_type_is_not_an_error():
    body = bytearray(encode(Ping(1), 5))
    body[1] = 200
    header, message = decode(bytes(body))
    assert message is None
    assert header.sequence == 5


def test_surplus_bytes_are_refused_where_the_length_is_fixed():
    with pytest.raises(ProtocolError, match="1 bytes too many"):
        decode(encode(Ping(1)) + b"\0")


@pytest.mark.parametrize("name", ["hello", "info", "error"])
def test_messages_read_before_negotiation_may_grow_and_bear_any_version(name):
    message = next(e.message for e in EXAMPLES if e.name == name)
    header, decoded = decode(encode(message, version=9) + b"grown")
    assert same(decoded, message)
    assert header.version == 9


def test_other_messages_of_a_foreign_version_are_refused():
    with pytest.raises(ProtocolError, match="protocol version 2"):
        decode(encode(Ping(1), version=2))


def scan_of(counts):
    return Scan(1, 1000, 1, 2, Position.SAMPLE, 25.0, 0, counts)


def announced(form, pixels, data=b""):
    body = encode(scan_of(np.zeros(0, np.uint16)))
    return body[:-3] + struct.pack("<BH", form, pixels) + data


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (announced(1, MAX_PIXELS + 1), "the limit is 4000"),
        (announced(2, 65535), "the limit is 4000"),
        (announced(1, 10, b"\0" * 19), "too short"),
        (announced(7, 1, b"\0\0"), "count format 7"),
    ],
    ids=["over the cap", "far over the cap", "longer than the payload", "unknown format"],
)
def test_rejects_counts_that_lie_about_their_size(body, words):
    with pytest.raises(ProtocolError, match=words):
        decode(body)


def test_rejects_text_over_its_limit_and_text_that_is_no_utf8():
    body = encode(Event(1, "abc"))
    at = HEADER_BYTES + 2
    with pytest.raises(ProtocolError, match="the limit is 120"):
        decode(body[:at] + b"\x79" + b"a" * 121)
    with pytest.raises(ProtocolError, match="not UTF-8"):
        decode(body[:at] + b"\x01\xff")


@pytest.mark.parametrize(
    "message",
    [
        Hello(256, 1),
        Start(-1),
        Ping("x"),
        Event(1, "x" * 121),
        Event(1, "\ud800"),
        replace(EXAMPLES[1].message, coefficients=(1.0,)),
        scan_of(np.zeros(MAX_PIXELS + 1, np.uint16)),
        scan_of(np.zeros(5, np.float64)),
        scan_of(np.zeros((2, 2), np.uint16)),
        Scan(1, 1, 1, 1, 1, 1e300, 0, np.zeros(1, np.uint16)),
    ],
    ids=lambda m: type(m).__name__,
)
def test_values_that_do_not_fit_are_refused(message):
    with pytest.raises(ProtocolError, match=type(message).__name__):
        encode(message)


def test_the_largest_scan_fits_the_largest_frame():
    frame = encode_frame(encode(scan_of(np.full(MAX_PIXELS, 2**32 - 1, np.uint32))))
    assert len(frame) - 1 <= MAX_FRAME
    assert len(Framer().feed(frame)) == 1


def test_counts_are_the_hosts_own_and_writable():
    scan = decode(encode(scan_of(np.arange(5, dtype=np.uint16)))).message
    assert scan.counts.dtype == np.uint16
    assert scan.counts.dtype.isnative
    scan.counts[0] = 9


def test_wavelengths_follow_the_polynomial():
    info = replace(EXAMPLES[1].message, pixels=3, coefficients=(900.0, 2.0, 0.5, 0.0, 0.0, 0.0))
    assert wavelengths(info).tolist() == [900.0, 902.5, 906.0]


@pytest.mark.parametrize(
    ("bits", "names"), [(0, ()), (5, ("shutter", "lamp")), (0x8002, ("reference", "0x8000"))]
)
def test_capabilities_are_named_and_later_ones_kept(bits, names):
    assert capability_names(bits) == names


def test_response_is_the_first_flag():
    assert int(Flags.RESPONSE) == 1
