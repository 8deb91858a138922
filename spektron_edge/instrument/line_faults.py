"""Errors of the line as faults of the catalogue."""

from __future__ import annotations

from firmware_bridge import errors
from spektron_edge.faults import Fault, Faults

LINE_FAULTS: dict[type[errors.LinkError], Faults] = {
    errors.PortMissing: Faults.PORT_MISSING,
    errors.PortBusy: Faults.PORT_BUSY,
    errors.PortDenied: Faults.PORT_DENIED,
    errors.PortLost: Faults.PORT_LOST,
    errors.LineGarbage: Faults.LINE_GARBAGE,
    errors.DeviceSilent: Faults.DEVICE_SILENT,
    errors.VersionMismatch: Faults.VERSION_MISMATCH,
    errors.InfoInvalid: Faults.INFO_INVALID,
    errors.InstrumentExchanged: Faults.INSTRUMENT_EXCHANGED,
    errors.DeviceRefused: Faults.DEVICE_REFUSED,
    errors.DriverFailed: Faults.DRIVER_FAILED,
}


def as_fault(error: errors.LinkError) -> Fault:
    """The catalogue's fault for an error of the link."""
    for kind in type(error).__mro__:
        if kind in LINE_FAULTS:
            return Fault(LINE_FAULTS[kind], str(error))
    return Fault(Faults.PORT_LOST, str(error))
