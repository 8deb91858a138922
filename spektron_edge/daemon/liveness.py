"""What the service manager's line says of the daemon, and the fault of a thread that hangs."""

from __future__ import annotations

from collections.abc import Sequence

from spektron_edge.faults import Fault, Faults
from spektron_edge.publishing.active_faults import LINE
from spektron_edge.service.service import Service

from .arrivals import Arrivals
from .opening import Opened

_EVERY_S = 10.0


class Liveness:
    """Looks at the daemon in spare time."""

    def __init__(self, service: Service, opened: Opened, arrivals: Arrivals) -> None:
        self._service, self._opened, self._arrivals = service, opened, arrivals
        self._told: tuple[object, ...] = ()
        self._due = float("-inf")

    def look_after(self, now: float) -> None:
        """now: time.monotonic(). Raises OutboxError; it is done later then."""
        notices, late = self._opened.notices, self._service.late
        if late:
            notices.begin(Fault(Faults.PART_HUNG, "; ".join(late)))
        else:
            notices.end((Faults.PART_HUNG,))
        if self._service.listened_to:
            self._tell(now)

    def _tell(self, now: float) -> None:
        device = self._arrivals.device
        serial = None if device is None else device.serial
        told = serial, self._opened.client.connected, self._opened.notices.codes
        # Counting what waits takes the longer the more there is.
        if told != self._told or now >= self._due:
            self._told, self._due = told, now + _EVERY_S
            unsent = self._opened.state.outbox.counts()["unsent"]
            self._service.status(status_line(*told, unsent))


def status_line(serial: str | None, connected: bool, faults: Sequence[str], unsent: int) -> str:
    """For `systemctl status`. serial: of the instrument that answered last; unsent: records."""
    lost = any(kind.value.code in faults for kind in LINE)
    instrument = "no instrument" if serial is None else f"instrument {serial}"
    parts = [
        f"{instrument}{', not on the line' if lost and serial is not None else ''}",
        f"broker {'connected' if connected else 'away'}",
        f"{unsent} {'record waits' if unsent == 1 else 'records wait'}",
        f"faults: {', '.join(faults)}" if faults else "no fault",
    ]
    return "; ".join(parts)
