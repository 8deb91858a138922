"""Records, clocks and accidents for tests of the outbox."""

from __future__ import annotations

from pathlib import Path

from spektron_edge.clock import Stamp
from spektron_edge.outbox import Limits, Outgoing

UNLIMITED = Limits(10**9, 10**9)


def record(number, payload=b"{}", kind="prediction") -> Outgoing:
    return Outgoing(f"id-{number:06d}", kind, payload)


def ids(outbox, limit=1000):
    return [r.id for r in outbox.unsent(limit)]


def counts(unsent=0, sent=0, refused=0, full=0, **others):
    return {
        "unsent": unsent,
        "sent": sent,
        "sent_again": 0,
        "refused": refused,
        "dropped_full": full,
        "dropped_old": 0,
        "dropped_refused": 0,
        **others,
    }


class Hours:
    """The host's clocks, moved by hand."""

    def __init__(self, boot="a"):
        self.running_s, self.boot, self.utc_s = 1000.0, boot, 0.0

    def now(self):
        return Stamp(self.utc_s, self.running_s, self.boot)

    def pass_by(self, hours):
        self.running_s += 3600 * hours

    def reboot(self, up_hours=0.0):
        self.running_s, self.boot = 3600 * up_hours, self.boot + "'"


HOUR = 3600.0


def damage(path: Path, page: int | None = None) -> None:
    raw = bytearray(path.read_bytes())
    if page is None:
        raw[:100] = b"\x5a" * 100
    else:
        raw[page * 4096 : (page + 1) * 4096] = b"\x5a" * 4096
    path.write_bytes(raw)
