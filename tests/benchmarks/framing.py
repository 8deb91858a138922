"""The Python framer on one core: a full line of scans in large and in small chunks.

The stream is SCAN frames of 700 random 16-bit pixels. Peers in the same rounds: pyserial's
Packetizer with the same COBS decoder and CRC-32 behind it, and these alone on frames already cut.
"""

from __future__ import annotations

import statistics
import time
import zlib
from collections.abc import Callable

import numpy as np
from cobs import cobs
from serial.threaded import Packetizer

from firmware_bridge.framing import Framer, encode_frame
from firmware_bridge.protocol import LampState, Position, Scan, encode
from tests.benchmarks.report import Figure

NAME = "framing"
SCANS = 700
PIXELS = 700
ROUNDS = 15
CHUNKS = {"4k": 4096, "64": 64}


class _Peer(Packetizer):
    """What pyserial offers for frames that end with a zero."""

    def __init__(self) -> None:
        super().__init__()
        self.frames = 0

    def handle_packet(self, packet: bytes) -> None:
        if packet:
            self.frames += _good(bytes(packet))


def _good(frame: bytes) -> bool:
    body = cobs.decode(frame)
    return zlib.crc32(body[:-4]) == int.from_bytes(body[-4:], "little")


def _ours(chunks: list[bytes]) -> int:
    framer = Framer()
    return sum(len(framer.feed(chunk)) for chunk in chunks)


def _pyserial(chunks: list[bytes]) -> int:
    peer = _Peer()
    for chunk in chunks:
        peer.data_received(chunk)
    return peer.frames


def _cut_already(frames: list[bytes]) -> int:
    return sum(map(_good, frames))


def _frames() -> list[bytes]:
    rng = np.random.default_rng(8)
    return [
        encode_frame(
            encode(
                Scan(
                    number=number,
                    integration_us=1000,
                    averages=1,
                    lamp=LampState.STABLE,
                    position=Position.SAMPLE,
                    temperature_c=25.0,
                    saturated=0,
                    counts=rng.integers(0, 65536, PIXELS).astype(np.uint16),
                ),
                device_us=number * 15_690,
            )
        )
        for number in range(SCANS)
    ]


def _seconds(run: Callable[[list[bytes]], int], pieces: list[bytes]) -> float:
    """CPU time of one run over all frames."""
    begun = time.process_time()
    frames = run(pieces)
    seconds = time.process_time() - begun
    if frames != SCANS:
        raise RuntimeError(f"{run.__name__} found {frames} of {SCANS} frames")
    return seconds


def measure() -> list[Figure]:
    """Throughput by size of chunk, and how that compares."""
    frames = _frames()
    stream = b"".join(frames)
    undelimited = [frame[:-1] for frame in frames]
    figures = []
    for name, size in CHUNKS.items():
        chunks = [stream[i : i + size] for i in range(0, len(stream), size)]
        ours, peer, bare = [], [], []
        for _ in range(ROUNDS):
            ours.append(_seconds(_ours, chunks))
            peer.append(_seconds(_pyserial, chunks))
            bare.append(_seconds(_cut_already, undelimited))
        speeds = [len(stream) / 1e6 / s for s in ours]
        quartiles = statistics.quantiles(speeds, n=4)
        alone = len(stream) / 1e6 / statistics.median(bare)
        figures += [
            Figure(
                f"decode_mb_s_{name}",
                statistics.median(speeds),
                "MB/s",
                "higher",
                (quartiles[2] - quartiles[0]) / 2,
                f"{SCANS} frames of {PIXELS} pixels in chunks of {size} bytes, CPU time, median of "
                f"{ROUNDS} rounds; COBS and CRC alone on frames already cut: {alone:.0f} MB/s",
            ),
            Figure(
                f"speedup_vs_packetizer_{name}",
                statistics.median(p / o for p, o in zip(peer, ours, strict=True)),
                "1",
                "higher",
                None,
                "pyserial's Packetizer (no bound, no counters), same COBS and CRC, same rounds",
            ),
        ]
    return figures
