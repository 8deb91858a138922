"""The framer: what comes out, what is counted, and that nothing grows."""

import random
import zlib

import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.framing import Framer, FramerCounters, encode_frame

BODIES = [bytes([n]) * (1 + 37 * n) + bytes(n) for n in range(1, 30)]


def clean(stream, rng):
    return [stream]


def one_byte_at_a_time(stream, rng):
    return [stream[i : i + 1] for i in range(len(stream))]


def delayed_chunks(stream, rng):
    chunks = []
    while stream:
        size = rng.randint(0, 700)
        chunks.append(stream[:size])
        stream = stream[size:]
    return chunks


@pytest.mark.parametrize("transport", [clean, one_byte_at_a_time, delayed_chunks])
def test_every_body_comes_out_whole_and_in_order(transport):
    stream = b"".join(encode_frame(b) for b in BODIES)
    framer = Framer()
    out = [b for chunk in transport(stream, random.Random(1)) for b in framer.feed(chunk)]
    assert out == BODIES
    assert framer.counters == FramerCounters(frames=len(BODIES), bytes=len(stream))
    assert framer.buffered == 0


def test_twenty_percent_lost_bytes_never_make_a_wrong_body():
    rng = random.Random(2)
    stream = b"".join(encode_frame(b) for b in BODIES * 20)
    lossy = bytes(b for b in stream if rng.random() > 0.2)
    framer = Framer()
    out = framer.feed(lossy)
    assert all(body in BODIES for body in out)
    assert framer.counters.bad_frames > 400
    framer.feed(b"\0")
    assert framer.feed(encode_frame(b"after")) == [b"after"]


def test_a_garbage_prefix_costs_at_most_the_frame_it_runs_into():
    framer = Framer()
    garbage = random.Random(3).randbytes(500).replace(b"\0", b"\1")
    out = framer.feed(garbage + b"".join(encode_frame(b) for b in BODIES))
    assert out == BODIES[1:]
    assert framer.counters.bad_frames == 1


def test_doubled_delimiters_are_skipped_silently():
    framer = Framer()
    assert framer.feed(b"\0\0\0" + encode_frame(b"x") + b"\0\0") == [b"x"]
    assert framer.counters.bad_frames == 0
    assert framer.counters.discarded_bytes == 0


def test_rejects_a_wrong_checksum():
    good = b"payload" + zlib.crc32(b"payload").to_bytes(4, "little")
    framer = Framer()
    assert framer.feed(cobs.encode(good[:-1] + bytes([good[-1] ^ 1])) + b"\0") == []
    assert framer.counters.crc_errors == 1
    assert framer.counters.discarded_bytes == 12


def test_rejects_impossible_stuffing():
    framer = Framer()
    assert framer.feed(b"\xff\x01\x02\0") == []
    assert framer.counters.cobs_errors == 1


def test_rejects_a_runt():
    framer = Framer()
    assert framer.feed(cobs.encode(b"1234") + b"\0") == []
    assert framer.counters.runts == 1


def test_never_holds_more_than_the_cap_and_recovers_at_the_next_zero():
    framer = Framer(max_frame=100)
    for _ in range(1000):
        framer.feed(b"\x01" * 64)
        assert framer.buffered <= 100
    assert framer.counters.oversize == 1
    assert framer.feed(b"rest\0" + encode_frame(b"good")) == [b"good"]
    assert framer.counters.oversize == 1
    assert framer.counters.discarded_bytes == 64004


def test_rejects_an_oversize_frame_that_comes_in_one_piece():
    framer = Framer(max_frame=100)
    assert framer.feed(encode_frame(b"x" * 200) + encode_frame(b"good")) == [b"good"]
    assert framer.counters.oversize == 1


def test_accepts_a_frame_of_exactly_the_cap():
    frame = encode_frame(b"x" * 50)
    assert Framer(max_frame=len(frame) - 1).feed(frame) == [b"x" * 50]
    assert Framer(max_frame=len(frame) - 2).feed(frame) == []


def test_reset_forgets_half_a_frame():
    framer = Framer()
    framer.feed(encode_frame(b"first")[:-3])
    framer.reset()
    assert framer.buffered == 0
    assert framer.feed(encode_frame(b"second")) == [b"second"]
    assert framer.counters.discarded_bytes > 0


@given(st.lists(st.binary(min_size=1, max_size=400), max_size=8), st.integers(1, 97))
def test_roundtrip(bodies, size):
    stream = b"".join(encode_frame(b) for b in bodies)
    framer = Framer()
    out = []
    for i in range(0, len(stream), size):
        out += framer.feed(stream[i : i + size])
    assert out == bodies


@given(st.binary(min_size=1, max_size=600))
def test_a_frame_holds_one_zero_at_its_end(body):
    assert encode_frame(body).index(0) == len(encode_frame(body)) - 1
