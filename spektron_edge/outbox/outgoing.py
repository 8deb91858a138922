"""What is stored: records on their way, and how far an instrument's scans were dealt with."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Literal

RecordKind = Literal["prediction", "event"]


@dataclass(frozen=True)
class Progress:
    """The last scan of an instrument that was dealt with."""

    serial: str
    boot_id: int
    number: int


@dataclass(frozen=True)
class Gap:
    """Scans of one power-on of an instrument that became no record, first and last included."""

    serial: str
    boot_id: int
    first: int
    last: int

    @property
    def count(self) -> int:
        """How many."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class Outgoing:
    """A record on its way. position: its place in the order of commits; 0 before it is stored."""

    id: str
    kind: RecordKind
    payload: bytes
    position: int = field(default=0, compare=False)

    @property
    def crc(self) -> int:
        """CRC-32 of all of it: SQLite has no checksums, and disks forget single bits."""
        return zlib.crc32(self.payload, zlib.crc32(f"{self.id}\n{self.kind}\n".encode()))
