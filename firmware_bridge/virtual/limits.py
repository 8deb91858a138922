"""Who the virtual instrument says it is, and what it lets a host ask for."""

from __future__ import annotations

from firmware_bridge.protocol import (
    MAX_VERSION,
    Capability,
    Configure,
    ErrorCode,
    ErrorReply,
    Info,
    Position,
)
from firmware_bridge.virtual.optics import Optics

FIRMWARE = "virtual 1.0"
MIN_INTEGRATION_US = 10
MAX_INTEGRATION_US = 10_000_000
MAX_AVERAGES = 10_000


def describe(optics: Optics, serial: str, boot_id: int, *, nan_axis: bool) -> Info:
    """Return the instrument's INFO; `nan_axis` spoils a wavelength coefficient."""
    coefficients = optics.coefficients
    if nan_axis:
        coefficients = (coefficients[0], float("nan"), *coefficients[2:])
    return Info(
        version=MAX_VERSION,
        serial=serial,
        firmware=FIRMWARE,
        boot_id=boot_id,
        pixels=optics.pixels,
        full_scale=optics.full_scale,
        capabilities=Capability.SHUTTER | Capability.REFERENCE | Capability.LAMP,
        coefficients=coefficients,
        min_integration_us=MIN_INTEGRATION_US,
        max_integration_us=MAX_INTEGRATION_US,
        max_averages=MAX_AVERAGES,
    )


def refusal(wish: Configure) -> ErrorReply | None:
    """Return why `wish` cannot be met, or None."""
    if not MIN_INTEGRATION_US <= wish.integration_us <= MAX_INTEGRATION_US:
        text = f"integration {MIN_INTEGRATION_US} to {MAX_INTEGRATION_US} us"
        return ErrorReply(ErrorCode.OUT_OF_RANGE, text)
    if not 1 <= wish.averages <= MAX_AVERAGES:
        return ErrorReply(ErrorCode.OUT_OF_RANGE, f"averages 1 to {MAX_AVERAGES}")
    if wish.position not in [int(p) for p in Position] or wish.lamp not in (0, 1):
        return ErrorReply(ErrorCode.OUT_OF_RANGE, "no such position or lamp state")
    return None
