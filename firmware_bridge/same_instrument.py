"""Whether scans still come from the instrument that answered, and of the same power-on. Sans-IO."""

from __future__ import annotations

import secrets
from collections import deque

from firmware_bridge.intake import Received
from firmware_bridge.protocol import Info, Scan

# A line may bring one of the last few scans twice, and lose as many. What is farther off is asked
# about.
HANDFUL = 16
# A scan's stamp may be so much farther on than the host's clock, s.
_AHEAD_S = 2.0
# An answer to HELLO may have been under way for so long, and the instrument's clock be so far off.
_LATE_S, _LATE_SHARE = 5.0, 0.1
# Counters of 32 bits, in us and in ms, begin again at 0.
_WRAPS_US = (2**32, 2**32 * 1000)
_WRAP_S, _WRAP_SHARE = 1.0, 2e-3


class SameInstrument:
    """Follows serial number, `boot_id`, scan numbers and clock, over connections too."""

    def __init__(self) -> None:
        self._of: tuple[str, int] | None = None
        self._boot_id = 0
        # Of the latest scan or opening INFO: device_us, and when it came by the host's clock, s.
        self._stamp: tuple[int, float] | None = None
        self._recent: deque[tuple[int, int]] = deque(maxlen=HANDFUL)
        self._told = False

    def answered(self, info: Info, device_us: int, at: float) -> tuple[int, str]:
        """A connection begins: the power-on to go by, and in words one that INFO does not tell.

        Where the clock has begun anew and `boot_id` has not, the instrument was switched off: a
        number of the host's own then stands in for `boot_id`.
        """
        told, of = "", (info.serial, info.boot_id)
        if of != self._of:
            self._of, self._boot_id = of, info.boot_id
        elif lost := self._lost(device_us, at):
            told = f"{lost}, and its boot_id is {info.boot_id} as before"
            self._boot_id = secrets.randbits(32)
        self._begin()
        self._stamp, self._told = (device_us, at), False
        return self._boot_id, told

    def restarted(self) -> None:
        """It says so itself. Numbers and clock begin anew, for those who read its events."""
        self._recent.clear()
        self._told = True

    def doubtful(self, received: Received, scan: Scan) -> bool:
        """Whether this scan may be another instrument's, or of another power-on."""
        if self._stamp is None or (self._told and not self._recent):
            return False
        device_us, at = self._stamp
        now_us, number = received.header.device_us, scan.number
        if (number, now_us) in self._recent:
            return False
        ahead_s = (now_us - device_us) * 1e-6 - (received.last_byte_at - at)
        if device_us and (self._went_back(now_us, received.last_byte_at) or ahead_s > _AHEAD_S):
            return True
        if not self._recent:
            return False
        last = self._recent[-1][0]
        return not (0 < number - last <= HANDFUL or number in (n for n, _ in self._recent))

    def passed(self, received: Received, scan: Scan) -> None:
        """Take note of a scan that counts."""
        if self._recent and scan.number in (n for n, _ in self._recent):
            return
        self._stamp = (received.header.device_us, received.last_byte_at)
        self._recent.append((scan.number, received.header.device_us))

    def confirm(self, info: Info, device_us: int, at: float, doubted: Scan | None) -> str:
        """It was asked again who it is: in words, that it is not the same; empty where it is.

        `doubted`, if any, counts from here on.
        """
        serial, boot_id = self._of or (info.serial, info.boot_id)
        if info.serial != serial:
            return f"serial number {info.serial!r} instead of {serial!r}"
        if info.boot_id != boot_id and not self._told:
            return f"boot_id {info.boot_id} instead of {boot_id}: {serial} was switched off and on"
        back = self._went_back(device_us, at)
        if back and not self._counts_on(doubted):
            return f"{back}: {serial} was switched off and on, though its boot_id is the same"
        if doubted is not None:
            self._begin()
        return ""

    def _begin(self) -> None:
        self._stamp = None
        self._recent.clear()

    def _counts_on(self, scan: Scan | None) -> bool:
        """After a power-on numbers begin at 0: one that counts on is of a clock that was set."""
        last = self._recent[-1][0] if self._recent else -1
        return scan is not None and last >= 0 and 0 < scan.number - last <= HANDFUL

    def _went_back(self, device_us: int, at: float) -> str:
        """In words, that the clock did, for another reason than that its counter was full."""
        if self._stamp is None or device_us >= self._stamp[0]:
            return ""
        if self._full(device_us, at):
            return ""
        return (
            f"its clock went back from {self._stamp[0] * 1e-6:.3f} s to {device_us * 1e-6:.3f} s "
            "after power-on"
        )

    def _lost(self, device_us: int, at: float) -> str:
        """In words, that the clock went back, or on by less than the time that has passed."""
        if self._stamp is None or not self._stamp[0]:
            return ""
        if back := self._went_back(device_us, at):
            return back
        since_s, on_s = at - self._stamp[1], (device_us - self._stamp[0]) * 1e-6
        if since_s - on_s <= _LATE_S + _LATE_SHARE * since_s or self._full(device_us, at):
            return ""
        return (
            f"its clock went on by {on_s:.3f} s in {since_s:.3f} s, unless it stood still so long"
        )

    def _full(self, device_us: int, at: float) -> bool:
        """Whether a counter that was full, and began again, explains the stamp."""
        if self._stamp is None:
            return False
        since_us = (at - self._stamp[1]) * 1e6
        lost_us = since_us - (device_us - self._stamp[0])
        leeway_us = _WRAP_S * 1e6 + _WRAP_SHARE * since_us
        return any(
            (times := round(lost_us / wrap)) >= 1 and abs(lost_us - times * wrap) < leeway_us
            for wrap in _WRAPS_US
        )
