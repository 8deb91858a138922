"""One example frame of every message: for the documentation, and for anyone who writes firmware."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_bridge.framing import encode_frame
from firmware_bridge.protocol import (
    Ack,
    Capability,
    Configure,
    ErrorCode,
    ErrorReply,
    Event,
    EventCode,
    Flags,
    Hello,
    Info,
    LampState,
    Message,
    MessageType,
    Ping,
    Position,
    Scan,
    Start,
    Stop,
    encode,
)


@dataclass(frozen=True)
class Example:
    """A message with its header fields."""

    name: str
    message: Message
    sequence: int = 0
    device_us: int = 0
    flags: int = 0

    @property
    def frame(self) -> bytes:
        """The bytes on the wire."""
        return encode_frame(encode(self.message, self.sequence, self.device_us, self.flags))


_INFO = Info(
    version=1,
    serial="SPK-0042",
    firmware="1.2.3",
    boot_id=0xDEADBEEF,
    pixels=256,
    full_scale=65535,
    capabilities=Capability.SHUTTER | Capability.LAMP,
    coefficients=(900.0, 3.5, -0.0001, 0.0, 0.0, 0.0),
    min_integration_us=10,
    max_integration_us=1_000_000,
    max_averages=1000,
)
_SCAN: dict[str, Any] = {
    "integration_us": 1000,
    "averages": 4,
    "lamp": LampState.STABLE,
    "temperature_c": 25.5,
}

EXAMPLES = (
    Example("hello", Hello(1, 1), 1),
    Example("info", _INFO, 1, 5_000_000, Flags.RESPONSE),
    Example("configure", Configure(1000, 4, 1, Position.SAMPLE), 2),
    Example("ack", Ack(MessageType.CONFIGURE), 2, 5_000_100, Flags.RESPONSE),
    Example("start", Start(20), 3),
    Example("stop", Stop(), 4),
    Example(
        "scan_u16",
        Scan(
            number=7,
            position=Position.SAMPLE,
            saturated=1,
            counts=np.array([0, 600, 52000, 65535], np.uint16),
            **_SCAN,
        ),
        device_us=6_000_000,
    ),
    Example(
        "scan_u32",
        Scan(
            number=8,
            position=Position.REFERENCE,
            saturated=0,
            counts=np.array([0, 70000, 4294967295], np.uint32),
            **_SCAN,
        ),
        device_us=7_000_000,
    ),
    Example("event", Event(EventCode.LAMP_STABLE, "lamp is stable"), 0, 8_000_000),
    Example("error", ErrorReply(ErrorCode.OUT_OF_RANGE, "averages 1 to 1000"), 5, 9, 1),
    Example("ping", Ping(0x01020304), 6),
    Example("pong", Ping(0x01020304), 6, 10_000_000, Flags.RESPONSE),
)
