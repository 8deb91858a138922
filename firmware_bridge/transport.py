"""A pyserial port with low-latency reads and our own errors."""

from __future__ import annotations

import errno
import select
import termios
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import serial

from firmware_bridge.errors import LinkError, PortBusy, PortDenied, PortLost, PortMissing

READ_BYTES = 65536
WRITE_TIMEOUT_S = 2.0
# pyserial lets all of these out of a port that was unplugged.
VANISHED = (serial.SerialException, OSError, termios.error, TypeError, ValueError)
_BUSY = {errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK}
_DENIED = {errno.EACCES, errno.EPERM}
_WITH_PORT = ("socket://", "rfc2217://")


class Transport:
    """One open port. Any pyserial URL; a real port is opened exclusively."""

    def __init__(self, url: str, baud: int) -> None:
        """Open `url`; raises PortMissing, PortBusy, PortDenied."""
        self.url = url
        if url.startswith(_WITH_PORT) and _port_of(url) is None:
            raise PortMissing(
                f"no usable port at {url}: expected host and port, as in socket://host:4001, "
                f"received no port number. Correct the URL."
            )
        extra: dict[str, Any] = {} if "://" in url else {"exclusive": True}
        try:
            self._port = serial.serial_for_url(
                url, baudrate=baud, timeout=0, write_timeout=WRITE_TIMEOUT_S, **extra
            )
        except (serial.SerialException, OSError, termios.error, ValueError) as error:
            raise _open_error(url, baud, error) from error
        self._fd = self._selectable()

    def _selectable(self) -> int | None:
        """Return the descriptor to wait on; some URL schemes (loop, rfc2217) have none."""
        try:
            fd: Any = self._port.fileno()
        except (AttributeError, OSError):
            return None
        return fd if isinstance(fd, int) else None

    def read(self, timeout_s: float) -> bytes:
        """Return what is there, waiting up to `timeout_s` for the first byte; b"" when nothing
        comes. Raises PortLost.
        """
        try:
            if self._fd is None:
                return self._read_waiting(timeout_s)
            if not select.select([self._fd], [], [], max(timeout_s, 0.0))[0]:
                return b""
            # in_waiting never exceeds 1 on socket://, so ask for a large block without waiting.
            return bytes(self._port.read(READ_BYTES))
        except VANISHED as error:
            raise self._lost("reading", error) from error

    def _read_waiting(self, timeout_s: float) -> bytes:
        self._port.timeout = max(timeout_s, 0.0)
        first = bytes(self._port.read(1))
        self._port.timeout = 0
        return first + bytes(self._port.read(READ_BYTES)) if first else first

    def write(self, data: bytes) -> None:
        """Send all of `data`; raises PortLost, also when the port takes no bytes."""
        try:
            self._port.write(data)
        except VANISHED as error:
            raise self._lost("writing", error) from error

    def drain(self) -> None:
        """Throw away what has already arrived; raises PortLost."""
        try:
            self._port.reset_input_buffer()
        except VANISHED as error:
            raise self._lost("emptying the input", error) from error

    def set_baud(self, baud: int) -> None:
        """Go on at another speed; raises PortLost."""
        try:
            self._port.baudrate = baud
        except VANISHED as error:
            raise self._lost(f"changing to {baud} baud", error) from error

    def close(self) -> None:
        """Close; never raises."""
        with suppress(*VANISHED):
            self._port.close()

    def _lost(self, action: str, error: BaseException) -> PortLost:
        return PortLost(
            f"{self.url} was lost while {action}: {error}. Expected an open port. "
            f"Check cable and power of the instrument; the link can be opened again."
        )


def _port_of(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError:
        return None


def _open_error(url: str, baud: int, error: BaseException) -> LinkError:
    code = getattr(error, "errno", None)
    tried = f"tried to open {url} at {baud} baud, received: {error}."
    if code in _BUSY:
        return PortBusy(
            f"{url} is in use: {tried} Expected to own it alone. "
            f"Find the other program with `fuser {url}` and stop it."
        )
    if code in _DENIED:
        return PortDenied(
            f"no permission for {url}: {tried} Expected read and write access. "
            f"Add this user to the port's group (often `dialout`) and log in again."
        )
    return PortMissing(
        f"no usable port at {url}: {tried} Expected a serial port or a pyserial URL. "
        f"Check that the instrument is plugged in and the name is right (`ls /dev/serial/by-id`)."
    )
