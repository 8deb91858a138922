"""Whether what an instrument's INFO says can be: asked before anything is built on it."""

from __future__ import annotations

from firmware_bridge.errors import InfoInvalid
from firmware_bridge.protocol import MAX_PIXELS, Info


def check_info(info: Info, url: str) -> None:
    """Raises InfoInvalid for the first value that cannot be. The axis is its user's business."""
    least, most = info.min_integration_us, info.max_integration_us
    expectations = (
        (
            0 < len(info.serial) <= 32 and info.serial.isprintable() and info.serial.strip(),
            f"a serial number of 1 to 32 printable characters, received {info.serial!r}",
        ),
        (
            1 <= info.pixels <= MAX_PIXELS,
            f"1 to {MAX_PIXELS} pixels, received {info.pixels}",
        ),
        (info.full_scale > 0, "a full scale above 0, received 0"),
        (
            most > 0 and least <= most,
            f"a shortest integration up to the longest, received {least} and {most} us",
        ),
        (info.max_averages > 0, "at least 1 exposure averaged into a scan, received 0"),
    )
    for holds, told in expectations:
        if not holds:
            raise InfoInvalid(
                f"the instrument on {url} says in INFO what cannot be: expected {told}. "
                f"Correct its firmware; `spektron-edge conformance` tries it."
            )
