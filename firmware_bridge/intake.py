"""What arrives, sorted: responses, scans and events, and the judgement that a line is garbage."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.framing import Framer
from firmware_bridge.protocol import (
    ErrorReply,
    Event,
    Flags,
    Header,
    Message,
    ProtocolError,
    Scan,
    decode,
)

INBOX_FRAMES = 512
# A line is garbage after this many bytes without a valid frame (four frames of the largest size),
# or after some bad frames in a row for some time: a slow line may take seconds for one good frame.
GARBAGE_BYTES = 65536
GARBAGE_FRAMES = 4
GARBAGE_S = 2.0


@dataclass(frozen=True)
class Received:
    """One message; `last_byte_at` is time.monotonic() right after the read that completed it.

    variance: of a scan's counts, (pixels,), counts squared, where the host averaged exposures.
    """

    header: Header
    message: Message
    last_byte_at: float
    variance: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class LinkCounters:
    """The framer's counters, then: frames of unknown type, valid frames that make no sense,
    scans and events lost to a full inbox, responses nobody waited for, errors sent unasked.
    """

    frames: int = 0
    bytes: int = 0
    crc_errors: int = 0
    cobs_errors: int = 0
    oversize: int = 0
    runts: int = 0
    discarded_bytes: int = 0
    unknown: int = 0
    malformed: int = 0
    dropped: int = 0
    stale: int = 0
    device_errors: int = 0


class Intake:
    """Sorts received bytes into `inbox` (scans and events, bounded) and `responses`. Sans-IO.

    pixels: of every scan by INFO, once that is known. A scan of another size counts as malformed,
    and still comes out: whoever reads it has to tell of its number.
    """

    def __init__(self) -> None:
        self.inbox: deque[Received] = deque()
        self.responses: list[Received] = []
        self.last_device_error = ""
        self.pixels: int | None = None
        self._framer = Framer()
        self._unknown = self._malformed = self._dropped = self._stale = self._device_errors = 0
        self._mark_good()

    @property
    def counters(self) -> LinkCounters:
        """A snapshot of all counters."""
        return LinkCounters(
            **asdict(self._framer.counters),
            unknown=self._unknown,
            malformed=self._malformed,
            dropped=self._dropped,
            stale=self._stale,
            device_errors=self._device_errors,
        )

    def restart(self) -> None:
        """Forget everything received but the counters: a new session begins."""
        self._framer.reset()
        self.inbox.clear()
        self.responses.clear()
        self.last_device_error = ""
        self.pixels = None
        self._mark_good()

    def take(self, data: bytes, at: float) -> int:
        """Sort `data`, received at `at` (s). Return 0, or, when the line must be called garbage,
        the number of bytes since the last valid frame.
        """
        bodies = self._framer.feed(data)
        if not bodies:
            return self._judge(len(data), at)
        self._mark_good()
        for body in bodies:
            self._sort(body, at)
        return 0

    def response(self, sequence: int) -> Received | None:
        """Return the response to `sequence` if it has come; any other is stale and dropped."""
        found = None
        for received in self.responses:
            if received.header.sequence == sequence and found is None:
                found = received
            else:
                self._stale += 1
        self.responses.clear()
        return found

    def _sort(self, body: bytes, at: float) -> None:
        try:
            header, message = decode(body)
        except ProtocolError:
            self._malformed += 1
            return
        if message is None:
            self._unknown += 1
        elif header.flags & Flags.RESPONSE:
            self.responses.append(Received(header, message, at))
        elif isinstance(message, Scan | Event):
            if isinstance(message, Scan) and self.pixels not in (None, message.counts.size):
                self._malformed += 1
            if len(self.inbox) >= INBOX_FRAMES:
                self.inbox.popleft()
                self._dropped += 1
            self.inbox.append(Received(header, message, at))
        elif isinstance(message, ErrorReply):
            self._device_errors += 1
            self.last_device_error = message.text
        else:
            self._stale += 1

    def _mark_good(self) -> None:
        self._bytes_since_good = 0
        self._bad_at_good = self._framer.counters.bad_frames
        self._bad_since: float | None = None

    def _judge(self, size: int, at: float) -> int:
        self._bytes_since_good += size
        if self._bad_since is None:
            self._bad_since = at
        bad = self._framer.counters.bad_frames - self._bad_at_good
        lasting = bad >= GARBAGE_FRAMES and at - self._bad_since >= GARBAGE_S
        if not lasting and self._bytes_since_good <= GARBAGE_BYTES:
            return 0
        received = self._bytes_since_good
        self._mark_good()
        return received
