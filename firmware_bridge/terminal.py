"""A pseudo terminal that a host opens as if it were the instrument's port."""

from __future__ import annotations

import errno
import os
import select
import termios
import tty
from pathlib import Path

SPEEDS = {
    getattr(termios, name): int(name[1:])
    for name in dir(termios)
    if name[0] == "B" and name[1:].isdigit() and name != "B0"
}
_READ_BYTES = 1 << 16


class Terminal:
    """Plugged in from the start. `link`: a symbolic link that points to it while plugged in.

    Raises OSError where the link cannot be made or a file stands in its place.
    """

    def __init__(self, link: Path | None, baud: int) -> None:
        self._link = link
        self._baud = baud
        self._master = self._slave = -1
        self._path = ""
        self.plug()

    @property
    def url(self) -> str:
        """What the host opens."""
        return str(self._link) if self._link is not None else self._path

    @property
    def fd(self) -> int | None:
        """To wait on; None while unplugged."""
        return None if self._master < 0 else self._master

    @property
    def baud(self) -> int:
        """As the host has set it; one that has no name is the one before."""
        if self._slave >= 0:
            self._baud = SPEEDS.get(termios.tcgetattr(self._slave)[5], self._baud)
        return self._baud

    def plug(self) -> None:
        """Raises OSError."""
        if self._master >= 0:
            return
        if self._link is not None and self._link.exists() and not self._link.is_symlink():
            raise FileExistsError(errno.EEXIST, "there is a file of that name", str(self._link))
        self._master, self._slave = os.openpty()
        for fd in (self._master, self._slave):
            tty.setraw(fd)
        os.set_blocking(self._master, False)
        codes = {baud: code for code, baud in SPEEDS.items()}
        if self._baud in codes:
            attributes = termios.tcgetattr(self._slave)
            attributes[4] = attributes[5] = codes[self._baud]
            termios.tcsetattr(self._slave, termios.TCSANOW, attributes)
        self._path = os.ttyname(self._slave)
        if self._link is not None:
            fresh = self._link.with_name(f".{self._link.name}.{os.getpid()}")
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(self._path)
            fresh.replace(self._link)

    def unplug(self) -> None:
        """The host loses its port."""
        if self._master < 0:
            return
        # Another instrument may have taken the link over meanwhile.
        if self._link is not None and os.path.realpath(self._link) == self._path:
            self._link.unlink(missing_ok=True)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1

    def read(self) -> bytes:
        """What the host has sent; empty where it has not."""
        try:
            return b"" if self._master < 0 else os.read(self._master, _READ_BYTES)
        except BlockingIOError:
            return b""

    def write(self, data: bytes, timeout_s: float) -> int:
        """How many bytes the host took, or the terminal kept for it, within `timeout_s`."""
        written = 0
        while self._master >= 0 and written < len(data):
            if not select.select([], [self._master], [], timeout_s)[1]:
                break
            written += os.write(self._master, data[written:])
        return written
