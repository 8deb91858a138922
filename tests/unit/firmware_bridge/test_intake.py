"""What arrives on a line, sorted and counted, without a line."""

from firmware_bridge.framing import encode_frame
from firmware_bridge.intake import GARBAGE_FRAMES, GARBAGE_S, INBOX_FRAMES, Intake
from firmware_bridge.protocol import Ack, Event, Flags, Stop, encode


def frame(message, **options):
    return encode_frame(encode(message, **options))


def test_a_full_inbox_drops_the_oldest_and_counts():
    intake = Intake()
    for number in range(INBOX_FRAMES + 5):
        intake.take(frame(Event(number, "")), 0.0)
    assert len(intake.inbox) == INBOX_FRAMES
    assert intake.inbox[0].message.code == 5
    assert intake.counters.dropped == 5


def test_unknown_and_malformed_frames_are_counted():
    intake = Intake()
    unknown = bytearray(encode(Stop()))
    unknown[1] = 99
    intake.take(encode_frame(bytes(unknown)), 0.0)
    intake.take(encode_frame(encode(Stop()) + b"x"), 0.0)
    intake.take(frame(Stop()), 0.0)
    counters = intake.counters
    assert (counters.unknown, counters.malformed, counters.stale) == (1, 1, 1)


def test_a_response_to_another_request_is_stale():
    intake = Intake()
    for sequence in (1, 2, 2):
        intake.take(frame(Ack(3), sequence=sequence, flags=Flags.RESPONSE), 0.0)
    assert intake.response(2).header.sequence == 2
    assert intake.counters.stale == 2
    assert intake.response(2) is None


def test_bad_frames_for_some_time_are_garbage_and_a_good_one_starts_anew():
    intake = Intake()
    bad = b"\xff\x01\0"
    for n in range(GARBAGE_FRAMES):
        assert intake.take(bad, float(n) * 0.1) == 0
    assert intake.take(frame(Stop()), 1.0) == 0
    assert intake.take(bad, 1.0 + GARBAGE_S) == 0
    for _ in range(GARBAGE_FRAMES - 1):
        assert intake.take(bad, 1.5 + GARBAGE_S) == 0
    assert intake.take(bad, 1.0 + 2 * GARBAGE_S) == len(bad) * (GARBAGE_FRAMES + 1)


def test_a_slow_large_frame_is_not_garbage():
    intake = Intake()
    for n in range(100):
        assert intake.take(b"\x01" * 40, float(n)) == 0
