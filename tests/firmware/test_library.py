"""The C library against the Python one: the same bytes, the same verdicts, the same counters.

Everything here runs under the address and the undefined-behaviour sanitizer.
"""

from __future__ import annotations

import random
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.framing import Framer, encode_frame
from firmware_bridge.golden import EXAMPLES
from firmware_bridge.protocol import GROWING, ProtocolError, decode, encode
from firmware_bridge.wire_c import FIRMWARE
from tests.firmware.host import HERE, Driver, HostFramer, build
from tests.firmware.messages import random_body
from tests.requirements import need

OK, UNKNOWN_TYPE = 0, 1
GOOD = encode_frame(b"the next good frame")
MESSAGES = 10_000


def test_the_golden_frames_written_by_hand_in_c():
    program = build("golden", "golden.c")
    said = subprocess.run([program], capture_output=True, check=True, text=True).stdout
    assert dict(line.split() for line in said.splitlines()) == {
        example.name: example.frame.hex() for example in EXAMPLES
    }


def test_both_directions_give_the_same_bytes(driver):
    """Python encodes, C decodes, encodes and frames, Python decodes: nothing has changed."""
    rng = random.Random(11)
    framer = Framer()
    for _ in range(MESSAGES):
        message, body = random_body(rng)
        assert driver.recode(body) == (OK, body)
        frame = driver.frame(body, rng.randint(1, 300))
        assert frame == encode_frame(body)
        (arrived,) = framer.feed(frame)
        header, again = decode(arrived)
        assert encode(again, header.sequence, header.device_us, header.flags) == body
        assert type(again) is type(message)


def test_both_refuse_the_same_bodies(driver):
    """Bodies cut, grown, or with a few bytes changed, which is where two decoders differ."""
    rng = random.Random(12)
    growing = [int(declaration.TYPE) for declaration in GROWING]
    refused = 0
    for _ in range(MESSAGES):
        body = bytearray(random_body(rng)[1][:2000])
        for _ in range(rng.randint(0, 3)):
            body[rng.randrange(min(len(body), 40))] = rng.choice((0, 1, 2, 33, 121, 255))
        body = body[: rng.choice((len(body), rng.randint(0, len(body))))]
        body += rng.randbytes(rng.choice((0, 0, 0, 5)))
        status, again = driver.recode(bytes(body))
        try:
            _, message = decode(bytes(body))
        except ProtocolError:
            refused += 1
            assert status not in (OK, UNKNOWN_TYPE)
            continue
        assert status == (UNKNOWN_TYPE if message is None else OK)
        if message is not None:
            assert bytes(body[: len(again)]) == again
            assert len(again) == len(body) or body[1] in growing
    assert MESSAGES / 10 < refused < MESSAGES * 0.9


def test_frames_of_every_length_around_a_block(driver):
    for size in (*range(1, 20), *range(245, 265), *range(500, 520), 1000):
        for byte in (b"\0", b"x"):
            assert driver.frame(byte * size, 7) == encode_frame(byte * size)


_PIECES = st.lists(
    st.one_of(
        st.binary(max_size=80),
        st.binary(min_size=1, max_size=120).map(encode_frame),
        st.just(b"\0"),
        st.binary(min_size=1, max_size=60).map(lambda b: encode_frame(b)[:-3]),
    ),
    max_size=12,
)


def test_both_framers_cut_and_count_the_same(driver):
    @settings(max_examples=300, deadline=None)
    @given(_PIECES, st.integers(1, 130))
    def check(chunks, max_frame):
        ours, theirs = Framer(max_frame), HostFramer(driver, max_frame)
        for chunk in chunks:
            assert theirs.feed(chunk) == ours.feed(chunk)
            assert theirs.counters == ours.counters

    check()


def test_no_frame_with_flipped_bits_is_accepted(driver):
    rng = random.Random(13)
    framer = HostFramer(driver, 16384)
    for _ in range(100_000):
        broken = bytearray(encode_frame(rng.randbytes(rng.randint(1, 80))))
        for bit in rng.sample(range(8 * len(broken)), rng.randint(1, 32)):
            broken[bit // 8] ^= 1 << bit % 8
        assert framer.feed(bytes(broken) + b"\0" + GOOD) == [b"the next good frame"]


def test_it_cannot_be_fed_too_much(driver):
    framer = HostFramer(driver, 100)
    framer.feed(b"\x01" * 64_000)
    assert framer.counters.oversize == 1
    assert framer.feed(b"rest\0" + encode_frame(b"good")) == [b"good"]


@pytest.mark.parametrize("compiler", ["clang++", "g++"])
def test_a_cpp_program_links_with_it(tmp_path, compiler):
    if compiler == "clang++":
        need("clang")
    elif shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not here: apt install {compiler}")
    include = f"-I{FIRMWARE / 'include'}"
    objects = []
    for source in sorted((FIRMWARE / "src").glob("*.c")):
        objects.append(tmp_path / f"{source.stem}.o")
        c = {"clang++": "clang", "g++": "gcc"}[compiler]
        subprocess.run([c, "-std=c99", include, "-c", source, "-o", objects[-1]], check=True)
    program = tmp_path / "linked"
    warnings = ("-std=c++11", "-Wall", "-Wextra", "-Werror", "-pedantic")
    subprocess.run(
        [compiler, *warnings, include, HERE / "linked.cpp", *objects, "-o", program], check=True
    )
    subprocess.run([program], check=True)


# libFuzzer counts in seconds, not in runs: what they yield is no matter of passing.
@pytest.mark.parametrize(
    "seconds", [30, pytest.param(300, marks=[pytest.mark.long, pytest.mark.timeout(600)])]
)
def test_the_fuzzer_finds_nothing(tmp_path, seconds):
    program = build("fuzz", "fuzz.c", "bench.c", sanitizers="fuzzer,address,undefined")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for example in EXAMPLES:
        (corpus / f"{example.name}.frame").write_bytes(example.frame)
        body = encode(example.message, example.sequence, example.device_us, example.flags)
        (corpus / f"{example.name}.body").write_bytes(body)
    done = subprocess.run(
        [program, corpus, f"-max_total_time={seconds}", "-max_len=2048", "-timeout=60"],
        capture_output=True,
        cwd=tmp_path,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]


def test_the_sanitizers_watch():
    """One byte written behind a buffer ends the program: so no test here passed over such a one."""
    driver = Driver()
    driver.call("n", number=10)
    driver.send("x")
    assert "heap-buffer-overflow" in driver.report()
