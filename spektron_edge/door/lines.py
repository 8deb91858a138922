"""Bytes of a stream cut into lines, none of them longer than agreed."""

from __future__ import annotations

# What the daemon sends, and what it reads: nobody asks for anything as long as a spectrum.
MOST_SENT = 2**20
MOST_READ = 2**16


class Lines:
    """Keeps the half line that a read ended in. Of one that is too long nothing is kept."""

    def __init__(self, most: int) -> None:
        """most: bytes of a line, without its end."""
        self._most = most
        self._half = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes | None]:
        """The lines that end in data, without their ends; None for one that is too long."""
        found: list[bytes | None] = []
        *ended, rest = data.split(b"\n")
        for part in ended:
            self._take(part)
            found.append(None if self._skipping else bytes(self._half))
            self._half.clear()
            self._skipping = False
        self._take(rest)
        return found

    def _take(self, part: bytes) -> None:
        if len(self._half) + len(part) > self._most:
            self._half.clear()
            self._skipping = True
        if not self._skipping:
            self._half += part
