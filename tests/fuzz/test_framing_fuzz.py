"""Random and broken bytes: no crash, no growth, no wrong frame, and the next good one decodes."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.framing import Framer, encode_frame
from firmware_bridge.intake import Intake

GOOD = encode_frame(b"the next good frame")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=20))
def test_any_bytes_leave_the_framer_bounded_and_ready(chunks):
    framer = Framer(max_frame=256)
    for chunk in chunks:
        framer.feed(chunk)
        assert framer.buffered <= 256
    assert framer.counters.bytes == sum(map(len, chunks))
    framer.feed(b"\0")
    assert framer.feed(GOOD) == [b"the next good frame"]


def test_a_million_pieces_of_noise():
    """Noise, pieces of good frames, good frames that end in noise: bounded, and never a body."""
    rng = random.Random(8)
    framer = Framer(max_frame=256)
    for _ in range(1_000_000):
        noise = rng.randbytes(rng.randint(0, 64))
        piece = GOOD[rng.randint(0, 3) : -3] * rng.randint(0, 2)
        assert framer.feed(noise + piece + noise[::-1]) == []
        assert framer.buffered <= 256
    framer.feed(b"\0")
    assert framer.feed(GOOD) == [b"the next good frame"]


def test_no_frame_with_flipped_bits_is_accepted():
    rng = random.Random(9)
    framer = Framer()
    for _ in range(100_000):
        body = rng.randbytes(rng.randint(1, 80))
        broken = bytearray(encode_frame(body))
        for bit in rng.sample(range(8 * len(broken)), rng.randint(1, 32)):
            broken[bit // 8] ^= 1 << bit % 8
        assert framer.feed(bytes(broken) + b"\0") == []
        assert framer.feed(GOOD) == [b"the next good frame"]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_a_valid_frame_with_any_body_never_breaks_the_intake(body):
    intake = Intake()
    intake.take(encode_frame(b"\1" + body), 0.0)
    counters = intake.counters
    sorted_frames = len(intake.inbox) + len(intake.responses)
    counted = counters.unknown + counters.malformed + counters.stale + counters.device_errors
    assert sorted_frames + counted == counters.frames == 1
