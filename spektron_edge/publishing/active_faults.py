"""Which faults are going on: reported when they begin and when they end, not in between."""

from __future__ import annotations

from collections.abc import Iterable

from spektron_edge.faults import Fault, Faults

LINE = (
    Faults.PORT_MISSING,
    Faults.PORT_BUSY,
    Faults.PORT_DENIED,
    Faults.PORT_LOST,
    Faults.DEVICE_SILENT,
    Faults.LINE_GARBAGE,
    Faults.VERSION_MISMATCH,
    Faults.INFO_INVALID,
    Faults.DRIVER_FAILED,
    Faults.INSTRUMENT_EXCHANGED,
)
PREPARATION = (
    Faults.LAMP_NOT_WARM,
    Faults.REFERENCE_INTERRUPTED,
    Faults.DEVICE_REFUSED,
    Faults.BAD_PIXELS,
    Faults.NONLINEARITY_UNUSABLE,
    Faults.SCAN_INVALID,
    Faults.INTERNAL,
)
REFERENCES = (Faults.NO_DARK, Faults.NO_REFERENCE, Faults.REFERENCE_EXPIRED)
SCAN = (
    *REFERENCES,
    Faults.LAMP_NOT_WARM,
    Faults.SATURATED,
    Faults.COUNTS_REPEATED,
    Faults.NOT_FINITE,
    Faults.AXIS_INVALID,
    Faults.AXIS_OUTSIDE_MODEL,
    Faults.BUNDLE_INVALID,
    Faults.BUNDLE_ELSEWHERE,
    Faults.TRANSFER_UNUSABLE,
    Faults.ADAPTATION_UNUSABLE,
)
STORAGE = (Faults.DISK_FULL, Faults.STATE_UNWRITABLE)
# SESSION_TAKEN is over only once a session lasts.
BROKER = (
    Faults.BROKER_UNREACHABLE,
    Faults.BROKER_REFUSED,
    Faults.BROKER_UNTRUSTED,
    Faults.CERTIFICATE_REFUSED,
    Faults.CONFIG_INVALID,
)
# About what is known of the values, not about anything that does not work.
QUALIFICATION = (Faults.QUALIFICATION_DUE, Faults.QUALIFICATION_FAILED)
# Neither broker nor instrument is gone because of these.
BESIDE = (
    Faults.NOTICE_REFUSED,
    Faults.SPARKPLUG_REFUSED,
    Faults.STATE_DAMAGED,
    Faults.DOOR_SHUT,
)


class ActiveFaults:
    """The faults that are going on, by kind."""

    def __init__(self) -> None:
        self._active: dict[Faults, Fault] = {}

    def begin(self, fault: Fault) -> bool:
        """Note a fault; true when it was not going on already."""
        fresh = fault.kind not in self._active
        self._active[fault.kind] = fault
        return fresh

    def end(self, kinds: Iterable[Faults]) -> list[Fault]:
        """Note that these do not go on; returns those that did."""
        return [self._active.pop(kind) for kind in kinds if kind in self._active]

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is going on, in the order of beginning."""
        return tuple(self._active.values())

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of what is going on, in the order of beginning."""
        return tuple(fault.code for fault in self._active.values())
