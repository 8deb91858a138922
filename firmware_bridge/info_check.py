"""Whether what an instrument's INFO says can be: asked before anything is built on it."""

from __future__ import annotations

from firmware_bridge.errors import InfoInvalid
from firmware_bridge.protocol import MAX_PIXELS, Info

MOST_SERIAL = 32


def check_info(info: Info, url: str) -> None:
    """Raises InfoInvalid for what cannot be. The axis is its user's business."""
    if (wrong := what_cannot_be(info)) is not None:
        expected, received = wrong
        raise InfoInvalid(
            f"the instrument on {url} says in INFO what cannot be: expected {expected}, received "
            f"{received}. Correct its firmware; `spektron-edge conformance` tries it."
        )


def what_cannot_be(info: Info) -> tuple[str, str] | None:
    """The first value that cannot be: what is expected, and what is there."""
    serial = info.serial
    least, most = info.min_integration_us, info.max_integration_us
    if not (0 < len(serial) <= MOST_SERIAL and serial.isprintable() and serial.strip()):
        return f"a serial number of 1 to {MOST_SERIAL} printable characters", repr(serial)
    if not 1 <= info.pixels <= MAX_PIXELS:
        return f"1 to {MAX_PIXELS} pixels", str(info.pixels)
    if info.full_scale < 1:
        return "a full scale above 0", str(info.full_scale)
    if not 0 < least <= most:
        return "a shortest integration above 0, up to the longest", f"{least} and {most} us"
    if info.max_averages < 1:
        return "at least 1 exposure averaged into a scan", str(info.max_averages)
    return None
