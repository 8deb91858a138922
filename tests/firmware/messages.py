"""Random messages from the declaration itself, edges included."""

from __future__ import annotations

import random
import struct
from typing import Any

import numpy as np

from firmware_bridge.protocol import MESSAGES, Message, encode, layout
from firmware_bridge.wire import Counts, Scalar, Text, Vector, WireType

_ALPHABET = "aZ 0\0\x7f\u0080\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff"


def random_message(rng: random.Random) -> Message:
    """A message of any type that encodes."""
    declaration = rng.choice(MESSAGES)
    return declaration(**{f.name: _value(f.kind, rng) for f in layout(declaration)})


def random_body(rng: random.Random) -> tuple[Message, bytes]:
    """A message and its body, with a random header."""
    message = random_message(rng)
    return message, encode(message, rng.getrandbits(16), rng.getrandbits(64), rng.getrandbits(16))


def _value(kind: WireType, rng: random.Random) -> Any:
    if isinstance(kind, Vector):
        return tuple(_value(kind.scalar, rng) for _ in range(kind.length))
    if isinstance(kind, Text):
        text = "".join(rng.choice(_ALPHABET) for _ in range(rng.randint(0, kind.limit)))
        return text.encode()[: kind.limit].decode(errors="ignore")
    if isinstance(kind, Counts):
        dtype = rng.choice((np.uint16, np.uint32))
        size = rng.choice((0, 1, rng.randint(0, 300), rng.randint(0, 300), kind.limit))
        return np.frombuffer(rng.randbytes(size * np.dtype(dtype).itemsize), dtype)
    assert isinstance(kind, Scalar)
    if kind.code in "fd":
        number = rng.choice((0.0, -0.0, float("inf"), rng.gauss(0.0, 1e3)))
        return struct.unpack("<" + kind.code, struct.pack("<" + kind.code, number))[0]
    bits = int(kind.label[1:])
    return rng.choice((0, 1, 2**bits - 1, rng.getrandbits(bits), rng.getrandbits(bits)))
