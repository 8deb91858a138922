"""One browser's stream of server-sent events (HTML Living Standard, 9.2)."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Callable

# At ten predictions a second half a minute; then a browser reconnects and asks for what is now.
MOST_WAITING = 300
_PING_S = 5.0
# Of these, only what is so now matters.
_LATEST = frozenset({"state", "model", "axis", "faults", "connection"})


def framed(name: str, data: object) -> bytes:
    """One event. JSON has no line breaks, so one line of data holds it."""
    text = json.dumps(data, separators=(",", ":"))
    return f"event: {name}\ndata: {text}\n\n".encode()


class Stream:
    """What waits for a browser. Spectra are the first to go: only the newest waits."""

    def __init__(self, spectra_per_s: float, now: Callable[[], float]) -> None:
        self._apart_s = 1.0 / spectra_per_s if spectra_per_s > 0 else float("inf")
        self._now = now
        self._queue: deque[bytes] = deque()
        self._latest: dict[str, bytes] = {}
        self._spectrum: bytes | None = None
        self._spectrum_due = 0.0
        self._wake = asyncio.Event()
        self.closed = False

    def put(self, name: str, frame: bytes) -> None:
        """From the event loop; never waits."""
        if name == "spectrum":
            if self._apart_s < float("inf"):
                self._spectrum = frame
        elif name in _LATEST:
            self._latest[name] = frame
        elif len(self._queue) >= MOST_WAITING:
            self.close()
        else:
            self._queue.append(frame)
        self._wake.set()

    def close(self) -> None:
        """Nothing more comes."""
        self.closed = True
        self._wake.set()

    async def chunks(self, holds: Callable[[], bool]) -> AsyncIterator[bytes]:
        """What is sent; holds: whether the login that asked for it still does, asked every 5 s."""
        yield b"retry: 2000\n\n"
        asked = sent = self._now()
        while not self.closed:
            now = self._now()
            if now - asked >= _PING_S:
                asked = now
                if not holds():
                    return
            chunk = self._take()
            if not chunk and now - sent >= _PING_S:
                # A browser that is gone is noticed when something is written to it.
                chunk = b": \n\n"
            if chunk:
                sent = now
                yield chunk
                continue
            self._wake.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._patience_s(sent))

    def _patience_s(self, sent: float) -> float:
        due = sent + _PING_S
        if self._spectrum is not None:
            due = min(due, self._spectrum_due)
        return max(0.0, due - self._now())

    def _take(self) -> bytes:
        parts = list(self._latest.values())
        self._latest.clear()
        parts += self._queue
        self._queue.clear()
        now = self._now()
        if self._spectrum is not None and now >= self._spectrum_due:
            parts.append(self._spectrum)
            self._spectrum, self._spectrum_due = None, now + self._apart_s
        return b"".join(parts)
