"""The journal's own protocol: a message with fields, one datagram for each.

https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from typing import TextIO

SOCKET = "/run/systemd/journal/socket"
# A datagram that is larger than the kernel's buffer would not be sent at all.
_MOST_BYTES = 16_384
# Nothing that is measured waits for a journal that hangs.
_PATIENCE_S = 1.0


class Journal:
    """A connection. Raises OSError where there is no journal."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            self._socket.settimeout(_PATIENCE_S)
            self._socket.connect(path)
        except OSError:
            self.close()
            raise

    def send(self, fields: Mapping[str, object]) -> None:
        """One entry; names as `field_name` makes them. Raises OSError."""
        self._socket.send(b"".join(_field(name, value) for name, value in fields.items()))

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


def is_journal(stream: TextIO, stream_id: str | None) -> bool:
    """Whether what is written there goes to the journal. stream_id: JOURNAL_STREAM, which whoever
    redirected the stream has inherited as well."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return stream_id == f"{status.st_dev}:{status.st_ino}"


def field_name(name: str) -> str:
    """A name that the journal takes: capitals, digits and _, ours begin with SPEKTRON_."""
    return f"SPEKTRON_{re.sub('[^A-Z0-9]', '_', name.upper())}"[:64]


def _field(name: str, value: object) -> bytes:
    said = str(value).encode(errors="backslashreplace")
    if len(said) > _MOST_BYTES:
        said = said[:_MOST_BYTES] + b" [cut]"
    if b"\n" in said:
        return name.encode() + b"\n" + len(said).to_bytes(8, "little") + said + b"\n"
    return name.encode() + b"=" + said + b"\n"
